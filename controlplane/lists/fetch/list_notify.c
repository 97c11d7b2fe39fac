// SPDX-License-Identifier: BSD-3-Clause
#include "list_notify.h"

#include <errno.h>
#include <pthread.h>
#include <string.h>
#include <time.h>
#include <weir/clock.h>
#include <weir/dns_reply.h>
#include <weir/heap_site.h>

struct entry {
	struct dns_name zone;
	struct ip_address server;
	bool has_key, is_due; // due: and the service loop has not seen it
	struct config_tsig_key key;
	unsigned list;
	uint64_t due_ms; // the last time it became due; 0: never
};

struct list_notify {
	pthread_mutex_t lock; // protects all fields below but the counters
	struct loop *service;
	void (*due)(void *arg);
	void *arg;
	unsigned count;
	struct entry *entry;
	bool is_called; // the call back is in the service loop's mailbox
	struct loop_return call;
	_Atomic unsigned entries;
	_Atomic uint64_t counts[LIST_NOTIFY_OUTCOMES_COUNT];
};

int list_notify_new(struct list_notify **out, struct loop *service)
{
	struct list_notify *z = heap_calloc(1, sizeof(*z));
	if (!z)
		return -ENOMEM;
	pthread_mutex_init(&z->lock, NULL);
	z->service = service;
	*out = z;
	return 0;
}

static void entries_free(struct entry *entry, unsigned count)
{
	if (entry)
		explicit_bzero(entry, count * sizeof(entry[0]));
	heap_free(entry);
}

void list_notify_free(struct list_notify *z)
{
	if (!z)
		return;
	entries_free(z->entry, z->count);
	pthread_mutex_destroy(&z->lock);
	heap_free(z);
}

void list_notify_on_due(struct list_notify *z, void (*due)(void *arg), void *arg)
{
	if (!z)
		return;
	pthread_mutex_lock(&z->lock);
	z->due = due;
	z->arg = arg;
	pthread_mutex_unlock(&z->lock);
}

static bool is_of(const struct entry *e, const struct dns_name *zone, const struct ip_address *from)
{
	return dns_name_equal(&e->zone, zone) && e->server.version == from->version
	       && memcmp(e->server.bytes, from->bytes, from->version == 4 ? 4 : 16) == 0;
}

int list_notify_set(struct list_notify *z, const struct list_notify_entry *entry, unsigned count)
{
	struct entry *fresh = heap_calloc(count + 1, sizeof(*fresh));
	if (!fresh)
		return -ENOMEM;
	pthread_mutex_lock(&z->lock);
	for (unsigned i = 0; i < count; i++) {
		struct entry *e = &fresh[i];
		*e = (struct entry){.zone = entry[i].zone,
			.server = entry[i].server,
			.has_key = entry[i].key,
			.list = entry[i].list};
		if (e->has_key)
			e->key = *entry[i].key;
		// A reload is no way round the distance.
		for (unsigned k = 0; k < z->count; k++)
			if (is_of(&z->entry[k], &e->zone, &e->server)) {
				if (z->entry[k].due_ms > e->due_ms)
					e->due_ms = z->entry[k].due_ms;
				e->is_due |= z->entry[k].is_due;
			}
	}
	struct entry *old = z->entry;
	unsigned old_count = z->count;
	z->entry = fresh;
	z->count = count;
	atomic_store(&z->entries, count);
	pthread_mutex_unlock(&z->lock);
	entries_free(old, old_count);
	return 0;
}

bool list_notify_next(struct list_notify *z, unsigned *list, uint64_t *due_ms)
{
	bool found = false;
	pthread_mutex_lock(&z->lock);
	for (unsigned i = 0; i < z->count && !found; i++) {
		struct entry *e = &z->entry[i];
		found = e->is_due;
		e->is_due = false;
		*list = e->list;
		*due_ms = e->due_ms;
	}
	pthread_mutex_unlock(&z->lock);
	return found;
}

static void on_call(void *arg)
{
	struct list_notify *z = arg;
	pthread_mutex_lock(&z->lock);
	z->is_called = false;
	void (*due)(void *arg) = z->due;
	void *of = z->arg;
	pthread_mutex_unlock(&z->lock);
	if (due)
		due(of);
}

