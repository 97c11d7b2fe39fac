// SPDX-License-Identifier: BSD-3-Clause
// What an ask does when one of its legs has a reply, or fails.

#include "upstream_internal.h"

#include <string.h>
#include <weir/clock.h>
#include <weir/log_msg.h>

// Closes the leg. The wait for other legs goes on; the one aside is waited for now.
static void leg_done(struct upstream_leg *leg)
{
	struct upstream_ask *a = leg->ask;

	if (leg->tcp)
		upstream_tcp_end(leg);
	else
		upstream_leg_close(leg);
	if (a->current && upstream_leg_is_awaited(a->current))
		return;
	struct upstream_leg *aside = a->tcp_wanted ? NULL : upstream_leg_aside_take(a);
	if (aside && aside->generation == a->owner->generation)
		upstream_ask_wait(a, aside,
			upstream_server_wait_ms(&a->owner->server[aside->server],
				a->owner->first_timeout_ms, aside->sends),
			clock_mono_ms());
	else
		upstream_ask_next(a);
}

// What the reply says of the client's subnet. False: it is for another one.
static bool subnet_take(struct upstream_leg *leg, const uint8_t *msg, size_t len)
{
	struct upstream_ask *a = leg->ask;
	const struct upstream *s = upstream_leg_server(leg);

	a->scope = UPSTREAM_NO_SCOPE;
	if (leg->subnet && !upstream_subnet_scope(msg, len, &a->subnet, &a->scope)) {
		a->owner->totals.subnet_mismatched++;
		upstream_leg_count_bad(leg);
		return false;
	}
	a->is_unproven =
		!leg->tcp && a->scope == UPSTREAM_NO_SCOPE && !(s && s->config.is_recursion);
	// To a query without the option: for weir's own network, so for no other client.
	if (!leg->subnet && a->subnet.version)
		a->scope = a->subnet.prefix_len;
	return true;
}

// How a query was sent, of what its leg and ask no longer say once its reply is taken.
struct manner {
	bool edns, option, subnet, mixed_case;        // with these
	bool without_option, without_subnet, plainly; // once more, without
	struct upstream_outdid others;
};

static struct manner manner_of(const struct upstream_leg *leg, const struct upstream *s)
{
	const struct upstream_ask *a = leg->ask;
	const bool without = s && (a->no_option >> leg->server & 1);
	const uint32_t others = s ? ~(1u << leg->server) : 0, silent = a->silent & ~a->failing;

	return (struct manner){
		.edns = leg->edns,
		.option = leg->option,
		.subnet = leg->subnet,
		.mixed_case = leg->mixed_case,
		.without_option = without && leg->tcp,
		.without_subnet =
			s && leg->edns && ((a->no_subnet & ~a->subnet_refused) >> leg->server & 1),
		.plainly = s && !without && (a->plain >> leg->server & 1),
		.others = {.blamed = a->blamed & others,
			.silent = silent & others,
			.zone = (a->blamed | silent) & others ? upstream_ask_subject(a) : 0},
	};
}

// An answer that is used tells what the server takes.
static void lacks_learn(struct upstream *s, const struct manner *m, uint64_t now_ms)
{
	upstream_server_lack(s, &s->no_edns, m->edns, m->plainly, now_ms);
	upstream_server_lack(s, &s->no_option, m->option, m->without_option, now_ms);
	upstream_server_lack(s, &s->no_subnet, m->subnet, m->without_subnet, now_ms);
	if (m->mixed_case && s->no_case.until_ms)
		s->no_case = (struct upstream_lack){0};
}

enum upstream_take upstream_replied(struct upstream_leg *leg, uint8_t *msg, size_t len)
{
	struct upstream_ask *a = leg->ask;
	struct upstreams *u = a->owner;
	struct upstream *s = upstream_leg_server(leg);
	bool udp = !leg->tcp;
	uint64_t now_us = clock_mono_us(), took_us = now_us - leg->first_sent_us;
	uint64_t rtt_us = (udp || leg->measures) && leg->sends == 1 ? took_us + !took_us : 0;
	const struct manner manner = manner_of(leg, s);
	bool is_check = a->is_check;

