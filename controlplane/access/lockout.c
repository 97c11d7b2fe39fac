// SPDX-License-Identifier: BSD-3-Clause
#include "lockout.h"

#include "access_text.h"
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

static void place_put(struct lockout_places *p, const struct lockout_key *place)
{
	p->of[p->next] = *place;
	p->next = (p->next + 1) % LOCKOUT_PLACES_MAX;
}

bool lockout_place_add(
	struct lockout_places *p, const char *user, const struct sockaddr_storage *source)
{
	const struct lockout_key place = place_of(user, source);
	if (is_known(p, &place))
		return false;
	place_put(p, &place);
	return true;
}

unsigned lockout_places_used(const struct lockout_places *p)
{
	unsigned n = 0;
	for (unsigned i = 0; i < LOCKOUT_PLACES_MAX; i++)
		n += p->of[i].bytes[0] != 0;
	return n;
}

static const char places_head[] = "weir-places 1\n";
enum { PLACES_HEAD_LEN = sizeof(places_head) - 1, PLACE_LINE = 2 * LOCKOUT_KEY_LEN + 1 };
static_assert((int)PLACES_HEAD_LEN + (int)LOCKOUT_PLACES_MAX * (int)PLACE_LINE
	      <= (int)LOCKOUT_PLACES_FILE_MAX);

size_t lockout_places_write(const struct lockout_places *p, char text[LOCKOUT_PLACES_FILE_MAX + 1])
{
	char *at = stpcpy(text, places_head);
	for (unsigned i = 0; i < LOCKOUT_PLACES_MAX; i++) { // the oldest first
		const uint8_t *key = p->of[(p->next + i) % LOCKOUT_PLACES_MAX].bytes;
		if (!key[0])
			continue;
		access_hex_write(key, LOCKOUT_KEY_LEN, at);
		at = stpcpy(at + 2 * LOCKOUT_KEY_LEN, "\n");
	}
	return (size_t)(at - text);
}

// Of a line with its end. False: it is none.
static bool place_read(const char *line, struct lockout_key *out)
{
	char text[PLACE_LINE];
	memcpy(text, line, PLACE_LINE - 1);
	text[PLACE_LINE - 1] = '\0';
	return line[PLACE_LINE - 1] == '\n' && access_hex_read(text, out->bytes, LOCKOUT_KEY_LEN)
	       && out->bytes[0] == KIND_PLACE;
}

bool lockout_places_read(struct lockout_places *p, const char *text, size_t len)
{
	const size_t lines = len - PLACES_HEAD_LEN;
	*p = (struct lockout_places){0};
	if (len < PLACES_HEAD_LEN || memcmp(text, places_head, PLACES_HEAD_LEN) != 0
		|| lines % PLACE_LINE != 0 || lines / PLACE_LINE > LOCKOUT_PLACES_MAX)
		return false;
	for (const char *at = text + PLACES_HEAD_LEN; at < text + len; at += PLACE_LINE) {
		struct lockout_key place = {0};
		if (!place_read(at, &place)) {
			*p = (struct lockout_places){0};
			return false;
		}
		place_put(p, &place);
	}
	return true;
}

struct lockout_key lockout_login(
	const struct lockout_places *p, const char *user, const struct sockaddr_storage *source)
{
	const struct lockout_key place = place_of(user, source);
	return is_known(p, &place) ? place : user_of(user);
}
