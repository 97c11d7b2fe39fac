// SPDX-License-Identifier: BSD-3-Clause
#include "base/loop.h"
#include "question.h"
#include "resolver_internal.h"
#include "resolver_miss.h"
#include "resolver_store.h"

#include <event2/event.h>

#include <errno.h>
#include <string.h>
#include <weir/clock.h>
#include <weir/heap_site.h>

// resolver_cache_find knows the keys of a client's question. resolver_cache_get finds all records
// of a name: it walks the whole index, because types, views and subnets are unknown, in steps
// between which the loop works; then it looks up the possible keys of the name in L1, one view of
// the configuration after the other. A step takes some 0.2 ms and is followed by a pause, so a
// reader of the cache takes a tenth of the thread's time. A large part of L0 has no more pauses but
// several steps between two, so that the walk ends before the caller's timeout.
enum { WALK_STEP_BUCKETS = 1024, WALK_PAUSE_MS = 2, WALK_PAUSES = 1000, VARIANTS = 4 };

static const uint16_t usual_types[] = {DNS_TYPE_A, DNS_TYPE_AAAA, DNS_TYPE_HTTPS, DNS_TYPE_SVCB,
	DNS_TYPE_CNAME, DNS_TYPE_MX, DNS_TYPE_TXT, DNS_TYPE_NS, DNS_TYPE_SOA, DNS_TYPE_PTR,
	DNS_TYPE_SRV, DNS_TYPE_DS, DNS_TYPE_DNSKEY, DNS_TYPE_CAA};
enum { KEYS_MAX = ARRAY_LEN(usual_types) * VARIANTS };

struct walk;

struct l1_ask { // one key of L1
	struct walk *walk;
	struct l1_lookup *look;
	uint64_t view_hash;
	uint16_t qtype;
	uint8_t flags;
};

struct walk {
	struct loop_ask back;
	struct resolver *resolver;
	struct event *step;
	struct dns_name name;
	uint16_t qtype;           // 0: any
	struct ip_address client; // resolver_cache_find: the client's address
	uint64_t cursor;
	resolver_look_fn done;
	void *arg;
	int err;
	unsigned outstanding;
	unsigned place; // place of the next view to look up in L1
	uint16_t view;  // resolver_cache_find: the client's view; else the view looked up in L1
	struct cache_look look;
	struct l1_ask ask[KEYS_MAX];
	struct cache_entry entry[2 * CACHE_GET_MAX];
};

static void walk_deliver(void *arg)
{
	struct walk *w = arg;
	w->look.entry = w->entry;
	w->done(w->arg, w->err, &w->look);
}

static void walk_end(struct walk *w)
{
	if (w->step)
		event_free(w->step);
	w->step = NULL;
	for (unsigned i = 0; i < RESOLVER_WALKS_MAX; i++)
		if (w->resolver->walk[i] == w)
			w->resolver->walk[i] = NULL;
	loop_answer(&w->back);
}

// Writes as much of the reply message as the entry holds.
static void entry_message(struct cache_entry *e, const struct dns_name *name,
	const struct dns_answer_view *answer, uint32_t age_s)
{
	const struct dns_query q = {
		.qtype = e->qtype,
		.qclass = e->qclass,
		.flags = e->key_flags & L0_KEY_CD ? DNS_FLAG_CD : 0,
		.name = *name,
	};

	e->rcode = answer->rcode;
	e->ancount = answer->ancount;
	e->nscount = answer->nscount;
	e->arcount = answer->arcount;
	e->message_len = (uint16_t)(DNS_HEADER_LEN + name->len + 4 + answer->len);
	e->answer_len = resolver_answer_message(e->answer, sizeof(e->answer), &q, answer, age_s);
}

static void entry_heat(
	struct cache_entry *e, const struct l0_view *v, struct resolver *r, uint64_t now_ms)
{
	const struct refresh_policy *policy = refresh_policy(r->refresh);
	struct l0_key key;
	l0_key_of_view(l0_writer_reader(r->l0), v, &key);
	const struct refresh_record record = {.soft_ms = v->soft_ms,
		.auth_ttl_s = v->auth_ttl_s,
		.heat = l0_writer_heat(r->l0, &key)};
	const bool is_renewed = !(v->key_flags & L0_KEY_SUBNET);
	uint32_t due = is_renewed ? refresh_swept_ms(policy, &record) : REFRESH_NEVER;

