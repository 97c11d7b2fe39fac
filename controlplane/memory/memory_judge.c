// SPDX-License-Identifier: BSD-3-Clause
#include "memory_judge.h"

#include "base/table_registry.h"
#include "judge_sites.h"
#include "marks.h"
#include "memory_meter.h"
#include "process.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include <weir/build.h>
#include <weir/heap_site.h>
#include <weir/log.h>
#include <weir/mem_account.h>

void memory_place_read(struct memory_place *out)
{
	char text[16384];
	*out = (struct memory_place){.wall_s = (uint64_t)time(NULL)};
	process_text_read("/proc/sys/kernel/random/boot_id", out->boot, sizeof(out->boot));
	out->boot[strcspn(out->boot, "\n")] = '\0';
	process_text_read("/proc/vmstat", text, sizeof(text));
	const char *line = strstr(text, "\noom_kill ");
	if (line)
		out->oom_kills = strtoull(line + strlen("\noom_kill "), NULL, 10);
}

static uint32_t end_of(const struct memory_life *last, const struct memory_place *p)
{
	if (strncmp(last->boot, p->boot, sizeof(last->boot)) != 0)
		return MEMORY_REBOOTED;
	return p->oom_kills > last->oom_kills ? MEMORY_OUT_KILLED : MEMORY_KILLED;
}

struct memory_life *memory_life_begin(struct memory_lives *l, const struct memory_place *p)
{
	struct memory_life *last = &l->life[(l->next + MEMORY_LIVES - 1) % MEMORY_LIVES];
	if (l->next && last->end == MEMORY_RUNS)
		last->end = end_of(last, p);
	struct memory_life *life = &l->life[l->next % MEMORY_LIVES];
	*life = (struct memory_life){.number = ++l->next,
		.started_s = p->wall_s,
		.seen_s = p->wall_s,
		.oom_kills = p->oom_kills};
	memcpy(life->boot, p->boot, sizeof(life->boot));
	snprintf(life->version, sizeof(life->version), "%s", build_this()->version);
	return life;
}

void memory_life_seen(
	struct memory_life *l, const struct memory_sample *s, const struct memory_place *p)
{
	uint64_t rss = memory_sample_get(s, MEMORY_BYTES, "rss");
	uint64_t heap = memory_sample_get(s, MEMORY_BYTES, "heap");
	l->seen_s = p->wall_s;
	l->oom_kills = p->oom_kills;
	l->uptime_ms = s->uptime_ms;
	l->queries = s->queries;
	l->rss = rss == MEMORY_ABSENT ? 0 : rss;
	l->heap = heap == MEMORY_ABSENT ? 0 : heap;
}

static struct memory_life *newest(struct memory_lives *l)
{
	struct memory_life *last = &l->life[(l->next + MEMORY_LIVES - 1) % MEMORY_LIVES];
	return l->next ? last : NULL;
}

// A start that came to nothing between two looks.
static bool failed_unseen(const struct memory_lives *l, const struct memory_other *o)
{
	const struct memory_life *last = memory_life_get(l, 0);
	return !o->is_there && o->id && o->ended == OTHER_FAILED && o->ended_id == o->id
	       && (!last || last->id != o->id);
}

bool memory_lives_goes_on(const struct memory_lives *l, const struct memory_other *o)
{
	const struct memory_life *last = memory_life_get(l, 0);
	if (failed_unseen(l, o))
		return false;
	bool runs = last && last->end == MEMORY_RUNS;
	return o->is_there ? runs && last->id == o->id : !runs;
}

void memory_lives_saw(
	struct memory_lives *l, const struct memory_other *o, const struct memory_place *p)
{
	struct memory_life *life = newest(l);
	if (!life || !o->is_there || life->id != o->id)
		return;
	life->seen_s = p->wall_s;
	life->oom_kills = p->oom_kills;
	life->uptime_ms = o->uptime_ms;
	life->rss = o->rss;
	life->queries = o->queries;
}

bool memory_lives_resume(struct memory_lives *l, const struct memory_other *o)
{
	struct memory_life *last = newest(l);
	if (!last || !o->is_there || last->id != o->id)
		return false;
	last->end = MEMORY_RUNS;
	return true;
}

