// SPDX-License-Identifier: BSD-3-Clause
// What queries over HTTPS mean for their legs and servers.

#include "upstream_age.h"
#include "upstream_https_parts.h"

#include <errno.h>
#include <stdio.h>
#include <sys/socket.h>
#include <weir/bytes.h>
#include <weir/clock.h>
#include <weir/log.h>

const char *const upstream_https_failure_names[UPSTREAM_HTTPS_FAILURE_COUNT] = {
#define X(name, text) [UPSTREAM_HTTPS_##name] = #name,
	UPSTREAM_HTTPS_FAILURES(X)
#undef X
};

static struct upstream *server_of(const struct upstream_https *h)
{
	struct upstreams *u = h->owner;

	for (unsigned i = 0; i < u->count; i++)
		if (u->server[i].tls.https == h)
			return &u->server[i];
	return NULL;
}

// Its bytes leave now: the wait for a connection is no part of its round trip.
static void leg_sent(struct upstream_leg *leg, struct upstream *s, bool again)
{
	struct upstream_ask *a = leg->ask;

	leg->last_sent_us = clock_mono_us();
	if (!again)
		leg->first_sent_us = leg->last_sent_us;
	leg->measures = !again;
	upstream_note(a, TRACE_tcp_sent, upstream_leg_index(leg), a->sends, 0);
	if (a->is_check)
		upstream_check_secure(a);
	else
		upstream_tcp_wait(leg, s ? upstream_tls_wait_ms(leg) : UPSTREAM_TCP_MS);
}

bool upstream_https_sent(struct upstream_https_query *q, const struct ssl_st *tls)
{
	struct upstream_https *h = q->pool;
	struct upstream *s = server_of(h);
	bool again = q->sent_ms != 0;

	if (tls && !tls_lent_is_good(tls)) { // nobody else is to use it
		const struct upstream_https_socket *made = upstream_https_socket(q);
		q->is_expired = true;
		if (made)
			shutdown(made->fd, SHUT_RDWR);
		return false;
	}
	if (tls)
		h->is_silent = false;
	if (tls && s) {
		char about[TLS_ABOUT_MAX];
		upstream_tls_done(s, tls_lent_is_resumed(tls), tls_lent_about(tls, about));
		s->tcp_opened++;
	}
	q->is_first |= tls != NULL;
	q->sent_ms = clock_mono_ms();
	if (!q->leg || !q->leg->ask->is_check)
		upstream_server_sent(h->owner, s);
	if (q->leg)
		leg_sent(q->leg, s, again);
	return true;
}

static void place_clear(struct upstream_https_query *q)
{
	if (q->place)
		*q->place = NULL;
	q->place = NULL;
	q->leg = NULL;
}

// While the leg has its query it is known to have been sent.
static void leg_failed(struct upstream_https_query *q, struct upstream_leg *leg, bool is_silence)
{
	leg->refused = true;
	if (is_silence)
		upstream_wait_over(leg);
	place_clear(q);
	upstream_tcp_failed(leg);
}

// One of all who waited for the handshake counts its failure as an unanswered query.
static void leg_without(struct upstream_https_query *q, struct upstream *s, bool *missed)
{
	struct upstream_leg *leg = q->leg;

	place_clear(q);
	if (!leg)
		return;
	if (s && leg->ask->is_check && !*missed)
		atomic_fetch_add_explicit(&s->health->checks_failed, 1, memory_order_relaxed);
	const bool is_silence = *missed;
	*missed = false;
	leg_failed(q, leg, is_silence);
}

static void handshake_failed(struct upstream_https_query *q, const char *why)
{
	struct upstream_https *h = q->pool;
	struct upstream *s = server_of(h);
	struct upstream_https_query *next;
	char verdict[TLS_WHY_MAX];
	enum tls_failure f = tls_peer_verdict(h->peer, verdict);

	if (f < TLS_FAILURE_COUNT)
		why = verdict;
	else
		f = q->is_expired ? TLS_FAILURE_certificate : TLS_FAILURE_handshake;
	bool missed = s && upstream_tls_failed(s, f, why) && !h->is_silent;
	h->is_silent = false;
	leg_without(q, s, &missed);
	while ((next = upstream_https_unsent(h))) {
		leg_without(next, s, &missed);
		upstream_https_put(next);
	}
}

