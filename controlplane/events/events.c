// SPDX-License-Identifier: BSD-3-Clause
#include "events.h"

#include "base/json.h"

#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <weir/clock.h>
#include <weir/heap_site.h>
#include <weir/log.h>
#include <weir/thread.h>

static void events_leave_out(struct events *e);

// `about`: cut to EVENT_ABOUT_MAX, as conditions keep it.
static struct event_condition *find(struct event_conditions *c,
	const struct event_condition_kind *kind, const char about[EVENT_ABOUT_MAX])
{
	for (unsigned i = 0; i < c->count; i++)
		if (c->one[i].kind == kind && strcmp(c->one[i].about, about) == 0)
			return &c->one[i];
	return NULL;
}

void event_conditions_see(struct event_conditions *c, struct events *e,
	const struct event_condition_kind *kind, const char *about, uint64_t now_ms,
	const char *fmt, ...)
{
	char cut[EVENT_ABOUT_MAX];
	va_list args;
	(void)snprintf(cut, sizeof(cut), "%s", about);
	struct event_condition *one = find(c, kind, cut);
	if (one) {
		one->unseen = 0;
		return;
	}
	if (c->count == EVENT_CONDITIONS_MAX) {
		events_leave_out(e);
		return;
	}
	one = &c->one[c->count++];
	*one = (struct event_condition){.kind = kind, .since_ms = now_ms};
	memcpy(one->about, cut, sizeof(cut));
	va_start(args, fmt);
	(void)vsnprintf(one->text, sizeof(one->text), fmt, args);
	va_end(args);
	events_add_as(e, kind->begins, kind->severity, EVENT_FIELDS({kind->field, one->about}),
		"%s", one->text);
}

// c->count: there is no such condition.
static unsigned begun(const struct event_conditions *c, enum event_kind begins, const char *about)
{
	unsigned i = 0;
	while (i < c->count
		&& (c->one[i].kind->begins != begins || strcmp(c->one[i].about, about) != 0))
		i++;
	return i;
}

static void over(
	struct event_conditions *c, struct events *e, struct event_condition *one, uint64_t now_ms)
{
	char lasted[24];
	const uint64_t lasted_s = (now_ms - one->since_ms) / 1000;
	(void)snprintf(lasted, sizeof(lasted), "%" PRIu64, lasted_s);
	events_add(e, one->kind->ends,
		EVENT_FIELDS({one->kind->field, one->about}, {"lasted_s", lasted}),
		"%s after %" PRIu64 " s: %s", one->kind->is_over, lasted_s, one->text);
	one->until_ms = now_ms;
	c->ended[c->ended_count++ % EVENT_CONDITIONS_ENDED] = *one;
}

void event_conditions_end(struct event_conditions *c, struct events *e, uint64_t now_ms)
{
	unsigned i = 0;
	while (i < c->count) {
		// event_conditions_see has set `unseen` of the conditions of this look to 0.
		if (c->one[i].unseen++ < c->one[i].kind->patience) {
			i++;
			continue;
		}
		struct event_condition gone = c->one[i];
		c->count--;
		memmove(&c->one[i], &c->one[i + 1], (c->count - i) * sizeof(gone));
		const unsigned other = begun(c, gone.kind->begins, gone.about);
		if (other == c->count)
			over(c, e, &gone, now_ms);
		else if (gone.since_ms < c->one[other].since_ms)
			c->one[other].since_ms = gone.since_ms;
	}
}

const struct event_condition *event_conditions_find(
	const struct event_conditions *c, enum event_kind begins, const char *about)
{
	const unsigned i = begun(c, begins, about);
	return i < c->count ? &c->one[i] : NULL;
}

const char *const event_kind_names[EVENT_KIND_COUNT] = {
#define X(name, severity) #name,
	EVENT_KINDS(X)
#undef X
};
const char *const event_severity_names[EVENT_SEVERITIES] = {"info", "warning", "error"};

static const enum event_severity usual[EVENT_KIND_COUNT] = {
#define X(name, severity) EVENT_IS_##severity,
	EVENT_KINDS(X)
#undef X
};

struct events {
	const char *box;
	uint64_t first; // number of the first event of this process
	uint64_t count; // events ever; event `first + i` is in slot `i % EVENTS_MAX`
	uint64_t left_out;
	uint64_t of_kind[EVENT_KIND_COUNT];
	pthread_mutex_t lock; // protects `count` and the fields below; the loop reads without it
	pthread_cond_t more;
	uint64_t pokes;
	struct event_record event[EVENTS_MAX];
};

int events_open(struct events **out, const char *box)
{
	struct events *e = heap_calloc(1, sizeof(*e));
	if (!e)
		return -ENOMEM;
	e->box = box;
	e->first = clock_ms_of(CLOCK_REALTIME);
	pthread_mutex_init(&e->lock, NULL);
	thread_cond_init(&e->more);
	*out = e;
	return 0;
}

void events_close(struct events *e)
{
	if (!e)
		return;
	pthread_cond_destroy(&e->more);
	pthread_mutex_destroy(&e->lock);
	heap_free(e);
}

