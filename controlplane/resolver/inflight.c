// SPDX-License-Identifier: BSD-3-Clause
#include "inflight.h"

#include "kept_query.h"
#include "lists/zone_suffix.h"

#include <errno.h>
#include <stddef.h>
#include <string.h>
#include <weir/ascii.h>
#include <weir/bytes.h>
#include <weir/heap_site.h>
#include <weir/sketch.h>

#define NIL UINT32_MAX

enum { SHARE_BITS = 14 };

struct exempt {
	unsigned client_count, zone_count;
	struct ip_address client[CONFIG_UNLIMITED_MAX];
	struct dns_name zone[CONFIG_UNLIMITED_MAX];
};

struct inflight {
	struct question *question;
	struct waiter *waiter;
	struct kept_queries *kept;
	uint32_t *bucket;
	uint32_t bucket_mask;
	struct inflight_limits limit; // live settings
	struct exempt exempt;
	uint32_t question_cap, question_touched, question_free, questions, questions_max;
	uint32_t waiter_cap, waiter_touched, waiter_free, waiters, waiters_max;
	struct age_list ages; // ages of questions
	struct inflight_refused refused;
	struct inflight_let_in let_in;
	struct keyhash_secret secret;
	// Sketches of questions by zone, suffixes included, and of waiters by client.
	uint32_t zones[2 << SHARE_BITS], clients[2 << SHARE_BITS];
	uint32_t subnets[2 << SHARE_BITS]; // questions with a subnet, by their key without it
};

int inflight_new(
	struct inflight **out, unsigned questions, unsigned waiters, struct kept_queries *kept)
{
	uint32_t buckets = 64;
	while (buckets < questions * 2)
		buckets *= 2;
	struct inflight *f = heap_calloc(1, sizeof(*f));
	if (!f)
		return -ENOMEM;
	f->question = heap_calloc(questions, sizeof(*f->question));
	f->waiter = heap_calloc(waiters, sizeof(*f->waiter));
	f->bucket = heap_malloc(buckets * sizeof(*f->bucket));
	int rc = keyhash_secret_make(&f->secret);
	if (!f->question || !f->waiter || !f->bucket || rc < 0) {
		inflight_free(f);
		return rc < 0 ? rc : -ENOMEM;
	}
	memset(f->bucket, 0xff, buckets * sizeof(*f->bucket));
	f->bucket_mask = buckets - 1;
	f->kept = kept;
	f->limit.questions = f->question_cap = questions;
	f->waiter_cap = waiters;
	suffix_load(); // the loop does not run yet
	f->question_free = f->waiter_free = NIL;
	*out = f;
	return 0;
}

void inflight_free(struct inflight *f)
{
	if (!f)
		return;
	FREE_AND_NULL(f->question);
	FREE_AND_NULL(f->waiter);
	FREE_AND_NULL(f->bucket);
	heap_free(f);
}

void inflight_set_limits(struct inflight *f, const struct inflight_limits *limits)
{
	f->limit = *limits;
	if (f->limit.questions > f->question_cap)
		f->limit.questions = f->question_cap;
}

void inflight_exempt(struct inflight *f, const struct config_limits *limits)
{
	struct exempt *e = &f->exempt;

	e->client_count = limits->unlimited_client_count;
	e->zone_count = limits->unlimited_zone_count;
	if (e->client_count)
		memcpy(e->client, limits->unlimited_clients,
			e->client_count * sizeof(e->client[0]));
	if (e->zone_count)
		memcpy(e->zone, limits->unlimited_zones, e->zone_count * sizeof(e->zone[0]));
}

bool inflight_is_exempt(const struct inflight *f, unsigned ip_version, const uint8_t *address)
{
	const struct exempt *e = &f->exempt;

	for (unsigned i = 0; i < e->client_count; i++)
		if (e->client[i].version == ip_version
			&& bits_same(e->client[i].bytes, address, e->client[i].prefix_len))
			return true;
	return false;
}

static bool is_exempt_name(const struct exempt *e, const struct dns_name *name)
{
	for (unsigned i = 0; i < e->zone_count; i++)
		if (dns_name_is_under(name, &e->zone[i]))
			return true;
	return false;
}

bool inflight_is_crowded(const struct inflight *f)
{
	return f->questions > f->limit.questions / 2;
}

