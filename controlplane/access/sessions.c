// SPDX-License-Identifier: BSD-3-Clause
#include "sessions.h"

#include "access_text.h"
#include "tls/tls_crypto.h"

#include <stdio.h>
#include <string.h>

enum { SECRET_LEN = 32 };
static_assert(2 * SECRET_LEN == SESSION_TEXT_LEN);

static bool secret_text(char out[SESSION_TEXT_LEN + 1])
{
	uint8_t secret[SECRET_LEN];
	const bool made = tls_secret_make(secret, sizeof(secret));
	access_hex_write(secret, sizeof(secret), out);
	explicit_bzero(secret, sizeof(secret));
	return made;
}

static bool is_over(const struct session *s, uint64_t now_s)
{
	return now_s - s->last_s >= SESSION_IDLE_S || now_s - s->since_s >= SESSION_LIFE_S;
}

static unsigned used_by(const struct sessions *t, const char *user)
{
	unsigned n = 0;
	for (unsigned i = 0; i < SESSIONS_MAX; i++)
		n += t->session[i].is_used && strcmp(t->session[i].user, user) == 0;
	return n;
}

static struct session *free_find(struct sessions *t)
{
	for (unsigned i = 0; i < SESSIONS_MAX; i++)
		if (!t->session[i].is_used)
			return &t->session[i];
	return NULL;
}

// The session that is idle for longest, of this user. NULL: of who has most.
static struct session *idle_find(struct sessions *t, const char *user)
{
	struct session *found = NULL;
	unsigned most = 0;
	for (unsigned i = 0; i < SESSIONS_MAX; i++) {
		struct session *s = &t->session[i];
		if (!s->is_used || (user && strcmp(s->user, user) != 0))
			continue;
		const unsigned n = used_by(t, s->user);
		if (n > most || (n == most && s->last_s < found->last_s)) {
			found = s;
			most = n;
		}
	}
	return found;
}

static struct session *place_take(struct sessions *t, const char *user, uint64_t now_s)
{
	sessions_lapse(t, now_s);
	const bool has_all = used_by(t, user) >= SESSIONS_EACH_MAX;
	struct session *s = has_all ? NULL : free_find(t);
	if (s)
		return s;
	t->evicted++;
	t->lapsed++;
	return idle_find(t, has_all ? user : NULL);
}

struct session *sessions_begin(struct sessions *t, const char *user, enum control_role role,
	struct source_key place, uint64_t now_s, char text[SESSION_TEXT_LEN + 1])
{
	struct session made = {
		.is_used = true, .role = role, .place = place, .since_s = now_s, .last_s = now_s};
	snprintf(made.user, sizeof(made.user), "%s", user);
	if (!secret_text(text) || !secret_text(made.csrf)
		|| !tls_sha256(text, SESSION_TEXT_LEN, made.digest))
		return NULL;
	struct session *s = place_take(t, user, now_s);
	*s = made;
	t->begun++;
	return s;
}

struct session *sessions_find(
	struct sessions *t, const char *text, struct source_key place, uint64_t now_s)
{
	uint8_t digest[TLS_SHA256_LEN];
	struct session *found = NULL;
	if (strlen(text) != SESSION_TEXT_LEN || !tls_sha256(text, SESSION_TEXT_LEN, digest))
		return NULL;
	for (unsigned i = 0; i < SESSIONS_MAX; i++) {
		struct session *s = &t->session[i];
		if (tls_secret_same(digest, s->digest, sizeof(digest)) && s->is_used
			&& source_key_equal(&s->place, &place))
			found = s;
	}
	if (found && is_over(found, now_s)) {
		session_end(found);
		t->lapsed++;
		return NULL;
	}
	if (found)
		found->last_s = now_s;
	return found;
}

void session_end(struct session *s)
{
	explicit_bzero(s, sizeof(*s));
}

void sessions_lapse(struct sessions *t, uint64_t now_s)
{
	for (unsigned i = 0; i < SESSIONS_MAX; i++)
		if (t->session[i].is_used && is_over(&t->session[i], now_s)) {
			session_end(&t->session[i]);
			t->lapsed++;
		}
}

void sessions_end_user(struct sessions *t, const char *user)
{
	for (unsigned i = 0; i < SESSIONS_MAX; i++)
		if (t->session[i].is_used && strcmp(t->session[i].user, user) == 0)
			session_end(&t->session[i]);
}

unsigned sessions_used(const struct sessions *t)
{
	unsigned n = 0;
	for (unsigned i = 0; i < SESSIONS_MAX; i++)
		n += t->session[i].is_used;
	return n;
}

bool session_csrf_is(const struct session *s, const char *text)
{
	return text && strlen(text) == SESSION_TEXT_LEN
	       && tls_secret_same(
		       (const uint8_t *)text, (const uint8_t *)s->csrf, SESSION_TEXT_LEN);
}
