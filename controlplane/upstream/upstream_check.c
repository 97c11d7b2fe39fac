// SPDX-License-Identifier: BSD-3-Clause
// Checks: queries of weir's own to a server, to see whether it answers. Resolver loop's thread
// only.
//
// A check is one query, over UDP or TLS as its server is asked, for the configured name and type,
// in lower case and without an OPT (what any server understands), over UDP from a socket of its own
// with an id of its own. Any reply with its id and question will do: a server that refuses the name
// is there. It counts as the server's reply, and its round trip as one, but not as a client's
// query. A check without a reply within CHECK_MS counts as one more silence. Over TLS that time
// begins after the handshake, which has UPSTREAM_STREAM_HANDSHAKE_MS: it takes three round trips
// and the server's signature.
//
// A set begins checks by a timer of about `check_interval` (an eighth more or less, drawn each
// time), and at once when a server leaves a query unanswered. Sets and threads that have the same
// server share one check: the set that sets `is_checked` of its record sends the check, and has it
// until it is over, so a server has at most one check in flight. `check_at_ms` holds the others
// back for seven eighths of the interval.
//
// An operator may try a server: a query by UDP and then one over TCP, but for recursion. The trial
// ends with the list of servers or with the set at the latest.

#include "route/host_board.h"
#include "upstream_candidate.h"
#include "upstream_internal.h"
#include "upstream_stream.h"

#include <event2/event.h>

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <weir/bytes.h>
#include <weir/clock.h>
#include <weir/heap_site.h>

enum { CHECK_MS = 800 };

// `ask` comes first: an ask of a check is one of these.
struct upstream_check {
	struct upstream_ask ask;
	struct upstream_health *health;
};

struct upstream_checks {
	struct upstreams *owner;
	struct event *timer;
	enum upstream_check_mode mode;
	unsigned interval_ms;
	uint16_t question_len;
	uint8_t question[UPSTREAM_QUESTION_MAX];
	struct upstream_check one[CONFIG_UPSTREAMS_MAX]; // one for each place of the list
};

static void try_next(struct upstream_try *t);

static void check_end(struct upstream_check *c)
{
	if (!c->health)
		return;
	upstream_ask_stop(&c->ask);
	upstream_health_set(c->health, is_checked, false);
	c->health = NULL;
}

static enum upstream_take on_check_reply(struct upstream_ask *a, const uint8_t *msg, size_t len)
{
	(void)msg, (void)len;
	check_end((struct upstream_check *)a);
	return UPSTREAM_TAKEN;
}

static void on_check_ended(struct upstream_ask *a, enum upstream_end why)
{
	(void)why;
	check_end((struct upstream_check *)a);
}

static const struct upstream_callbacks check_callbacks = {
	.reply = on_check_reply, .ended = on_check_ended};

void upstream_check_secure(struct upstream_ask *a)
{
	uint64_t now_ms = clock_mono_ms();

	if (a->callbacks != &check_callbacks)
		return;
	a->deadline_ms = now_ms + CHECK_MS;
	upstream_ask_wait(a, a->current, CHECK_MS, now_ms);
}

void upstream_check_now(struct upstream_checks *c, unsigned server)
{
	const struct upstream *s = &c->owner->server[server];
	struct upstream_health *h = s->health;
	struct upstream_ask *a = &c->one[server].ask;
	uint64_t now_ms = clock_mono_ms();

	if (c->mode == UPSTREAM_CHECK_OFF || upstream_health_get(h, is_checked)
		|| atomic_exchange_explicit(&h->is_checked, true, memory_order_relaxed))
		return;
	c->one[server].health = h;
	upstream_health_set(h, check_at_ms, now_ms + c->interval_ms * 7 / 8);
	const struct upstream_request request = {.callbacks = &check_callbacks,
		.question = c->question,
		.question_len = c->question_len,
		.is_check = true,
		.only = server + 1,
		.deadline_ms = now_ms + CHECK_MS + (s->is_tls ? UPSTREAM_STREAM_HANDSHAKE_MS : 0)};
	upstream_ask_start(c->owner, a, &request);
	if (s->is_tls && c->one[server].health && upstream_tcp_is_asked(a->current))
		upstream_check_secure(a);
}

// Is a check of the server due? If so it is this set's to send.
static bool is_due(const struct upstream_checks *c, unsigned server, uint64_t now_ms)
{
	struct upstream_health *h = c->owner->server[server].health;
	uint64_t at_ms = upstream_health_get(h, check_at_ms);

	if (c->owner->server[server].is_nowhere)
		return false;
	if (c->mode != UPSTREAM_CHECK_ALL && upstream_health_get(h, silent) == 0)
		return false;
	return now_ms >= at_ms
	       && atomic_compare_exchange_strong_explicit(&h->check_at_ms, &at_ms,
		       now_ms + c->interval_ms * 7 / 8, memory_order_relaxed, memory_order_relaxed);
}

static void timer_start(struct upstream_checks *c)
{
	unsigned eighth_ms = c->interval_ms / 8;
	unsigned ms = c->interval_ms - eighth_ms + rng_u16(&c->owner->rng) % (2 * eighth_ms + 1);

	event_add(c->timer,
		&(struct timeval){.tv_sec = ms / 1000, .tv_usec = (suseconds_t)(ms % 1000) * 1000});
}

