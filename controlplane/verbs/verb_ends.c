// SPDX-License-Identifier: BSD-3-Clause
#include "verb_ends.h"

#include "verb.h"
#include "versions/apply.h"

#include <event2/event.h>

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <weir/clock.h>
#include <weir/config/managed.h>
#include <weir/heap_site.h>
#include <weir/log.h>

enum { AGAIN_MS = 10000, AGAIN_MOST_MS = 640000 };

struct verb_ends {
	const struct api_deps *deps;
	struct event *look;
	uint64_t again_ms; // no try before, on the monotonic clock
	uint64_t wait_ms;  // wait until the next try; doubled by each failure
	// The sweep of entries that ended while no control plane ran, or that came back by a
	// rollback, is done.
	bool is_swept;
	uint64_t swept_hash; // text_hash in force then
};

// An entry that is still in force though its end has passed; NULL: there is none.
static const struct config_dated_entry *due_find(const struct config *c, int64_t now)
{
	for (unsigned i = 0; i < c->dated.count; i++) {
		const struct config_dated_entry *e = &c->dated.entries[i];
		if (e->until && !e->ended && e->until <= now)
			return e;
	}
	return NULL;
}

static void what_fill(const struct config *c, const struct config_dated_entry *e, bool is_start,
	char out[CONFIG_VERSION_WHAT_MAX])
{
	char name[DNS_NAME_TEXT_MAX];
	if (!e) {
		snprintf(out, CONFIG_VERSION_WHAT_MAX, "end of entries %s",
			is_start ? "while weir was down" : "that came back");
		return;
	}
	const char *text = e->pattern ? e->pattern : dns_name_to_text(&e->name, name);
	snprintf(out, CONFIG_VERSION_WHAT_MAX, "end of %s%s%s %s", e->allow ? "allow" : "deny",
		e->group ? " --group " : "", e->group ? c->groups[e->group - 1].name : "", text);
}

static void on_applied(void *arg, int err, const char *why, const char *)
{
	struct verb_ends *d = arg;
	if (err >= 0) {
		d->again_ms = d->wait_ms = 0;
		return;
	}
	log_error("an entry that has ended is still in force: %s; weir tries again", why);
}

// The managed part without entries that have ended; NULL: it has none, or does not parse.
static char *text_make(const struct api_deps *deps, int64_t now)
{
	struct config_managed *m = NULL;
	char why[CONFIG_WHY_MAX], *text = NULL;
	if (config_managed_parse(deps->managed_text(deps->reload_arg), &m, why) < 0) {
		log_error("entries that have ended stay in the managed part: %s", why);
		return NULL;
	}
	if (config_managed_entries_end(m, now))
		text = config_managed_text(m, APP_MANAGED_HEAD);
	config_managed_free(m);
	return text;
}

// Whether to sweep. Entries that had ended have no effect, so the sweep waits until the health
// watch is over, which another version would end.
static bool sweep_is_due(const struct verb_ends *d, const struct config *c)
{
	const struct api_deps *deps = d->deps;
	if (d->is_swept && d->swept_hash == c->text_hash)
		return false;
	return !deps->versions || !deps->versions(deps->reload_arg)->watch_left_s;
}

static void on_look(evutil_socket_t, short, void *arg)
{
	struct verb_ends *d = arg;
	const struct api_deps *deps = d->deps;
	const int64_t now = verb_now();
	const uint64_t now_ms = clock_mono_ms();
	const struct config *c = deps->config_current(deps->reload_arg);
	const struct config_dated_entry *due = due_find(c, now);
	char what[CONFIG_VERSION_WHAT_MAX];
	if (now_ms < d->again_ms || (!due && !sweep_is_due(d, c)))
		return;
	d->wait_ms = d->wait_ms ? 2 * d->wait_ms : AGAIN_MS;
	if (d->wait_ms > AGAIN_MOST_MS)
		d->wait_ms = AGAIN_MOST_MS;
	d->again_ms = now_ms + d->wait_ms;
	char *text = text_make(deps, now);
	if (!due && !text) {
		d->is_swept = true;
		d->swept_hash = c->text_hash;
		d->again_ms = d->wait_ms = 0;
		return;
	}
	what_fill(c, due, !d->is_swept, what);
	const struct apply_request r = {
		.who = "timer", .what = what, .managed = text, .is_internal = true};
	const int err = deps->config_apply(deps->reload_arg, &r, on_applied, d);
	heap_free(text);
	if (err == -EBUSY) // the other change may be over in a second
		d->again_ms = d->wait_ms = 0;
	else if (err < 0)
		on_applied(d, err, strerror(-err), "");
}

int verb_ends_open(struct verb_ends **out, const struct api_deps *deps)
{
	const struct timeval second = {.tv_sec = 1};
	struct verb_ends *d = heap_calloc(1, sizeof(*d));
	if (!d)
		return -ENOMEM;
	*out = d;
	d->deps = deps;
	d->look = event_new(loop_base(deps->service), -1, EV_PERSIST, on_look, d);
	if (!d->look)
		return -ENOMEM;
	return event_add(d->look, &second) ? -EIO : 0;
}

void verb_ends_close(struct verb_ends *d)
{
	if (d && d->look)
		event_free(d->look);
	heap_free(d);
}