// False: it is due already, or is soon enough.
static bool make_due(struct entry *e, uint64_t now_ms)
{
	uint64_t next_ms = e->due_ms ? e->due_ms + 1000ull * LIST_NOTIFY_DISTANCE_S : 0;
	if (e->due_ms > now_ms)
		return false;
	e->due_ms = next_ms > now_ms ? next_ms : now_ms;
	e->is_due = true;
	return e->due_ms == now_ms;
}

// What the sender hears when several lists have the zone.
static enum list_notify_outcome better(enum list_notify_outcome a, enum list_notify_outcome b)
{
	static const uint8_t rank[LIST_NOTIFY_OUTCOMES_COUNT] = {[LIST_NOTIFY_taken] = 4,
		[LIST_NOTIFY_soon] = 3,
		[LIST_NOTIFY_not_signed] = 2,
		[LIST_NOTIFY_not_server] = 1};
	return rank[b] > rank[a] ? b : a;
}

// Is it signed as the entry wants it? Of several keys that it is not signed by, the reply names the
// error of the one that it claims.
static bool is_for(
	const struct entry *e, const uint8_t *msg, size_t len, struct list_notify_reply *reply)
{
	struct tsig t;
	if (!e->has_key)
		return true;
	int err = tsig_take_query(&t, &e->key, msg, len, (uint64_t)time(NULL));
	bool is_better = !reply->is_signed && (!reply->tsig.error || t.error != TSIG_BADKEY);
	if (err == 0 || is_better) {
		reply->key = e->key;
		reply->tsig = t;
		reply->tsig.key = &reply->key;
		reply->is_signed = err == 0;
	}
	return err == 0;
}

// Makes all lists due that it is for.
static enum list_notify_outcome take(struct list_notify *z, const struct ip_address *from,
	const struct dns_name *zone, const uint8_t *msg, size_t len,
	struct list_notify_reply *reply)
{
	enum list_notify_outcome outcome = LIST_NOTIFY_not_zone;
	bool is_due = false;
	for (unsigned i = 0; i < z->count; i++) {
		struct entry *e = &z->entry[i];
		enum list_notify_outcome of = LIST_NOTIFY_not_server;
		if (!dns_name_equal(&e->zone, zone))
			continue;
		if (is_of(e, zone, from))
			of = !is_for(e, msg, len, reply)    ? LIST_NOTIFY_not_signed
			     : make_due(e, clock_mono_ms()) ? LIST_NOTIFY_taken
							    : LIST_NOTIFY_soon;
		is_due |= e->is_due;
		outcome = better(outcome, of);
	}
	if (is_due && !z->is_called) {
		z->is_called = true;
		loop_call_back(z->service, &z->call, on_call, z);
	}
	return outcome;
}

enum list_notify_outcome list_notify_take(struct list_notify *z, const struct ip_address *from,
	const struct dns_name *zone, const uint8_t *msg, size_t len,
	struct list_notify_reply *reply)
{
	reply->is_signed = false;
	reply->tsig = (struct tsig){0};
	pthread_mutex_lock(&z->lock);
	enum list_notify_outcome outcome = take(z, from, zone, msg, len, reply);
	pthread_mutex_unlock(&z->lock);
	atomic_fetch_add_explicit(&z->counts[outcome], 1, memory_order_relaxed);
	return outcome;
}

// Are there entries at all? Any thread.
static bool list_notify_any(const struct list_notify *z)
{
	return atomic_load_explicit(&z->entries, memory_order_relaxed) > 0;
}

void list_notify_counts(const struct list_notify *z, struct list_notify_counts *out)
{
	*out = (struct list_notify_counts){0};
	if (!z)
		return;
#define X(name, text) .name = atomic_load(&z->counts[LIST_NOTIFY_##name]),
	*out = (struct list_notify_counts){LIST_NOTIFY_OUTCOMES(X)};
#undef X
}

enum { OPCODE_NOTIFY = 4, RCODE_NOTAUTH = 9 };