static void on_timer(evutil_socket_t fd, short what, void *arg)
{
	struct upstream_checks *c = arg;
	uint64_t now_ms = clock_mono_ms();
	(void)fd, (void)what;

	for (unsigned i = 0; i < c->owner->count; i++)
		if (is_due(c, i, now_ms))
			upstream_check_now(c, i);
	timer_start(c);
}

int upstream_checks_new(struct upstream_checks **out, struct upstreams *u)
{
	struct upstream_checks *c = heap_calloc(1, sizeof(*c));
	if (!c)
		return -ENOMEM;
	c->owner = u;
	c->timer = event_new(loop_base(u->loop), -1, 0, on_timer, c);
	if (!c->timer) {
		heap_free(c);
		return -ENOMEM;
	}
	*out = c;
	return 0;
}

void upstream_checks_stop(struct upstream_checks *c)
{
	for (unsigned i = 0; i < CONFIG_UPSTREAMS_MAX; i++)
		check_end(&c->one[i]);
}

void upstream_checks_free(struct upstream_checks *c)
{
	if (!c)
		return;
	upstream_checks_stop(c);
	event_free(c->timer);
	heap_free(c);
}

// The question of a check, also where checks are off.
static const uint8_t *checks_question(const struct upstream_checks *c, uint16_t *len)
{
	*len = c->question_len;
	return c->question;
}

void upstream_checks_configure(struct upstream_checks *c, const struct config_upstreams *config)
{
	const struct dns_name *name = &config->check_name;
	uint16_t len = name->len ? name->len : 1; // the root, where no name is configured

	memcpy(c->question, name->wire, len);
	put_u16(c->question + len, config->check_type ? config->check_type : DNS_TYPE_NS);
	put_u16(c->question + len + 2, DNS_CLASS_IN);
	c->question_len = len + 4;
	c->mode = config->check;
	c->interval_ms = config->check_interval_s * 1000;
	// A check is due now: this change may have ended one, and the old interval may be long.
	for (unsigned i = 0; i < c->owner->count; i++)
		upstream_health_set(c->owner->server[i].health, check_at_ms, 0);
	event_del(c->timer);
	if (c->mode != UPSTREAM_CHECK_OFF)
		timer_start(c);
}

// `ask` comes first: an ask of a trial is one of these.
struct upstream_try {
	struct upstream_ask ask;
	struct upstreams *owner;
	unsigned server, transport;
	bool is_tls, is_https;
	uint64_t began_us;
	struct upstream_tried tried[UPSTREAM_TRANSPORTS]; // [0] by UDP, [1] over TCP
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

static enum upstream_take on_try_reply(struct upstream_ask *a, const uint8_t *msg, size_t len)
{
	struct upstream_try *t = (struct upstream_try *)a;

	t->tried[t->transport] = (struct upstream_tried){
		.is_sent = true,
		.is_answered = true,
		.flags = get_u16(msg + 2), // it matched the question, so it has a header
		.bytes = (uint32_t)len,
		.took_us = clock_mono_us() - t->began_us,
		.is_signed = t->owner->is_apart && upstream_answer_is_signed(msg, len),
	};
	upstream_ask_stop(a);
	try_next(t);
	return UPSTREAM_TAKEN;
}

// Why the trial has no reply: the failure of its connection, or of the one before it while weir
// opens no new one.
static void why_write(const struct upstream_try *t, char out[TLS_WHY_MAX])
{
	const struct upstream *s = &t->owner->server[t->server];

	if (s->tls.why_ms >= t->began_us / 1000 || s->tls.until_ms > t->began_us / 1000
		|| !s->tls.peer)
		snprintf(out, TLS_WHY_MAX, "%s", s->tls.why);
	if (!*out && s->https.why_ms >= t->began_us / 1000)
		snprintf(out, TLS_WHY_MAX, "%s", s->https.why);
}

static void on_try_ended(struct upstream_ask *a, enum upstream_end why)
{
	struct upstream_try *t = (struct upstream_try *)a;

	t->tried[t->transport].is_sent = why != UPSTREAM_END_NETWORK;
	if (t->is_tls)
		why_write(t, t->tried[t->transport].why);
	try_next(t);
}

static void try_begin(struct upstream_try *t)
{
	static const struct upstream_callbacks callbacks = {
		.reply = on_try_reply, .ended = on_try_ended};
	struct upstream_request request = {.callbacks = &callbacks,
		.is_check = !t->owner->is_apart,
		.dnssec_ok = t->owner->is_apart,
		.by_tcp = t->transport == 1,
		.only = t->server + 1};
	// A set apart has no connection yet.
	const bool is_new = t->owner->is_apart && t->is_tls;

	t->began_us = clock_mono_us();
	request.deadline_ms =
		t->began_us / 1000 + UPSTREAM_TRY_MS + (is_new ? UPSTREAM_STREAM_HANDSHAKE_MS : 0);
	request.question = checks_question(t->owner->checks, &request.question_len);
	upstream_ask_start(t->owner, &t->ask, &request);
}

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

// Tries a server whose host name has no address, or no address that is left for it.
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
