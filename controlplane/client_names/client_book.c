// SPDX-License-Identifier: BSD-3-Clause
#include "client_book.h"

#include "base/net_public.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <weir/config.h>
#include <weir/heap_site.h>
#include <weir/keyhash.h>

enum {
	SETS = CLIENT_BOOK_MAX / CLIENT_BOOK_WAYS,
	// Each query before it may wait for each server in vain, a second each.
	ASK_WAIT_S = (CLIENT_BOOK_WANTED + 1) * CONFIG_CLIENT_PTR_MAX
};

const char *const client_from_names[CLIENT_FROM_COUNT] = {
	[CLIENT_FROM_HOSTS] = "hosts", [CLIENT_FROM_LEASE] = "lease", [CLIENT_FROM_PTR] = "ptr"};

struct client_book {
	pthread_mutex_t lock;
	struct keyhash_secret secret;
	_Atomic bool asks;
	_Atomic unsigned entries; // written under the lock; 0: a lookup need not lock
	bool uses_ptr;            // this and all below under the lock
	uint64_t evicted, refused, not_asked;
	uint32_t file;
	unsigned due_at; // where client_book_due goes on
	unsigned wanted_first, wanted_count;
	struct client_ip wanted[CLIENT_BOOK_WANTED];
	struct client_entry entry[CLIENT_BOOK_MAX]; // set after set; version 0: free
};

int client_book_open(struct client_book **out)
{
	struct client_book *b = heap_calloc(1, sizeof(*b));
	int rc = b ? keyhash_secret_make(&b->secret) : -ENOMEM;
	if (rc < 0) {
		heap_free(b);
		return rc;
	}
	pthread_mutex_init(&b->lock, NULL);
	*out = b;
	return 0;
}

void client_book_close(struct client_book *b)
{
	if (!b)
		return;
	pthread_mutex_destroy(&b->lock);
	heap_free(b);
}

static bool is_of(const struct client_entry *e, const struct client_ip *a)
{
	return e->address.version == a->version
	       && memcmp(e->address.bytes, a->bytes, sizeof(a->bytes)) == 0;
}

static struct client_entry *set_of(struct client_book *b, const struct client_ip *a)
{
	const uint64_t set = keyhash(&b->secret, a->bytes, sizeof(a->bytes)) % SETS;
	return &b->entry[set * CLIENT_BOOK_WAYS];
}

static struct client_entry *entry_find(struct client_book *b, const struct client_ip *a)
{
	struct client_entry *set = set_of(b, a);
	for (unsigned i = 0; i < CLIENT_BOOK_WAYS; i++)
		if (is_of(&set[i], a))
			return &set[i];
	return NULL;
}

static bool has_ended(const struct client_entry *e, int64_t now_s)
{
	return e->ends_s && e->ends_s <= now_s;
}

static unsigned rank_of(const struct client_entry *e)
{
	return e->from + (e->from == CLIENT_FROM_PTR && !*e->name);
}

// Is `a` evicted before `b`?
static bool is_worse(const struct client_entry *a, const struct client_entry *b, int64_t now_s)
{
	if (has_ended(a, now_s) != has_ended(b, now_s))
		return has_ended(a, now_s);
	if (rank_of(a) != rank_of(b))
		return rank_of(a) > rank_of(b);
	return a->ends_s && (!b->ends_s || a->ends_s < b->ends_s);
}

static void entry_clear(struct client_book *b, struct client_entry *e)
{
	*e = (struct client_entry){0};
	b->entries--;
}

// A free place for `e`, or the place of the worst entry; NULL: `e` has a worse source than all.
static struct client_entry *place_find(
	struct client_book *b, const struct client_entry *e, int64_t now_s)
{
	struct client_entry *set = set_of(b, &e->address), *worst = set;
	for (unsigned i = 0; i < CLIENT_BOOK_WAYS; i++) {
		if (!set[i].address.version)
			return &set[i];
		if (is_worse(&set[i], worst, now_s))
			worst = &set[i];
	}
	if (!has_ended(worst, now_s) && rank_of(worst) < rank_of(e)) {
		b->refused++;
		return NULL;
	}
	b->evicted += !has_ended(worst, now_s);
	entry_clear(b, worst);
	return worst;
}

