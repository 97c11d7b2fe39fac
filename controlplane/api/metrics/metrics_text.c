// SPDX-License-Identifier: BSD-3-Clause
#include "metrics.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <weir/heap_site.h>

enum { GROW_BYTES = 128 * 1024, LINE_BYTES_MAX = 2048 };

// A line in the making, which is added whole.
struct line {
	char text[LINE_BYTES_MAX];
	size_t len;
	bool is_cut;
};

static void line_add(struct line *l, const char *fmt, ...) ATTR_PRINTF(2, 3);
static void line_add(struct line *l, const char *fmt, ...)
{
	size_t room = sizeof(l->text) - l->len;
	va_list ap;
	va_start(ap, fmt);
	int n = vsnprintf(l->text + l->len, room, fmt, ap);
	va_end(ap);
	if (n < 0 || (size_t)n >= room)
		l->is_cut = true;
	else
		l->len += (size_t)n;
}

static void line_add_byte(struct line *l, char c)
{
	if (l->len + 1 < sizeof(l->text))
		l->text[l->len++] = c;
	else
		l->is_cut = true;
}

static bool room_make(struct metrics_text *t, size_t len)
{
	size_t need = t->len + len + 1;
	if (need <= t->cap)
		return true;
	size_t cap = need + GROW_BYTES;
	if (cap > METRICS_TEXT_MAX)
		cap = METRICS_TEXT_MAX;
	char *data = need <= cap ? heap_realloc(t->data, cap) : NULL;
	if (!data)
		return false;
	t->data = data;
	t->cap = cap;
	return true;
}

static bool line_put(struct metrics_text *t, const struct line *l)
{
	if (l->is_cut || !room_make(t, l->len))
		return false;
	memcpy(t->data + t->len, l->text, l->len);
	t->len += l->len;
	t->data[t->len] = '\0';
	return true;
}

// Adds a whole line, with its end, unchanged. Arguments may point into the text.
static void ATTR_PRINTF(2, 3) text_add(struct metrics_text *t, const char *fmt, ...)
{
	struct line l = {.len = 0};
	va_list ap;
	va_start(ap, fmt);
	int n = vsnprintf(l.text, sizeof(l.text), fmt, ap);
	va_end(ap);
	l.is_cut = n < 0 || (size_t)n >= sizeof(l.text);
	l.len = l.is_cut ? 0 : (size_t)n;
	if (!line_put(t, &l))
		t->left_out++;
}

// Escapes a label's value. The format is UTF-8; bytes that are not printable ASCII become '?', so
// that no name of a list or server can break the text.
static void value_escape(struct line *l, const char *value)
{
	for (const char *p = value; *p; p++) {
		unsigned char c = (unsigned char)*p;
		if (c == '"' || c == '\\') {
			line_add_byte(l, '\\');
			line_add_byte(l, (char)c);
		} else {
			line_add_byte(l, c < 0x20 || c >= 0x7f ? '?' : (char)c);
		}
	}
}

static void labels_add(struct line *l, const struct metrics_label *labels, const char *le)
{
	bool first = true;
	for (unsigned i = 0; labels && labels[i].name && i < METRICS_LABELS_MAX; i++) {
		line_add(l, "%s%s=\"", first ? "{" : ",", labels[i].name);
		value_escape(l, labels[i].value);
		line_add_byte(l, '"');
		first = false;
	}
	if (le)
		line_add(l, "%sle=\"%s\"", first ? "{" : ",", le);
	if (!first || le)
		line_add_byte(l, '}');
}

void metrics_family(
	struct metrics_text *t, enum metrics_type type, const char *name, const char *help, ...)
{
	static const char *const types[] = {"counter", "gauge", "histogram"};
	struct line l = {.len = 0};
	char text[512];
	va_list ap;
	va_start(ap, help);
	vsnprintf(text, sizeof(text), help, ap);
	va_end(ap);
	snprintf(t->family, sizeof(t->family), "%s", name);
	line_add(&l, "# HELP %s %s\n# TYPE %s %s\n", t->family, text, t->family, types[type]);
	if (!line_put(t, &l))
		t->left_out++;
}

static void sample_put(struct metrics_text *t, const struct line *l)
{
	if (line_put(t, l))
		t->samples++;
	else
		t->left_out++;
}

void metrics_count(struct metrics_text *t, const struct metrics_label *labels, uint64_t value)
{
	struct line l = {.len = 0};
	line_add(&l, "%s", t->family);
	labels_add(&l, labels, NULL);
	line_add(&l, " %" PRIu64 "\n", value);
	sample_put(t, &l);
}

void metrics_real(struct metrics_text *t, const struct metrics_label *labels, double value)
{
	struct line l = {.len = 0};
	line_add(&l, "%s", t->family);
	labels_add(&l, labels, NULL);
	line_add(&l, " %.15g\n", value);
	sample_put(t, &l);
}

static void bucket_put(
	struct metrics_text *t, const struct metrics_label *labels, const char *le, uint64_t value)
{
	struct line l = {.len = 0};
	line_add(&l, "%s_bucket", t->family);
	labels_add(&l, labels, le);
	line_add(&l, " %" PRIu64 "\n", value);
	sample_put(t, &l);
}

