// SPDX-License-Identifier: BSD-3-Clause
#include "base/file_seen.h"
#include "tls_internal.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>

// Authorities of one file in one state, in a context that connections are made from.
struct tls_trust {
	struct ssl_ctx_st *context;
	unsigned users;
	bool is_system; // else of the file
	struct file_seen seen;
};

static struct {
	pthread_mutex_t lock;
	struct tls_trust trust[TLS_TRUSTS_MAX]; // `users` 0: free
} trusts = {.lock = PTHREAD_MUTEX_INITIALIZER};

// One with the same file in the same state, or else a free one to be filled. NULL: full.
static struct tls_trust *trust_find(bool is_system, const struct file_seen *seen)
{
	struct tls_trust *spare = NULL;

	for (struct tls_trust *t = trusts.trust; t < trusts.trust + TLS_TRUSTS_MAX; t++) {
		if (t->users == 0)
			spare = spare ? spare : t;
		else if (t->is_system == is_system && (is_system || file_seen_same(&t->seen, seen)))
			return t;
	}
	return spare;
}

// One more user of what is there, or of *context, which is NULL then. False: neither exists.
static bool trust_use(struct tls_trust **out, bool is_system, const struct file_seen *seen,
	struct ssl_ctx_st **context, bool *is_full)
{
	pthread_mutex_lock(&trusts.lock);
	struct tls_trust *t = trust_find(is_system, seen);
	bool found = t && (t->users > 0 || *context);
	if (found && t->users == 0) {
		*t = (struct tls_trust){.context = *context, .is_system = is_system, .seen = *seen};
		*context = NULL;
	}
	if (found) {
		t->users++;
		*out = t;
	}
	*is_full = !t;
	pthread_mutex_unlock(&trusts.lock);
	return found;
}

// The file is read without the lock: it may be on a slow disk, and other threads want other files.
int tls_trust_take(struct tls_trust **out, const char *ca_file, char why[TLS_WHY_MAX])
{
	struct file_seen seen = {0};
	struct ssl_ctx_st *context = NULL;
	bool is_full;

	if (ca_file)
		seen = file_seen_now(ca_file);
	bool found = trust_use(out, !ca_file, &seen, &context, &is_full);
	if (!found && !is_full) {
		context = tls_client_context_new(ca_file, why);
		if (!context)
			return -EINVAL;
		found = trust_use(out, !ca_file, &seen, &context, &is_full);
		tls_client_context_free(context); // another thread was faster, or all are used
	}
	if (found)
		return 0;
	snprintf(why, TLS_WHY_MAX, "more than %d files of authorities", TLS_TRUSTS_MAX);
	return -ENOMEM;
}

void tls_trust_give(struct tls_trust *t)
{
	pthread_mutex_lock(&trusts.lock);
	if (--t->users == 0) {
		tls_client_context_free(t->context);
		t->context = NULL;
	}
	pthread_mutex_unlock(&trusts.lock);
}

struct ssl_ctx_st *tls_trust_context(const struct tls_trust *t)
{
	return t->context;
}