// Writes the event as a line to a log in JSON, for programs; a log of text has lines of its own.
static void log_add(const struct event_record *v)
{
	static const enum log_level levels[EVENT_SEVERITIES] = {[EVENT_IS_info] = LOG_LEVEL_INFO,
		[EVENT_IS_warning] = LOG_LEVEL_WARNING,
		[EVENT_IS_error] = LOG_LEVEL_ERROR};
	struct log_event line = {.kind = event_kind_names[v->kind],
		.text = v->text,
		.box = v->box,
		.number = v->number,
		.count = v->fields};
	static_assert((int)EVENT_FIELDS_MAX <= (int)LOG_EVENT_FIELDS_MAX);
	for (unsigned i = 0; i < v->fields; i++)
		line.field[i] = (struct log_field){v->name[i], v->value[i]};
	log_event(levels[v->severity], &line);
}

static void add(struct events *e, enum event_kind kind, enum event_severity severity,
	const struct event_field *fields, const char *fmt, va_list args)
{
	struct event_record *v = &e->event[e->count % EVENTS_MAX];
	pthread_mutex_lock(&e->lock);
	*v = (struct event_record){.number = e->first + e->count,
		.unix_ms = (int64_t)clock_ms_of(CLOCK_REALTIME),
		.kind = kind,
		.severity = severity,
		.box = e->box};
	(void)vsnprintf(v->text, sizeof(v->text), fmt, args);
	for (; fields && fields->name && v->fields < EVENT_FIELDS_MAX; fields++) {
		v->name[v->fields] = fields->name;
		(void)snprintf(v->value[v->fields++], EVENT_VALUE_MAX, "%s", fields->value);
	}
	e->of_kind[kind]++;
	e->count++;
	pthread_cond_broadcast(&e->more);
	pthread_mutex_unlock(&e->lock);
	log_add(v);
}

void events_add(struct events *e, enum event_kind kind, const struct event_field *fields,
	const char *fmt, ...)
{
	va_list args;
	if (!e)
		return;
	va_start(args, fmt);
	add(e, kind, usual[kind], fields, fmt, args);
	va_end(args);
}

void events_add_as(struct events *e, enum event_kind kind, enum event_severity severity,
	const struct event_field *fields, const char *fmt, ...)
{
	va_list args;
	if (!e)
		return;
	va_start(args, fmt);
	add(e, kind, severity, fields, fmt, args);
	va_end(args);
}

// Counts a condition that event_conditions has no room for. `e` may be NULL.
static void events_leave_out(struct events *e)
{
	if (e)
		e->left_out++;
}

static uint64_t overwritten(const struct events *e)
{
	return e->count > EVENTS_MAX ? e->count - EVENTS_MAX : 0;
}

const struct event_record *events_next(const struct events *e, uint64_t after, uint64_t *missed)
{
	uint64_t seen = 0; // events of this process that the reader already got
	*missed = 0;
	if (after >= e->first && after < e->first + e->count)
		seen = after - e->first + 1;
	if (seen == e->count)
		return NULL;
	if (seen < overwritten(e)) {
		*missed = overwritten(e) - seen;
		seen = overwritten(e);
	}
	return &e->event[seen % EVENTS_MAX];
}

bool events_copy(struct events *e, uint64_t after, struct event_record *out, uint64_t *missed)
{
	pthread_mutex_lock(&e->lock);
	const struct event_record *next = events_next(e, after, missed);
	if (next)
		*out = *next;
	pthread_mutex_unlock(&e->lock);
	return next != NULL;
}

uint64_t events_wait(struct events *e, uint64_t newest, uint64_t pokes, unsigned timeout_ms)
{
	const struct timespec until = clock_deadline(timeout_ms);
	int rc = 0;
	pthread_mutex_lock(&e->lock);
	while (rc == 0 && events_newest(e) == newest && e->pokes == pokes)
		rc = pthread_cond_timedwait(&e->more, &e->lock, &until);
	newest = events_newest(e);
	pthread_mutex_unlock(&e->lock);
	return newest;
}

uint64_t events_pokes(struct events *e)
{
	pthread_mutex_lock(&e->lock);
	const uint64_t pokes = e->pokes;
	pthread_mutex_unlock(&e->lock);
	return pokes;
}

void events_poke(struct events *e)
{
	pthread_mutex_lock(&e->lock);
	e->pokes++;
	pthread_cond_broadcast(&e->more);
	pthread_mutex_unlock(&e->lock);
}

uint64_t events_newest(const struct events *e)
{
	return e->first + e->count - 1;
}

void events_counts(const struct events *e, struct events_counts *out)
{
	uint64_t gone = overwritten(e);
	*out = (struct events_counts){.overwritten = gone,
		.left_out = e->left_out,
		.used = (unsigned)(e->count - gone),
		.bytes = sizeof(*e),
		.oldest_unix_ms = e->count ? e->event[gone % EVENTS_MAX].unix_ms : 0};
	for (unsigned i = 0; i < EVENT_KIND_COUNT; i++)
		out->of_kind[i] = e->of_kind[i];
}

void event_json(struct json_out *o, struct json_node *n, const struct event_record *e)
{
	json_out_count(o, n, "number", e->number);
	json_out_signed(o, n, "unix_ms", e->unix_ms);
	json_out_text(o, n, "kind", event_kind_names[e->kind]);
	json_out_text(o, n, "severity", event_severity_names[e->severity]);
	json_out_text(o, n, "box", e->box);
	json_out_text(o, n, "text", e->text);
	struct json_node *fields = json_out_object(o, n, "fields");
	for (unsigned i = 0; i < e->fields; i++)
		json_out_text(o, fields, e->name[i], e->value[i]);
}