bool memory_lives_follow(
	struct memory_lives *l, const struct memory_other *o, const struct memory_place *p)
{
	struct memory_life *last = newest(l);
	if (last && last->end == MEMORY_RUNS && (!o->is_there || last->id != o->id)) {
		unsigned told = o->ended_id == last->id    ? o->ended
				: o->former_id == last->id ? o->former
							   : OTHER_UNKNOWN;
		last->end = end_of(last, p);
		if (told == OTHER_STOPPED)
			last->end = MEMORY_STOPPED;
		else if (told == OTHER_FAILED)
			last->end = MEMORY_FAILED;
		else if (told == OTHER_UNKNOWN && last->end == MEMORY_KILLED)
			last->end = MEMORY_UNSEEN;
	}
	if (failed_unseen(l, o)) {
		struct memory_life *life = memory_life_begin(l, p);
		life->id = o->id;
		life->end = MEMORY_FAILED;
	}
	if (memory_lives_goes_on(l, o) || !o->is_there)
		return false;
	memory_life_begin(l, p)->id = o->id;
	memory_lives_saw(l, o, p);
	return true;
}

const struct memory_life *memory_life_get(const struct memory_lives *l, unsigned back)
{
	if (back >= MEMORY_LIVES || back >= l->next)
		return NULL;
	return &l->life[(l->next - 1 - back) % MEMORY_LIVES];
}

const char *memory_end_text(uint32_t end)
{
	static const char *const text[MEMORY_ENDS] = {"runs", "stopped", "killed or crashed",
		"killed, the kernel was out of memory", "the machine was restarted",
		"nobody saw how", "could not start"};
	return end < MEMORY_ENDS ? text[end] : "unknown";
}

// The rule for each value of a sample is selected by its kind and name.
struct judge_rule {
	enum judge_kind kind;
	const char *unit;
	double gain[MARKS_SCALES];    // the largest rise aside, more is a leak. 0: not checked
	unsigned rises[MARKS_SCALES]; // at least so many rises of the marks
	unsigned falls;               // at most
	double per_load;              // units for each miss a second more
	bool is_held;                 // while rules are built
};

struct judge_verdict {                 // on a value of a sample
	const struct judge_rule *rule; // NULL: it is not checked
	enum memory_process process;
	const char *name; // the name in alarms
	double value;     // less what explains it
	double explained; // bytes of tables
	double least;     // gain that is more than wavering, at every scale
	double stay_s;    // for a table of questions: the longest that an entry stays; else 0
};

struct judge_sums {                        // what the control plane's tables hold
	double account[MEM_ACCOUNT_COUNT]; // bytes
};

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

static void sums_count(const struct memory_sample *s, struct judge_sums *out)
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

