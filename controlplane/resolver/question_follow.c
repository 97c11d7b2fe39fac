// SPDX-License-Identifier: BSD-3-Clause
#include "answer_policy/answer_records.h"
#include "question.h"
#include "resolver_answer.h"
#include "resolver_local.h"

#include <string.h>
#include <weir/clock.h>

// Chains that lead on. A server may answer with CNAMEs alone: one that does not recurse, for a name
// out of its zones (RFC 1034 4.3.2). Then weir asks for the name that they lead to (RFC 1034 5.3.3,
// 4c), as it would if its client asked for it: by local records and zones, local CNAMEs, safe
// search, forward zones. Where a chain goes through a name that is local, or in a forward zone of
// other servers, it counts as far as there, whatever the server says about that name. All CNAMEs
// that were read come out in front of what is found in the end (struct dns_chain); one chain has at
// most DNS_ANSWER_CNAME_MAX of them, local ones included, and all has to be done in the question's
// time.

enum { BEFORE_MAX = 8192 }; // bytes of the CNAMEs read, with their signatures

struct turn {
	struct dns_name name; // the name to go on with
	unsigned hops;        // CNAMEs of the reply to there; 0: all
	unsigned cnames;      // CNAMEs to there from the question on
};

// Would weir not have asked these servers for that name?
static bool goes_elsewhere(const struct question *q, const struct dns_name *name)
{
	const struct resolver *r = q->owner;
	const struct forward_zone *zone = question_zone(r, q->def, name, q->query.qtype);

	return (zone && zone->set != q->forward) || resolver_local_alias(r, q->def, name)
	       || resolver_is_local(r, q->def, name, question_asked_type(q));
}

// The next name that a CNAME of the answer leads to.
static bool target_next(struct answer_records *records, struct dns_name *out)
{
	struct answer_record record;

	while (answer_records_next(records, &record))
		if (record.type == DNS_TYPE_CNAME)
			return answer_record_target(records, &record, out);
	return false;
}

// False: the answer is whole.
static bool turn_find(const struct question *q, const struct dns_answer *answer, struct turn *out)
{
	const struct dns_answer_view view = dns_answer_view_of(answer);
	const unsigned known = answer->cname_count - answer->reply_cnames;
	struct answer_records records = answer_records_of(&q->query.name, &view);

	for (out->cnames = 1; out->cnames <= answer->cname_count; out->cnames++) {
		if (!target_next(&records, &out->name))
			return false;
		out->hops = out->cnames > known ? out->cnames - known : 0;
		if (out->hops && goes_elsewhere(q, &out->name))
			return true;
	}
	out->cnames = answer->cname_count;
	out->hops = 0;
	return answer->is_open;
}

bool question_leads_on(const struct question *q, const struct dns_answer *answer)
{
	struct turn turn;
	return answer->reply_cnames > 0 && turn_find(q, answer, &turn);
}

// Of all views with these servers.
static bool may_go_elsewhere(const struct resolver *r, const struct view *asked,
	const struct forward_set *set, const struct dns_name *name, uint16_t qtype)
{
	const struct forward_zone *zone = question_zone(r, asked, name, qtype);

	if ((zone && zone->set != set)
		|| (r->answer_policy && answer_policy_knows_local(r->answer_policy, name, qtype)))
		return true;
	for (unsigned i = 0; i < VIEWS_MAX; i++) {
		const struct view *view = views_at(r->views, i);
		if (view && view_asks_as(view) == asked->number
			&& question_renames(r, view, name, qtype))
			return true;
	}
	return false;
}

bool question_reply_leads_on(const struct resolver *r, const struct view *asked,
	const struct forward_set *set, const struct dns_query *q, const uint8_t *msg, size_t len)
{
	struct dns_answer answer;
	struct dns_name target;

	if (dns_answer_read(msg, len, q, &r->set.ttl.limits, &answer) < 0 || !answer.cname_count)
		return false;
	const struct dns_answer_view view = dns_answer_view_of(&answer);
	struct answer_records records = answer_records_of(&q->name, &view);
	while (target_next(&records, &target))
		if (may_go_elsewhere(r, asked, set, &target, q->qtype))
			return true;
	return false;
}

