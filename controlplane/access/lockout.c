// SPDX-License-Identifier: BSD-3-Clause
#include "lockout.h"

#include "access_text.h"

#include <string.h>
#include <weir/keyhash.h>

enum { KIND_PLACE_NETWORK = 253, KIND_PLACE = 254, KIND_USER = 255 };
enum { PLACE_USER_LEN = 3 }; // columns of the user in a place
static_assert((int)SOURCE_KIND_NETWORK < (int)KIND_PLACE_NETWORK);

struct lockout_key lockout_source(const struct sockaddr_storage *a)
{
	return (struct lockout_key){source_ids_of(a)};
}

static struct source_id id_of(uint8_t kind, uint64_t hash)
{
	struct source_id out = {.bytes = {kind}};
	memcpy(out.bytes + 1, &hash, sizeof(hash));
	return out;
}

static struct lockout_entry *find(const struct lockout *l, const struct source_id *id)
{
	for (unsigned i = 0; !source_id_is_none(id) && i < LOCKOUT_MAX; i++)
		if (source_id_equal(&l->entry[i].id, id))
			return (struct lockout_entry *)(uintptr_t)&l->entry[i];
	return NULL;
}

static unsigned one_left(const struct lockout *l, const struct source_id *id, uint64_t now_s)
{
	const struct lockout_entry *e = find(l, id);
	return e && e->until_s > now_s ? (unsigned)(e->until_s - now_s) : 0;
}

unsigned lockout_left(const struct lockout *l, struct lockout_key key, uint64_t now_s)
{
	const unsigned own = one_left(l, &key.of.own, now_s);
	const unsigned network = one_left(l, &key.of.network, now_s);
	return own > network ? own : network;
}

// A free entry, or the one that failed longest ago.
static struct lockout_entry *entry_take(struct lockout *l)
{
	struct lockout_entry *oldest = &l->entry[0];
	for (unsigned i = 0; i < LOCKOUT_MAX; i++) {
		struct lockout_entry *e = &l->entry[i];
		if (source_id_is_none(&e->id))
			return e;
		if (e->last_s < oldest->last_s)
			oldest = e;
	}
	l->evicted++;
	return oldest;
}

