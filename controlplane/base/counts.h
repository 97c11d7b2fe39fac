// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// A counter is one row of a list. The row makes the field of a struct, the merge of several
// resolvers' or frontends' structs, the key of JSON and the metric:
//
//	#define TIER_COUNTS(X) X(MOST, uint64_t, rtt_us, SAME, NAMED("rtt_seconds"), "Trip.")
//	struct tier_status { TIER_COUNTS(COUNT_FIELD) };
//	COUNTS(tier_rows, struct tier_status, "weir_tier_", TIER_COUNTS)
//
// Columns: merge, type, field, key, metric behind the prefix, help. Merge is a name of enum
// count_merge without COUNT_. Key and metric are NONE, SAME (the field's name), TOTAL (with
// `_total` behind it) or NAMED("another"). A metric with `_total` at its end is a counter, another
// one a gauge; one in seconds of a field in `_us` or `_ms` is divided.

#include "json_out.h"

#include <weir/attr.h>

enum count_merge {
	COUNT_SUM,
	COUNT_MOST,     // a bool: it is true for one
	COUNT_LEAST,    // a bool: it is true for all
	COUNT_EARLIEST, // the least that is not 0
	COUNT_FIRST,    // the process has it once, or the merge is written by hand
};

struct count {
	const char *name;         // of the field
	const char *key, *metric; // "": it has none
	const char *help;
	unsigned short offset;
	unsigned char width; // 1 (a bool), 2, 4 or 8 bytes
	unsigned char merge; // enum count_merge
};

struct counts {
	const char *prefix; // of its metrics
	const struct count *row;
	unsigned rows;
};

#define COUNT_FIELD(merge, type, field, key, metric, help) type field;
#define COUNT_ROW(how, type, field, called, measured, text) \
	{                                                   \
		.name = #field,                             \
		.key = COUNT_NAME_##called(#field),         \
		.metric = COUNT_NAME_##measured(#field),    \
		.help = (text),                             \
		.offset = offsetof(counted, field),         \
		.width = sizeof(type),                      \
		.merge = COUNT_##how,                       \
	},
#define COUNT_NAME_NONE(field)  ""
#define COUNT_NAME_SAME(field)  field
#define COUNT_NAME_TOTAL(field) field "_total"
#define COUNT_NAME_NAMED(text)  text COUNT_NAME_NONE // which takes the field

// Defines the function `name`, which returns the rows of `list` in the struct `of`.
#define COUNTS(name, of, metrics, list)                                               \
	static inline const struct counts *name(void)                                 \
	{                                                                             \
		typedef of counted;                                                   \
		static const struct count rows[] = {list(COUNT_ROW)};                 \
		static const struct counts counts = {metrics, rows, ARRAY_LEN(rows)}; \
		return &counts;                                                       \
	}

uint64_t count_value(const struct count *c, const void *from);
void counts_merge(const struct counts *c, void *sum, const void *one);
// Adds those with a key to an object, with `as` in front of each key.
void counts_json(struct json_out *o, struct json_node *parent, const char *as,
	const struct counts *c, const void *from);
