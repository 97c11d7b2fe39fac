// SPDX-License-Identifier: BSD-3-Clause
#include "judge_rules.h"

#include "base/table_registry.h"
#include "memory_meter.h"

#include <math.h>
#include <string.h>
#include <weir/mem_account.h>

enum { TABLE_PART = 20, QUESTION_MS = 6000 };

#define KIB 1024.0
#define MIB (1024.0 * KIB)

const char *const judge_kind_texts[JUDGE_KINDS] = {
	[JUDGE_ACCOUNT] = "account",
	[JUDGE_TABLE] = "table",
	[JUDGE_HEAP] = "heap",
	[JUDGE_RESIDENT] = "resident",
	[JUDGE_MAPPINGS] = "mappings",
	[JUDGE_DELETED_MAPPINGS] = "deleted_mappings",
	[JUDGE_DESCRIPTORS] = "descriptors",
	[JUDGE_BUFFERS] = "buffers",
};
const char *const judge_process_texts[MEMORY_PROCESSES] = {
	[MEMORY_CONTROLPLANE] = "controlplane", [MEMORY_DATAPLANE] = "dataplane"};

// Bytes. A leak of 1 GiB an hour gains 10.5 MiB in the nine rises of the first scale that count,
// one of 250 MiB 5 MiB in the nine of the second, of 100 MiB 3.3 MiB in the eight of the third, of
// 10 MiB 1.8 MiB and of 1 MiB 0.73 MiB in the eleven of the others. Nearly all marks have to rise:
// of ones that waver by chance half do.
#define BYTES_RULE                                                                   \
	.unit = "bytes", .gain = {5 * MIB, 3 * MIB, 1.75 * MIB, 1 * MIB, 0.4 * MIB}, \
	.rises = {9, 9, 8, 10, 10}, .falls = MARKS_MAX, .per_load = KIB

static const struct judge_rule accounts = {.kind = JUDGE_ACCOUNT, BYTES_RULE};
static const struct judge_rule accounts_held = {.kind = JUDGE_ACCOUNT, BYTES_RULE, .is_held = true};
static const struct judge_rule heaps = {.kind = JUDGE_HEAP, BYTES_RULE, .is_held = true};
static const struct judge_rule residents = {.kind = JUDGE_RESIDENT, BYTES_RULE, .is_held = true};
// A table has to gain a part of its cap, too, or more than the load can put into it (least_of).
static const struct judge_rule tables = {.kind = JUDGE_TABLE,
	.unit = "entries",
	.gain = {100, 100, 100, 100, 100},
	.rises = {9, 9, 8, 10, 10},
	.falls = MARKS_MAX};
static const struct judge_rule ages = {.kind = JUDGE_TABLE, .unit = "entries"};
// What the kernel counts of the data plane is read each ten seconds, so four of the first scale's
// marks can rise, and eight of the second's.
static const struct judge_rule mapped = {.kind = JUDGE_MAPPINGS,
	.unit = "bytes",
	.gain = {5 * MIB, 3 * MIB, 1.75 * MIB, 1 * MIB, 0.4 * MIB},
	.rises = {3, 6, 7, 10, 10},
	.falls = MARKS_MAX};
// Counts rise by whole numbers, and slow leaks of them seldom: fewer rises are enough. Descriptors
// waver by those in use while they are counted; what wavers within a bound gains less than its two
// largest rises, whatever falls between them.
static const struct judge_rule descriptors = {.kind = JUDGE_DESCRIPTORS,
	.unit = "descriptors",
	.gain = {12, 12, 12, 8, 4},
	.rises = {4, 5, 4, 5, 5},
	.falls = MARKS_MAX};
static const struct judge_rule mappings = {.kind = JUDGE_MAPPINGS,
	.unit = "mappings",
	.gain = {400, 300, 200, 100, 60},
	.rises = {3, 6, 7, 10, 10},
	.falls = 1};
static const struct judge_rule buffers = {.kind = JUDGE_BUFFERS,
	.unit = "buffers",
	.gain = {4, 6, 8, 8, 8},
	.rises = {3, 4, 4, 5, 5},
	.falls = 1};
static const struct judge_rule deleted = {.kind = JUDGE_DELETED_MAPPINGS, .unit = "mappings"};

