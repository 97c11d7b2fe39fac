// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// Text in Prometheus' exposition format 0.0.4: families with help and type, samples with labels.
//
// Owned by one thread. The text grows up to METRICS_TEXT_MAX bytes; a sample without room is left
// out and counted, so the text is whole lines. Label values are escaped; names and help are
// constants. Floats are written with 17 digits at most, integers exactly.

#include "base/counts.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <weir/attr.h>

enum { METRICS_TEXT_MAX = 4 << 20, METRICS_LABELS_MAX = 5, METRICS_NAME_MAX = 96 };

enum metrics_type { METRICS_COUNTER, METRICS_GAUGE, METRICS_HISTOGRAM };

struct metrics_text {
	char *data; // malloced, with a NUL after `len` bytes; NULL: no text so far
	size_t len, cap;
	uint64_t samples;
	uint64_t left_out;             // samples that found no room
	char family[METRICS_NAME_MAX]; // family of the samples that follow
};

struct metrics_label {
	const char *name, *value;
};

// Begins a family: the samples that follow are of it. A family comes once in a text.
void metrics_family(struct metrics_text *t, enum metrics_type type, const char *name,
	const char *help, ...) ATTR_PRINTF(4, 5);
// `labels` ends with a NULL name, or is NULL.
void metrics_count(struct metrics_text *t, const struct metrics_label *labels, uint64_t value);
void metrics_real(struct metrics_text *t, const struct metrics_label *labels, double value);
// A family of one sample without labels.
void metrics_one(struct metrics_text *t, enum metrics_type type, const char *name, const char *help,
	uint64_t value);
// Adds the samples of a histogram. `bucket`: counts of each bucket alone. `bound`: upper bounds in
// the family's unit, of all buckets but the last, which has no bound.
void metrics_histogram(struct metrics_text *t, const struct metrics_label *labels,
	const uint64_t *bucket, const double *bound, unsigned buckets, double sum);

// Adds a whole line, with its end, unchanged. Arguments may point into the text.
void metrics_line(struct metrics_text *t, const char *fmt, ...) ATTR_PRINTF(2, 3);

// An array of up to METRICS_LABELS_MAX labels.
#define METRICS_LABELS(...) ((const struct metrics_label[]){__VA_ARGS__, {NULL, NULL}})

// Adds a family for each counter of `c` that has a metric: with one sample without labels, or with
// a sample for each of `rows` structs, `stride` bytes apart.
void metrics_counts(struct metrics_text *t, const struct counts *c, const void *from);
struct metrics_labels {
	struct metrics_label label[3]; // a NULL name ends them
};
// The labels of one row, with one label.
#define METRICS_LABEL(name, value) ((struct metrics_labels){{{name, value}}})
void metrics_counts_rows(struct metrics_text *t, const struct counts *c, const void *from,
	unsigned rows, size_t stride, const struct metrics_labels *labels);