// Never 0, which stands for nobody.
static uint32_t share_key(const struct keyhash_secret *secret, const void *data, size_t len)
{
	return (uint32_t)keyhash(secret, data, len) | 1u << 31;
}

uint32_t inflight_client(const struct inflight *f, unsigned ip_version, const uint8_t *address)
{
	uint8_t who[9] = {(uint8_t)ip_version};
	size_t len = ip_version == 6 ? 8 : 4; // a /64 is one client
	memcpy(who + 1, address, len);
	return share_key(&f->secret, who, 1 + len);
}

static const struct ip_address no_subnet;

static bool same_key(
	const struct question *q, const struct l0_key *key, const struct ip_address *subnet)
{
	return memcmp(&q->subnet, subnet, sizeof(*subnet)) == 0 && q->hash == key->hash
	       && q->view == key->view && q->key_flags == key->flags && q->query.qtype == key->qtype
	       && q->query.qclass == key->qclass && q->query.name.len == key->name_len
	       && memcmp(q->query.name.wire, key->name, key->name_len) == 0;
}

uint64_t inflight_hash(const struct inflight *f, uint64_t hash, const struct ip_address *subnet)
{
	return subnet->version ? hash ^ keyhash(&f->secret, subnet, sizeof(*subnet)) : hash;
}

// The hash chain of a question: one name's questions for many subnets lie in many chains.
static uint32_t spread_of(
	const struct inflight *f, const struct l0_key *key, const struct ip_address *subnet)
{
	return (uint32_t)inflight_hash(f, key->hash, subnet) & f->bucket_mask;
}

struct question *inflight_find(
	struct inflight *f, const struct l0_key *key, const struct ip_address *subnet)
{
	const struct ip_address *of = subnet ? subnet : &no_subnet;
	uint32_t i = f->bucket[spread_of(f, key, of)];
	while (i != NIL && !same_key(&f->question[i], key, of))
		i = f->question[i].chain;
	return i == NIL ? NULL : &f->question[i];
}

// Whether a zone and its suffix have room. Many zones share the suffix of a name like
// `random.example`.
static enum bound zone_room(
	struct inflight *f, const struct dns_name *name, uint32_t zone, uint32_t suffix)
{
	unsigned most = f->limit.zone_questions;
	if (most == 0)
		return BOUND_none;
	const bool is_over = sketch_count(f->zones, SHARE_BITS, zone) >= most;
	if (is_over && !is_exempt_name(&f->exempt, name)) {
		f->refused.zone++;
		return BOUND_zone;
	}
	if (sketch_count(f->zones, SHARE_BITS, suffix)
		>= f->limit.questions - f->limit.questions / 4) {
		f->refused.suffix++;
		return BOUND_suffix;
	}
	f->let_in.zone += is_over;
	return BOUND_none;
}

enum bound inflight_add(struct inflight *f, const struct l0_key *key, const struct dns_query *query,
	const struct ip_address *subnet, uint64_t servers, bool is_refresh, uint64_t now_ms,
	struct question **out)
{
	const struct dns_name *name = &query->name;
	const struct zone_of of = zone_of(name);
	uint32_t zone = share_key(&f->secret, name->wire + of.zone, (size_t)name->len - of.zone);
	zone ^= (uint32_t)servers & ~(1u << 31);
	// A suffix that is a zone too needs another key: the root's length byte is left out.
	uint32_t suffix =
		share_key(&f->secret, name->wire + of.suffix, (size_t)name->len - of.suffix - 1u);
	uint32_t i = f->question_free;
	if (f->questions >= f->limit.questions) {
		f->refused.full += !is_refresh;
		return BOUND_inflight;
	}
	enum bound met = is_refresh ? BOUND_none : zone_room(f, name, zone, suffix);
	if (met != BOUND_none)
		return met;
	if (i != NIL)
		f->question_free = f->question[i].chain;
	else
		i = f->question_touched++;
	struct question *q = &f->question[i];
	// upstream_ask_start sets most of `ask`.
	q->ask.owner = NULL;
	memset((char *)q + sizeof(q->ask), 0, sizeof(*q) - sizeof(q->ask));
	q->query = *query;
	q->hash = key->hash;
	q->view = key->view;
	q->key_flags = key->flags;
	q->subnet = subnet ? *subnet : no_subnet;
	q->spread = spread_of(f, key, &q->subnet);
	q->first_waiter = q->last_waiter = NIL;
	q->live = true;
	q->zone = zone;
	q->suffix = suffix;
	sketch_add(f->zones, SHARE_BITS, zone);
	sketch_add(f->zones, SHARE_BITS, suffix);
	if (q->subnet.version)
		sketch_add(f->subnets, SHARE_BITS, (uint32_t)q->hash);
	q->chain = f->bucket[q->spread];
	f->bucket[q->spread] = i;
	age_add_at(&f->ages, &q->age, now_ms);
	if (++f->questions > f->questions_max)
		f->questions_max = f->questions;
	*out = q;
	return BOUND_none;
}