// False: there is no place for the entry.
static bool entry_put(struct client_book *b, const struct client_entry *e, int64_t now_s)
{
	struct client_entry *old = entry_find(b, &e->address);
	// A better source keeps its place while it is of this pass: files are read in any order.
	if (old && old->from < e->from && !has_ended(old, now_s)
		&& (e->from == CLIENT_FROM_PTR || old->pass == e->pass))
		return true;
	if (!old) {
		old = place_find(b, e, now_s);
		if (!old)
			return false;
		b->entries++;
	}
	const int64_t seen_s = e->seen_s ? e->seen_s : old->seen_s;
	*old = *e;
	old->seen_s = seen_s;
	if (e->from != CLIENT_FROM_PTR)
		old->file = b->file;
	return true;
}

void client_book_put(struct client_book *b, const struct client_entry *e, int64_t now_s)
{
	pthread_mutex_lock(&b->lock);
	(void)!entry_put(b, e, now_s);
	pthread_mutex_unlock(&b->lock);
}

void client_book_file(struct client_book *b, uint32_t number)
{
	pthread_mutex_lock(&b->lock);
	b->file = number;
	pthread_mutex_unlock(&b->lock);
}

void client_book_drop(struct client_book *b, const struct client_ip *a, uint32_t pass)
{
	pthread_mutex_lock(&b->lock);
	struct client_entry *e = entry_find(b, a);
	if (e && e->from == CLIENT_FROM_LEASE && e->pass == pass)
		entry_clear(b, e);
	pthread_mutex_unlock(&b->lock);
}

void client_book_sweep(struct client_book *b, uint32_t pass)
{
	pthread_mutex_lock(&b->lock);
	for (unsigned i = 0; i < CLIENT_BOOK_MAX; i++) {
		struct client_entry *e = &b->entry[i];
		if (e->address.version && e->from != CLIENT_FROM_PTR && e->pass != pass)
			entry_clear(b, e);
	}
	pthread_mutex_unlock(&b->lock);
}

// Whether no public server could name the address.
static bool is_private(const struct client_ip *a)
{
	struct ip_address ip = {.version = a->version, .prefix_len = a->version == 4 ? 32 : 128};
	memcpy(ip.bytes, a->bytes, sizeof(ip.bytes));
	return !net_public(&ip);
}

// Notes an address for a PTR query. An entry without a name keeps it from being noted again.
static void wanted_note(struct client_book *b, const struct client_ip *a, int64_t now_s)
{
	const struct client_entry waits = {.address = *a,
		.from = CLIENT_FROM_PTR,
		.ends_s = now_s + ASK_WAIT_S,
		.seen_s = now_s};
	if (!is_private(a))
		return;
	if (b->wanted_count == CLIENT_BOOK_WANTED) {
		b->not_asked++;
		return;
	}
	if (entry_put(b, &waits, now_s))
		b->wanted[(b->wanted_first + b->wanted_count++) % CLIENT_BOOK_WANTED] = *a;
}

static bool find(struct client_book *b, unsigned version, const uint8_t bytes[16], int64_t now_s,
	bool asks, struct client_entry *out)
{
	struct client_ip a = {.version = version == 6 ? 6 : 4};
	if (!b || (!b->entries && !(asks && b->asks)))
		return false;
	memcpy(a.bytes, bytes, version == 6 ? 16 : 4);
	pthread_mutex_lock(&b->lock);
	struct client_entry *e = entry_find(b, &a);
	if (e && has_ended(e, now_s))
		e = NULL;
	if (e && asks)
		e->seen_s = now_s;
	if (e)
		*out = *e;
	else if (asks && b->asks)
		wanted_note(b, &a, now_s);
	pthread_mutex_unlock(&b->lock);
	return e && *out->name;
}

