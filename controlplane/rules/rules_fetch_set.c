// SPDX-License-Identifier: BSD-3-Clause
#include "rules_fetch_set.h"

#include "http/bootstrap.h"
#include "list_axfr.h"
#include "list_notify.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <weir/clock.h>
#include <weir/config.h>
#include <weir/heap_site.h>
#include <weir/url.h>

void fetch_set_free(struct fetch_set *s)
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
	heap_free(s);
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

static uint64_t interval_ms(struct rng *rng, const struct config_update *u)
{
	if (!u->interval_s)
		return FETCH_NEVER;
	return 1000ull * (u->interval_s + below(rng, u->jitter_s + 1ull));
}

// Sets up a new list: its stored state says when it is due. A transfer that the list's key has not
// signed, or that came from another server, is due at once.
static void list_begin(const char *state_directory, struct rng *rng, const struct config_update *u,
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
	uint64_t wait_ms = interval_ms(rng, u);
	// A date in the future is no date.
	uint64_t age_ms = s.good_unix_s <= now_s ? (now_s - s.good_unix_s) * 1000 : FETCH_NEVER;
	if (wait_ms == FETCH_NEVER)
		l->next_ms = FETCH_NEVER;
	else if (age_ms < wait_ms)
		l->next_ms = now_ms + wait_ms - age_ms;
	l->planned_ms = l->next_ms;
}

static void servers_take(struct fetch_set *s, const struct config *c)
{
	s->server_count = bootstrap_servers(c, s->server);
}

static bool keys_take(struct fetch_set *s, const struct config *c)
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

bool fetch_set_has_keys(const struct fetch_set *s, const struct config *c)
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

static bool owned_take(struct fetched *l, const struct config_list *from)
{
	l->url = heap_strdup(from->url);
	l->tls = from->tls ? heap_malloc(sizeof(*l->tls)) : NULL;
	if (l->tls)
		memcpy(l->tls, from->tls, sizeof(*l->tls));
	return l->url && !l->tls == !from->tls;
}

struct fetch_set *fetch_set_new(struct fetch_set *before, const struct config *c,
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
	servers_take(s, c);
	if (!keys_take(s, c)) {
		fetch_set_free(s);
		return NULL;
	}
	bool same_interval = before && before->settings.interval_s == s->settings.interval_s
			     && before->settings.jitter_s == s->settings.jitter_s;
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
		if (!owned_take(l, from)) {
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
			list_begin(state_directory, rng, &s->settings, l);
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
	struct rng *rng, const struct config_update *u, struct fetched *l, uint64_t retry_after_s)
{
	const uint64_t now_ms = clock_mono_ms(), least_ms = now_ms + retry_after_s * 1000;
	if (l->failures > 0 && l->failures < FETCH_TRIES_MAX) {
		l->next_ms = now_ms + retry_ms(rng, l->failures);
		l->next_ms = l->next_ms > least_ms ? l->next_ms : least_ms;
		return;
	}
	const uint64_t wait_ms = interval_ms(rng, u);
	if (l->failures == 0 || l->planned_ms <= now_ms)
		l->planned_ms = wait_ms == FETCH_NEVER ? FETCH_NEVER : now_ms + wait_ms;
	l->next_ms = l->planned_ms > least_ms ? l->planned_ms : least_ms;
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

int fetch_set_publish(const struct fetch_set *s, struct list_notify *z)
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

void fetch_set_notice(struct fetch_set *s, struct list_notify *z)
{
	unsigned i;
	uint64_t due_ms;
	while (z && list_notify_next(z, &i, &due_ms))
		s->list[i].notified_ms = due_ms;
}

uint64_t fetch_due_ms(const struct fetched *l)
{
	return l->notified_ms && l->notified_ms < l->next_ms ? l->notified_ms : l->next_ms;
}

uint64_t fetch_set_due_ms(const struct fetch_set *s)
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
	c->whole += from->outcome == LIST_UPDATE_CHANGED && !from->changes;
	c->failed += from->outcome == LIST_UPDATE_FAILED;
}

struct fetched *fetch_set_take(struct fetch_set *s, struct rng *rng, const struct list_update *from)
{
	struct fetched *l = set_find(s, from->url);
	if (!l || from->outcome == LIST_UPDATE_NONE)
		return NULL;
	count(&l->counts, from);
	l->try_unix_s = from->try_unix_s;
	l->good_unix_s = from->good_unix_s;
	l->http_status = from->http_status;
	l->stored = from->good_unix_s != 0;
	memcpy(l->why, from->why, sizeof(l->why));
	bool failed = from->outcome == LIST_UPDATE_FAILED;
	// Anybody may forge an unsigned NOTIFY: it must not use up the tries of a list that fails.
	if (failed && from->notified && l->failures)
		return NULL;
	// Nor may it keep off the planned fetch, which reads the stored copy.
	const bool is_look =
		from->notified && from->outcome == LIST_UPDATE_UNCHANGED && !l->failures;
	l->failures = failed ? l->failures + 1 : 0;
	if (!is_look)
		plan_next(rng, &s->settings, l, from->retry_after_s);
	if (!proofs_alike(l->key, l->tls, from->key, from->tls))
		l->next_ms = clock_mono_ms(); // a reload has given it others meanwhile
	return l;
}