bool inflight_has_others(struct inflight *f, const struct question *q)
{
	return q->subnet.version && sketch_count(f->subnets, SHARE_BITS, (uint32_t)q->hash) > 1;
}

void inflight_remove(struct inflight *f, struct question *q)
{
	struct waiter dropped;
	uint32_t i = (uint32_t)(q - f->question);
	uint32_t *link = &f->bucket[q->spread];

	while (inflight_take_waiter(f, q, &dropped))
		inflight_waiter_end(f, &dropped);
	while (*link != i)
		link = &f->question[*link].chain;
	*link = q->chain;
	sketch_remove(f->zones, SHARE_BITS, q->zone);
	sketch_remove(f->zones, SHARE_BITS, q->suffix);
	if (q->subnet.version)
		sketch_remove(f->subnets, SHARE_BITS, (uint32_t)q->hash);
	age_remove(&f->ages, &q->age);
	q->live = false;
	q->chain = f->question_free;
	f->question_free = i;
	f->questions--;
}

static enum bound waiter_room(
	struct inflight *f, const struct question *q, const struct waiter *w, unsigned most)
{
	if (q->waiters >= most)
		return BOUND_question;
	const bool few_left = f->waiters >= f->waiter_cap - f->waiter_cap / 4;
	const bool is_over =
		w->client && f->limit.client_waiters
		&& sketch_count(f->clients, SHARE_BITS, w->client) >= f->limit.client_waiters;
	if (is_over && (!w->is_exempt || few_left))
		return BOUND_client;
	if (f->waiters >= f->waiter_cap)
		return BOUND_waiters;
	f->let_in.client += is_over;
	return q->waiters >= INFLIGHT_FEW && few_left ? BOUND_few : BOUND_none;
}

enum bound inflight_wait(
	struct inflight *f, struct question *q, const struct waiter *w, unsigned most)
{
	enum bound met = waiter_room(f, q, w, most);
	void *led = NULL;
	if (met == BOUND_none && w->led) {
		led = kept_query_copy(f->kept, w->led, sizeof(*w->led));
		met = led ? BOUND_none : BOUND_waiters;
	}
	if (met != BOUND_none) {
		*(met == BOUND_client ? &f->refused.client : &f->refused.waiters) += 1;
		return met;
	}
	uint32_t i = f->waiter_free;
	if (i != NIL)
		f->waiter_free = f->waiter[i].next;
	else
		i = f->waiter_touched++;
	f->waiter[i] = *w;
	f->waiter[i].query = kept_query_new(f->kept, w->query, w->query_len);
	f->waiter[i].led = led;
	f->waiter[i].next = NIL;
	if (q->last_waiter == NIL)
		q->first_waiter = i;
	else
		f->waiter[q->last_waiter].next = i;
	q->last_waiter = i;
	q->waiters++;
	if (++f->waiters > f->waiters_max)
		f->waiters_max = f->waiters;
	if (w->client)
		sketch_add(f->clients, SHARE_BITS, w->client);
	return BOUND_none;
}

uint64_t inflight_oldest(const struct inflight *f, const struct question *q)
{
	return q->first_waiter == NIL ? UINT64_MAX : f->waiter[q->first_waiter].arrival_ms;
}

