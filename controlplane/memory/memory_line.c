// SPDX-License-Identifier: BSD-3-Clause
#include "memory_line.h"

#include "memory_meter.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <weir/mem_account.h>

enum { LEAST_GAIN = (1 << 20) / 20 }; // the least gain that the line shows, as +0.1

struct text {
	char *out;
	size_t len;
};

static void ATTR_PRINTF(2, 3) add(struct text *t, const char *fmt, ...)
{
	va_list args;
	va_start(args, fmt);
	int n = vsnprintf(t->out + t->len, MEMORY_LINE_MAX - t->len, fmt, args);
	va_end(args);
	if (n > 0)
		t->len += (size_t)n;
	if (t->len >= MEMORY_LINE_MAX)
		t->len = MEMORY_LINE_MAX - 1;
}

static double mib(double bytes)
{
	return bytes / (1 << 20);
}

static void value_add(
	struct text *t, const struct memory_sample *s, const char *head, const char *name)
{
	uint64_t bytes = memory_sample_get(s, MEMORY_BYTES, name);
	if (bytes != MEMORY_ABSENT)
		add(t, "%s %.1f", head, mib((double)bytes));
}

static bool is_account(const struct memory_item *i)
{
	static const char dataplane[] = METER_DATAPLANE;
	const char *name = i->name;
	bool is_of_dataplane = strncmp(name, dataplane, sizeof(dataplane) - 1) == 0;
	if (i->kind != MEMORY_BYTES)
		return false;
	if (is_of_dataplane)
		return strcmp(name, METER_DATAPLANE "rss") != 0
		       && strcmp(name, METER_DATAPLANE "anonymous") != 0;
	for (unsigned a = 0; a < MEM_ACCOUNT_COUNT; a++)
		if (strcmp(name, mem_account_names[a]) == 0)
			return true;
	return false;
}

static double gain_of(const struct memory_item *i, const struct memory_sample *before)
{
	uint64_t was = memory_sample_get(before, MEMORY_BYTES, i->name);
	double gain = is_account(i) && was != MEMORY_ABSENT ? (double)i->value - (double)was : 0;
	return gain >= LEAST_GAIN ? gain : 0;
}

static double fill_of(const struct memory_item *i, const struct memory_sample *)
{
	return i->kind == MEMORY_FILL && i->cap ? 100.0 * (double)i->value / (double)i->cap : 0;
}

// The items with the largest positive figures, each once.
static void top_add(struct text *t, const struct memory_sample *s,
	const struct memory_sample *before, const char *head, const char *fmt, double divisor,
	double (*figure)(const struct memory_item *i, const struct memory_sample *before))
{
	double below = 0;
	unsigned last = 0;
	for (unsigned n = 0; n < MEMORY_LINE_TOP; n++) {
		unsigned best = s->count;
		double most = 0;
		for (unsigned i = 0; i < s->count; i++) {
			double f = figure(&s->item[i], before);
			bool is_next = n == 0 || f < below || (f == below && i > last);
			if (is_next && f > most) {
				most = f;
				best = i;
			}
		}
		if (best == s->count)
			return;
		add(t, "%s %s ", n ? "," : head, s->item[best].name);
		add(t, fmt, most / divisor);
		below = most;
		last = best;
	}
}

static void line_write(const struct memory_line *l, const struct memory_sample *s, char *out)
{
	struct text t = {.out = out};
	out[0] = '\0';
	value_add(&t, s, "memory in MiB: rss", "rss");
	value_add(&t, s, ", heap", "heap");
	value_add(&t, s, ", unexplained", "unexplained");
	value_add(&t, s, "; data plane rss", METER_DATAPLANE "rss");
	add(&t, "; gained in %" PRIu64 " s:", (s->uptime_ms - l->last.uptime_ms) / 1000);
	const size_t before = t.len;
	top_add(&t, s, &l->last, "", "+%.1f", 1 << 20, gain_of);
	if (t.len == before)
		add(&t, " none");
	top_add(&t, s, NULL, "; fullest:", "%.0f%%", 1, fill_of);
}

const char *memory_line_take(struct memory_line *l, const struct memory_sample *s, unsigned every_s,
	char out[MEMORY_LINE_MAX])
{
	if (!l->is_begun) {
		l->is_begun = true;
		l->last = *s;
	}
	if (every_s == 0 || s->uptime_ms - l->last.uptime_ms < every_s * UINT64_C(1000))
		return NULL;
	line_write(l, s, out);
	l->last = *s;
	return out;
}
