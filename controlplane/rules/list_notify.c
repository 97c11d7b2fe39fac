// SPDX-License-Identifier: BSD-3-Clause
#include "list_notify.h"

#include <errno.h>
#include <pthread.h>
#include <string.h>
#include <time.h>
#include <weir/clock.h>
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
	pthread_mutex_t lock; // of all below but the counters
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

bool list_notify_any(const struct list_notify *z)
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