void metrics_one(struct metrics_text *t, enum metrics_type type, const char *name, const char *help,
	uint64_t value)
{
	metrics_family(t, type, name, "%s", help);
	metrics_count(t, NULL, value);
}

void metrics_histogram(struct metrics_text *t, const struct metrics_label *labels,
	const uint64_t *bucket, const double *bound, unsigned buckets, double sum)
{
	uint64_t below = 0;
	for (unsigned i = 0; i < buckets; i++) {
		char le[32];
		below += bucket[i];
		snprintf(le, sizeof(le), "%.9g", i + 1 < buckets ? bound[i] : 0);
		bucket_put(t, labels, i + 1 < buckets ? le : "+Inf", below);
	}
	struct line l = {.len = 0};
	line_add(&l, "%s_sum", t->family);
	labels_add(&l, labels, NULL);
	line_add(&l, " %.15g\n%s_count", sum, t->family);
	labels_add(&l, labels, NULL);
	line_add(&l, " %" PRIu64 "\n", below);
	sample_put(t, &l);
}

static bool ends_with(const char *text, const char *end)
{
	const size_t len = strlen(text), n = strlen(end);
	return len >= n && strcmp(text + len - n, end) == 0;
}

// The divisor that makes a field in microseconds or milliseconds a metric in seconds; 1: no change.
static double count_divisor(const struct count *c)
{
	if (!strstr(c->metric, "_seconds"))
		return 1;
	return ends_with(c->name, "_us") ? 1e6 : ends_with(c->name, "_ms") ? 1e3 : 1;
}

static void count_put(struct metrics_text *t, const struct metrics_label *labels,
	const struct count *c, const void *from)
{
	const double divisor = count_divisor(c);
	if (divisor > 1)
		metrics_real(t, labels, (double)count_value(c, from) / divisor);
	else
		metrics_count(t, labels, count_value(c, from));
}

static void count_family(struct metrics_text *t, const struct counts *c, const struct count *row)
{
	char name[METRICS_NAME_MAX];
	snprintf(name, sizeof(name), "%s%s", c->prefix, row->metric);
	metrics_family(t, ends_with(name, "_total") ? METRICS_COUNTER : METRICS_GAUGE, name, "%s",
		row->help);
}

void metrics_counts(struct metrics_text *t, const struct counts *c, const void *from)
{
	metrics_counts_rows(t, c, from, 1, 0, &(const struct metrics_labels){0});
}

void metrics_counts_rows(struct metrics_text *t, const struct counts *c, const void *from,
	unsigned rows, size_t stride, const struct metrics_labels *labels)
{
	for (const struct count *row = c->row; row < c->row + c->rows && rows; row++) {
		if (row->metric[0] == '\0')
			continue;
		count_family(t, c, row);
		for (unsigned r = 0; r < rows; r++)
			count_put(t, labels[r].label, row, (const char *)from + r * stride);
	}
}

// Prefixes of names, and what they were before. The first prefix that matches a name counts.
static const struct {
	const char *name, *former;
} aliases[] = {
	{"weir_frontend_", "weir_front_"},
	{"weir_resolver_answer_policy_rechecked_", "weir_resolver_judge_rejudged_"},
	{"weir_resolver_answer_policy_", "weir_resolver_judge_"},
	{"weir_resolver_worker_rings", "weir_resolver_lanes"},
	{"weir_dataplane_dedup_replaced_", "weir_dataplane_recent_replaced_"},
	{"weir_dataplane_rule_image_generation", "weir_dataplane_names_generation"},
};

// Length of the word at `at`: up to a blank, a brace or the end of the line.
static size_t word_length(const char *at)
{
	return strcspn(at, " {\n");
}

// Writes the former name of the metric `name`. False: the metric was not renamed.
static bool former_of(const char *name, size_t len, char out[METRICS_NAME_MAX])
{
	for (unsigned i = 0; i < ARRAY_LEN(aliases); i++) {
		size_t n = strlen(aliases[i].name);
		if (len < n || strncmp(name, aliases[i].name, n) != 0)
			continue;
		snprintf(out, METRICS_NAME_MAX, "%s%.*s", aliases[i].former, (int)(len - n),
			name + n);
		return true;
	}
	return false;
}

// Adds a copy of a line under the former name. The line is `# HELP name text`, `# TYPE name type`
// or `name{labels} value`.
static void line_alias(struct metrics_text *t, const char *line, size_t len)
{
	static const char help[] = "# HELP ", type[] = "# TYPE ";
	const bool is_help = strncmp(line, help, sizeof(help) - 1) == 0;
	const bool is_type = strncmp(line, type, sizeof(type) - 1) == 0;
	const char *name = is_help || is_type ? line + sizeof(help) - 1 : line;
	const size_t name_len = word_length(name);
	char former[METRICS_NAME_MAX];

	if (!former_of(name, name_len, former))
		return;
	if (is_help)
		text_add(t, "%s%s Deprecated: use %.*s.\n", help, former, (int)name_len, name);
	else
		text_add(t, "%s%s%.*s\n", is_type ? type : "", former,
			(int)(line + len - name - name_len), name + name_len);
}

void metrics_aliases(struct metrics_text *t)
{
	const size_t end = t->len; // the copies come after it

	for (size_t at = 0; at < end;) {
		const size_t len = strcspn(t->data + at, "\n");
		line_alias(t, t->data + at, len);
		at += len + 1;
	}
}