	if (!subnet_take(leg, msg, len))
		return UPSTREAM_IGNORED;
	memcpy(msg + DNS_HEADER_LEN, a->question, a->question_len);
	// A repeated query may be answered twice.
	leg->answered = leg->sends == 1;
	upstream_note(a, TRACE_reply, upstream_leg_index(leg), 0, took_us);
	a->answered_by = s ? s->number : LOG_NO_UPSTREAM;
	a->trusts_ad = s && s->config.trust_ad;
	a->replied_ms = now_us / 1000;
	enum upstream_take take = a->callbacks->reply(a, msg, len);
	if (take == UPSTREAM_IGNORED) {
		leg->answered = false;
		upstream_leg_count_bad(leg);
		return take;
	}
	if (s && is_check)
		upstream_server_checked(s, rtt_us, now_us);
	if (is_check)
		return take;
	if (s)
		upstream_server_answered(s, rtt_us, now_us);
	u->totals.replies++;
	if (s)
		upstream_server_count(s, rtt_us, take == UPSTREAM_FAILED);
	if (take == UPSTREAM_TAKEN) { // ask and leg are gone
		if (s) {
			lacks_learn(s, &manner, now_us / 1000);
			upstream_server_outdid(u, s, &manner.others, now_us);
		}
		return take;
	}
	a->any_reply = true;
	if (take == UPSTREAM_TRUNCATED && udp) {
		upstream_go_tcp(leg, true);
		return take;
	}
	if (upstream_leg_is_too_old(leg, msg, len)) {
		// REFUSED may be for this name or client alone: no word on the option.
		if (s && (get_u16(msg + 2) & DNS_FLAG_RCODE) == DNS_RCODE_REFUSED)
			a->subnet_refused |= 1u << leg->server;
		upstream_go_plain(leg);
		return take;
	}
	if (s) {
		a->failed |= 1u << leg->server;
		a->failing |= 1u << leg->server;
		a->blamed |= (uint32_t)upstream_reply_blames(msg, len) << leg->server;
	}
	leg_done(leg);
	return take;
}

// Not counted as one of the server's sends: its refusal does not concern the question. The cause
// may be the client's subnet, which goes first. Over TCP the cause may be the keepalive option,
// which is in the OPT.
void upstream_go_plain(struct upstream_leg *leg)
{
	struct upstream_ask *a = leg->ask;
	uint32_t bit = upstream_leg_server(leg) ? 1u << leg->server : 0;

	upstream_note(a, leg->subnet ? TRACE_without_subnet : TRACE_without_edns,
		upstream_leg_index(leg), 0, 0);
	a->any_reply = true;
	*(leg->subnet ? &a->no_subnet : &a->plain) |= bit;
	if (leg->option && !leg->subnet)
		a->no_option |= bit;
	if (bit && (!leg->tcp || leg->is_tls))
		a->sends_to[leg->server] -= a->sends_to[leg->server] > 0;
	else
		a->tcp_wanted |= bit;
	leg_done(leg);
}

bool upstream_can_tcp(const struct upstream_leg *leg)
{
	const struct upstream_ask *a = leg->ask;
	return upstream_leg_server(leg) && !((a->tcp_tried | a->tcp_wanted) >> leg->server & 1)
	       && a->sends < upstream_sends_max(a) && clock_mono_ms() < a->deadline_ms;
}

void upstream_go_tcp(struct upstream_leg *leg, bool truncated)
{
	struct upstream_ask *a = leg->ask;
	uint32_t bit = upstream_leg_server(leg) ? 1u << leg->server : 0;

	if (truncated)
		a->truncated |= bit;
	if (upstream_can_tcp(leg)) {
		a->tcp_wanted |= bit;
		// At once, unless another try is under way: that one is `current`.
		if (!a->tcp)
			a->current = NULL;
	} else {
		upstream_without_tcp(a, bit);
	}
	leg_done(leg);
}

void upstream_tcp_wait(struct upstream_leg *leg, unsigned longest_ms)
{
	if (leg->ask->current == leg)
		upstream_ask_wait(leg->ask, leg, longest_ms, clock_mono_ms());
}

void upstream_tcp_failed(struct upstream_leg *leg)
{
	uint32_t bit = upstream_leg_server(leg) ? 1u << leg->server : 0;

	if (leg->is_tls)
		leg->ask->failed |= bit;
	else
		upstream_without_tcp(leg->ask, bit);
	leg_done(leg);
}
