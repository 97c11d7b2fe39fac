// SPDX-License-Identifier: BSD-3-Clause

#include "access.h"

#include "base/clock_grace.h"
#include "base/file_write.h"

#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>
#include <weir/clock.h>
#include <weir/heap_site.h>
#include <weir/keyhash.h>
#include <weir/log.h>

#define X(name, text, status) #name,
const char *const access_refusal_names[] = {ACCESS_REFUSALS(X)};
#undef X
#define X(name, text, status) text,
const char *const access_refusal_texts[] = {ACCESS_REFUSALS(X)};
#undef X
#define X(name, text, status) status,
const unsigned access_refusal_status[] = {ACCESS_REFUSALS(X)};
#undef X

static uint64_t now_s(void)
{
	return clock_mono_ms() / 1000;
}

static_assert((int)PASSWORDS_FILE_MAX <= (int)TOKENS_FILE_MAX);
static_assert((int)LOCKOUT_PLACES_FILE_MAX < (int)TOKENS_FILE_MAX);

// The text of a small file; `*len` 0: no such file. False: `why`.
static bool file_read(
	const char *path, char text[TOKENS_FILE_MAX + 1], size_t *len, char why[TOKENS_WHY_MAX])
{
	ssize_t n = 0;
	int fd = open(path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	*len = 0;
	if (fd < 0) {
		snprintf(why, TOKENS_WHY_MAX, "%s", strerror(errno));
		return errno == ENOENT;
	}
	while (*len <= TOKENS_FILE_MAX
		&& (n = read(fd, text + *len, TOKENS_FILE_MAX + 1 - *len)) > 0)
		*len += (size_t)n;
	if (n < 0)
		snprintf(why, TOKENS_WHY_MAX, "%s", strerror(errno));
	close(fd);
	return n >= 0;
}

static void file_damaged(const char *path, const char *why)
{
	log_error("access: %s: %s; nothing in it is valid; move the file away and restart the "
		  "control plane",
		path, why);
}

static void files_load(struct access *a)
{
	char text[TOKENS_FILE_MAX + 1], why[TOKENS_WHY_MAX];
	size_t len;
	a->tokens_damaged = !file_read(a->tokens_path, text, &len, why)
			    || (len && tokens_read(&a->tokens, text, len, why) < 0);
	if (a->tokens_damaged)
		file_damaged(a->tokens_path, why);
	a->passwords_damaged = !file_read(a->passwords_path, text, &len, why)
			       || (len && passwords_read(&a->passwords, text, len, why) < 0);
	if (a->passwords_damaged)
		file_damaged(a->passwords_path, why);
	a->passwords_saved = a->passwords;
	// If these are missing a user is locked out more easily: no reason to stop, or to keep the
	// file.
	snprintf(why, sizeof(why), "damaged");
	if (!file_read(a->places_path, text, &len, why)
		|| (len && !lockout_places_read(&a->known_places, text, len)))
		log_warning("access: %s: %s; where users have logged in is not known",
			a->places_path, why);
}

// The path of a file in the state directory, with room for what file_write adds.
static bool path_make(char out[PATH_MAX], const char *directory, const char *name)
{
	return snprintf(out, PATH_MAX, "%s/%s", directory, name) < PATH_MAX - 8;
}

int access_open(struct access **out, struct loop *service, const char *state_directory,
	const char *box, struct events *events)
{
	struct access *a = heap_calloc(1, sizeof(*a));
	if (!a)
		return -ENOMEM;
	a->events = events;
	int rc = path_make(a->tokens_path, state_directory, "tokens")
				 && path_make(a->passwords_path, state_directory, "passwords")
				 && path_make(a->places_path, state_directory, "places")
				 && path_make(a->audit_path, state_directory, "audit.log")
			 ? 0
			 : -ENAMETOOLONG;
	if (rc == 0)
		rc = access_thread_open(&a->thread, service, a->audit_path);
	if (rc < 0) {
		heap_free(a);
		return rc;
	}
	a->audit = (struct audit){.thread = a->thread,
		.box = box,
		.entries = allowance_full(AUDIT_REFUSED_BURST, clock_mono_ms())};
	a->looked_unix_s = clock_certain_s();
	files_load(a);
	*out = a;
	return 0;
}

// Digests of what is random do not begin alike, nor with 63 bits of 0. The last bit is a
// certificate's (access_is_by_certificate).
static uint64_t right_of(const uint8_t *digest)
{
	uint64_t right;
	memcpy(&right, digest, sizeof(right));
	return right & ~UINT64_C(1);
}

static enum access_refusal token_check(
	struct access *a, const char *authorization, struct access_user *out)
{
	static const char scheme[] = "Bearer ";
	static const enum access_refusal refusal[] = {[TOKEN_GOOD] = ACCESS_GRANTED,
		[TOKEN_UNKNOWN] = ACCESS_unknown,
		[TOKEN_EXPIRED] = ACCESS_expired,
		[TOKEN_REVOKED] = ACCESS_revoked};
	struct token *k;
	if (strncasecmp(authorization, scheme, sizeof(scheme) - 1) != 0)
		return ACCESS_not_bearer;
	const enum token_verdict verdict =
		tokens_check(&a->tokens, authorization + sizeof(scheme) - 1, clock_certain_s(), &k);
	if (k) {
		snprintf(out->who, sizeof(out->who), "token %s", k->name);
		out->role = k->role;
		out->right = right_of(k->digest);
	}
	return refusal[verdict];
}

static enum access_refusal certificate_check(
	const struct config_control *c, const char *name, struct access_user *out)
{
	snprintf(out->who, sizeof(out->who), "certificate %.64s", name);
	for (unsigned i = 0; i < c->client_count; i++) {
		const char *client = c->client[i].name;
		if (strcasecmp(client, name) == 0) {
			out->role = c->client[i].role;
			out->right = keyhash_here(client, strlen(client)) | 1;
			return ACCESS_GRANTED;
		}
	}
	return ACCESS_no_role;
}

void access_failed(struct access *a, const struct sockaddr_storage *source, const char *from)
{
	const struct lockout_key key = lockout_source(source);
	char what[AUDIT_PATH_MAX];
	const enum lockout_scope scope = lockout_failed(&a->lockout, key, now_s());
	if (scope == LOCKOUT_NONE)
		return;
	const bool is_network = scope == LOCKOUT_NETWORK;
	const char *all = is_network ? " and its /64" : "";
	const int tries = is_network ? LOCKOUT_TRIES * SOURCE_NETWORK_TIMES : LOCKOUT_TRIES;
	const unsigned for_s = lockout_left(&a->lockout, key, now_s());
	log_warning(
		"control: %s%s is locked out for %u s: %d failed tries", from, all, for_s, tries);
	snprintf(what, sizeof(what), "this address%s is locked out for %u s", all, for_s);
	audit_locked(&a->audit, from, what, clock_mono_ms());
	events_add(a->events, EVENT_control_locked, EVENT_FIELDS({"client", from}),
		"%s%s is locked out of the control API: %d failed tries", from, all, tries);
}

static const char cookie_name[] = "__Host-weir=";

// The session's text in a header of cookies. False: it has no such cookie.
static bool cookie_take(const char *header, char out[SESSION_TEXT_LEN + 1])
{
	for (const char *at = header; at && *at;) {
		at += strspn(at, " ;");
		const size_t n = strcspn(at, ";");
		if (strncmp(at, cookie_name, sizeof(cookie_name) - 1) == 0
			&& n == sizeof(cookie_name) - 1 + SESSION_TEXT_LEN) {
			memcpy(out, at + sizeof(cookie_name) - 1, SESSION_TEXT_LEN);
			out[SESSION_TEXT_LEN] = '\0';
			return true;
		}
		at += n;
	}
	return false;
}

// Does the browser say that another site's page sends the request? Other clients say nothing.
static bool is_foreign(const struct access_try *try)
{
	static const char scheme[] = "https://";
	const char *o = try->origin, *site = try->fetch_site;
	if (site && strcmp(site, "same-origin") != 0 && strcmp(site, "none") != 0)
		return true;
	return o
	       && (!try->host || strncmp(o, scheme, sizeof(scheme) - 1) != 0
		       || strcasecmp(o + sizeof(scheme) - 1, try->host) != 0);
}

static enum access_refusal session_check(
	struct access *a, const struct access_try *try, const char *cookie, struct access_user *out)
{
	struct session *s =
		sessions_find(&a->sessions, cookie, source_key_of(try->source), now_s());
	if (!s)
		return ACCESS_session;
	snprintf(out->who, sizeof(out->who), "user %s", s->user);
	if (try->is_change && !session_csrf_is(s, try->csrf))
		return ACCESS_csrf;
	out->role = s->role;
	out->session = s;
	out->right = right_of(s->digest);
	return ACCESS_GRANTED;
}

// Checks what a browser sends without being asked.
static enum access_refusal browser_check(
	struct access *a, const struct access_try *try, struct access_user *out)
{
	char cookie[SESSION_TEXT_LEN + 1];
	enum access_refusal why = ACCESS_no_token;
	if (cookie_take(try->cookie, cookie))
		why = session_check(a, try, cookie, out);
	explicit_bzero(cookie, sizeof(cookie));
	if (!try->client_name || (why != ACCESS_no_token && why != ACCESS_session))
		return why;
	// The page still shows the user of a session that has ended, and not that of the
	// certificate.
	if (try->is_change && try->csrf && *try->csrf)
		return ACCESS_csrf;
	const enum access_refusal by_name = certificate_check(try->config, try->client_name, out);
	// A page that was left open stays no failed try, whatever certificate its browser has.
	return by_name == ACCESS_GRANTED || why == ACCESS_no_token ? by_name : why;
}

// Counts a request that a page may have made its reader's browser send.
static void page_failed(struct access *a, const struct access_try *try)
{
	const struct lockout_key key = lockout_source(try->source);
	char what[AUDIT_PATH_MAX];
	if (!lockout_failed(&a->page_lockout, key, now_s()))
		return;
	snprintf(what, sizeof(what), "pages at this address have no entries for %u s",
		lockout_left(&a->page_lockout, key, now_s()));
	audit_locked(&a->audit, try->from, what, clock_mono_ms());
}

static bool is_by_page(enum access_refusal why)
{
	return why == ACCESS_csrf || why == ACCESS_session;
}

bool access_has_entry(
	const struct access *a, enum access_refusal why, const struct sockaddr_storage *source)
{
	return is_by_page(why) ? !lockout_left(&a->page_lockout, lockout_source(source), now_s())
			       : why != ACCESS_locked;
}

static enum access_refusal gate(struct access *a, const struct access_try *try)
{
	// First: a page must learn nothing of a secret, and lock nobody out.
	return is_foreign(try)                    ? ACCESS_csrf
	       : access_shuts_out(a, try->source) ? ACCESS_locked
						  : ACCESS_GRANTED;
}

// A page that was left open is no attack, and one of another site none of its reader's.
static void refused_count(struct access *a, const struct access_try *try, enum access_refusal why)
{
	a->refused[why]++;
	if (is_by_page(why))
		page_failed(a, try);
	else if (why != ACCESS_locked)
		access_failed(a, try->source, try->from);
}

enum access_refusal access_gate(struct access *a, const struct access_try *try)
{
	const enum access_refusal why = gate(a, try);
	if (why != ACCESS_GRANTED)
		refused_count(a, try, why);
	return why;
}

enum access_refusal access_check(
	struct access *a, const struct access_try *try, struct access_user *out)
{
	*out = (struct access_user){0};
	enum access_refusal why = gate(a, try);
	if (why == ACCESS_GRANTED)
		why = try->authorization ? token_check(a, try->authorization, out)
					 : browser_check(a, try, out);
	if (why == ACCESS_GRANTED) {
		a->granted++;
		if (out->role == CONTROL_ADMIN)
			drop_guard_note(&a->admin_places, try->source, clock_mono_ms());
		return why;
	}
	out->role = CONTROL_NONE;
	out->session = NULL;
	refused_count(a, try, why);
	return why;
}

bool access_keeps(const struct access *a, uint64_t right, int64_t now_unix_s)
{
	if (right == 0 || access_is_by_certificate(right))
		return true;
	for (unsigned i = 0; i < a->tokens.count; i++)
		if (right_of(a->tokens.token[i].digest) == right)
			return !token_is_over(&a->tokens.token[i], now_unix_s);
	for (unsigned i = 0; i < SESSIONS_MAX; i++)
		if (a->sessions.session[i].is_used
			&& right_of(a->sessions.session[i].digest) == right)
			return true;
	return false;
}

bool access_lapsed(struct access *a, int64_t now_unix_s)
{
	const int64_t before = a->looked_unix_s;
	bool has_expired = false;
	sessions_lapse(&a->sessions, now_s());
	for (unsigned i = 0; i < a->tokens.count; i++) {
		const struct token *k = &a->tokens.token[i];
		has_expired |= !token_is_over(k, before) && token_is_over(k, now_unix_s);
	}
	a->looked_unix_s = now_unix_s;
	const bool has_ended = a->sessions.lapsed != a->lapsed;
	a->lapsed = a->sessions.lapsed;
	return has_expired || has_ended;
}

void access_count_refused(struct access *a, enum access_refusal why)
{
	a->refused[why]++;
}

bool access_shuts_out(struct access *a, const struct sockaddr_storage *source)
{
	return lockout_left(&a->lockout, lockout_source(source), now_s()) > 0;
}

bool access_shuts_out_user(
	struct access *a, const char *user, const struct sockaddr_storage *source)
{
	const struct lockout_key key = lockout_login(&a->known_places, user, source);
	return lockout_left(&a->user_lockout, key, now_s()) > 0;
}

// Changes of tokens and passwords, and logins, by way of the helper thread.

static void tokens_save(struct access_job *j)
{
	struct access_change *c = (struct access_change *)j;
	char text[TOKENS_FILE_MAX];
	const size_t len = tokens_write(&c->next, text);
	static_assert((int)ACCESS_WHY_MAX == (int)FILE_WRITE_WHY_MAX);
	j->err = file_write(c->path, text, len, j->why);
}

// What `begins` writes is on disk before the job runs.
static void job_send(struct access *a, struct access_job *j)
{
	a->is_changing = true;
	if (j->begins)
		j->begins(j);
	access_thread_job(a->thread, j);
}

static int change_begin(const struct access *a, struct access_change *c)
{
	static_assert(offsetof(struct access_change, job) == 0);
	if (a->is_changing)
		return -EBUSY;
	if (a->tokens_damaged)
		return -EUCLEAN;
	c->next = a->tokens;
	return 0;
}

static void change_send(struct access *a, struct access_change *c)
{
	c->access = a;
	c->job.work = tokens_save;
	memcpy(c->path, a->tokens_path, sizeof(c->path));
	job_send(a, &c->job);
}

int access_token_make(struct access *a, struct access_change *c, const struct token *wanted)
{
	int rc = change_begin(a, c);
	if (rc == 0)
		rc = tokens_make(&c->next, wanted, clock_certain_s(), c->text);
	if (rc == 0)
		change_send(a, c);
	return rc;
}

int access_token_revoke(struct access *a, struct access_change *c, const char *name)
{
	int rc = change_begin(a, c);
	if (rc == 0)
		rc = tokens_revoke(&c->next, name);
	if (rc == -ENOENT && a->tokens_unsaved && tokens_find(&a->tokens, name))
		rc = 0; // again, for the file
	if (rc < 0)
		return rc;
	a->tokens = c->next; // whatever the disk does
	a->tokens_unsaved = true;
	change_send(a, c);
	return 0;
}

void access_change_end(struct access_change *c)
{
	struct access *a = c->access;
	a->is_changing = false;
	if (c->job.err < 0)
		return;
	a->tokens = c->next;
	a->tokens_unsaved = false;
}

static void password_save(struct access_job *j)
{
	struct access_password *c = (struct access_password *)j;
	char text[PASSWORDS_FILE_MAX];
	if (c->password[0]) {
		if (!password_make(&c->user, c->password)) {
			j->err = -EIO;
			snprintf(j->why, sizeof(j->why), "no randomness, or no memory");
			return;
		}
		j->err = passwords_put(&c->next, &c->user);
	}
	const size_t len = passwords_write(&c->next, text);
	j->err = file_write(c->path, text, len, j->why);
}

static int password_begin(struct access *a, struct access_password *c)
{
	static_assert(offsetof(struct access_password, job) == 0);
	if (a->is_changing)
		return -EBUSY;
	if (a->passwords_damaged)
		return -EUCLEAN;
	c->access = a;
	c->next = a->passwords;
	return 0;
}

static void password_send(struct access *a, struct access_password *c)
{
	c->job.work = password_save;
	memcpy(c->path, a->passwords_path, sizeof(c->path));
	job_send(a, &c->job);
}

int access_password_set(struct access *a, struct access_password *c)
{
	int rc = password_begin(a, c);
	if (rc == 0) // whether there is room; the digest comes later
		rc = passwords_put(&c->next, &c->user);
	if (rc == 0)
		password_send(a, c);
	return rc;
}

int access_password_remove(struct access *a, struct access_password *c)
{
	int rc = password_begin(a, c);
	c->password[0] = '\0';
	if (rc == 0)
		rc = passwords_remove(&c->next, c->user.name);
	if (rc == -ENOENT && passwords_find(&a->passwords_saved, c->user.name))
		rc = 0; // again, for the file
	if (rc < 0)
		return rc;
	a->passwords = c->next; // whatever the disk does
	sessions_end_user(&a->sessions, c->user.name);
	password_send(a, c);
	return 0;
}

// Takes as long for a user that does not exist.
static void login_check(struct access_job *j)
{
	struct access_password *c = (struct access_password *)j;
	const bool is = password_is(&c->user, c->password);
	c->is_good = is && c->user.role != CONTROL_NONE;
}

int access_login(struct access *a, struct access_password *c)
{
	const struct password *user = passwords_find(&a->passwords, c->user.name);
	if (a->logins == ACCESS_LOGINS_MAX)
		return -EBUSY;
	if (user)
		c->user = *user;
	c->access = a;
	c->is_login = true;
	c->job.work = login_check;
	a->logins++;
	access_thread_job(a->thread, &c->job);
	return 0;
}

static bool is_same(const struct password *a, const struct password *b)
{
	return a->role == b->role && memcmp(a->salt, b->salt, sizeof(a->salt)) == 0
	       && memcmp(a->digest, b->digest, sizeof(a->digest)) == 0;
}

void access_login_late(struct access_password *c)
{
	c->access->logins--;
}

static void user_locked(struct access *a, const char *name, unsigned for_s, const char *from)
{
	char what[AUDIT_PATH_MAX];
	log_warning("control: logins as %s are locked out for %u s: %d failed tries", name, for_s,
		LOCKOUT_TRIES);
	snprintf(what, sizeof(what), "logins as %s are locked out for %u s", name, for_s);
	audit_locked(&a->audit, from, what, clock_mono_ms());
}

struct places_job {
	struct access_job job; // first
	struct access *access; // NULL: it is closed
	size_t len;
	char text[LOCKOUT_PLACES_FILE_MAX + 1];
	char path[PATH_MAX];
};

static void places_work(struct access_job *j)
{
	struct places_job *p = (struct places_job *)j;
	j->err = file_write(p->path, p->text, p->len, j->why);
}

static void places_save(struct access *a);

static void places_done(struct access_job *j)
{
	struct places_job *p = (struct places_job *)j;
	struct access *a = p->access;
	if (j->err < 0)
		log_warning("access: where users have logged in is not stored: %s", j->why);
	heap_free(p);
	if (!a)
		return;
	a->places_job = NULL;
	if (a->places_changed)
		places_save(a);
}

// One at a time, the latest state.
static void places_save(struct access *a)
{
	a->places_changed = true;
	struct places_job *p = a->places_job ? NULL : heap_calloc(1, sizeof(*p));
	if (!p)
		return;
	a->places_job = p;
	a->places_changed = false;
	p->access = a;
	p->job.work = places_work;
	p->job.done = places_done;
	p->len = lockout_places_write(&a->known_places, p->text);
	memcpy(p->path, a->places_path, sizeof(p->path));
	access_thread_job(a->thread, &p->job);
}

void access_close(struct access *a)
{
	if (!a)
		return;
	if (a->places_job) // which may come back through the mailbox later
		a->places_job->access = NULL;
	access_thread_close(a->thread);
	heap_free(a);
}

static struct session *login_end(struct access_password *c, const struct sockaddr_storage *source,
	const char *from, char cookie[SESSION_TEXT_LEN + 1])
{
	struct access *a = c->access;
	const struct password *now = passwords_find(&a->passwords, c->user.name);
	const struct lockout_key user = lockout_login(&a->known_places, c->user.name, source);
	const uint64_t now_s = clock_mono_ms() / 1000;
	a->logins--;
	// It may have been set or removed meanwhile.
	if (c->is_good && now && is_same(now, &c->user)) {
		a->granted++;
		lockout_succeeded(&a->lockout, lockout_source(source));
		lockout_succeeded(&a->user_lockout, user);
		if (lockout_place_add(&a->known_places, c->user.name, source))
			places_save(a);
		if (now->role == CONTROL_ADMIN)
			drop_guard_note(&a->admin_places, source, clock_mono_ms());
		return sessions_begin(
			&a->sessions, now->name, now->role, source_key_of(source), now_s, cookie);
	}
	a->refused[ACCESS_password]++;
	if (lockout_failed(&a->user_lockout, user, now_s))
		user_locked(a, now ? now->name : "a user that there is not",
			lockout_left(&a->user_lockout, user, now_s), from);
	access_failed(a, source, from);
	return NULL;
}

struct session *access_password_end(struct access_password *c,
	const struct sockaddr_storage *source, const char *from, char cookie[SESSION_TEXT_LEN + 1])
{
	struct access *a = c->access;
	if (c->is_login)
		return login_end(c, source, from, cookie);
	a->is_changing = false;
	if (c->job.err == 0) {
		a->passwords = a->passwords_saved = c->next;
		sessions_end_user(&a->sessions, c->user.name);
	} else if (c->password[0]) { // it may be there all the same
		(void)!passwords_put(&a->passwords_saved, &c->user);
	}
	return NULL;
}
