// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// A counter is one row of a list. The row makes the field of a struct, the merge of the structs of
// several resolvers or frontends, the key of JSON and the metric:
//
//	#define TIER_COUNTS(X) X(MOST, uint64_t, rtt_us, SAME, NAMED("rtt_seconds"), "Trip.")
//	struct tier_status { TIER_COUNTS(COUNT_FIELD) };
//	COUNTS(tier_rows, struct tier_status, "weir_tier_", TIER_COUNTS)
//
// Columns: merge, type, field, key, metric after the prefix, help. Merge is a name of enum
// count_merge without COUNT_. Key and metric are NONE, SAME (the field's name), TOTAL (the field's
// name with `_total`) or NAMED("another"). A metric whose name ends with `_total` is a counter,
// every other one a gauge. A metric in seconds of a field in `_us` or `_ms` is divided.

#include "json.h"

#include <weir/attr.h>

enum count_merge {
	COUNT_SUM,
	COUNT_MOST,     // a bool: true if one struct has true
	COUNT_LEAST,    // a bool: true if all structs have true
	COUNT_EARLIEST, // the least that is not 0
	COUNT_FIRST,    // the process has one value, or the merge is written by hand
};

struct count {
	const char *name;         // the field's name
	const char *key, *metric; // "": the counter has no key, no metric
	const char *help;
	unsigned short offset;
	unsigned char width; // 1 (a bool), 2, 4 or 8 bytes
	unsigned char merge; // enum count_merge
};

struct counts {
	const char *prefix; // before the name of each metric
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
#define COUNT_NAME_NAMED(text)  text COUNT_NAME_NONE // takes the argument `field`

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
// Adds the counters with a key to an object, with `as` before each key.
void counts_json(struct json_out *o, struct json_node *parent, const char *as,
	const struct counts *c, const void *from);
