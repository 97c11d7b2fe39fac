// SPDX-License-Identifier: BSD-3-Clause
#include "lockout.h"

#include "base/source_key.h"

#include <string.h>
#include <weir/keyhash.h>

enum { KIND_PLACE = 254, KIND_USER = 255 };
static_assert(AF_INET < KIND_PLACE && AF_INET6 < KIND_PLACE);

struct lockout_key lockout_source(const struct sockaddr_storage *a)
{
	const struct source_key key = source_key_of(a);
	struct lockout_key out;
	static_assert(sizeof(out) == sizeof(key));
	memcpy(&out, &key, sizeof(out));
	return out;
}

static struct lockout_key user_of(const char *name)
{
	struct lockout_key out = {.bytes = {KIND_USER}};
	const uint64_t hash = contenthash(name, strlen(name));
	static_assert(sizeof(hash) + 1 == LOCKOUT_KEY_LEN);
	memcpy(out.bytes + 1, &hash, sizeof(hash));
	return out;
}

static struct lockout_entry *find(const struct lockout *l, const struct lockout_key *key)
{
	for (unsigned i = 0; key->bytes[0] && i < LOCKOUT_MAX; i++)
		if (memcmp(&l->entry[i].key, key, sizeof(*key)) == 0)
			return (struct lockout_entry *)(uintptr_t)&l->entry[i];
	return NULL;
}

unsigned lockout_left(const struct lockout *l, struct lockout_key key, uint64_t now_s)
{
	const struct lockout_entry *e = find(l, &key);
	return e && e->until_s > now_s ? (unsigned)(e->until_s - now_s) : 0;
}

// A free entry, or the one that failed longest ago.
static struct lockout_entry *entry_take(struct lockout *l)
{
	struct lockout_entry *oldest = &l->entry[0];
	for (unsigned i = 0; i < LOCKOUT_MAX; i++) {
		struct lockout_entry *e = &l->entry[i];
		if (!e->key.bytes[0])
			return e;
		if (e->last_s < oldest->last_s)
			oldest = e;
	}
	l->evicted++;
	return oldest;
}

bool lockout_failed(struct lockout *l, struct lockout_key key, uint64_t now_s)
{
	l->failures++;
	if (!key.bytes[0])
		return false;
	struct lockout_entry *e = find(l, &key);
	if (!e) {
		e = entry_take(l);
		*e = (struct lockout_entry){.key = key, .since_s = now_s};
	}
	if (e->until_s > now_s)
		return false;
	if (now_s - e->last_s > LOCKOUT_MOST_S)
		e->locks = 0;
	if (now_s - e->since_s >= LOCKOUT_WINDOW_S) {
		e->since_s = now_s;
		e->failures = 0;
	}
	e->last_s = now_s;
	if (++e->failures < LOCKOUT_TRIES)
		return false;
	const unsigned most = LOCKOUT_MOST_S / LOCKOUT_FIRST_S;
	const unsigned times = e->locks < 8 && 1u << e->locks < most ? 1u << e->locks : most;
	e->until_s = now_s + times * LOCKOUT_FIRST_S;
	e->failures = 0;
	e->since_s = e->until_s;
	e->last_s = e->until_s;
	e->locks++;
	l->locked++;
	return true;
}

void lockout_succeeded(struct lockout *l, struct lockout_key key)
{
	struct lockout_entry *e = find(l, &key);
	if (e)
		e->failures = 0;
}

unsigned lockout_used(const struct lockout *l)
{
	unsigned n = 0;
	for (unsigned i = 0; i < LOCKOUT_MAX; i++)
		n += l->entry[i].key.bytes[0] != 0;
	return n;
}

static struct lockout_key place_of(const char *user, const struct sockaddr_storage *source)
{
	const struct lockout_key parts[] = {user_of(user), lockout_source(source)};
	struct lockout_key out = {.bytes = {KIND_PLACE}};
	const uint64_t hash = contenthash(parts, sizeof(parts));
	memcpy(out.bytes + 1, &hash, sizeof(hash));
	return out;
}

static bool is_known(const struct lockout_places *p, const struct lockout_key *place)
{
	for (unsigned i = 0; i < LOCKOUT_PLACES_MAX; i++)
		if (memcmp(&p->of[i], place, sizeof(*place)) == 0)
			return true;
	return false;
}

void lockout_place_add(
	struct lockout_places *p, const char *user, const struct sockaddr_storage *source)
{
	const struct lockout_key place = place_of(user, source);
	if (is_known(p, &place))
		return;
	p->of[p->next] = place;
	p->next = (p->next + 1) % LOCKOUT_PLACES_MAX;
}

struct lockout_key lockout_login(
	const struct lockout_places *p, const char *user, const struct sockaddr_storage *source)
{
	const struct lockout_key place = place_of(user, source);
	return is_known(p, &place) ? place : user_of(user);
}
