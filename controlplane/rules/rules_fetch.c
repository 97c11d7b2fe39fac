// SPDX-License-Identifier: BSD-3-Clause
#include "rules_fetch.h"

#include "base/rng.h"
#include "http/bootstrap.h"
#include "lists/fetch/list_axfr.h"
#include "lists/fetch/list_notify.h"
#include "lists/fetch/list_primary.h"
#include "lists/fetch/list_update.h"
#include "rule_image/rule_build.h"
#include "rules.h"

#include <event2/event.h>

#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <weir/clock.h>
#include <weir/config.h>
#include <weir/config/shared.h>
#include <weir/heap_site.h>
#include <weir/log.h>
#include <weir/thread.h>
#include <weir/url.h>

// The lists to be fetched, and when each is due. The service loop's, but for a round of fetching:
// its helper thread reads URLs, options and settings, which never change in a set, and writes
// `update`.

enum { FETCH_TRIES_MAX = 10, FETCH_RETRY_S = 10, FETCH_RETRY_MAX_S = 3600 };
#define FETCH_NEVER UINT64_MAX
// A secondary is due once the primary is sure to have asked the list's server. If the primary has
// no newer copy then, the secondary asks it a few times more before it asks that server itself.
enum { PRIMARY_FIRST_S = 60, PRIMARY_AGAIN_S = 600, PRIMARY_TRIES = 6, PRIMARY_TRIES_NEW = 3 };

struct fetched { // one list
	char *url;
	char title[RULE_TITLE_MAX];
	unsigned at; // where it was in the status last time
	struct list_options options;
	const struct config_tsig_key *key; // one of the set's; may be NULL
	struct config_list_tls *tls;       // owned; may be NULL
	bool stored;
	uint64_t next_ms;     // clock_mono_ms
	uint64_t planned_ms;  // the next by the interval
	uint64_t notified_ms; // due by a NOTIFY (list_notify.h); 0: no NOTIFY since its last fetch
	uint64_t try_unix_s, good_unix_s;
	unsigned http_status, failures;
	unsigned waits; // times in a row that the primary had no newer copy
	struct list_fetch_counts counts;
	char why[LIST_FETCH_WHY_MAX];
};

struct fetch_set {
	uint64_t text_hash; // the configuration's
	struct config_update settings;
	unsigned server_count, count;
	struct socket_address server[CONFIG_UPSTREAMS_MAX];
	unsigned key_count;
	struct config_tsig_key *key; // [key_count], wiped at the end
	struct list_primary primary; // `url` NULL: this box takes no lists from a primary
	struct fetched *list;        // [count]
	struct list_update *update;  // [count], of a round
};

static void fetch_set_free(struct fetch_set *s)
{
	if (!s)
		return;
	for (unsigned i = 0; i < s->count; i++) {
		FREE_AND_NULL(s->list[i].url);
		FREE_AND_NULL(s->list[i].tls);
	}
	FREE_AND_NULL(s->list);
	FREE_AND_NULL(s->update);
	if (s->key)
		explicit_bzero(s->key, s->key_count * sizeof(s->key[0]));
	FREE_AND_NULL(s->key);
	if (s->primary.token)
		explicit_bzero(s->primary.token, strlen(s->primary.token));
	FREE_AND_NULL(s->primary.url);
	FREE_AND_NULL(s->primary.token);
	FREE_AND_NULL(s->primary.ca_file);
	heap_free(s);
}

// NULL: lists come from their servers alone. A box that takes signed versions alone takes no list
// either, as nobody signs those.
static const struct config_sync *primary_of(const struct config *c)
{
	const bool is_own = c->sync.own & 1u << CONFIG_SHARED_blocking;
	const bool is_taken = !is_own && c->sync.trusted_count == 0;
	return c->sync.primary && *c->sync.primary && is_taken ? &c->sync : NULL;
}

static bool primary_copy(struct fetch_set *s, const struct config *c)
{
	const struct config_sync *from = primary_of(c);
	if (!from)
		return true;
	s->primary = (struct list_primary){
		heap_strdup(from->primary), heap_strdup(from->token), heap_strdup(from->ca_file)};
	return s->primary.url && s->primary.token && s->primary.ca_file;
}

