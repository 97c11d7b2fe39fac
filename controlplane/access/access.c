// SPDX-License-Identifier: BSD-3-Clause
#include "access.h"

#include "base/file_write.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>
#include <unistd.h>
#include <weir/clock.h>
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

// No file: no tokens.
static void tokens_load(struct access *a)
{
	char text[TOKENS_FILE_MAX + 1], why[TOKENS_WHY_MAX];
	size_t len = 0;
	ssize_t n;
	int fd = open(a->tokens_path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0 && errno == ENOENT)
		return;
	snprintf(why, sizeof(why), "%s", strerror(errno));
	while (fd >= 0 && len < sizeof(text) && (n = read(fd, text + len, sizeof(text) - len)) > 0)
		len += (size_t)n;
	if (fd >= 0)
		close(fd);
	a->is_damaged = fd < 0 || tokens_read(&a->tokens, text, len, why) < 0;
	if (a->is_damaged)
		log_error("tokens: %s: %s; no token is valid; move the file away and make new "
			  "tokens",
			a->tokens_path, why);
}

int access_open(struct access **out, struct loop *service, const char *state_directory,
	struct events *events)
{
	struct access *a = calloc(1, sizeof(*a));
	if (!a)
		return -ENOMEM;
	a->events = events;
	int len = snprintf(a->tokens_path, sizeof(a->tokens_path), "%s/tokens", state_directory);
	int rc = snprintf(a->audit_path, sizeof(a->audit_path), "%s/audit.log", state_directory)
					 < (int)sizeof(a->audit_path) - 8
				 && len < (int)sizeof(a->tokens_path) - 8
			 ? 0
			 : -ENAMETOOLONG;
	if (rc == 0)
		rc = access_thread_open(&a->thread, service, a->audit_path);
	if (rc < 0) {
		free(a);
		return rc;
	}
	a->audit = (struct audit){.thread = a->thread,
		.refused_ms = clock_mono_ms(),
		.allowance = AUDIT_REFUSED_BURST};
	tokens_load(a);
	*out = a;
	return 0;
}

void access_close(struct access *a)
{
	if (!a)
		return;
	access_thread_close(a->thread);
	free(a);
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
	const enum token_verdict verdict = tokens_check(
		&a->tokens, authorization + sizeof(scheme) - 1, (int64_t)time(NULL), &k);
	if (k) {
		snprintf(out->who, sizeof(out->who), "token %s", k->name);
		out->role = k->role;
	}
	return refusal[verdict];
}

static enum access_refusal certificate_check(
	const struct config_control *c, const char *name, struct access_user *out)
{
	snprintf(out->who, sizeof(out->who), "certificate %.64s", name);
	for (unsigned i = 0; i < c->client_count; i++)
		if (strcasecmp(c->client[i].name, name) == 0) {
			out->role = c->client[i].role;
			return ACCESS_GRANTED;
		}
	return ACCESS_no_role;
}

static void failed(struct access *a, const struct access_try *try)
{
	if (!lockout_failed(&a->lockout, try->source, now_s()))
		return;
	log_warning("control: %s is locked out for %u s: %d failed tries", try->from,
		lockout_left(&a->lockout, try->source, now_s()), LOCKOUT_TRIES);
	events_add(a->events, EVENT_control_locked, EVENT_FIELDS({"client", try->from}),
		"%s is locked out of the control API: %d failed tries", try->from, LOCKOUT_TRIES);
}

enum access_refusal access_check(
	struct access *a, const struct access_try *try, struct access_user *out)
{
	enum access_refusal why = ACCESS_no_token;
	*out = (struct access_user){0};
	if (access_shuts_out(a, try->source))
		why = ACCESS_locked;
	else if (try->authorization)
		why = token_check(a, try->authorization, out);
	else if (try->client_name)
		why = certificate_check(try->config, try->client_name, out);
	if (why == ACCESS_GRANTED) {
		a->granted++;
		lockout_succeeded(&a->lockout, try->source);
		return why;
	}
	out->role = CONTROL_NONE;
	a->refused[why]++;
	if (why != ACCESS_locked)
		failed(a, try);
	return why;
}

void access_overstepped(struct access *a)
{
	a->refused[ACCESS_role]++;
}

bool access_shuts_out(struct access *a, const struct sockaddr_storage *source)
{
	return lockout_left(&a->lockout, source, now_s()) > 0;
}

static void tokens_save(struct access_job *j)
{
	struct access_change *c = (struct access_change *)j;
	char text[TOKENS_FILE_MAX];
	const size_t len = tokens_write(&c->next, text);
	static_assert((int)ACCESS_WHY_MAX == (int)FILE_WRITE_WHY_MAX);
	j->err = file_write(c->path, text, len, j->why);
}

static int change_begin(const struct access *a, struct access_change *c)
{
	static_assert(offsetof(struct access_change, job) == 0);
	if (a->is_changing)
		return -EBUSY;
	if (a->is_damaged)
		return -EUCLEAN;
	c->next = a->tokens;
	return 0;
}

static void change_send(struct access *a, struct access_change *c)
{
	c->access = a;
	c->job.work = tokens_save;
	memcpy(c->path, a->tokens_path, sizeof(c->path));
	a->is_changing = true;
	access_thread_job(a->thread, &c->job);
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
