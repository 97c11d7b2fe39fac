// SPDX-License-Identifier: BSD-3-Clause

// G6: how many bytes a cached answer and a listed name take, of everything that is allocated for
// them: a table of a million names with one A record each, and a rule image of a million names.
// Fails when what is counted is not there.

#include "bench_row.h"
#include "corpus_l0.h"
#include "tests/bench/path/path_load.h"

#include <stdlib.h>
#include <string.h>
#include <weir/clock.h>

#define GOAL "G6"

enum { NAMES = 1000000, UNITS = 3 };

// A table just large enough, as docs/reference/l0-table.md has it. The workers' marks: for one.
static bool answers(void)
{
	static const char title[] = "1M names, one A record";
	static _Atomic uint64_t epoch = 1;
	static struct epoch_writer epochs = {.epoch = &epoch};
	uint64_t geometry[SHM_GEOMETRY_WORDS] = {0},
		 now_ms = clock_mono_coarse_ms(clock_suspended_ms(0));
	size_t data_size;
	struct l0_writer *w;
	if (l0_plan((uint64_t)NAMES * (UNITS * 34 + 10), UNITS, 1, geometry, &data_size) != 0)
		return false;
	size_t size = SHM_PAGE + data_size;
	uint8_t *base = aligned_alloc(SHM_PAGE, (size + SHM_PAGE - 1) / SHM_PAGE * SHM_PAGE);
	if (!base)
		return false;
	memset(base, 0, size);
	struct region_header *head = (struct region_header *)(void *)base;
	head->kind = REGION_L0;
	head->total_size = size;
	memcpy(head->geometry, geometry, sizeof(geometry));
	if (l0_region_init(base, size) != 0
		|| l0_writer_open(&w, base, size, 0, true, &epochs, now_ms) != 0)
		return false;
	bool ok = true;
	for (uint32_t id = 0; ok && id < NAMES; id++)
		ok = corpus_l0_put_some(w, id, 1, now_ms) == 0;
	struct l0_writer_stats s;
	l0_writer_stats(w, &s);
	double entries = (double)s.entries, slots = (double)s.index_slots;
	double index = 64.0 / L0_BUCKET_SLOTS * slots / entries;
	double record = (double)L0_UNIT * (double)s.units_used / entries;
	double marks = (double)s.units_used / entries;
	double own = (double)l0_writer_memory(w) / entries;
	bench_say(GOAL, title, "entries", entries, "entries", 0);
	bench_say(GOAL, title, "load", entries / slots, "of the index", 0);
	bench_say(GOAL, title, "index", index, "bytes an entry", 9);
	bench_say(GOAL, title, "record", record, "bytes an entry", 0);
	bench_say(GOAL, title, "marks", marks, "bytes an entry and worker", 0);
	bench_say(GOAL, title, "private", own, "bytes an entry", 0);
	bench_say(GOAL, title, "all", index + record + marks + own, "bytes an entry", 140);
	ok = ok && s.entries > NAMES / 100 * 98;
	l0_writer_close(w);
	free(base);
	return ok;
}

static bool listed(void)
{
	static const char title[] = "1M listed names";
	struct rule_reader reader;
	void *image;
	if (!path_rules_build(&image, NAMES, false, &reader))
		return false;
	const struct rule_image_head *h = image;
	double names = (double)h->names;
	double path = (double)(h->bloom_blocks * sizeof(struct rule_bloom_block)
			       + h->table_buckets * sizeof(struct rule_bucket)
			       + h->set_count * sizeof(struct rule_set));
	bench_say(GOAL, title, "path", path / names, "bytes a name", 18);
	bench_say(GOAL, title, "image", (double)h->size / names, "bytes a name", 18);
	bool ok = h->names == NAMES;
	free(image);
	return ok;
}

int main(void)
{
	bool ok = answers();
	ok &= listed();
	if (!ok)
		fputs("bench_bytes: what is counted is not there\n", stderr);
	return !ok;
}