// True: locked out from here on.
static bool one_failed(
	struct lockout *l, const struct source_id *id, unsigned tries, uint64_t now_s)
{
	if (source_id_is_none(id))
		return false;
	struct lockout_entry *e = find(l, id);
	if (!e) {
		e = entry_take(l);
		*e = (struct lockout_entry){.id = *id, .since_s = now_s};
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
	if (++e->failures < tries)
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

enum lockout_scope lockout_failed(struct lockout *l, struct lockout_key key, uint64_t now_s)
{
	l->failures++;
	const bool own = one_failed(l, &key.of.own, LOCKOUT_TRIES, now_s);
	if (one_failed(l, &key.of.network, LOCKOUT_TRIES * SOURCE_NETWORK_TIMES, now_s))
		return LOCKOUT_NETWORK;
	return own ? LOCKOUT_OWN : LOCKOUT_NONE;
}

void lockout_succeeded(struct lockout *l, struct lockout_key key)
{
	struct lockout_entry *e = find(l, &key.of.own);
	if (e)
		e->failures = 0;
}

unsigned lockout_used(const struct lockout *l)
{
	unsigned n = 0;
	for (unsigned i = 0; i < LOCKOUT_MAX; i++)
		n += !source_id_is_none(&l->entry[i].id);
	return n;
}

static struct lockout_place place_of(const char *user, const struct sockaddr_storage *source)
{
	struct {
		uint8_t kind, name[8];
		struct source_key at;
	} parts = {.kind = KIND_USER, .at = source_key_of(source)};
	const uint64_t name = contenthash(user, strlen(user));
	static_assert(sizeof(parts) == 2 * LOCKOUT_PLACE_LEN);
	memcpy(parts.name, &name, sizeof(name));
	struct lockout_place out = {.bytes = {KIND_PLACE}};
	const uint64_t hash = contenthash(&parts, sizeof(parts));
	memcpy(out.bytes + 1, &name, PLACE_USER_LEN);
	memcpy(out.bytes + 1 + PLACE_USER_LEN, &hash, sizeof(out.bytes) - 1 - PLACE_USER_LEN);
	return out;
}

// Which of the places it is; p->count if it is new.
static unsigned place_find(const struct lockout_places *p, const struct lockout_place *place)
{
	unsigned i = 0;
	while (i < p->count && memcmp(&p->of[i], place, sizeof(*place)) != 0)
		i++;
	return i;
}

static bool is_known(const struct lockout_places *p, const struct lockout_place *place)
{
	return place_find(p, place) < p->count;
}

static bool is_same_user(const struct lockout_place *a, const struct lockout_place *b)
{
	return memcmp(a->bytes, b->bytes, 1 + PLACE_USER_LEN) == 0;
}

static void place_drop(struct lockout_places *p, unsigned i)
{
	p->count--;
	memmove(&p->of[i], &p->of[i + 1], (p->count - i) * sizeof(p->of[0]));
}

// Replaces the oldest place of its user, where that user has so many, or else the oldest of all.
static void place_put(struct lockout_places *p, const struct lockout_place *place)
{
	unsigned own = 0, first = 0;
	for (unsigned i = p->count; i-- > 0;)
		if (is_same_user(&p->of[i], place)) {
			own++;
			first = i;
		}
	if (own >= LOCKOUT_PLACES_USER)
		place_drop(p, first);
	else if (p->count == LOCKOUT_PLACES_MAX)
		place_drop(p, 0);
	p->of[p->count++] = *place;
}

bool lockout_place_add(
	struct lockout_places *p, const char *user, const struct sockaddr_storage *source)
{
	const struct lockout_place place = place_of(user, source);
	const unsigned at = place_find(p, &place);
	const bool is_new = at == p->count;
	if (!is_new)
		place_drop(p, at);
	place_put(p, &place);
	return is_new;
}

unsigned lockout_places_used(const struct lockout_places *p)
{
	return p->count;
}

static const char places_head[] = "weir-places 2\n";
enum { PLACES_HEAD_LEN = sizeof(places_head) - 1, PLACE_LINE = 2 * LOCKOUT_PLACE_LEN + 1 };
static_assert((int)PLACES_HEAD_LEN + (int)LOCKOUT_PLACES_MAX * (int)PLACE_LINE
	      <= (int)LOCKOUT_PLACES_FILE_MAX);

size_t lockout_places_write(const struct lockout_places *p, char text[LOCKOUT_PLACES_FILE_MAX + 1])
{
	char *at = stpcpy(text, places_head);
	for (unsigned i = 0; i < p->count; i++) {
		access_hex_write(p->of[i].bytes, LOCKOUT_PLACE_LEN, at);
		at = stpcpy(at + 2 * LOCKOUT_PLACE_LEN, "\n");
	}
	return (size_t)(at - text);
}

// Reads a line with its end. False: the line is no place.
static bool place_read(const char *line, struct lockout_place *out)
{
	char text[PLACE_LINE];
	memcpy(text, line, PLACE_LINE - 1);
	text[PLACE_LINE - 1] = '\0';
	return line[PLACE_LINE - 1] == '\n' && access_hex_read(text, out->bytes, LOCKOUT_PLACE_LEN)
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
		struct lockout_place place = {0};
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
	const struct lockout_place place = place_of(user, source);
	const struct source_ids at = source_ids_of(source);
	struct lockout_key out = {{.own = id_of(KIND_USER, keyhash_here(user, strlen(user)))}};
	if (!is_known(p, &place))
		return out;
	uint64_t hash;
	memcpy(&hash, place.bytes + 1, sizeof(hash));
	if (!source_id_is_none(&at.network)) {
		out.of.network = id_of(KIND_PLACE_NETWORK, hash);
		hash ^= contenthash(&at.own, sizeof(at.own));
	}
	out.of.own = id_of(KIND_PLACE, hash);
	return out;
}
