// SPDX-License-Identifier: BSD-3-Clause
#include "memory_meter.h"

#include "memory_file.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <weir/heap_site.h>
#include <weir/log.h>
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

enum { MINUTE_MS = 60000, MINUTES_MIN = 10 };

struct memory_meter {
	struct memory_ring seconds, minutes;
	struct memory_lives lives[MEMORY_PROCESSES];
	struct memory_other dataplane; // at the last sample
	struct memory_place place;     // at the last minute; its time is of the last sample
	struct memory_life *life;
	struct memory_file *file; // NULL: not kept
	uint64_t next_minute_ms;
	bool file_failed;
	uint64_t damaged;
	struct memory_judge *judge;
	struct memory_report look; // the last minute's
};

int memory_meter_open(struct memory_meter **out, const char *path)
{
	struct memory_meter *m = heap_calloc(1, sizeof(*m));
	if (!m)
		return -ENOMEM;
	int rc = memory_ring_open(&m->seconds, METER_SECONDS);
	if (rc == 0)
		rc = memory_ring_open(&m->minutes, METER_MINUTES);
	if (rc == 0)
		rc = memory_judge_open(&m->judge);
	if (rc < 0) {
		memory_meter_close(m);
		return rc;
	}
	int err = path ? memory_file_open(&m->file, path, &m->minutes, m->lives) : 0;
	if (err < 0)
		log_warning("memory history %s: %s; it will end with this process", path,
			strerror(-err));
	m->damaged = m->file ? memory_file_damaged(m->file) : 0;
	memory_place_read(&m->place);
	m->life = memory_life_begin(&m->lives[MEMORY_CONTROLPLANE], &m->place);
	const struct memory_life *last = memory_life_get(&m->lives[MEMORY_CONTROLPLANE], 1);
	if (last)
		log_info("life %llu; the one before %s, at %llu KiB of memory after %llu s",
			(unsigned long long)m->life->number, memory_end_text(last->end),
			(unsigned long long)(last->rss >> 10),
			(unsigned long long)(last->uptime_ms / 1000));
	if (m->file)
		(void)!memory_file_lives(m->file, m->lives);
	*out = m;
	return 0;
}

void memory_meter_stopped(struct memory_meter *m)
{
	m->life->end = MEMORY_STOPPED;
	if (m->file)
		(void)!memory_file_lives(m->file, m->lives);
}

void memory_meter_close(struct memory_meter *m)
{
	if (!m)
		return;
	memory_file_close(m->file);
	memory_judge_close(m->judge);
	memory_ring_close(&m->seconds);
	memory_ring_close(&m->minutes);
	heap_free(m);
}

static void history_write(struct memory_meter *m)
{
	if (!m->file)
		return;
	int rc = memory_file_row(m->file, &m->minutes);
	if (rc == 0)
		rc = memory_file_lives(m->file, m->lives);
	if (rc < 0 && !m->file_failed)
		log_warning("memory history: %s", strerror(-rc));
	m->file_failed = rc < 0;
}

// The alarm of the most bytes, by the name of its series.
static void alarms_report(const struct memory_meter *m, struct memory_report *out)
{
	const struct judge_status *s = memory_judge_status(m->judge);
	const struct judge_alarm *most = NULL;
	for (unsigned i = 0; i < s->count; i++) {
		const struct judge_alarm *a = &s->alarm[i];
		if (!most || (strcmp(a->unit, "bytes") == 0 && a->per_hour > most->per_hour))
			most = a;
	}
	out->alarm = most != NULL;
	out->alarms = s->raised;
	if (most)
		snprintf(out->alarm_by, sizeof(out->alarm_by), "%s%.*s",
			most->process == MEMORY_DATAPLANE ? METER_DATAPLANE : "",
			MEMORY_NAME_MAX - (int)sizeof(METER_DATAPLANE), most->name);
}

const struct memory_report *memory_meter_look(const struct memory_meter *m)
{
	return &m->look;
}

void memory_meter_dataplane(struct memory_meter *m, const struct memory_other *o)
{
	struct memory_lives *l = &m->lives[MEMORY_DATAPLANE];
	struct memory_place place;
	m->dataplane = *o;
	memory_lives_saw(l, o, &m->place);
	if (memory_lives_goes_on(l, o) || memory_lives_resume(l, o))
		return;
	memory_place_read(&place);
	if (memory_lives_follow(l, o, &place)) {
		memory_ring_begin(&m->seconds, METER_DATAPLANE);
		memory_ring_begin(&m->minutes, METER_DATAPLANE);
		memory_judge_begin(m->judge, MEMORY_DATAPLANE);
	} else {
		log_info("data plane: its life %llu ended: %s", (unsigned long long)l->next,
			memory_end_text(memory_life_get(l, 0)->end));
	}
	if (m->file)
		(void)!memory_file_lives(m->file, m->lives);
}