static bool has_primary_of(const struct fetch_set *s, const struct config *c)
{
	const struct config_sync *from = primary_of(c);
	return !from == !s->primary.url
	       && (!from
		       || (strcmp(from->primary, s->primary.url) == 0
			       && strcmp(from->token, s->primary.token) == 0
			       && strcmp(from->ca_file, s->primary.ca_file) == 0));
}

// Room for `lists`; none is in it.
static struct fetch_set *set_make(unsigned lists)
{
	struct fetch_set *s = heap_calloc(1, sizeof(*s));
	if (!s)
		return NULL;
	s->list = heap_calloc(lists + 1, sizeof(s->list[0]));
	s->update = heap_calloc(lists + 1, sizeof(s->update[0]));
	if (!s->list || !s->update) {
		fetch_set_free(s);
		return NULL;
	}
	return s;
}

static struct fetched *set_find(struct fetch_set *s, const char *url)
{
	for (unsigned i = 0; s && i < s->count; i++)
		if (strcmp(s->list[i].url, url) == 0)
			return &s->list[i];
	return NULL;
}

static uint64_t below(struct rng *rng, uint64_t bound)
{
	uint32_t x;
	rng_bytes(rng, &x, sizeof(x));
	return bound ? x % bound : 0;
}

static uint64_t interval_ms(struct rng *rng, const struct fetch_set *s)
{
	const struct config_update *u = &s->settings;
	if (!u->interval_s)
		return FETCH_NEVER;
	const uint64_t later_s = s->primary.url ? u->jitter_s + PRIMARY_FIRST_S : 0;
	return 1000ull * (u->interval_s + later_s + below(rng, u->jitter_s + 1ull));
}

// A date in the future is no date.
static uint64_t age_of(uint64_t good_unix_s, uint64_t now_s)
{
	return good_unix_s <= now_s ? (now_s - good_unix_s) * 1000 : FETCH_NEVER;
}

// Sets up a new list: its stored state says when it is due. A transfer that the list's key has not
// signed, or that came from another server, is due at once.
static void list_begin(const char *state_directory, struct rng *rng, const struct fetch_set *set,
	struct fetched *l)
{
	struct list_store_paths p;
	struct list_stored s;
	uint64_t now_ms = clock_mono_ms(), now_s = (uint64_t)time(NULL);
	l->next_ms = l->planned_ms = now_ms;
	if (list_store_paths(&p, state_directory, l->url) || list_store_read(&p, false, &s))
		return;
	l->stored = true;
	l->good_unix_s = s.good_unix_s;
	if ((l->key || l->tls) && !list_axfr_is_good(s.etag, l->key, l->tls))
		return;
	uint64_t wait_ms = interval_ms(rng, set);
	uint64_t age_ms = age_of(s.good_unix_s, now_s);
	if (wait_ms == FETCH_NEVER)
		l->next_ms = FETCH_NEVER;
	else if (age_ms < wait_ms)
		l->next_ms = now_ms + wait_ms - age_ms;
	l->planned_ms = l->next_ms;
}

static void servers_copy(struct fetch_set *s, const struct config *c)
{
	s->server_count = bootstrap_servers(c, s->server);
}

static bool keys_copy(struct fetch_set *s, const struct config *c)
{
	size_t size = c->blocking.tsig_key_count * sizeof(s->key[0]);
	if (size == 0)
		return true;
	s->key = heap_malloc(size);
	if (!s->key)
		return false;
	memcpy(s->key, c->blocking.tsig_keys, size);
	s->key_count = c->blocking.tsig_key_count;
	return true;
}

// Does the set have these keys and no others?
static bool fetch_set_has_keys(const struct fetch_set *s, const struct config *c)
{
	unsigned count = c->blocking.tsig_key_count;
	return s->key_count == count
	       && (!count || memcmp(s->key, c->blocking.tsig_keys, count * sizeof(s->key[0])) == 0);
}

// Would a download by both sets of settings come to the same?
static bool fetches_alike(const struct fetch_set *a, const struct fetch_set *b)
{
	return a->settings.timeout_s == b->settings.timeout_s
	       && a->settings.max_mb == b->settings.max_mb
	       && a->settings.max_redirects == b->settings.max_redirects
	       && a->settings.allow_private == b->settings.allow_private
	       && a->server_count == b->server_count
	       && memcmp(a->server, b->server, sizeof(a->server)) == 0;
}

