// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// Access to the control API over the network. A user proves a role by a token, by a password and
// then the cookie of a session, or by a client's certificate that the configuration gives a role.
// Failed tries are counted and audited; repeated ones end in a lock-out and an event. The service
// loop's thread; the helper thread reads and writes files (access_thread.h).
//
// The files of tokens and of passwords are read at the open. One that is damaged is reported, gives
// no entry and stays as it is: nothing is added to it until it is gone and the process has started
// again. The other one goes on.

#include "audit.h"
#include "drop_guard.h"
#include "events/events.h"
#include "lockout.h"
#include "passwords.h"
#include "sessions.h"
#include "tokens.h"

#include <limits.h>
#include <sys/socket.h>

// Why a try is refused. name, text, HTTP status
#define ACCESS_REFUSALS(X)                                                                    \
	X(no_token, "no token: send \"Authorization: Bearer TOKEN\"", 401)                    \
	X(not_bearer, "the Authorization header has no token of weir", 401)                   \
	X(unknown, "unknown token", 401)                                                      \
	X(expired, "the token has expired", 401)                                              \
	X(revoked, "the token is revoked", 401)                                               \
	X(no_role, "the name in the certificate has no role in control.clients", 401)         \
	X(password, "wrong user or password", 401)                                            \
	X(session, "the session has ended: log in again", 401)                                \
	X(csrf, "refused: from a page of another site, or a change without X-Weir-CSRF", 403) \
	X(rate, "too many changes by this user in too short a time: try again later", 429)    \
	X(role, "the role of this user does not allow that", 403)                             \
	X(locked, "too many failed tries from this address or as this user: try again later", 429)

enum access_refusal {
#define X(name, text, status) ACCESS_##name,
	ACCESS_REFUSALS(X)
#undef X
		ACCESS_GRANTED
};
extern const char *const access_refusal_names[ACCESS_GRANTED];
extern const char *const access_refusal_texts[ACCESS_GRANTED];
extern const unsigned access_refusal_status[ACCESS_GRANTED];

struct access {
	struct access_thread *thread;
	struct audit audit;
	struct events *events;
	struct tokens tokens;
	struct passwords passwords, passwords_saved; // passwords_saved: what the file may have
	struct sessions sessions;
	bool tokens_damaged, passwords_damaged; // their files
	bool tokens_unsaved;                    // their file may give withdrawn rights
	bool is_changing;                       // a change of one is on its way
	unsigned logins;                        // that wait for the helper thread
	// Addresses, names that logins gave, and addresses at which pages have no entries.
	struct lockout lockout, user_lockout, page_lockout;
	struct lockout_places known_places;
	struct admin_places admin_places;
	struct places_job *places_job; // a save of their file on its way, or NULL
	bool places_changed;           // since the last save began
	uint64_t granted, refused[ACCESS_GRANTED];
	int64_t looked_unix_s; // for what lapsed; and what had by then
	uint64_t lapsed;
	char tokens_path[PATH_MAX], passwords_path[PATH_MAX], places_path[PATH_MAX],
		audit_path[PATH_MAX];
};

// -ENOMEM, -errno. `state_directory` outlives nothing of it; `box`, this box's name, does.
ATTR_MUST_CHECK int access_open(struct access **out, struct loop *service,
	const char *state_directory, const char *box, struct events *events);
void access_close(struct access *a); // NULL is fine

struct access_try {
	const char *authorization; // the header, or NULL
	const char *client_name;   // from a certificate that is good; may be NULL
	const char *cookie;        // the header, or NULL
	const char *csrf, *origin, *fetch_site, *host; // headers, or NULL
	bool is_change;                                // a POST
	const struct sockaddr_storage *source;
	const char *from; // the address as text, for events
	const struct config_control *config;
};
struct access_user {
	enum control_role role;
	char who[80];            // "token NAME", "certificate NAME", "user NAME"
	struct session *session; // found by a browser's cookie; else NULL
	uint64_t right;          // a number of the token, the session or the certificate's name
};
// Is the number that of a certificate's name?
static inline bool access_is_by_certificate(uint64_t right)
{
	return right & 1;
}
// Finds the user of a request: ACCESS_GRANTED with `out`, or the refusal. A session counts where
// there is no token, a certificate where there is neither, or the cookie is of no session. A
// browser sends cookies and certificates by itself, for pages of other sites too. So a request that
// the browser marks as another site's is refused before any secret is read. It counts as no failed
// try of the address, for each page could lock out the address of its reader; nor does a cookie of
// no session, for a page that was left open is no attack. After LOCKOUT_TRIES of both they have no
// entry in the audit log for as long as a lock-out. A change by a cookie needs the session's second
// secret, and is as one of another site's page without it. So is a change by a certificate with
// such a secret: the page still shows the user of a session that has ended.
enum access_refusal access_check(
	struct access *a, const struct access_try *try, struct access_user *out);
