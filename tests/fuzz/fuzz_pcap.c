// SPDX-License-Identifier: BSD-3-Clause

// A capture file, and each of its frames through all stages of a worker (frame_play.h).

#include "frame_play.h"
#include "fuzz.h"
#include "pcap_reader.h"

enum { INPUT_MOST = 16384 };

FUZZ_BEGIN
{
	(void)frame_play_begin();
	return 0;
}

FUZZ_BODY(data, len)
{
	struct pcap_reader p;
	const uint8_t *frame;
	size_t frame_len;
	if (len > INPUT_MOST || !pcap_begin(&p, data, len))
		return 0;
	while ((frame = pcap_next(&p, &frame_len))) {
		FUZZ_CHECK(frame >= data && frame_len <= len
			   && (size_t)(frame - data) <= len - frame_len);
		if (frame_len >= FRAME_PLAY_MIN && frame_len <= FRAME_PLAY_MOST)
			frame_play(frame, frame_len, false);
	}
	return 0;
}
