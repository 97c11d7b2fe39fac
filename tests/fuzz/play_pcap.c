// SPDX-License-Identifier: BSD-3-Clause

// play_pcap FILE...: the frames of captures through all stages of a worker, in their order, each
// reply checked by the oracles (frame_play.h). Prints the frames by verdict; ends like a
// fuzz body when a property is broken, after the number of the frame. The service is the harness's
// (198.18.0.53, fd53::53): what is for other addresses is `drop_not_ours`, so rewrite a capture
// from elsewhere first (tcprewrite --dstipmap).

#include "frame_play.h"
#include "fuzz.h"
#include "pcap_reader.h"

static unsigned long frames, passed_over;

static void on_abort(int)
{
	fprintf(stderr, "in frame %lu\n", frames);
}

// The bytes of a file, the caller's to free.
static uint8_t *file_read(const char *path, size_t *len)
{
	FILE *f = fopen(path, "rb");
	uint8_t *bytes = NULL;
	long size = -1;
	if (f && fseek(f, 0, SEEK_END) == 0 && (size = ftell(f)) > 0 && fseek(f, 0, SEEK_SET) == 0)
		bytes = malloc((size_t)size);
	*len = bytes ? fread(bytes, 1, (size_t)size, f) : 0;
	if (!bytes || *len != (size_t)size)
		perror(path);
	if (f)
		fclose(f);
	return bytes;
}

static bool play(const char *path)
{
	struct pcap_reader p;
	size_t len, frame_len;
	uint8_t *bytes = file_read(path, &len);
	const uint8_t *frame;
	bool ok = bytes && pcap_begin(&p, bytes, len);
	if (bytes && !ok)
		fprintf(stderr, "%s: not a capture of Ethernet frames in pcap format\n", path);
	while (ok && (frame = pcap_next(&p, &frame_len))) {
		frames++;
		if (frame_len >= FRAME_PLAY_MIN && frame_len <= FRAME_PLAY_MOST)
			frame_play(frame, frame_len, false);
		else
			passed_over++;
	}
	passed_over += ok ? p.cut : 0;
	free(bytes);
	return ok;
}

int main(int argc, char **argv)
{
#define VERDICT_NAME(name, text) #name,
	static const char *const names[] = {VERDICT_LIST(VERDICT_NAME)};
#undef VERDICT_NAME
	bool ok = argc > 1;
	const struct harness *h = frame_play_begin();
	signal(SIGABRT, on_abort);
	for (int i = 1; i < argc; i++)
		ok &= play(argv[i]);
	printf("%lu frames, %lu passed over (cut, or of a length that no port gives)\n", frames,
		passed_over);
	for (unsigned i = 0; i < VERDICT_COUNT; i++)
		if (harness_verdict(h, i))
			printf("%10lu %s\n", (unsigned long)harness_verdict(h, i), names[i]);
	return !ok;
}