// UPSTREAM_HTTPS_FAILURE_COUNT: it is a DNS message.
static enum upstream_https_failure judge(const struct upstream_https_query *q, int err,
	const struct http_transfer_result *result, char why[UPSTREAM_HTTPS_WHY_MAX])
{
	enum upstream_https_failure f = UPSTREAM_HTTPS_FAILURE_COUNT;
	const bool is_long = q->reply_len > DNS_MESSAGE_MAX || err == -EFBIG;

	why[0] = '\0';
	if (err < 0 && !is_long) {
		f = UPSTREAM_HTTPS_connection;
		snprintf(why, UPSTREAM_HTTPS_WHY_MAX, "%s", result->why);
	} else if (result->status != 200) { // a page that says so may be of any length
		f = UPSTREAM_HTTPS_status;
		snprintf(why, UPSTREAM_HTTPS_WHY_MAX, "HTTP status %u", result->status);
	} else if (is_long) {
		f = UPSTREAM_HTTPS_body;
		snprintf(why, UPSTREAM_HTTPS_WHY_MAX, "a body of more than %u bytes",
			DNS_MESSAGE_MAX);
	} else if (!q->is_typed) {
		f = UPSTREAM_HTTPS_type;
		snprintf(why, UPSTREAM_HTTPS_WHY_MAX, "the reply is no application/dns-message");
	} else if (q->reply_len < DNS_HEADER_LEN) {
		f = UPSTREAM_HTTPS_body;
		snprintf(why, UPSTREAM_HTTPS_WHY_MAX, "a body of %u bytes", q->reply_len);
	}
	return f;
}

static void counts_add(const struct upstream_https_query *q, enum upstream_https_failure f,
	const struct http_transfer_result *result, const char *why)
{
	struct upstream *s = server_of(q->pool);

	if (!s)
		return;
	if (result->version)
		s->https.version = result->version;
	s->https.why_ms = clock_mono_ms();
	if (f == UPSTREAM_HTTPS_status) {
		s->https.status = result->status;
		s->https.status_ms = s->https.why_ms;
	}
	snprintf(s->https.why, sizeof(s->https.why), "%s", why);
	if (f == UPSTREAM_HTTPS_FAILURE_COUNT) {
		s->https.replies++;
		return;
	}
	s->https.failed[f]++;
	s->failures += q->leg && !q->leg->ask->is_check && f != UPSTREAM_HTTPS_connection;
	if (upstream_tls_may_log(s))
		log_warning("upstream %s: no answer over HTTPS (%s): %s", s->name,
			upstream_https_failure_names[f], why);
}

// The server has said what is no answer, or nothing: as good as silence, but known at once. The end
// of a connection that others use too says nothing of the server, as over TCP: the query goes to
// another one.
static void no_reply(struct upstream_https_query *q, struct upstream_leg *leg,
	enum upstream_https_failure f, bool is_late)
{
	if (f == UPSTREAM_HTTPS_connection && !q->is_first && !is_late) {
		place_clear(q);
		if (!upstream_tcp_again(leg))
			leg_failed(q, leg, false);
		return;
	}
	leg->ask->any_reply |= f != UPSTREAM_HTTPS_connection;
	leg_failed(q, leg, true);
}

static void reply(struct upstream_https_query *q, struct upstream_leg *leg)
{
	uint8_t *msg = q->reply;
	const size_t len = q->reply_len;

	if (q->age_s > 0)
		upstream_age_apply(msg, len, q->age_s);
	bool is_bare = upstream_leg_is_bare_refusal(leg, msg, len);
	if (!is_bare && !upstream_leg_matches(leg, msg, len, false)) {
		upstream_leg_count_bad(leg);
		leg_failed(q, leg, true);
		return;
	}
	place_clear(q);
	if (is_bare) {
		upstream_go_plain(leg);
	} else if (upstream_replied(leg, msg, len) == UPSTREAM_IGNORED) {
		upstream_tcp_failed(leg);
	}
}

void upstream_https_ended(
	struct upstream_https_query *q, int err, const struct http_transfer_result *result)
{
	struct upstream_leg *leg = q->leg;
	char why[UPSTREAM_HTTPS_WHY_MAX];

	if (result && !q->sent_ms && !q->is_refused
		&& !(err == -ETIMEDOUT && upstream_https_waits_for_reply(q->pool))) {
		handshake_failed(q, result->why);
		return;
	}
	if (!result || !q->sent_ms) {
		if (leg)
			leg_failed(q, leg, false);
		return;
	}
	enum upstream_https_failure f = judge(q, err, result, why);
	counts_add(q, f, result, why);
	q->pool->owner->https_stats.late += !leg && f == UPSTREAM_HTTPS_FAILURE_COUNT;
	if (leg && f < UPSTREAM_HTTPS_FAILURE_COUNT)
		no_reply(q, leg, f, err == -ETIMEDOUT);
	else if (leg)
		reply(q, leg);
}