// Does the chain come to a name twice? A reply's own CNAMEs do not (dns_answer.h), but two replies,
// or one and local CNAMEs, may be a circle, or give a name two targets.
static bool is_circle(
	const struct question *q, const struct dns_answer *answer, const struct turn *turn)
{
	const struct dns_answer_view view = dns_answer_view_of(answer);
	struct answer_records records = answer_records_of(&q->query.name, &view);
	struct dns_name seen[DNS_ANSWER_CNAME_MAX + 1] = {q->query.name};

	for (unsigned i = 1; i <= turn->cnames; i++) {
		if (i == ARRAY_LEN(seen) || !target_next(&records, &seen[i]))
			return true;
		for (unsigned k = 0; k < i; k++)
			if (dns_name_equal(&seen[k], &seen[i]))
				return true;
	}
	return false;
}

bool question_answer_local(struct question *q)
{
	const struct resolver *r = q->owner;
	uint8_t msg[DNS_MESSAGE_MAX], made[DNS_MESSAGE_MAX];
	struct dns_query query = q->query;
	struct policy_group group;
	struct dns_answer answer;

	if (!resolver_is_local(r, q->def, question_asked(q), question_asked_type(q)))
		return false;
	question_note(q, TRACE_local, 0);
	if (!publisher_group_in_view(r->publisher, q->def->number, &group)) {
		question_refuse(q, DNS_EDE_OTHER);
		return true;
	}
	query.name = *question_asked(q);
	query.qtype = question_asked_type(q);
	resolver_answer_question(msg, &query);
	size_t len = answer_policy_local(r->answer_policy, &query, &group, msg, sizeof(msg));
	const uint8_t *reply = question_dns64_made(q, msg, &len, made);
	if (question_read(q, reply, len, &answer) < 0 || answer.truncated
		|| answer.kind == DNS_ANSWER_FAILURE)
		question_refuse(q, DNS_EDE_OTHER);
	else
		question_take(q, &answer, &(struct question_reply){NULL, 0, NULL, clock_mono_ms()});
	return true;
}

// The CNAMEs to there, as a message. Its length; 0: too long.
static size_t before_write(const struct question *q, const struct dns_answer *answer,
	uint32_t age_s, uint8_t before[BEFORE_MAX])
{
	const struct dns_answer_view view = dns_answer_view_of(answer);
	const size_t len = resolver_answer_message(before, BEFORE_MAX, &q->query, &view, age_s);
	return get_u16(before + 2) & DNS_FLAG_TC ? 0 : len;
}

bool question_follow(struct question *q, const uint8_t *msg, size_t len, uint32_t age_s,
	struct dns_answer *answer)
{
	struct resolver *r = q->owner;
	uint8_t before[BEFORE_MAX];
	struct turn turn;

	if (answer->cname_count == 0)
		return false;
	const bool leads_on = turn_find(q, answer, &turn);
	const bool is_joined = leads_on || answer->cname_count > answer->reply_cnames;
	const bool is_no_chain = is_joined && is_circle(q, answer, &turn);
	if (!leads_on && !is_no_chain)
		return false;
	upstream_ask_stop(&q->ask);
	question_l1_unlock(q);
	size_t before_len = 0;
	if (!is_no_chain
		&& (turn.hops == 0 || question_read_hops(q, msg, len, turn.hops, answer) == 0))
		before_len = before_write(q, answer, age_s, before);
	if (before_len == 0
		|| !question_direct_on(q, &turn.name, turn.cnames, before, before_len)) {
		r->count.unfollowed++;
		question_unanswered(q, DNS_EDE_OTHER);
		return true;
	}
	r->count.followed++;
	question_note(q, TRACE_followed, turn.cnames);
	if (!question_answer_local(q) && (q->def->no_cache || !question_l1_look(q)))
		question_ask(q);
	return true;
}
