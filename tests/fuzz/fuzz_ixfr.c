// SPDX-License-Identifier: BSD-3-Clause

// Messages of an incremental transfer, as a server may send them, applied to a copy of three
// records: either the file is that of a list of lines, each of which left when it was there and
// joined when it was not, or the differences are refused. Serials only rise, the new SOA is the
// first line, and each line is printable. The input is messages with their length in front.

#include "controlplane/lists/fetch/list_diff.h"
#include "controlplane/transfer/axfr_ixfr.h"
#include "fuzz.h"

#include <sys/mman.h>

enum { ID = 7, HAVE = 7, LINES = 128 };

static const char *const stored[] = {
	"rpz.test. 60 IN SOA ns.rpz.test. a.rpz.test. 7 1 2 3 4\n",
	"a.rpz.test. 60 IN CNAME .\n",
	"b.rpz.test. 60 IN CNAME .\n",
};

struct model {
	unsigned count;
	char *line[LINES];
	bool is_wrong; // some line left that was not there, or joined one that was
	bool is_full;
};

static struct model model;
static struct list_diff *diff;
static char *soa;
static unsigned written, texts;

static int model_find(const char *line, size_t len)
{
	for (unsigned i = 0; i < model.count; i++)
		if (strlen(model.line[i]) == len && memcmp(model.line[i], line, len) == 0)
			return (int)i;
	return -1;
}

static char *copy_of(const char *line, size_t len)
{
	char *copy = strndup(line, len);
	FUZZ_CHECK(copy);
	return copy;
}

static void model_change(bool joins, const char *line, size_t len)
{
	int at = model_find(line, len);
	model.is_wrong |= joins == (at >= 0);
	model.is_full |= joins && model.count == LINES;
	if (model.is_wrong || model.is_full)
		return;
	if (joins) {
		model.line[model.count++] = copy_of(line, len);
	} else {
		free(model.line[at]);
		model.line[at] = model.line[--model.count];
	}
}

static void line_check(const char *line, size_t len)
{
	FUZZ_CHECK(len > 1 && len < AXFR_LINE_MAX && line[len - 1] == '\n');
	for (size_t i = 0; i + 1 < len; i++)
		FUZZ_CHECK(line[i] >= 0x20 && line[i] < 0x7f);
}

static int on_change(void *, bool joins, const char *line, size_t len)
{
	line_check(line, len);
	model_change(joins, line, len);
	return list_diff_change(diff, joins, line, len);
}

static int on_text(void *, const char *line, size_t len)
{
	line_check(line, len);
	if (!soa)
		soa = copy_of(line, len);
	texts++;
	return 0;
}

static int on_line(void *, const char *line, size_t len)
{
	written++;
	FUZZ_CHECK(model.is_wrong || model.is_full || model_find(line, len) >= 0);
	return 0;
}

static void apply(void)
{
	int fd = memfd_create("copy", MFD_CLOEXEC);
	FUZZ_CHECK(fd >= 0);
	for (unsigned i = 0; i < 3; i++)
		FUZZ_CHECK(write(fd, stored[i], strlen(stored[i])) > 0);
	int err = list_diff_apply(diff, fd, soa, strlen(soa), on_line, NULL);
	close(fd);
	FUZZ_CHECK(err == 0 || err == -EBADMSG);
	if (model.is_full)
		return;
	// The last SOA may be another one than the first, of the same serial.
	bool fits = !model.is_wrong && model_find(soa, strlen(soa)) >= 0 && strcmp(soa, stored[0]);
	FUZZ_CHECK(fits == (err == 0));
	FUZZ_CHECK(err || written + 1 == model.count);
}

FUZZ_BODY(data, len)
{
	static struct ixfr_reader r;
	struct rd input = rd_init(data, len);
	int got = IXFR_MORE;
	memset(&r, 0, sizeof(r));
	memset(&model, 0, sizeof(model));
	written = texts = 0;
	soa = NULL;
	for (unsigned i = 0; i < 3; i++)
		model.line[model.count++] = copy_of(stored[i], strlen(stored[i]));
	FUZZ_CHECK(list_diff_new(&diff) == 0);
	FUZZ_CHECK(dns_name_from_text("rpz.test", 8, &r.zone.zone) == 0);
	r.zone.id = ID;
	r.zone.text = on_text;
	r.have = HAVE;
	r.change = on_change;
	while (got == IXFR_MORE && rd_left(&input) > 2) {
		size_t n = rd_u16(&input);
		if (n > rd_left(&input))
			n = rd_left(&input);
		got = ixfr_read(&r, rd_bytes(&input, n), n);
	}
	if (got < 0)
		FUZZ_CHECK((got == -EBADMSG || got == -EPROTO || got == -ESTALE || got == -E2BIG)
			   && r.zone.why[0]);
	FUZZ_CHECK((got == IXFR_UNCHANGED) == (got > 0 && r.zone.serial == HAVE));
	FUZZ_CHECK(got != IXFR_WHOLE || (texts > 0 && list_diff_changes(diff) == 0));
	if (got == IXFR_DIFFERENCE) {
		FUZZ_CHECK(texts == 1 && (int32_t)(r.zone.serial - HAVE) > 0);
		FUZZ_CHECK(r.at == r.zone.serial);
		apply();
	}
	list_diff_free(diff);
	free(soa);
	for (unsigned i = 0; i < model.count; i++)
		free(model.line[i]);
	return 0;
}