static double explains(const struct memory_item *i)
{
	double bytes = (double)i->table.bytes;
	bool is_over = i->table.kind != TABLE_WORK && i->cap && i->value > i->cap;
	return is_over ? bytes * (double)i->cap / (double)i->value : bytes;
}

void judge_sums_take(const struct memory_sample *s, struct judge_sums *out)
{
	*out = (struct judge_sums){0};
	for (unsigned i = 0; i < s->count; i++) {
		const struct memory_item *item = &s->item[i];
		if (item->kind != MEMORY_FILL)
			continue;
		if (!item->table.is_reserved)
			out->account[mem_account_of(item->name)] += explains(item);
	}
}

static void resident_look(const struct memory_sample *s, struct judge_verdict *out)
{
	bool of_dataplane = out->process == MEMORY_DATAPLANE;
	uint64_t allocator = memory_sample_get(
		s, MEMORY_BYTES, of_dataplane ? METER_DATAPLANE "allocator" : "allocator");
	if (allocator == MEMORY_ABSENT)
		return;
	// The allocator says the most that it can have in memory: untouched pages count. So this
	// is a backstop behind `mappings`.
	out->rule = &residents;
	out->value = fmax(0, out->value - (double)allocator);
}

static void account_look(const struct judge_sums *sums, const char *name, struct judge_verdict *out)
{
	unsigned a = 0;
	while (a < MEM_ACCOUNT_COUNT && strcmp(mem_account_names[a], name) != 0)
		a++;
	bool of_dataplane = out->process == MEMORY_DATAPLANE;
	if (a == MEM_ACCOUNT_COUNT && !of_dataplane)
		return;
	out->rule =
		a == MEM_ACCOUNT_images || a == MEM_ACCOUNT_libraries ? &accounts_held : &accounts;
	if (!of_dataplane)
		out->explained = sums->account[a];
	out->value -= out->explained;
}

static void bytes_look(const struct memory_sample *s, const struct judge_sums *sums,
	const char *name, struct judge_verdict *out)
{
	static const char *const kinds = "mappings ";
	if (strcmp(name, "rss") == 0 || strcmp(name, "heap") == 0 || strcmp(name, "allocator") == 0)
		return;
	if (strcmp(name, "anonymous") == 0) {
		resident_look(s, out);
	} else if (strcmp(name, "unexplained") == 0) {
		out->rule = &heaps;
	} else if (strncmp(name, kinds, strlen(kinds)) == 0) {
		out->rule = &mapped;
		out->name = name + strlen(kinds);
	} else {
		account_look(sums, name, out);
	}
}

static void count_look(const struct memory_sample *s, const char *name, struct judge_verdict *out)
{
	static const char *const kinds = "descriptors ";
	if (strncmp(name, kinds, strlen(kinds)) == 0) {
		out->rule = &descriptors;
		out->name = name + strlen(kinds);
		if (out->process == MEMORY_CONTROLPLANE && strcmp(out->name, "socket") == 0)
			out->value -= (double)s->descriptors;
	} else if (strcmp(name, "mappings") == 0) {
		out->rule = &mappings;
	} else if (strcmp(name, "buffers") == 0) {
		out->rule = &buffers;
	} else if (strcmp(name, "deleted") == 0) {
		out->rule = &deleted;
	}
}

void judge_look(const struct memory_sample *s, const struct judge_sums *sums, unsigned i,
	struct judge_verdict *out)
{
	const struct memory_item *item = &s->item[i];
	const size_t prefix = strlen(METER_DATAPLANE);
	bool of_dataplane = strncmp(item->name, METER_DATAPLANE, prefix) == 0;
	const char *name = item->name + (of_dataplane ? prefix : 0);
	*out = (struct judge_verdict){
		.process = of_dataplane ? MEMORY_DATAPLANE : MEMORY_CONTROLPLANE,
		.name = name,
		.value = (double)item->value};
	if (item->kind == MEMORY_BYTES) {
		bytes_look(s, sums, name, out);
	} else if (item->kind == MEMORY_COUNT) {
		count_look(s, name, out);
	} else if (item->table.kind == TABLE_WORK) {
		out->rule = &tables;
		out->least = (double)item->cap / TABLE_PART;
		if (item->table.stay_ms <= QUESTION_MS)
			out->stay_s = (double)item->table.stay_ms / 1000;
	} else if (item->table.stay_ms) {
		out->rule = &ages;
	}
}