	e->hits_per_minute = refresh_rate(policy, record.heat);
	e->heat = refresh_heat_of(policy, &record);
	e->inflight = inflight_find(r->inflight, &key, NULL) != NULL;
	e->held_back = refresh_held_back(r->refresh, key.hash, now_ms);
	e->refresh_left_ms = due == REFRESH_NEVER ? INT64_MAX : (int64_t)due - (int64_t)e->age_ms;
}

static void entry_fill(struct walk *w, const struct l0_view *v, uint32_t record, uint64_t now_ms)
{
	struct resolver *r = w->resolver;
	struct cache_entry *e = &w->entry[w->look.count++];
	uint64_t age_ms = now_ms > v->created_ms ? now_ms - v->created_ms : 0;

	*e = (struct cache_entry){
		.qtype = v->qtype,
		.qclass = v->qclass,
		.view = v->view,
		.key_flags = v->key_flags,
		.units = v->units,
		.age_ms = age_ms,
		.soft_left_ms = (int64_t)v->soft_ms - (int64_t)age_ms,
		.hard_left_ms = (int64_t)v->hard_ms - (int64_t)age_ms,
		.auth_ttl_s = v->auth_ttl_s,
		.visited = worker_rings_marked(r->worker_rings, record, MARK_VISITED),
		.refresh_asked = worker_rings_marked(r->worker_rings, record, MARK_REFRESH),
	};
	(void)subnet_of_record(v, &e->subnet);
	entry_heat(e, v, r, now_ms);
	entry_message(e, &w->name, &v->answer, (uint32_t)(age_ms / 1000));
}

static void look_at(struct walk *w, uint32_t record, uint64_t now_ms)
{
	struct l0_view v;

	if (!l0_record_read(l0_writer_reader(w->resolver->l0), record, &v))
		return;
	const unsigned label = l0_subnet_len(v.key_flags, v.name, v.name_len);
	if (v.name_len - label != w->name.len
		|| memcmp(v.name + label, w->name.wire, w->name.len) != 0
		|| (w->qtype && w->qtype != v.qtype))
		return;
	if (w->look.count < CACHE_GET_MAX)
		entry_fill(w, &v, record, now_ms);
	else
		w->look.left_out++;
}

static void look_step(struct walk *w)
{
	const struct l0_reader *l0 = l0_writer_reader(w->resolver->l0);
	const struct l0_share *share = l0_writer_share(w->resolver->l0);
	uint64_t end = w->cursor + WALK_STEP_BUCKETS, now_ms = clock_mono_ms();

	if (end > share->buckets)
		end = share->buckets;
	for (; w->cursor < end; w->cursor++) {
		const struct l0_bucket *b = &l0->buckets[share->bucket_first + w->cursor];
		store_look_ahead(l0, share->bucket_first + w->cursor + 2);
		for (unsigned i = 0; i < L0_BUCKET_SLOTS; i++)
			if (atomic_load(&b->tag[i]) != 0)
				look_at(w, atomic_load(&b->record[i]), now_ms);
	}
	if (w->cursor == share->buckets)
		w->cursor = 0;
}

// Fills an entry from a value that another box may have written. False: it would not be served.
static bool value_fill(struct walk *w, const struct l1_ask *ask, const struct l1_value *v)
{
	struct resolver *r = w->resolver;
	const struct dns_query q = {.qtype = ask->qtype,
		.qclass = DNS_CLASS_IN,
		.flags = ask->flags & L0_KEY_CD ? DNS_FLAG_CD : 0,
		.dnssec_ok = ask->flags & L0_KEY_DO,
		.name = w->name};
	struct dns_answer a;
	struct cache_entry *e = &w->entry[w->look.count];

	if (dns_answer_read(v->msg, v->len, &q, &r->set.ttl.limits, &a) != 0 || a.truncated
		|| a.kind == DNS_ANSWER_FAILURE)
		return false;
	w->look.left_out += w->look.count == ARRAY_LEN(w->entry);
	if (w->look.count == ARRAY_LEN(w->entry))
		return true;
	w->look.count++;
	int64_t stale_s = ttl_stale_s(&r->set.ttl, v->stored_ttl_s);
	*e = (struct cache_entry){
		.in_l1 = true,
		.view = w->view,
		.qtype = ask->qtype,
		.qclass = DNS_CLASS_IN,
		.key_flags = ask->flags,
		.age_ms = (uint64_t)v->age_s * 1000,
		.soft_left_ms = (int64_t)v->soft_left_s * 1000,
		.hard_left_ms = ((int64_t)v->soft_left_s + stale_s) * 1000,
		.auth_ttl_s = v->auth_ttl_s,
		.hits_per_minute = v->hits,
		.refresh_left_ms = INT64_MAX,
	};
	const struct dns_answer_view view = dns_answer_view_of(&a);
	entry_message(e, &w->name, &view, v->age_s);
	return true;
}