static bool tls_alike(const struct config_list_tls *a, const struct config_list_tls *b)
{
	return !a == !b && (!a || memcmp(a, b, sizeof(*a)) == 0);
}

// Would a transfer prove the same by the key and server of both? Each may be NULL.
static bool proofs_alike(const struct config_tsig_key *a, const struct config_list_tls *a_tls,
	const struct config_tsig_key *b, const struct config_list_tls *b_tls)
{
	bool same_key =
		!a == !b
		&& (!a
			|| (dns_name_equal(&a->name, &b->name) && a->algorithm == b->algorithm
				&& a->secret_len == b->secret_len
				&& memcmp(a->secret, b->secret, a->secret_len) == 0));
	return same_key && tls_alike(a_tls, b_tls);
}

static bool read_alike(const struct fetched *a, const struct fetched *b)
{
	const struct list_options *x = &a->options, *y = &b->options;
	return x->role == y->role && x->format == y->format && x->force == y->force
	       && x->exact == y->exact;
}

static bool owned_copy(struct fetched *l, const struct config_list *from)
{
	l->url = heap_strdup(from->url);
	l->tls = from->tls ? heap_malloc(sizeof(*l->tls)) : NULL;
	if (l->tls)
		memcpy(l->tls, from->tls, sizeof(*l->tls));
	return l->url && !l->tls == !from->tls;
}

// From a configuration, with what is `known` (NULL: nothing) of each of its URLs. NULL: no memory.
static struct fetch_set *fetch_set_new(struct fetch_set *before, const struct config *c,
	const char *state_directory, struct rng *rng)
{
	unsigned lists = 0;
	for (unsigned i = 0; i < c->blocking.list_count; i++)
		lists += c->blocking.lists[i].url != NULL;
	struct fetch_set *s = set_make(lists);
	if (!s)
		return NULL;
	s->text_hash = c->text_hash;
	s->settings = c->blocking.update;
	servers_copy(s, c);
	if (!keys_copy(s, c) || !primary_copy(s, c)) {
		fetch_set_free(s);
		return NULL;
	}
	bool same_interval = before && before->settings.interval_s == s->settings.interval_s
			     && before->settings.jitter_s == s->settings.jitter_s
			     && !before->primary.url == !s->primary.url;
	bool alike = before && fetches_alike(before, s) && fetch_set_has_keys(before, c);
	for (unsigned i = 0; i < c->blocking.list_count; i++) {
		const struct config_list *from = &c->blocking.lists[i];
		if (!from->url)
			continue;
		struct fetched *l = &s->list[s->count];
		const struct fetched *known = set_find(before, from->url);
		if (known)
			*l = *known;
		s->count++;
		if (!owned_copy(l, from)) {
			fetch_set_free(s);
			return NULL;
		}
		l->key = from->tsig ? &s->key[from->tsig - 1] : NULL;
		l->options = (struct list_options){
			.role = from->allow ? LIST_ROLE_ALLOW : LIST_ROLE_BLOCK,
			.format = from->format,
			.exact = from->exact,
			.force = from->force};
		rule_title_make(l->title, from->name);
		bool same_proof = known && proofs_alike(known->key, known->tls, l->key, l->tls);
		if (!known || (same_proof && !same_interval && !l->failures))
			list_begin(state_directory, rng, s, l);
		else if (!same_proof || (l->failures && !(alike && read_alike(known, l))))
			l->next_ms = clock_mono_ms(); // the setting may be what was wrong
	}
	return s;
}

static uint64_t retry_ms(struct rng *rng, unsigned failures)
{
	uint64_t wait_s = (uint64_t)FETCH_RETRY_S << (failures - 1);
	wait_s = wait_s < FETCH_RETRY_MAX_S ? wait_s : FETCH_RETRY_MAX_S;
	return wait_s * 1000 + below(rng, wait_s * 250);
}