// A reply with a TSIG ends in it, so it has no OPT for the transport's options.
static uint16_t reply_write(const struct list_notify_message *m, uint16_t rcode,
	struct list_notify_reply *how, uint8_t *reply)
{
	const uint64_t now_s = (uint64_t)time(NULL);
	uint16_t sum;
	if (how->is_signed || how->tsig.error)
		m->query->has_opt = DNS_OPT_NONE;
	uint16_t len = dns_reply_rcode(reply, DNS_MESSAGE_MAX, m->query, rcode, DNS_EDE_NONE, &sum);
	if (how->is_signed)
		return (uint16_t)tsig_sign_reply(&how->tsig, reply, len, now_s);
	return how->tsig.error
		       ? (uint16_t)tsig_refuse_reply(&how->tsig, m->msg, m->len, reply, len, now_s)
		       : len;
}

enum verdict list_notify_answer(
	struct list_notify *z, const struct list_notify_message *m, uint8_t *reply, uint16_t *len)
{
	const struct dns_query *query = m->query;
	struct list_notify_reply how;
	struct ip_address from = {.version = (uint8_t)m->ip_version};

	if ((query->flags & DNS_FLAG_OPCODE) != OPCODE_NOTIFY << 11 || !z || !list_notify_any(z)
		|| !query->question_len || query->qtype != DNS_TYPE_SOA
		|| query->qclass != DNS_CLASS_IN)
		return VERDICT_miss;
	memcpy(from.bytes, m->client, from.version == 4 ? 4 : 16);
	enum list_notify_outcome outcome =
		list_notify_take(z, &from, &query->name, m->msg, m->len, &how);
	bool is_taken = outcome == LIST_NOTIFY_taken || outcome == LIST_NOTIFY_soon;
	uint16_t rcode = is_taken                            ? DNS_RCODE_NOERROR
			 : outcome == LIST_NOTIFY_not_server ? DNS_RCODE_REFUSED
							     : RCODE_NOTAUTH;
	*len = reply_write(m, rcode, &how, reply);
	explicit_bzero(&how, sizeof(how));
	return is_taken ? VERDICT_local : VERDICT_refused;
}

// The ring is not trusted: the message goes through the same parser as in the data plane. The
// cookie is the reply's, which the worker has made.
static bool notify_parse(
	const struct msg_miss *m, const uint8_t *question, struct list_notify_message *out)
{
	const uint8_t *cookie = question + m->question_len;
	struct dns_query *q = out->query;

	out->msg = cookie + (m->has_opt & DNS_OPT_COOKIE ? DNS_COOKIE_LEN : 0);
	out->len = m->whole_len;
	out->client = m->path.client_ip;
	out->ip_version = m->path.ip_version;
	if (m->whole_len > MSG_WHOLE_MAX || (out->ip_version != 4 && out->ip_version != 6)
		|| dns_query_parse(out->msg, out->len, q) != DNS_QUERY_NOTIMP
		|| q->question_len != m->question_len || q->question_len == 0)
		return false;
	if (m->has_opt & DNS_OPT_COOKIE && q->cookie_len) {
		q->has_opt |= DNS_OPT_COOKIE;
		memcpy(q->cookie, cookie, DNS_COOKIE_LEN);
	}
	return true;
}

bool list_notify_of_worker(struct list_notify *z, const struct msg_miss *m, const uint8_t *question,
	uint8_t *reply, struct msg_answer *head)
{
	struct dns_query q;
	struct list_notify_message notify = {.query = &q};
	uint16_t sum;

	*head = (struct msg_answer){
		.dp_incarnation = m->dp_incarnation,
		.arrival_ms = m->arrival_ms,
		.path = m->path,
		.verdict = ANSWER_UPSTREAM,
	};
	if (!notify_parse(m, question, &notify))
		return false;
	memcpy(reply, notify.msg, DNS_HEADER_LEN + (size_t)q.question_len);
	// The last such list may have gone since.
	if (list_notify_answer(z, &notify, reply, &head->dns_len) == VERDICT_miss)
		head->dns_len = dns_reply_rcode(
			reply, MSG_DNS_MAX, &q, DNS_RCODE_NOTIMP, DNS_EDE_NONE, &sum);
	head->sum = csum_partial(reply, head->dns_len);
	return true;
}