static struct l1_key ask_key(const struct walk *w, const struct l1_ask *ask)
{
	const struct l0_key key = {.name = w->name.wire,
		.name_len = w->name.len,
		.qtype = ask->qtype,
		.qclass = DNS_CLASS_IN,
		.flags = ask->flags};
	struct l1_key text;
	l1_key_write(l1_space(w->resolver->l1), &key, ask->view_hash, &text);
	return text;
}

static void l1_go_on(struct walk *w);

static void on_value(void *arg, enum l1_found found, const struct l1_value *v)
{
	struct l1_ask *ask = arg;
	struct walk *w = ask->walk;

	ask->look = NULL;
	if (found == L1_HIT && !value_fill(w, ask, v)) {
		const struct l1_key text = ask_key(w, ask);
		l1_bad(w->resolver->l1, &text);
		found = L1_BAD;
	}
	w->look.l1_bad += found == L1_BAD;
	w->look.l1_lost += found == L1_AWAY || found == L1_LATE;
	if (--w->outstanding == 0)
		l1_go_on(w);
}

static const struct view *view_next(struct walk *w)
{
	while (w->place < VIEWS_MAX && l1_usable(w->resolver->l1)
		&& w->look.count < ARRAY_LEN(w->entry)) {
		const struct view *view = views_at(w->resolver->views, w->place++);
		if (view && !view->no_cache && !view->left_ms)
			return view;
	}
	return NULL;
}

static void view_ask(struct walk *w, const struct view *view)
{
	w->view = view->number;
	w->look.l1_views++;
	for (unsigned i = 0; i < w->look.l1_type_count * VARIANTS; i++) {
		struct l1_ask *ask = &w->ask[i];
		*ask = (struct l1_ask){.walk = w,
			.qtype = w->look.l1_types[i / VARIANTS],
			.flags = (uint8_t)(i % VARIANTS)};
		// The view may be gone when the replies are in.
		ask->view_hash = question_l1_hash(w->resolver, view, &w->name, ask->qtype);
		const struct l1_key text = ask_key(w, ask);
		ask->look = l1_peek(w->resolver->l1, &text, on_value, ask);
		w->outstanding += ask->look != NULL;
		w->look.l1_lost += ask->look == NULL;
		w->look.l1_asked++;
	}
}

static void l1_go_on(struct walk *w)
{
	const struct view *view = NULL;

	while (w->outstanding == 0 && (view = view_next(w)))
		view_ask(w, view);
	if (w->outstanding == 0)
		walk_end(w);
}

// The first resolver alone asks L1, which all share.
static void l1_begin(struct walk *w)
{
	if (w->resolver->index > 0) {
		walk_end(w);
		return;
	}
	w->look.l1_types = w->qtype ? &w->qtype : usual_types;
	w->look.l1_type_count = w->qtype ? 1 : ARRAY_LEN(usual_types);
	l1_go_on(w);
}

// Adds what the resolver would answer with that key, for everyone and for the client's subnet.
static void key_look(struct walk *w, const struct l0_key *key, uint64_t now_ms)
{
	struct resolver *r = w->resolver;
	const struct l0_reader *l0 = l0_writer_reader(r->l0);
	struct subnet_key found = {.key = *key};
	struct l0_view v;

	if (store_find(r, key, &v))
		entry_fill(w, &v,
			l0_find(l0, key, l0_candidate(l0, key->hash), &r->record_anomalies),
			now_ms);
	if (w->client.version && store_find_for(r, key, &w->client, &found, &v)
		&& found.key.flags & L0_KEY_SUBNET)
		entry_fill(w, &v,
			l0_find(l0, &found.key, l0_candidate(l0, found.key.hash),
				&r->record_anomalies),
			now_ms);
}