// When to fetch it next, after a fetch. Failures that a NOTIFY began leave the next fetch by the
// interval where it was planned. Never before the time that the server asks for.
static void plan_next(
	struct rng *rng, const struct fetch_set *s, struct fetched *l, uint64_t retry_after_s)
{
	const uint64_t now_ms = clock_mono_ms(), least_ms = now_ms + retry_after_s * 1000;
	if (l->failures > 0 && l->failures < FETCH_TRIES_MAX) {
		l->next_ms = now_ms + retry_ms(rng, l->failures);
		l->next_ms = l->next_ms > least_ms ? l->next_ms : least_ms;
		return;
	}
	const uint64_t wait_ms = interval_ms(rng, s);
	// The primary's copy may be older than this moment, and than the interval.
	const uint64_t most_ms = PRIMARY_AGAIN_S * 1000ull;
	const uint64_t again_ms = wait_ms < most_ms ? wait_ms : most_ms;
	const uint64_t age_ms = l->failures == 0 ? age_of(l->good_unix_s, (uint64_t)time(NULL)) : 0;
	if (l->failures == 0 || l->planned_ms <= now_ms)
		l->planned_ms = wait_ms == FETCH_NEVER
					? FETCH_NEVER
					: now_ms + (age_ms < wait_ms ? wait_ms - age_ms : again_ms);
	l->next_ms = l->planned_ms > least_ms ? l->planned_ms : least_ms;
}

// The primary has no newer copy.
static void plan_wait(struct rng *rng, struct fetched *l)
{
	const uint64_t wait_ms =
		l->stored ? PRIMARY_AGAIN_S * 1000ull : retry_ms(rng, l->waits + 1);
	l->waits++;
	l->next_ms = clock_mono_ms() + wait_ms;
}

static bool asks_primary_alone(const struct fetch_set *s, const struct fetched *l)
{
	return s->primary.url && l->waits < (l->stored ? PRIMARY_TRIES : PRIMARY_TRIES_NEW);
}

// A server by name may have any address: only one that is an address is known by it.
static bool notify_of(const struct fetched *l, struct list_notify_entry *out)
{
	char host[SOCKET_ADDRESS_TEXT_MAX];
	struct socket_address server;
	struct url u;
	if (url_parse_list(l->url, &u) < 0 || !u.axfr || u.host_len >= sizeof(host))
		return false;
	snprintf(host, sizeof(host), "%.*s", (int)u.host_len, u.host);
	if (socket_address_parse(host, 1, &server) < 0
		|| dns_name_from_text(u.path + 1, u.path_len - 1, &out->zone) < 0)
		return false;
	out->server = server.ip;
	out->key = l->key;
	return true;
}

static int fetch_set_publish(const struct fetch_set *s, struct list_notify *z)
{
	struct list_notify_entry *entry = z ? heap_calloc(s->count + 1, sizeof(*entry)) : NULL;
	unsigned n = 0;
	if (!entry)
		return z ? -ENOMEM : 0;
	for (unsigned i = 0; i < s->count; i++) {
		entry[n].list = i;
		n += notify_of(&s->list[i], &entry[n]);
	}
	int rc = list_notify_set(z, entry, n);
	heap_free(entry);
	return rc;
}

// Notes the lists that became due by a NOTIFY.
static void fetch_set_notify(struct fetch_set *s, struct list_notify *z)
{
	unsigned i;
	uint64_t due_ms;
	while (z && list_notify_next(z, &i, &due_ms))
		s->list[i].notified_ms = due_ms;
}

static uint64_t fetch_due_ms(const struct fetched *l)
{
	return l->notified_ms && l->notified_ms < l->next_ms ? l->notified_ms : l->next_ms;
}

// When the first list is due.
static uint64_t fetch_set_due_ms(const struct fetch_set *s)
{
	uint64_t first_ms = FETCH_NEVER;
	for (unsigned i = 0; i < s->count; i++)
		if (fetch_due_ms(&s->list[i]) < first_ms)
			first_ms = fetch_due_ms(&s->list[i]);
	return first_ms;
}

static void count(struct list_fetch_counts *c, const struct list_update *from)
{
	c->unchanged += from->outcome == LIST_UPDATE_UNCHANGED;
	c->differences += from->outcome == LIST_UPDATE_CHANGED && from->changes;
	c->whole += from->outcome == LIST_UPDATE_CHANGED && !from->changes && !from->is_of_primary;
	c->primary += from->outcome == LIST_UPDATE_CHANGED && from->is_of_primary;
	c->failed += from->outcome == LIST_UPDATE_FAILED;
}

