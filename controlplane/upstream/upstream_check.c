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
// server share one check: who sets `is_checked` of its record sends it, and has it until the check
// is over, so a server has one under way at most. `check_at_ms` holds the others back for seven
// eighths of the interval.

#include "upstream_internal.h"

#include <errno.h>
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
	struct upstream_check one[CONFIG_UPSTREAMS_MAX]; // by the server's place
};

static void check_end(struct upstream_check *c)
{
	if (!c->health)
		return;
	upstream_ask_stop(&c->ask);
	upstream_health_set(c->health, is_checked, false);
	c->health = NULL;
}

static enum upstream_take on_reply(struct upstream_ask *a, const uint8_t *msg, size_t len)
{
	(void)msg, (void)len;
	check_end((struct upstream_check *)a);
	return UPSTREAM_TAKEN;
}

static void on_ended(struct upstream_ask *a, enum upstream_end why)
{
	(void)why;
	check_end((struct upstream_check *)a);
}

static const struct upstream_callbacks callbacks = {.reply = on_reply, .ended = on_ended};

void upstream_check_secure(struct upstream_ask *a)
{
	uint64_t now_ms = clock_mono_ms();

	if (a->callbacks != &callbacks)
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
	const struct upstream_request request = {.callbacks = &callbacks,
		.question = c->question,
		.question_len = c->question_len,
		.is_check = true,
		.only = server + 1,
		.deadline_ms = now_ms + CHECK_MS + (s->is_tls ? UPSTREAM_STREAM_HANDSHAKE_MS : 0)};
	upstream_ask_start(c->owner, a, &request);
	if (s->is_tls && c->one[server].health && upstream_tcp_is_asked(a->current))
		upstream_check_secure(a);
}

// It is the turn of the server, and of this set.
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

const uint8_t *upstream_checks_question(const struct upstream_checks *c, uint16_t *len)
{
	*len = c->question_len;
	return c->question;
}

void upstream_checks_configure(struct upstream_checks *c, const struct config_upstreams *config)
{
	const struct dns_name *name = &config->check_name;
	uint16_t len = name->len ? name->len : 1; // the root, where there is none

	memcpy(c->question, name->wire, len);
	put_u16(c->question + len, config->check_type ? config->check_type : DNS_TYPE_NS);
	put_u16(c->question + len + 2, DNS_CLASS_IN);
	c->question_len = len + 4;
	c->mode = config->check;
	c->interval_ms = config->check_interval_s * 1000;
	// A check that this change ended, or one that is far off by the last interval.
	for (unsigned i = 0; i < c->owner->count; i++)
		upstream_health_set(c->owner->server[i].health, check_at_ms, 0);
	event_del(c->timer);
	if (c->mode != UPSTREAM_CHECK_OFF)
		timer_start(c);
}
