// SPDX-License-Identifier: BSD-3-Clause
// A server tried by the operator: a query by UDP and then one over TCP, but for recursion. Ends
// with the list of servers or with the set at the latest.

#include "route/host_board.h"
#include "upstream_internal.h"

#include <errno.h>
#include <stdio.h>
#include <weir/bytes.h>
#include <weir/clock.h>
#include <weir/heap_site.h>

// `ask` comes first: an ask of a trial is one of these.
struct upstream_try {
	struct upstream_ask ask;
	struct upstreams *owner;
	unsigned server, transport;
	bool is_tls, is_https;
	uint64_t began_us;
	struct upstream_tried tried[UPSTREAM_TRANSPORTS]; // by UDP, over TCP
	upstream_tried_fn done;
	void *arg;
};

static void try_end(struct upstream_try *t, int err)
{
	t->owner->trial = NULL;
	upstream_ask_stop(&t->ask);
	t->tried[1].is_tls = t->is_tls;
	t->tried[1].is_https = t->is_https;
	t->done(t->arg, err, t->tried);
	heap_free(t);
}

void upstreams_try_stop(struct upstreams *u)
{
	if (u->trial)
		try_end(u->trial, -ECANCELED);
}

static void try_begin(struct upstream_try *t);

static void try_next(struct upstream_try *t)
{
	if (++t->transport == UPSTREAM_TRANSPORTS) {
		try_end(t, 0);
	} else if (t->owner->server[t->server].config.is_recursion) {
		snprintf(t->tried[t->transport].why, TLS_WHY_MAX,
			"recursion takes queries by UDP alone, and answers of any size fit");
		try_end(t, 0);
	} else {
		try_begin(t);
	}
}

static enum upstream_take on_reply(struct upstream_ask *a, const uint8_t *msg, size_t len)
{
	struct upstream_try *t = (struct upstream_try *)a;

	t->tried[t->transport] = (struct upstream_tried){
		.is_sent = true,
		.is_answered = true,
		.flags = get_u16(msg + 2), // it matched the question, so it has a header
		.bytes = (uint32_t)len,
		.took_us = clock_mono_us() - t->began_us,
	};
	upstream_ask_stop(a);
	try_next(t);
	return UPSTREAM_TAKEN;
}

// Why it has no reply: the failure of its connection, or of the one before it where none is opened
// for a while.
static void why_write(const struct upstream_try *t, char out[TLS_WHY_MAX])
{
	const struct upstream *s = &t->owner->server[t->server];

	if (s->tls.why_ms >= t->began_us / 1000 || s->tls.until_ms > t->began_us / 1000
		|| !s->tls.peer)
		snprintf(out, TLS_WHY_MAX, "%s", s->tls.why);
	if (!*out && s->https.why_ms >= t->began_us / 1000)
		snprintf(out, TLS_WHY_MAX, "%s", s->https.why);
}

static void on_ended(struct upstream_ask *a, enum upstream_end why)
{
	struct upstream_try *t = (struct upstream_try *)a;

	t->tried[t->transport].is_sent = why != UPSTREAM_END_NETWORK;
	if (t->is_tls)
		why_write(t, t->tried[t->transport].why);
	try_next(t);
}

static void try_begin(struct upstream_try *t)
{
	static const struct upstream_callbacks callbacks = {.reply = on_reply, .ended = on_ended};
	struct upstream_request request = {.callbacks = &callbacks,
		.is_check = true,
		.by_tcp = t->transport == 1,
		.only = t->server + 1};

	t->began_us = clock_mono_us();
	request.deadline_ms = t->began_us / 1000 + UPSTREAM_TRY_MS;
	request.question = upstream_checks_question(t->owner->checks, &request.question_len);
	upstream_ask_start(t->owner, &t->ask, &request);
}

// Its host name has no address, or none that is left for it.
static void nowhere_tried(const struct upstream *s, upstream_tried_fn done, void *arg)
{
	struct upstream_tried tried[UPSTREAM_TRANSPORTS] = {0};
	struct host_state h;

	(void)host_board_get(&s->config, &h);
	for (unsigned i = 0; i < UPSTREAM_TRANSPORTS; i++)
		if (h.count > 0)
			snprintf(tried[i].why, TLS_WHY_MAX,
				"other servers of the list have the addresses of the host name");
		else
			snprintf(tried[i].why, TLS_WHY_MAX, "the host name has no address%s%s",
				h.why[0] ? ": " : " yet", h.why);
	tried[1].is_tls = s->is_tls;
	tried[1].is_https = s->is_https;
	done(arg, 0, tried);
}

int upstreams_try(struct upstreams *u, const char *server, upstream_tried_fn done, void *arg)
{
	unsigned i = 0;

	while (i < u->count && !upstream_server_is_called(&u->server[i], server)
		&& !upstream_server_is_at(&u->server[i], server))
		i++;
	if (i == u->count)
		return -ENOENT;
	if (u->server[i].is_nowhere) {
		nowhere_tried(&u->server[i], done, arg);
		return 0;
	}
	if (u->trial)
		return -EBUSY;
	struct upstream_try *t = heap_calloc(1, sizeof(*t));
	if (!t)
		return -ENOMEM;
	t->owner = u;
	t->server = i;
	t->is_tls = u->server[i].is_tls;
	t->is_https = u->server[i].is_https;
	t->transport = t->is_tls; // not by UDP
	t->done = done;
	t->arg = arg;
	u->trial = t;
	try_begin(t);
	return 0;
}