// Takes what came of a fetch, and plans the next. The list; NULL: it is not in the set any more, or
// nothing came of it that counts.
static struct fetched *fetch_set_update(
	struct fetch_set *s, struct rng *rng, const struct list_update *from)
{
	struct fetched *l = set_find(s, from->url);
	if (!l || from->outcome == LIST_UPDATE_NONE)
		return NULL;
	// What a reload has planned meanwhile counts: for a list of another proof, or without
	// primary.
	const bool is_alike = proofs_alike(l->key, l->tls, from->key, from->tls);
	if (from->outcome == LIST_UPDATE_WAITS) {
		if (s->primary.url && is_alike)
			plan_wait(rng, l);
		return NULL;
	}
	count(&l->counts, from);
	l->waits = 0;
	l->try_unix_s = from->try_unix_s;
	l->good_unix_s = from->good_unix_s;
	l->http_status = from->http_status;
	l->stored = from->good_unix_s != 0;
	memcpy(l->why, from->why, sizeof(l->why));
	bool failed = from->outcome == LIST_UPDATE_FAILED;
	// Anybody may forge an unsigned NOTIFY: it must not use up the tries of a list that fails.
	if (failed && from->notified && l->failures)
		return NULL;
	// An unsigned NOTIFY may not keep off the planned fetch either, which reads the stored
	// copy.
	const bool is_look =
		from->notified && from->outcome == LIST_UPDATE_UNCHANGED && !l->failures;
	l->failures = failed ? l->failures + 1 : 0;
	if (!is_look)
		plan_next(rng, s, l, from->retry_after_s);
	if (!is_alike)
		l->next_ms = clock_mono_ms();
	return l;
}

// One at a time. Its set is the configuration's of when it began.
struct fetch_round {
	struct fetch_set *set; // NULL while none runs
	bool by_hand, force;
	struct loop_return back;
};

struct rules_fetch {
	struct loop *service;
	char *state_directory;
	void (*done)(void *arg);
	void *arg;
	struct event *timer;
	struct rng rng;
	struct fetch_set *set;
	struct list_notify *notify; // may be NULL
	struct fetch_round round;
	pthread_t thread;
	_Atomic bool stop;
	bool held, is_awaited, all_wanted, all_force;
	struct rules_fetch_status last;
	struct events *events; // may be NULL
};

static void plan(struct rules_fetch *f);

// Unless the other one, which is in force or of the round that runs, is this one.
static void set_drop(struct fetch_set *s, const struct fetch_set *other)
{
	if (s != other)
		fetch_set_free(s);
}

// The text of the file says all but what toggles change.
static bool is_same(const struct fetch_set *s, const struct config *c)
{
	return c->text_hash && c->text_hash == s->text_hash
	       && memcmp(&c->blocking.update, &s->settings, sizeof(s->settings)) == 0
	       && fetch_set_has_keys(s, c) && has_primary_of(s, c); // secrets in files of their own
}

static void on_notified(void *arg)
{
	struct rules_fetch *f = arg;
	fetch_set_notify(f->set, f->notify);
	plan(f);
}

int rules_fetch_notify(struct rules_fetch *f, struct list_notify *z)
{
	f->notify = z;
	list_notify_on_due(z, on_notified, f);
	return fetch_set_publish(f->set, z);
}

void rules_fetch_add_events(struct rules_fetch *f, struct events *events)
{
	f->events = events;
}

int rules_fetch_configure(struct rules_fetch *f, const struct config *c)
{
	if (is_same(f->set, c))
		return 0;
	fetch_set_notify(f->set, f->notify); // before its numbers become another set's
	struct fetch_set *s = fetch_set_new(f->set, c, f->state_directory, &f->rng);
	if (!s || fetch_set_publish(s, f->notify) < 0) {
		fetch_set_free(s);
		return -ENOMEM;
	}
	set_drop(f->set, f->round.set);
	f->set = s;
	plan(f);
	return 0;
}

// Files of lists that left the configuration.
static void prune(const struct rules_fetch *f)
{
	const char *url[CONFIG_LISTS_MAX];
	for (unsigned i = 0; i < f->set->count; i++)
		url[i] = f->set->list[i].url;
	list_store_prune(f->state_directory, url, f->set->count);
}

