// SPDX-License-Identifier: BSD-3-Clause

// Changes of tokens and passwords, and logins, by way of the helper thread.
#include "access.h"
#include "base/file_write.h"

#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <weir/clock.h>
#include <weir/heap_site.h>
#include <weir/log.h>

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
		rc = tokens_make(&c->next, wanted, (int64_t)time(NULL), c->text);
	if (rc == 0)
		change_send(a, c);
	return rc;
}

int access_token_revoke(struct access *a, struct access_change *c, const char *name)
{
	int rc = change_begin(a, c);
	if (rc == 0)
		rc = tokens_revoke(&c->next, name);
	if (rc == 0)
		change_send(a, c);
	return rc;
}

void access_change_end(struct access_change *c)
{
	c->access->is_changing = false;
	if (c->job.err == 0)
		c->access->tokens = c->next;
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
	if (rc == 0)
		password_send(a, c);
	return rc;
}

// As long for a user that there is not.
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
	struct access *access;
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
	a->is_saving_places = false;
	if (a->places_changed && !a->is_closing)
		places_save(a);
}

// One at a time, the latest state.
static void places_save(struct access *a)
{
	a->places_changed = true;
	struct places_job *p = a->is_saving_places ? NULL : heap_calloc(1, sizeof(*p));
	if (!p)
		return;
	a->is_saving_places = true;
	a->places_changed = false;
	p->access = a;
	p->job.work = places_work;
	p->job.done = places_done;
	p->len = lockout_places_write(&a->known_places, p->text);
	memcpy(p->path, a->places_path, sizeof(p->path));
	access_thread_job(a->thread, &p->job);
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
		a->passwords = c->next;
		sessions_end_user(&a->sessions, c->user.name);
	}
	return NULL;
}