bool inflight_take_waiter(struct inflight *f, struct question *q, struct waiter *out)
{
	uint32_t i = q->first_waiter;
	if (i == NIL)
		return false;
	*out = f->waiter[i];
	q->first_waiter = out->next;
	if (q->first_waiter == NIL)
		q->last_waiter = NIL;
	f->waiter[i].next = f->waiter_free;
	f->waiter_free = i;
	q->waiters--;
	f->waiters--;
	if (out->client)
		sketch_remove(f->clients, SHARE_BITS, out->client);
	return true;
}

void inflight_waiter_end(struct inflight *f, struct waiter *w)
{
	kept_query_end(f->kept, w->query, w->query_len);
	kept_query_end(f->kept, (const uint8_t *)w->led, sizeof(*w->led));
	w->query = NULL;
	w->led = NULL;
}

struct l0_key inflight_key(const struct question *q)
{
	return (struct l0_key){
		.hash = q->hash,
		.name = q->query.name.wire,
		.name_len = q->query.name.len,
		.flags = q->key_flags,
		.qtype = q->query.qtype,
		.qclass = q->query.qclass,
		.view = q->view,
	};
}

struct question *inflight_younger(const struct inflight *f, const struct question *q)
{
	struct age_link *k = q ? q->age.newer : f->ages.oldest;
	return k ? (void *)((char *)k - offsetof(struct question, age)) : NULL;
}

void inflight_keep_case(struct waiter *w, const uint8_t *name, size_t len)
{
	memset(w->upper, 0, sizeof(w->upper));
	// Length bytes are at most 63, below 'A'.
	ascii_raised(name, len < DNS_NAME_MAX ? len : DNS_NAME_MAX, w->upper);
}

void inflight_give_case(const struct waiter *w, uint8_t *name, size_t len)
{
	ascii_raise(name, len < DNS_NAME_MAX ? len : DNS_NAME_MAX, w->upper);
}

// Goes through questions by age, each of which has its oldest waiter first. Questions that are
// younger than the oldest waiter found need no check, as waiters come after their question.
uint64_t inflight_waiting_ms(const struct inflight *f, uint64_t now_ms)
{
	uint64_t since = 0;
	const struct question *q = NULL;
	while ((q = inflight_younger(f, q)) && (!since || q->age.since_ms < since))
		if (q->first_waiter != NIL)
			since = age_earlier(since, f->waiter[q->first_waiter].arrival_ms);
	return table_age(since, now_ms);
}

void inflight_stats(const struct inflight *f, struct inflight_stats *out)
{
	*out = (struct inflight_stats){
		.questions = f->questions,
		.questions_max = f->questions_max,
		.questions_cap = f->limit.questions,
		.waiters = f->waiters,
		.waiters_cap = f->waiter_cap,
		.waiters_max = f->waiters_max,
		.refused = f->refused,
		.let_in = f->let_in,
	};
}

void inflight_tables(const struct inflight *f, struct table_registry *tables)
{
	uint64_t now_ms = clock_mono_ms();
	table_register(tables,
		&(struct table_info){.name = "inflight",
			.owner = "resolver loop",
			.eviction = "refuse: stale answer or SERVFAIL",
			.lifetime = "5 s",
			TABLE_WORK_FOR(5000),
			.cap = f->limit.questions,
			.used = f->questions,
			.bytes = f->question_touched * sizeof(*f->question)
				 + (f->bucket_mask + 1) * sizeof(*f->bucket) + sizeof(f->zones)
				 + sizeof(f->clients) + sizeof(f->subnets),
			.high = f->questions_max,
			.refused = f->refused.full + f->refused.zone + f->refused.suffix,
			.oldest_ms = table_age(age_since(&f->ages), now_ms),
			.has = TABLE_AGES | TABLE_REFUSES | TABLE_RESERVED});
	table_register(tables, &(struct table_info){.name = "waiters",
				       .owner = "resolver loop",
				       .eviction = "refuse: drop or SERVFAIL",
				       .lifetime = "limits.answer_deadline_ms",
				       TABLE_WORK_FOR(5000),
				       .cap = f->waiter_cap,
				       .used = f->waiters,
				       .bytes = f->waiter_touched * sizeof(*f->waiter),
				       .high = f->waiters_max,
				       .refused = f->refused.waiters + f->refused.client,
				       .oldest_ms = inflight_waiting_ms(f, now_ms),
				       .has = TABLE_AGES | TABLE_REFUSES | TABLE_RESERVED});
}