// The first of the tries in a row that failed is an event, as each fetch that brought something
// new.
static void fetch_event(struct events *e, const struct fetched *l, const struct list_update *update)
{
	char url[512], number[24];
	url_shown(l->url, url, sizeof(url));
	if (update->outcome == LIST_UPDATE_CHANGED) {
		(void)snprintf(number, sizeof(number), "%" PRIu64, update->bytes);
		events_add(e, EVENT_list_changed,
			EVENT_FIELDS({"list", l->title}, {"url", url}, {"bytes", number}),
			"list \"%s\" fetched: it has changed, %s bytes", l->title, number);
	} else if (update->outcome == LIST_UPDATE_FAILED && l->failures == 1) {
		events_add(e, EVENT_list_failed,
			EVENT_FIELDS({"list", l->title}, {"url", url}, {"why", update->why}),
			"list \"%s\" not fetched (%s); weir keeps the copy that it has, if any",
			l->title, update->why);
	}
}

static void on_round_done(void *arg)
{
	struct rules_fetch *f = arg;
	struct fetch_set *s = f->round.set;
	pthread_join(f->thread, NULL);
	f->round.set = NULL;
	f->last.changed = false;
	f->last.by_hand = f->round.by_hand;
	f->last.force = f->round.force;
	for (unsigned i = 0; i < s->count; i++) {
		f->last.changed |= s->update[i].outcome == LIST_UPDATE_CHANGED;
		const struct fetched *l = fetch_set_update(f->set, &f->rng, &s->update[i]);
		if (l)
			fetch_event(f->events, l, &s->update[i]);
	}
	set_drop(s, f->set);
	prune(f);
	plan(f);
	f->done(f->arg);
}

static void *work(void *arg)
{
	struct rules_fetch *f = arg;
	struct fetch_set *s = f->round.set;
	char why[LIST_STORE_WHY_MAX];
	const struct list_update_options options = {.state_directory = f->state_directory,
		.update = &s->settings,
		.primary = s->primary.url ? &s->primary : NULL,
		.server_count = s->server_count,
		.servers = s->server,
		.stop = &f->stop};
	thread_background();
	if (s->count && list_store_open(f->state_directory, why))
		log_warning("lists: %s", why);
	(void)list_update_all(&options, s->update, s->count);
	loop_call_back(f->service, &f->round.back, on_round_done, f);
	return NULL;
}

static bool round_start(struct rules_fetch *f, bool all, bool force)
{
	struct fetch_set *s = f->set;
	uint64_t now_ms = clock_mono_ms();
	for (unsigned i = 0; i < s->count; i++) {
		struct fetched *l = &s->list[i];
		s->update[i] = (struct list_update){.url = l->url,
			.options = l->options,
			.key = l->key,
			.tls = l->tls,
			.wanted = all || fetch_due_ms(l) <= now_ms,
			.notified = !all && l->next_ms > now_ms,
			.force = force,
			.primary_alone =
				!all && (l->stored || !f->is_awaited) && asks_primary_alone(s, l)};
	}
	f->round = (struct fetch_round){.set = s, .by_hand = all, .force = force};
	int rc = thread_start(&f->thread, "weir-lists", work, f);
	if (rc == 0) {
		for (unsigned i = 0; i < s->count; i++)
			if (s->update[i].wanted)
				s->list[i].notified_ms = 0;
		return true;
	}
	log_warning("lists not fetched: no thread: %s", strerror(-rc));
	f->round.set = NULL;
	return false;
}

// Starts what is due, or the timer until then.
static void plan(struct rules_fetch *f)
{
	uint64_t now_ms = clock_mono_ms(), due_ms = fetch_set_due_ms(f->set);
	(void)event_del(f->timer);
	if (f->round.set)
		return;
	bool all = f->all_wanted;
	// A requested round runs even without lists, because a caller waits.
	if (all || (!f->held && due_ms <= now_ms)) {
		f->all_wanted = false;
		if (round_start(f, all, all && f->all_force)) {
			f->all_force = false;
			return;
		}
		f->all_wanted = all;
		due_ms = now_ms + 1000ull * FETCH_RETRY_S;
	} else if (f->held || due_ms == FETCH_NEVER) {
		return;
	}
	uint64_t wait_ms = due_ms > now_ms ? due_ms - now_ms : 0;
	const struct timeval interval = {.tv_sec = (time_t)(wait_ms / 1000),
		.tv_usec = (suseconds_t)(wait_ms % 1000 * 1000)};
	(void)event_add(f->timer, &interval);
}

static void on_timer(evutil_socket_t, short, void *arg)
{
	plan(arg);
}

