// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// Sessions of browsers: a random number of 256 bits in a cookie, of which the table has the
// SHA-256, and a second one that a page must send with each change (CSRF). A session ends
// SESSION_IDLE_S after its last request, SESSION_LIFE_S after its begin, and when its user's
// password is set or removed. It is one of its place alone, where its user logged in: an IPv4
// address, or the /64 of an IPv6 address. Browsers give a cookie to each port of a host, so another
// server there may see it; from elsewhere it is a cookie of no session.
//
// A value of SESSIONS_MAX, of each user SESSIONS_EACH_MAX. One more ends the user's own session
// that is idle for longest, or, where the table is full, that of who has most (counted): the
// log-ins of one end no session of another who has fewer. They end with the process. The service
// loop's thread. `now_s`: of a clock that is never set.

#include "base/source_key.h"
#include "tokens.h"

enum {
	SESSIONS_MAX = 64,
	SESSIONS_EACH_MAX = 16,
	SESSION_TEXT_LEN = 64,
	SESSION_IDLE_S = 30 * 60,
	SESSION_LIFE_S = 12 * 3600,
};

struct session {
	bool is_used;
	char user[TOKEN_NAME_MAX + 1];
	enum control_role role;
	struct source_key place;
	uint8_t digest[TOKEN_DIGEST_LEN];
	char csrf[SESSION_TEXT_LEN + 1];
	uint64_t since_s, last_s;
};

struct sessions {
	struct session session[SESSIONS_MAX];
	uint64_t begun, evicted;
	uint64_t lapsed; // that ended by themselves, or for another one's place
};

// Begins one and gives the cookie's text. NULL: no randomness.
struct session *sessions_begin(struct sessions *t, const char *user, enum control_role role,
	struct source_key place, uint64_t now_s, char text[SESSION_TEXT_LEN + 1]);
// The session of a cookie's text; NULL: no such session at this place, or it has ended.
struct session *sessions_find(
	struct sessions *t, const char *text, struct source_key place, uint64_t now_s);
void session_end(struct session *s);
void sessions_lapse(struct sessions *t, uint64_t now_s); // ends those whose time is over
void sessions_end_user(struct sessions *t, const char *user);
unsigned sessions_used(const struct sessions *t);
bool session_csrf_is(const struct session *s, const char *text); // text may be NULL