// The part of it that comes before any secret, for a login: ACCESS_GRANTED, csrf or locked,
// counted.
enum access_refusal access_gate(struct access *a, const struct access_try *try);
// Has a refusal for that reason an entry in the audit log? Not in a lock-out, which has one.
bool access_has_entry(
	const struct access *a, enum access_refusal why, const struct sockaddr_storage *source);
// A refusal for another reason, counted: of a known user.
void access_count_refused(struct access *a, enum access_refusal why);
// Counts one failed try from this address.
void access_failed(struct access *a, const struct sockaddr_storage *source, const char *from);
bool access_shuts_out(struct access *a, const struct sockaddr_storage *source);
// Each few seconds: has a token expired, or has a session ended without a word of its user, since
// the call before? Ends sessions whose time is over.
bool access_lapsed(struct access *a, int64_t now_unix_s);
// Is the token or the session of that number still valid? True for 0 and for certificates.
bool access_keeps(const struct access *a, uint64_t right, int64_t now_unix_s);
// For a login: failed tries of strangers keep nobody out where that user has logged in before, and
// failed ones there keep that user out there. The name need not be one of a user, so that a reply
// does not tell.
bool access_shuts_out_user(
	struct access *a, const char *user, const struct sockaddr_storage *source);

// A change of the tokens on its way to the disk; then `done`, with `err` and `why` of the job. The
// new table is in force when `done` is called, if `a` still is; a token is revoked, and a user
// removed, at once, also where the disk refuses: then it may be asked for again. One at a time.
struct access_change {
	struct access_job job;
	struct access *access;
	struct tokens next;
	char text[TOKEN_TEXT_LEN + 1]; // the new token; wiped by access_change_end
	char path[PATH_MAX];
};
// -EBUSY, -EUCLEAN (the file of tokens is damaged), and of tokens_make or tokens_revoke. `c` is
// zeroed but for its `job.done` and `job.begins`.
ATTR_MUST_CHECK int access_token_make(
	struct access *a, struct access_change *c, const struct token *wanted);
ATTR_MUST_CHECK int access_token_revoke(
	struct access *a, struct access_change *c, const char *name);
// To be called by `done` where the API is still open, also if no client waits for the reply any
// more.
void access_change_end(struct access_change *c);

// A password on its way through the helper thread: one that is set or removed, or a login. Then
// `done`; the caller wipes `password`. ACCESS_LOGINS_MAX wait at a time, of changes one.
enum { ACCESS_LOGINS_MAX = 4 };
struct access_password {
	struct access_job job;
	struct access *access;
	struct password user; // a change's name and role; a login's name
	char password[PASSWORD_MAX + 1];
	struct passwords next; // the changed ones
	char path[PATH_MAX];
	bool is_login, is_good; // good: it is the user's password
};
// -EBUSY, -EUCLEAN (that of passwords is), -ENOSPC, -ENOENT. `c` is zeroed but for `job.done`,
// `job.begins`, `user` and `password`.
ATTR_MUST_CHECK int access_password_set(struct access *a, struct access_password *c);
ATTR_MUST_CHECK int access_password_remove(struct access *a, struct access_password *c);
ATTR_MUST_CHECK int access_login(struct access *a, struct access_password *c);
// To be called by `done` where the API is still open. Of a login that is good: its session, and its
// cookie's text; NULL: refused, which is counted.
struct session *access_password_end(struct access_password *c,
	const struct sockaddr_storage *source, const char *from, char cookie[SESSION_TEXT_LEN + 1]);
// Instead, of a login whose client has had its 504.
void access_login_late(struct access_password *c);