static void bogus_look(struct walk *w)
{
	w->look.bogus_count = bogus_names_find(&w->resolver->bogus_names, &w->name, w->qtype,
		clock_mono_ms(), w->look.bogus, CACHE_BOGUS_MAX);
}

static void find_begin(void *arg)
{
	struct walk *w = arg;
	const uint64_t now_ms = clock_mono_ms();

	for (uint8_t flags = 0; flags < VARIANTS; flags++) {
		struct l0_key key = {.name = w->name.wire,
			.name_len = w->name.len,
			.qtype = w->qtype,
			.qclass = DNS_CLASS_IN,
			.view = w->view,
			.flags = flags};
		l0_key_hash(l0_writer_reader(w->resolver->l0), &key);
		key_look(w, &key, now_ms);
	}
	bogus_look(w);
	walk_end(w);
}

static void on_walk_step(evutil_socket_t, short, void *arg)
{
	struct walk *w = arg;
	const uint64_t steps = l0_writer_share(w->resolver->l0)->buckets / WALK_STEP_BUCKETS;

	look_step(w);
	const bool is_pause = w->cursor / WALK_STEP_BUCKETS % (1 + steps / WALK_PAUSES) == 0;
	if (w->cursor == 0)
		l1_begin(w);
	else
		event_add(
			w->step, &(struct timeval){.tv_usec = is_pause ? 1000 * WALK_PAUSE_MS : 0});
}

static void walk_begin(void *arg)
{
	struct walk *w = arg;
	struct resolver *r = w->resolver;
	unsigned i = 0;

	while (i < RESOLVER_WALKS_MAX && r->walk[i])
		i++;
	if (i < RESOLVER_WALKS_MAX)
		w->step = event_new(loop_base(r->loop), -1, 0, on_walk_step, w);
	if (!w->step) {
		w->err = i < RESOLVER_WALKS_MAX ? -ENOMEM : -EAGAIN;
		walk_end(w);
		return;
	}
	r->walk[i] = w;
	bogus_look(w);
	on_walk_step(-1, EV_TIMEOUT, w);
}

void resolver_cache_close(struct resolver *r)
{
	for (unsigned i = 0; i < RESOLVER_WALKS_MAX; i++) {
		struct walk *w = r->walk[i];
		if (!w)
			continue;
		for (unsigned n = 0; n < KEYS_MAX; n++)
			l1_get_stop(w->ask[n].look);
		event_free(w->step);
		FREE_AND_NULL(r->walk[i]);
	}
}

static struct walk *walk_new(struct resolver *r, void (*work)(void *arg), struct loop *reply_to,
	resolver_look_fn done, void *arg)
{
	struct walk *w = heap_calloc(1, sizeof(*w)); // entries that stay empty are never touched
	if (!w)
		return NULL;
	w->back = (struct loop_ask){.reply_to = reply_to, .work = work, .deliver = walk_deliver};
	w->resolver = r;
	w->done = done;
	w->arg = arg;
	return w;
}

int resolver_cache_get(struct resolver *r, const struct dns_name *name, uint16_t qtype,
	struct loop *reply_to, resolver_look_fn done, void *arg)
{
	struct walk *w = walk_new(r, walk_begin, reply_to, done, arg);
	if (!w)
		return -ENOMEM;
	w->name = *name;
	w->qtype = qtype;
	return loop_ask(r->loop, w);
}

int resolver_cache_find(struct resolver *r, const struct cache_question *q, struct loop *reply_to,
	resolver_look_fn done, void *arg)
{
	struct walk *w = walk_new(r, find_begin, reply_to, done, arg);
	if (!w)
		return -ENOMEM;
	w->name = q->name;
	w->qtype = q->qtype;
	w->view = q->view;
	w->client = q->client;
	return loop_ask(r->loop, w);
}