bool client_book_find(struct client_book *b, unsigned version, const uint8_t bytes[16],
	int64_t now_s, struct client_entry *out)
{
	return find(b, version, bytes, now_s, false, out);
}

bool client_book_find_or_ask(struct client_book *b, unsigned version, const uint8_t bytes[16],
	int64_t now_s, struct client_entry *out)
{
	return find(b, version, bytes, now_s, true, out);
}

bool client_book_named(
	struct client_book *b, const char *name, int64_t now_s, struct client_entry *out)
{
	bool found = false;
	if (!b || !*name)
		return false;
	pthread_mutex_lock(&b->lock);
	for (unsigned i = 0; i < CLIENT_BOOK_MAX; i++) {
		const struct client_entry *e = &b->entry[i];
		if (!e->address.version || has_ended(e, now_s) || (found && e->from >= out->from)
			|| strcasecmp(e->name, name) != 0)
			continue;
		*out = *e;
		found = true;
	}
	pthread_mutex_unlock(&b->lock);
	return found;
}

bool client_book_of_mac(
	struct client_book *b, const uint8_t mac[6], int64_t now_s, struct client_entry *out)
{
	bool found = false;
	if (!b)
		return false;
	pthread_mutex_lock(&b->lock);
	for (unsigned i = 0; i < CLIENT_BOOK_MAX; i++) {
		const struct client_entry *e = &b->entry[i];
		if (!e->address.version || !e->has_mac || has_ended(e, now_s)
			|| (found && e->address.version >= out->address.version)
			|| memcmp(e->mac, mac, sizeof(e->mac)) != 0)
			continue;
		*out = *e;
		found = true;
	}
	pthread_mutex_unlock(&b->lock);
	return found;
}

static void entries_give(struct client_book *b, enum client_name_from first, int64_t now_s,
	void (*take)(void *arg, const struct client_entry *e), void *arg)
{
	pthread_mutex_lock(&b->lock);
	const unsigned last = b->uses_ptr ? CLIENT_FROM_PTR : CLIENT_FROM_LEASE;
	for (unsigned i = 0; i < CLIENT_BOOK_MAX; i++) {
		const struct client_entry *e = &b->entry[i];
		if (e->address.version && *e->name && e->from >= first && e->from <= last
			&& !has_ended(e, now_s))
			take(arg, e);
	}
	pthread_mutex_unlock(&b->lock);
}

void client_book_given(struct client_book *b, int64_t now_s,
	void (*take)(void *arg, const struct client_entry *e), void *arg)
{
	if (b)
		entries_give(b, CLIENT_FROM_HOSTS, now_s, take, arg);
}

void client_book_house(struct client_book *b, int64_t now_s,
	void (*take)(void *arg, const struct client_entry *e), void *arg)
{
	entries_give(b, CLIENT_FROM_LEASE, now_s, take, arg);
}

void client_book_use_ptr(struct client_book *b, bool on)
{
	pthread_mutex_lock(&b->lock);
	b->uses_ptr = on;
	pthread_mutex_unlock(&b->lock);
}

static bool is_due(const struct client_entry *e, int64_t now_s)
{
	return e->address.version && e->from == CLIENT_FROM_PTR && *e->name && e->due_s <= now_s
	       && e->seen_s + CLIENT_UNSEEN_S > now_s;
}

unsigned client_book_due(struct client_book *b, int64_t now_s, struct client_ip *out, unsigned most)
{
	unsigned count = 0;
	pthread_mutex_lock(&b->lock);
	for (unsigned i = 0; b->uses_ptr && i < CLIENT_BOOK_MAX && count < most; i++) {
		const struct client_entry *e = &b->entry[b->due_at];
		b->due_at = (b->due_at + 1) % CLIENT_BOOK_MAX;
		if (is_due(e, now_s))
			out[count++] = e->address;
	}
	pthread_mutex_unlock(&b->lock);
	return count;
}

