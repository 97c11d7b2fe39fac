// SPDX-License-Identifier: BSD-3-Clause
#include "lockout.h"

#include <netinet/in.h>
#include <string.h>
#include <weir/attr.h>

// False: an address of another family, which is never locked out.
static bool source_of(const struct sockaddr_storage *a, uint8_t out[LOCKOUT_SOURCE_LEN])
{
	memset(out, 0, LOCKOUT_SOURCE_LEN);
	out[0] = (uint8_t)a->ss_family;
	if (a->ss_family == AF_INET)
		memcpy(out + 1, &((const struct sockaddr_in *)a)->sin_addr, 4);
	else if (a->ss_family == AF_INET6)
		memcpy(out + 1, &((const struct sockaddr_in6 *)a)->sin6_addr, 8);
	return a->ss_family == AF_INET || a->ss_family == AF_INET6;
}

static struct lockout_entry *find(const struct lockout *l, const uint8_t source[LOCKOUT_SOURCE_LEN])
{
	for (unsigned i = 0; i < LOCKOUT_MAX; i++)
		if (memcmp(l->entry[i].source, source, LOCKOUT_SOURCE_LEN) == 0)
			return (struct lockout_entry *)(uintptr_t)&l->entry[i];
	return NULL;
}

unsigned lockout_left(
	const struct lockout *l, const struct sockaddr_storage *source, uint64_t now_s)
{
	uint8_t key[LOCKOUT_SOURCE_LEN];
	const struct lockout_entry *e = source_of(source, key) ? find(l, key) : NULL;
	return e && e->until_s > now_s ? (unsigned)(e->until_s - now_s) : 0;
}

// A free entry, or the one that failed longest ago.
static struct lockout_entry *entry_take(struct lockout *l)
{
	struct lockout_entry *oldest = &l->entry[0];
	for (unsigned i = 0; i < LOCKOUT_MAX; i++) {
		struct lockout_entry *e = &l->entry[i];
		if (!e->source[0])
			return e;
		if (e->last_s < oldest->last_s)
			oldest = e;
	}
	l->evicted++;
	return oldest;
}

bool lockout_failed(struct lockout *l, const struct sockaddr_storage *source, uint64_t now_s)
{
	uint8_t key[LOCKOUT_SOURCE_LEN];
	l->failures++;
	if (!source_of(source, key))
		return false;
	struct lockout_entry *e = find(l, key);
	if (!e) {
		e = entry_take(l);
		*e = (struct lockout_entry){.since_s = now_s};
		memcpy(e->source, key, sizeof(key));
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

void lockout_succeeded(struct lockout *l, const struct sockaddr_storage *source)
{
	uint8_t key[LOCKOUT_SOURCE_LEN];
	struct lockout_entry *e = source_of(source, key) ? find(l, key) : NULL;
	if (e)
		*e = (struct lockout_entry){0};
}

unsigned lockout_used(const struct lockout *l)
{
	unsigned n = 0;
	for (unsigned i = 0; i < LOCKOUT_MAX; i++)
		n += l->entry[i].source[0] != 0;
	return n;
}
