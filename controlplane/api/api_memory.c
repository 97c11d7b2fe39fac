// SPDX-License-Identifier: BSD-3-Clause
// Endpoints of the slope meter: how fast memory grows, and its history.

#include "api_param.h"
#include "memory/memory_meter.h"

#include <string.h>
#include <weir/heap_site.h>

enum { SLOPE_SECONDS = 3600, SLOPE_SECONDS_MAX = 86400, HISTORY_ROWS_MAX = METER_MINUTES };

static void meter_tables(struct api *a, struct table_registry *tables)
{
	if (!a->deps.meter)
		return;
	const struct memory_ring *r = memory_meter_minutes(a->deps.meter);
	uint64_t used = 0;
	for (unsigned i = 0; i < MEMORY_SERIES_MAX; i++)
		used += r->series[i].name[0] != '\0';
	table_register(tables, &(struct table_info){.name = "memory_series",
				       .owner = "memory meter",
				       .eviction = "leave the next series out",
				       .lifetime = "24 h after its last value",
				       .kind = TABLE_FIXED,
				       .cap = MEMORY_SERIES_MAX,
				       .used = used,
				       .refused = memory_meter_refused(a->deps.meter),
				       .has = TABLE_REFUSES,
				       .bytes = memory_meter_bytes(a->deps.meter)});
}

// The history file is not trusted: a line through it may be as steep as a double allows.
static int64_t whole(double v)
{
	static const double most = 9e18; // within 63 bits
	return !(v > -most) ? -(int64_t)most : v < most ? (int64_t)v : (int64_t)most;
}

static void trend_out(struct json_out *o, struct json_node *n, const struct memory_slope *s)
{
	json_out_count(o, n, "samples", s->trend.samples);
	json_out_signed(o, n, "per_hour", whole(s->trend.slope * 3600));
	json_out_bool(o, n, "known", s->trend.known);
	if (s->trend.known)
		json_out_signed(o, n, "plus_minus", whole(s->trend.half * 3600));
}

static void slopes_out(struct json_out *o, struct json_node *list, const struct memory_report *r,
	enum memory_kind kind)
{
	for (unsigned i = 0; i < r->count; i++) {
		const struct memory_slope *s = &r->slope[i];
		if (s->kind != (uint32_t)kind)
			continue;
		struct json_node *n = json_out_object(o, list, NULL);
		json_out_text(o, n, "name", s->name);
		json_out_count(o, n, kind == MEMORY_FILL ? "used" : "bytes", s->value);
		if (kind == MEMORY_FILL) {
			json_out_count(o, n, "cap", s->cap);
			json_out_bool(o, n, "fills", s->fills);
		}
		trend_out(o, n, s);
		if (kind == MEMORY_BYTES && r->query_rate > 0)
			json_out_signed(o, n, "per_million_queries",
				whole(s->trend.slope / r->query_rate * 1e6));
	}
}

static void report_out(struct json_out *o, const struct memory_report *r)
{
	struct json_node *root = json_out_root(o);
	JSON_COUNTS(o, root, r, span_ms, samples);
	json_out_count(o, root, "sample_every_s", r->by_minute ? 60 : 1);
	json_out_bool(o, root, "steady", r->steady);
	json_out_text(o, root, "filling", r->filling);
	json_out_signed(o, root, "queries_per_s", whole(r->query_rate));
	json_out_bool(o, root, "alarm", r->alarm);
	json_out_text(o, root, "alarm_by", r->alarm_by);
	json_out_count(o, root, "alarms", r->alarms);
	json_out_count(o, root, "refused_series", r->refused);
	json_out_bool(o, root, "history_kept", r->kept);
	json_out_count(o, root, "history_damaged", r->damaged);
	slopes_out(o, json_out_array(o, root, "bytes"), r, MEMORY_BYTES);
	slopes_out(o, json_out_array(o, root, "tables"), r, MEMORY_FILL);
}

static void serve_memory_slope(struct api *a, struct http_exchange *x)
{
	unsigned seconds = SLOPE_SECONDS;
	if (http_param(x, "seconds")
		&& !api_param_number(x, "seconds", SLOPE_SECONDS_MAX, &seconds))
		return;
	struct memory_report *r = a->deps.meter ? heap_malloc(sizeof(*r)) : NULL;
	if (!r) {
		api_refuse(x, 503, "there is no memory meter");
		return;
	}
	memory_meter_report(a->deps.meter, seconds, r);
	struct json_out *o = json_out_new();
	report_out(o, r);
	http_reply(x, 200, json_out_finish(o));
	heap_free(r);
}