void client_book_unanswered(
	struct client_book *b, const struct client_ip *a, int64_t now_s, int64_t until_s)
{
	const struct client_entry none = {
		.address = *a, .from = CLIENT_FROM_PTR, .ends_s = until_s};
	pthread_mutex_lock(&b->lock);
	struct client_entry *e = entry_find(b, a);
	if (e && e->from == CLIENT_FROM_PTR && *e->name && !has_ended(e, now_s))
		e->due_s = until_s;
	else
		(void)!entry_put(b, &none, now_s);
	pthread_mutex_unlock(&b->lock);
}

void client_book_set_back(struct client_book *b, int64_t now_s)
{
	pthread_mutex_lock(&b->lock);
	b->wanted_count = 0;
	for (unsigned i = 0; i < CLIENT_BOOK_MAX; i++) {
		struct client_entry *e = &b->entry[i];
		if (!e->address.version || e->from != CLIENT_FROM_PTR)
			continue;
		if (!b->uses_ptr || !*e->name) {
			entry_clear(b, e);
			continue;
		}
		e->due_s = now_s;
		e->ends_s = now_s + CLIENT_STALE_S;
		if (e->seen_s > now_s)
			e->seen_s = now_s;
	}
	pthread_mutex_unlock(&b->lock);
}

void client_book_ask(struct client_book *b, bool on)
{
	pthread_mutex_lock(&b->lock);
	b->asks = on;
	b->wanted_count = 0;
	for (unsigned i = 0; i < CLIENT_BOOK_MAX; i++)
		if (b->entry[i].address.version && b->entry[i].from == CLIENT_FROM_PTR)
			entry_clear(b, &b->entry[i]);
	pthread_mutex_unlock(&b->lock);
}

bool client_book_wanted(struct client_book *b, int64_t now_s, struct client_ip *out)
{
	bool any = false;
	pthread_mutex_lock(&b->lock);
	while (b->wanted_count && !any) {
		*out = b->wanted[b->wanted_first];
		b->wanted_first = (b->wanted_first + 1) % CLIENT_BOOK_WANTED;
		b->wanted_count--;
		const struct client_entry *e = entry_find(b, out);
		any = e && !has_ended(e, now_s) && e->from == CLIENT_FROM_PTR && !*e->name;
	}
	pthread_mutex_unlock(&b->lock);
	return any;
}

void client_book_status(struct client_book *b, struct client_book_status *out)
{
	*out = (struct client_book_status){.bytes = sizeof(*b)};
	pthread_mutex_lock(&b->lock);
	out->entries = b->entries;
	out->evicted = b->evicted;
	out->refused = b->refused;
	out->not_asked = b->not_asked;
	out->wanted = b->wanted_count;
	for (unsigned i = 0; i < CLIENT_BOOK_MAX; i++) {
		const struct client_entry *e = &b->entry[i];
		out->used[e->from] += *e->name != '\0';
	}
	pthread_mutex_unlock(&b->lock);
}

bool client_name_clean(const char *text, size_t len, char out[CLIENT_NAME_MAX])
{
	size_t n = 0;
	if (len && text[len - 1] == '.')
		len--;
	for (size_t i = 0; i < len; i++) {
		const unsigned char c = (unsigned char)text[i];
		const bool plain = isascii(c) && (isalnum(c) || strchr("-._", c));
		if (n + (c && plain ? 1 : 4) >= CLIENT_NAME_MAX)
			break;
		n += (size_t)snprintf(
			out + n, CLIENT_NAME_MAX - n, c && plain ? "%c" : "\\x%02x", c);
	}
	out[n] = '\0';
	struct in_addr address;
	return n > 0 && inet_pton(AF_INET, out, &address) != 1;
}
