// SPDX-License-Identifier: BSD-3-Clause
#include "validator_library.h"

#include <errno.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unbound-event.h>
#include <unbound.h>
#include <unistd.h>
#include <weir/dns_proto.h>

struct library {
	struct ub_ctx *ctx;
	bool is_ready; // the first question has applied the settings
};

// Of one question.
struct call {
	library_answer_fn done;
	void *arg;
};

// The library reads settings by a parser with global state, and applies some to all contexts; the
// end of one changes state of all, too.
static pthread_mutex_t making = PTHREAD_RECURSIVE_MUTEX_INITIALIZER_NP;

static void on_answer(void *arg, int rcode, void *packet, int len, int security, char *why, int)
{
	static const enum library_security security_of[] = {
		LIBRARY_INSECURE, LIBRARY_BOGUS, LIBRARY_SECURE};
	struct call *call = arg;
	const struct library_answer answer = {
		.rcode = rcode,
		.msg = packet,
		.len = len > 0 ? (size_t)len : 0,
		.security = security_of[security == 1 || security == 2 ? security : 0],
		.why = why,
	};
	const library_answer_fn done = call->done;
	void *to = call->arg;

	free(call);
	done(to, &answer);
}

// The library takes settings as a file.
static int settings_read(struct ub_ctx *ctx, const char *config, size_t len)
{
	char path[32];
	int fd = memfd_create("validator", MFD_CLOEXEC);
	if (fd < 0)
		return -errno;
	ssize_t n = write(fd, config, len);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	int rc = n != (ssize_t)len ? -EIO : ub_ctx_config(ctx, path) ? -EINVAL : 0;
	close(fd);
	return rc;
}

int library_open(struct library **out, struct event_base *base, const char *config, size_t len)
{
	struct library *l = calloc(1, sizeof(*l));
	if (!l)
		return -ENOMEM;
	pthread_mutex_lock(&making);
	l->ctx = ub_ctx_create_event(base);
	int rc = l->ctx ? 0 : -ENOMEM;
	if (rc == 0 && ub_ctx_debugout(l->ctx, NULL))
		rc = -EINVAL;
	if (rc == 0)
		rc = settings_read(l->ctx, config, len);
	pthread_mutex_unlock(&making);
	if (rc < 0) {
		library_close(l);
		return rc;
	}
	*out = l;
	return 0;
}

void library_close(struct library *l)
{
	if (!l)
		return;
	pthread_mutex_lock(&making);
	if (l->ctx)
		ub_ctx_delete(l->ctx);
	pthread_mutex_unlock(&making);
	free(l);
}

int library_ask(
	struct library *l, const char *name, uint16_t qtype, library_answer_fn done, void *arg)
{
	struct call *call = malloc(sizeof(*call));
	if (!call)
		return -ENOMEM;
	*call = (struct call){done, arg};
	const bool is_first = !l->is_ready;
	if (is_first)
		pthread_mutex_lock(&making);
	int rc = ub_resolve_event(l->ctx, name, qtype, DNS_CLASS_IN, call, on_answer, NULL);
	if (is_first)
		pthread_mutex_unlock(&making);
	if (rc == 0)
		l->is_ready = true;
	if (rc) {
		free(call);
		return rc == UB_NOMEM ? -ENOMEM : rc == UB_SYNTAX ? -EBADMSG : -EINVAL;
	}
	return 0;
}

static void on_applied(void *, const struct library_answer *)
{
}

// The library answers this name by itself (RFC 6761).
int library_apply(struct library *l)
{
	return library_ask(l, "localhost", DNS_TYPE_A, on_applied, NULL);
}