static void alarm_out(struct json_out *o, struct json_node *list, const struct judge_alarm *a)
{
	struct json_node *n = json_out_object(o, list, NULL);
	json_out_text(o, n, "process", judge_process_texts[a->process]);
	json_out_text(o, n, "kind", judge_kind_texts[a->kind]);
	json_out_text(o, n, "name", a->name);
	json_out_text(o, n, "unit", a->unit);
	json_out_signed(o, n, "per_hour", whole(a->per_hour));
	json_out_signed(o, n, "gained", whole(a->gained));
	json_out_count(o, n, "over_s", a->over_s);
	json_out_count(o, n, "since", a->since_s);
	json_out_text(o, n, "by", a->by);
}

static void alarms_out(struct json_out *o, struct json_node *list, const struct judge_status *s)
{
	for (unsigned i = 0; i < s->count; i++)
		alarm_out(o, list, &s->alarm[i]);
}

static void memory_status(struct json_out *o, struct json_node *root, const struct api_look *l)
{
	struct json_node *list = json_out_array(o, root, "memory_alarms");
	if (l->api->deps.meter)
		alarms_out(o, list, memory_meter_alarms(l->api->deps.meter));
}

static void serve_memory_alarms(struct api *a, struct http_exchange *x)
{
	if (!a->deps.meter) {
		api_refuse(x, 503, "there is no memory meter");
		return;
	}
	const struct judge_status *s = memory_meter_alarms(a->deps.meter);
	struct json_out *o = json_out_new();
	struct json_node *root = json_out_root(o);
	alarms_out(o, json_out_array(o, root, "alarms"), s);
	JSON_COUNTS(o, root, s, left_out, raised, judged_s);
	http_reply(x, 200, json_out_finish(o));
}

static void lives_out(struct json_out *o, struct json_node *list, const struct memory_lives *lives)
{
	const struct memory_life *l;
	for (unsigned back = 0; (l = memory_life_get(lives, back)); back++) {
		struct json_node *n = json_out_object(o, list, NULL);
		json_out_count(o, n, "number", l->number);
		json_out_text(o, n, "version", l->version);
		json_out_count(o, n, "started_unix_s", l->started_s);
		json_out_count(o, n, "seen_unix_s", l->seen_s);
		JSON_COUNTS(o, n, l, uptime_ms, rss, heap, queries);
		json_out_text(o, n, "end", memory_end_text(l->end));
	}
}

static unsigned series_of(const struct memory_ring *r, const char *name)
{
	unsigned i = 0;
	while (i < MEMORY_SERIES_MAX
		&& (r->series[i].kind != MEMORY_BYTES || strcmp(r->series[i].name, name) != 0))
		i++;
	return i;
}

// Minutes, newest first.
static void minutes_out(struct json_out *o, struct json_node *list, const struct memory_ring *r,
	unsigned series, unsigned limit)
{
	const struct memory_row *row;
	for (unsigned back = 0; back < limit && (row = memory_ring_row(r, back)); back++) {
		if (row->life == 0 || row->value[series] == MEMORY_ABSENT)
			continue;
		struct json_node *n = json_out_object(o, list, NULL);
		json_out_count(o, n, "unix_s", row->wall_s);
		JSON_COUNTS(o, n, row, life, queries);
		json_out_count(o, n, "bytes", row->value[series]);
	}
}

static void serve_memory_history(struct api *a, struct http_exchange *x)
{
	char name[MEMORY_NAME_MAX];
	unsigned limit = HISTORY_ROWS_MAX;
	if (!api_param_text(x, "name", name, sizeof(name)))
		return;
	if (http_param(x, "limit") && !api_param_number(x, "limit", HISTORY_ROWS_MAX, &limit))
		return;
	if (!a->deps.meter) {
		api_refuse(x, 503, "there is no memory meter");
		return;
	}
	const struct memory_ring *r = memory_meter_minutes(a->deps.meter);
	unsigned series = series_of(r, *name ? name : "rss");
	if (series == MEMORY_SERIES_MAX && *name) {
		api_refuse(x, 404, "no such series: weirctl mem slope lists them");
		return;
	}
	struct json_out *o = json_out_new();
	struct json_node *root = json_out_root(o);
	lives_out(o, json_out_array(o, root, "lives"),
		memory_meter_lives(a->deps.meter, MEMORY_CONTROLPLANE));
	lives_out(o, json_out_array(o, root, "dataplane_lives"),
		memory_meter_lives(a->deps.meter, MEMORY_DATAPLANE));
	struct json_node *minutes = json_out_array(o, root, "minutes");
	if (series < MEMORY_SERIES_MAX)
		minutes_out(o, minutes, r, series, limit);
	http_reply(x, 200, json_out_finish(o));
}

const struct api_part api_memory_part = {
	.endpoint = {{"/mem/alarms", serve_memory_alarms, API_ALWAYS, CONTROL_READ, ""},
		{"/memory/slope", serve_memory_slope, API_ALWAYS, CONTROL_READ, "seconds"},
		{"/memory/history", serve_memory_history, API_ALWAYS, CONTROL_READ, "name limit"}},
	.tables = meter_tables,
	.status = memory_status,
};