void memory_meter_take(struct memory_meter *m, const struct memory_sample *s)
{
	memory_ring_push(&m->seconds, s, m->life->number);
	memory_judge_take(m->judge, s);
	m->place.wall_s = s->wall_s;
	memory_life_seen(m->life, s, &m->place);
	if (s->uptime_ms < m->next_minute_ms)
		return;
	m->next_minute_ms = s->uptime_ms - s->uptime_ms % MINUTE_MS + MINUTE_MS;
	memory_ring_push(&m->minutes, s, m->life->number);
	memory_place_read(&m->place);
	memory_life_seen(m->life, s, &m->place);
	memory_lives_saw(&m->lives[MEMORY_DATAPLANE], &m->dataplane, &m->place);
	history_write(m);
	memory_meter_report(m, METER_LOOK_SPAN_S, &m->look);
}

static bool table_fills(const struct memory_slope *s, double span_s)
{
	const struct trend *t = &s->trend;
	double gain = t->slope * span_s;
	if (s->kind != MEMORY_FILL || s->value * 100 >= s->cap * 99)
		return false;
	if (gain <= (double)s->value / 100 || gain <= (double)s->cap / 1000)
		return false;
	return !t->known || t->slope - t->half > 0;
}

static void series_report(
	const struct memory_ring *r, struct memory_report *out, const struct memory_row *newest)
{
	double most = 0, span_s = (double)out->span_ms / 1000;
	for (unsigned i = 0; i < MEMORY_SERIES_MAX; i++) {
		const struct memory_series *in = &r->series[i];
		if (!in->name[0] || newest->value[i] == MEMORY_ABSENT)
			continue;
		struct memory_slope *s = &out->slope[out->count++];
		*s = (struct memory_slope){
			.kind = in->kind, .value = newest->value[i], .cap = in->cap};
		memcpy(s->name, in->name, sizeof(s->name));
		memory_ring_trend(r, i, out->samples, &s->trend);
		s->fills = table_fills(s, span_s);
		double part = s->cap ? s->trend.slope / (double)s->cap : 0;
		if (s->fills && (out->steady || part > most)) {
			out->steady = false;
			most = part;
			memcpy(out->filling, s->name, sizeof(out->filling));
		}
	}
}

void memory_meter_report(const struct memory_meter *m, uint64_t span_s, struct memory_report *out)
{
	uint64_t span_ms = span_s > UINT32_MAX ? (uint64_t)UINT32_MAX * 1000 : span_s * 1000;
	bool minutes =
		span_s > METER_SECONDS && memory_ring_span(&m->minutes, span_ms) >= MINUTES_MIN;
	const struct memory_ring *r = minutes ? &m->minutes : &m->seconds;
	*out = (struct memory_report){.by_minute = minutes,
		.steady = true,
		.samples = memory_ring_span(r, span_ms),
		.refused = m->seconds.refused,
		.damaged = m->damaged,
		.kept = m->file && !m->file_failed};
	alarms_report(m, out);
	if (out->samples == 0)
		return;
	const struct memory_row *newest = memory_ring_row(r, 0);
	out->span_ms = newest->uptime_ms - memory_ring_row(r, out->samples - 1)->uptime_ms;
	out->query_rate = memory_ring_query_rate(r, out->samples);
	series_report(r, out, newest);
}

uint64_t memory_meter_refused(const struct memory_meter *m)
{
	return m->seconds.refused;
}

size_t memory_meter_bytes(const struct memory_meter *m)
{
	return sizeof(*m) + memory_ring_bytes(&m->seconds) + memory_ring_bytes(&m->minutes)
	       + memory_judge_bytes(m->judge) + memory_file_bytes(m->file);
}

const struct memory_lives *memory_meter_lives(
	const struct memory_meter *m, enum memory_process process)
{
	return &m->lives[process];
}

const struct memory_ring *memory_meter_minutes(const struct memory_meter *m)
{
	return &m->minutes;
}

const struct judge_status *memory_meter_alarms(const struct memory_meter *m)
{
	return memory_judge_status(m->judge);
}