static void verdict_on(const struct memory_sample *s, const struct judge_sums *sums, unsigned i,
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

enum {
	SETTLE_S = 30,   // a process that starts makes what it keeps
	HOLD_S = 600,    // the longest build that counts as one
	LATE_MS = 10000, // entries are late by that, for that long
	LATE_PART = 2,   // one part in two of the steady gain is late: a leak goes on, a start ends
	BY_STAY = 1 << MARKS_SCALES, // beside the scales: something is there for too long
};

static const double LOAD_PART = 1.5; // more questions than the load can put into a table

struct checked {                    // a value
	char name[MEMORY_NAME_MAX]; // the item's; "": a free place
	uint32_t kind;              // the item's
	enum memory_process process;
	const struct judge_rule *rule;
	uint64_t seen;                // number of the sample that had it last
	double least, stay_s, seen_s; // see struct judge_verdict; how long entries stayed
	struct judge_ages ages;
	struct marks marks, explained; // bytes that nothing explains, and the rest
	uint64_t late_ms;       // uptime from which on its oldest entry was too old; 0: it is not
	unsigned raised_by;     // scales, BY_STAY; 0: no alarm
	double base;            // the value before it grew
	char by[MEMORY_BY_MAX]; // the last item's
	uint64_t base_ms;       // uptime of that
	struct judge_alarm alarm;
};

struct memory_judge {
	struct checked value[JUDGE_VALUES];
	struct marks load;      // questions a second that reach the resolver
	struct marks less_load; // the load, negative: its lows are the highs of the load
	double load_now;
	uint64_t samples, uptime_ms, wall_s, questions;
	uint64_t held_ms;                    // uptime at which a build began; 0: there is none
	uint64_t began_ms[MEMORY_PROCESSES]; // uptime at which its lines began; 0: with the next
	uint64_t window[MARKS_SCALES];       // number of the open window
	struct judge_status status;
	struct judge_sites sites[MEMORY_PROCESSES];
	struct judge_far far; // sites of the data plane
};

int memory_judge_open(struct memory_judge **out)
{
	*out = heap_calloc(1, sizeof(**out));
	if (!*out)
		return -ENOMEM;
	marks_begin(&(*out)->load);
	marks_begin(&(*out)->less_load);
	(*out)->sites[MEMORY_DATAPLANE].far = &(*out)->far;
	return 0;
}

void memory_judge_close(struct memory_judge *j)
{
	heap_free(j);
}

static void value_begin(struct checked *v)
{
	marks_begin(&v->marks);
	marks_begin(&v->explained);
	v->ages = (struct judge_ages){0};
	v->raised_by = 0;
	v->late_ms = 0;
}

void memory_judge_begin(struct memory_judge *j, enum memory_process process)
{
	j->began_ms[process] = 0;
	// The history of another life says nothing.
	judge_sites_begin(&j->sites[process]);
	for (unsigned i = 0; i < JUDGE_VALUES; i++)
		if (j->value[i].name[0] && j->value[i].process == process)
			value_begin(&j->value[i]);
}

// Samples come in the same order each time, so the guess is right but for the first. NULL: full.
static struct checked *value_find(
	struct memory_judge *j, const struct memory_item *item, unsigned guess)
{
	struct checked *empty = NULL;
	for (unsigned n = 0; n < JUDGE_VALUES; n++) {
		struct checked *v = &j->value[(guess + n) % JUDGE_VALUES];
		if (v->name[0] && v->kind == item->kind && strcmp(v->name, item->name) == 0)
			return v;
		if (!empty && (!v->name[0] || v->seen + 1 < j->samples))
			empty = v;
	}
	if (!empty)
		return NULL;
	*empty = (struct checked){.kind = item->kind};
	memcpy(empty->name, item->name, sizeof(empty->name));
	value_begin(empty);
	return empty;
}

static void alarm_end(struct checked *v, unsigned by)
{
	const struct judge_alarm *a = &v->alarm;
	bool was_raised = v->raised_by != 0;
	v->raised_by &= ~by;
	if (was_raised && !v->raised_by)
		log_info("memory: %s of the %s: %s no longer grows", judge_kind_texts[a->kind],
			judge_process_texts[a->process], a->name);
}

static void alarm_raise(struct memory_judge *j, struct checked *v, unsigned by)
{
	struct judge_alarm *a = &v->alarm;
	bool was_raised = v->raised_by != 0;
	v->raised_by |= by;
	a->over_s = (j->uptime_ms - v->base_ms) / 1000;
	if (was_raised)
		return;
	a->process = v->process;
	a->kind = v->rule->kind;
	a->unit = v->rule->unit;
	a->since_s = j->wall_s;
	if (a->kind == JUDGE_ACCOUNT)
		judge_sites_by(&j->sites[a->process], j->uptime_ms, a->name, a->gained, a->over_s,
			a->by, sizeof(a->by));
	else if (v->by[0])
		snprintf(a->by, sizeof(a->by), "%s", v->by);
	else
		snprintf(a->by, sizeof(a->by), "%s", a->kind == JUDGE_HEAP ? "" : a->name);
	j->status.raised++;
	log_warning("memory: %s of the %s: %s: %.0f %s more in %llu s (weirctl mem alarms)",
		judge_kind_texts[a->kind], judge_process_texts[a->process], a->name, a->gained,
		a->unit, (unsigned long long)a->over_s);
}

// What of the rise to each mark is expected: see memory_judge.h.
static void excuse(const struct memory_judge *j, const struct checked *v, unsigned scale,
	double excused[MARKS_MAX])
{
	const double *load = j->load.mark[scale], *by = v->explained.mark[scale];
	// Marks of a value that is younger than the load's are the last ones.
	unsigned shift = j->load.count[scale] - v->marks.count[scale];
	for (unsigned i = 1; i < v->marks.count[scale]; i++) {
		double more = fmax(0, load[i + shift] - load[i + shift - 1]);
		excused[i] = v->rule->per_load * more + fmax(0, by[i] - by[i - 1]) / 10;
		if (v->rule->kind == JUDGE_TABLE && more > 0)
			excused[i] +=
				v->marks.mark[scale][i - 1] * more / fmax(1, load[i + shift - 1]);
	}
}

// The gain that is no wavering: more questions than come while one stays are no load.
static double least_of(const struct memory_judge *j, const struct checked *v, unsigned scale)
{
	double load = 0;
	for (unsigned i = 0; i < j->less_load.count[scale]; i++)
		load = fmax(load, -j->less_load.mark[scale][i]);
	const double stay_s = scale < AGES_SCALES ? v->seen_s : v->stay_s;
	double least = stay_s > 0 ? fmin(v->least, LOAD_PART * load * stay_s) : v->least;
	return fmax(v->rule->gain[scale], least);
}

// One scale of a value, whose window has ended.
static void scale_judge(struct memory_judge *j, struct checked *v, unsigned scale)
{
	const struct judge_rule *r = v->rule;
	const unsigned count = v->marks.count[scale],
		       span_s = marks_scales[scale].window_s * (count - 1);
	double excused[MARKS_MAX] = {0};
	struct marks_rise rise;
	if (!marks_full(&v->marks, scale) || !(r->gain[scale] > 0))
		return;
	excuse(j, v, scale, excused);
	marks_rise(&v->marks, scale, excused, &rise);
	const double least = least_of(j, v, scale);
	bool grows = marks_is_even(&rise) ? rise.steady >= least / 2
					  : rise.steady >= least && rise.rises >= r->rises[scale]
						    && rise.falls <= r->falls;
	grows = grows && rise.late >= rise.steady / LATE_PART;
	if (!grows && rise.gain < least / 2)
		alarm_end(v, 1u << scale);
	if (!grows)
		return;
	if (!v->raised_by) {
		v->base = v->marks.mark[scale][0];
		v->base_ms = j->uptime_ms - 1000 * (uint64_t)span_s;
	}
	v->alarm.per_hour =
		marks_window_gain(&v->marks, scale, &rise) * 3600 / marks_scales[scale].window_s;
	v->alarm.gained = v->marks.mark[scale][count - 1] - v->base;
	alarm_raise(j, v, 1u << scale);
}

// Entries that should have left, and mappings that should be gone.
static void stay_judge(struct memory_judge *j, struct checked *v, const struct memory_item *item)
{
	const struct memory_table *t = &item->table;
	bool is_late = t->stay_ms && t->oldest_ms > 2 * t->stay_ms + LATE_MS;
	if (v->rule->kind == JUDGE_DELETED_MAPPINGS)
		is_late = item->value > 0;
	if (!is_late) {
		v->late_ms = 0;
		alarm_end(v, BY_STAY);
		return;
	}
	if (!v->late_ms)
		v->late_ms = j->uptime_ms;
	if (j->uptime_ms - v->late_ms < LATE_MS)
		return;
	if (!v->raised_by) {
		v->base_ms = j->uptime_ms - (t->oldest_ms < j->uptime_ms ? t->oldest_ms : 0);
		v->alarm.per_hour = 0;
		v->alarm.gained = (double)item->value;
	}
	alarm_raise(j, v, BY_STAY);
}

// Questions that came while the oldest has stayed: where answers become slower so many more wait.
static double waits(const struct memory_judge *j, const struct memory_item *item, double stay_s)
{
	const double oldest_s = fmin((double)item->table.oldest_ms / 1000, stay_s);
	return item->table.has_ages ? fmin((double)item->value, LOAD_PART * j->load_now * oldest_s)
				    : 0;
}

static void item_see(struct memory_judge *j, const struct memory_item *item, unsigned i,
	const struct judge_verdict *d)
{
	struct checked *v = value_find(j, item, i);
	if (!v)
		return;
	v->process = d->process;
	v->rule = d->rule;
	v->seen = j->samples;
	v->least = d->least;
	v->stay_s = d->stay_s;
	v->seen_s = judge_ages_see(&v->ages, &item->table, j->uptime_ms, d->stay_s);
	memcpy(v->by, item->by, sizeof(v->by));
	snprintf(v->alarm.name, sizeof(v->alarm.name), "%s", d->name);
	stay_judge(j, v, item);
	if (d->rule->is_held && j->held_ms && j->uptime_ms - j->held_ms < 1000 * (uint64_t)HOLD_S)
		return;
	marks_see(&v->marks, d->value - waits(j, item, d->stay_s));
	marks_see(&v->explained, d->explained);
}

static void windows_end(struct memory_judge *j)
{
	for (unsigned s = 0; s < MARKS_SCALES; s++) {
		uint64_t window = j->uptime_ms / 1000 / marks_scales[s].window_s;
		if (window == j->window[s])
			continue;
		j->window[s] = window;
		marks_end(&j->load, s);
		marks_end(&j->less_load, s);
		for (unsigned i = 0; i < JUDGE_VALUES; i++) {
			struct checked *v = &j->value[i];
			if (!v->name[0])
				continue;
			marks_end(&v->marks, s);
			marks_end(&v->explained, s);
			if (v->seen == j->samples)
				scale_judge(j, v, s);
		}
	}
}

static void load_see(struct memory_judge *j, const struct memory_sample *s)
{
	uint64_t ms = s->uptime_ms - j->uptime_ms;
	if (j->samples && ms && s->questions >= j->questions) {
		double load = (double)(s->questions - j->questions) * 1000 / (double)ms;
		j->load_now = load;
		marks_see(&j->load, load);
		marks_see(&j->less_load, -load);
	}
	j->uptime_ms = s->uptime_ms;
	j->wall_s = s->wall_s;
	j->questions = s->questions;
	j->held_ms = !s->builds ? 0 : j->held_ms ? j->held_ms : s->uptime_ms;
}

static int older_first(const void *a, const void *b)
{
	const struct judge_alarm *x = a, *y = b;
	return (x->since_s > y->since_s) - (x->since_s < y->since_s);
}

// Alarms of values that are no longer there end with them.
static void status_make(struct memory_judge *j)
{
	struct judge_status *s = &j->status;
	s->count = s->left_out = 0;
	for (unsigned i = 0; i < JUDGE_VALUES; i++) {
		struct checked *v = &j->value[i];
		if (v->seen != j->samples)
			v->raised_by = 0;
		if (!v->raised_by)
			continue;
		if (s->count < JUDGE_ALARMS_MAX)
			s->alarm[s->count++] = v->alarm;
		else
			s->left_out++;
	}
	qsort(s->alarm, s->count, sizeof(s->alarm[0]), older_first);
}

void memory_judge_take(struct memory_judge *j, const struct memory_sample *s)
{
	struct judge_sums sums;
	load_see(j, s);
	windows_end(j);
	judge_far_take(&j->far, s->site, s->sites);
	for (unsigned i = 0; i < MEMORY_PROCESSES; i++)
		judge_sites_see(&j->sites[i], s->uptime_ms);
	j->samples++;
	sums_count(s, &sums);
	for (unsigned i = 0; i < s->count; i++) {
		struct judge_verdict d;
		verdict_on(s, &sums, i, &d);
		uint64_t *began_ms = &j->began_ms[d.process];
		if (!*began_ms)
			*began_ms = s->uptime_ms + 1;
		if (d.rule && s->uptime_ms >= *began_ms + 1000 * (uint64_t)SETTLE_S)
			item_see(j, &s->item[i], i, &d);
	}
	uint64_t since_ms = j->began_ms[MEMORY_CONTROLPLANE] + 1000 * (uint64_t)SETTLE_S;
	j->status.judged_s = s->uptime_ms > since_ms ? (s->uptime_ms - since_ms) / 1000 : 0;
	status_make(j);
}

const struct judge_status *memory_judge_status(const struct memory_judge *j)
{
	return &j->status;
}

size_t memory_judge_bytes(const struct memory_judge *j)
{
	return sizeof(*j);
}