void rules_fetch_hold(struct rules_fetch *f, bool held)
{
	f->held = held;
	plan(f);
}

void rules_fetch_await(struct rules_fetch *f, bool is_awaited)
{
	f->is_awaited = is_awaited;
}

bool rules_fetch_all(struct rules_fetch *f, bool force)
{
	if (!f->set->count)
		return false;
	f->all_wanted = true;
	f->all_force |= force;
	plan(f);
	return true;
}

int rules_fetch_new(struct rules_fetch **out, struct loop *service, const char *state_directory,
	void (*done)(void *arg), void *arg)
{
	struct rules_fetch *f = heap_calloc(1, sizeof(*f));
	if (!f)
		return -ENOMEM;
	f->service = service;
	f->done = done;
	f->arg = arg;
	f->state_directory = heap_strdup(state_directory);
	f->set = heap_calloc(1, sizeof(*f->set));
	f->timer = event_new(loop_base(service), -1, 0, on_timer, f);
	if (!f->state_directory || !f->set || !f->timer) {
		rules_fetch_free(f);
		return -ENOMEM;
	}
	*out = f;
	return 0;
}

void rules_fetch_stop(struct rules_fetch *f)
{
	if (!f || !f->round.set || f->stop)
		return;
	f->stop = true;
	pthread_join(f->thread, NULL);
}

void rules_fetch_free(struct rules_fetch *f)
{
	if (!f)
		return;
	rules_fetch_stop(f);
	list_notify_on_due(f->notify, NULL, NULL);
	set_drop(f->round.set, f->set);
	if (f->timer)
		event_free(f->timer);
	fetch_set_free(f->set);
	FREE_AND_NULL(f->state_directory);
	heap_free(f);
}

void rules_fetch_notified(const struct rules_fetch *f, struct list_notify_counts *out)
{
	list_notify_counts(f->notify, out);
}

void rules_fetch_status(const struct rules_fetch *f, struct rules_fetch_status *out)
{
	*out = f->last;
	out->running = f->round.set != NULL || f->all_wanted;
}

static void describe(
	const struct rules_fetch *f, const struct fetched *from, struct rules_list_status *l)
{
	uint64_t now_ms = clock_mono_ms();
	url_shown(from->url, l->url, sizeof(l->url));
	l->last_try_unix_s = from->try_unix_s;
	l->last_good_unix_s = from->good_unix_s;
	l->http_status = from->http_status;
	l->failures = from->failures;
	l->fetches = from->counts;
	memcpy(l->fetch_error, from->why, sizeof(l->fetch_error));
	l->next_try_unix_s = 0;
	if (from->next_ms != FETCH_NEVER && !f->held)
		l->next_try_unix_s =
			(uint64_t)time(NULL)
			+ (from->next_ms > now_ms ? (from->next_ms - now_ms) / 1000 : 0);
}

void rules_fetch_describe(struct rules_fetch *f, struct rules_list_status *list, unsigned count)
{
	for (unsigned i = 0; i < f->set->count; i++) {
		struct fetched *from = &f->set->list[i];
		// A list is where it was, nearly always.
		for (unsigned k = 0; k < count; k++) {
			unsigned at = (from->at + k) % count;
			if (strcmp(list[at].name, from->title) != 0)
				continue;
			from->at = at;
			describe(f, from, &list[at]);
			break;
		}
	}
}

unsigned rules_fetch_tasks(const struct rules_fetch *f, struct rules_task *out, unsigned max)
{
	const struct fetch_set *s = f->round.set;
	unsigned n = 0;
	for (unsigned i = 0; s && i < s->count && n < max; i++) {
		uint64_t since_ms = atomic_load(&s->update[i].since_ms);
		if (!since_ms)
			continue;
		out[n] = (struct rules_task){
			.kind = "list fetch", .step = "its server", .since_ms = since_ms};
		url_shown(s->list[i].url, out[n++].what, sizeof(out->what));
	}
	return n;
}

void rules_fetch_failures(const struct rules_fetch *f, char *out, size_t cap)
{
	size_t len = 0;
	out[0] = '\0';
	for (unsigned i = 0; i < f->set->count && len < cap; i++) {
		const struct fetched *l = &f->set->list[i];
		if (l->failures)
			len += (size_t)snprintf(out + len, cap - len, "%s%.40s: %.80s",
				len ? "; " : "", l->title, l->why);
	}
}
