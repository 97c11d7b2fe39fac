// SPDX-License-Identifier: BSD-3-Clause
#include "miss.h"
#include "resolver_check.h"

// A list's `bad.example CNAME walled.garden.`: a client of bad.example waits for the answer
// for walled.garden, as one of those that ask for that name, in the client's own view: by local
// data, L0, a question in flight, the servers. So L0 has that answer under the target's name alone,
// and what it has for bad.example is for groups without that list. The CNAME comes in front when
// the client is answered. What the target is, or has for addresses, is checked by no other list:
// this one decided. Where it has no answer the client's group says how the name is blocked. Of
// several resolvers the one of the client's question asks, and stores the answer if its part of L0
// has the target's key.

// The target of a rule for a whole domain may be in it: it leads there, and itself nowhere.
static bool is_itself(const struct led *led)
{
	return dns_name_equal(&led->alias.target, &led->name);
}

static bool is_of_alias(const struct led *led, uint16_t qtype)
{
	return (qtype == DNS_TYPE_CNAME || qtype == DNS_TYPE_ANY) && !is_itself(led);
}

bool led_read(const struct resolver *r, const struct led *led, const struct dns_query *q,
	const struct dns_answer_view *view, struct dns_answer *out)
{
	const struct dns_chain chain = {
		.asked = &led->alias.target, .alias = &led->alias, .count = !is_itself(led)};
	struct dns_query target = *q;
	uint8_t msg[DNS_MESSAGE_MAX];
	size_t len = 0;

	target.name = led->alias.target;
	if (!is_of_alias(led, q->qtype)) {
		if (!view)
			return false;
		len = resolver_answer_message(msg, sizeof(msg), &target, view, 0);
	}
	return dns_answer_read_chain(len ? msg : NULL, len, &chain, q, 0, &r->set.ttl.limits, out)
		       == 0
	       && !out->truncated && out->kind != DNS_ANSWER_FAILURE;
}

// Answers by the local data of the client's group. False: the target is not local.
static bool led_to_local(struct resolver *r, const struct miss *m)
{
	struct dns_query q = m->query;
	struct policy_group group;
	uint8_t msg[DNS_MESSAGE_MAX];
	struct dns_answer answer;

	if (!answer_policy_knows_local(r->answer_policy, &q.name, q.qtype))
		return false;
	publisher_group_at(r->publisher, m->waiter.policy, m->waiter.group, &group);
	if (!answer_policy_is_local(r->answer_policy, &q.name, q.qtype, group.lists))
		return false;
	resolver_answer_question(msg, &q);
	const size_t len = answer_policy_local(r->answer_policy, &q, &group, msg, sizeof(msg));
	struct resolver_answer a = resolver_answer_fresh(r, NULL, 0);
	struct dns_answer_view view;
	if (dns_answer_read(msg, len, &m->query, &r->set.ttl.limits, &answer) == 0) {
		view = dns_answer_view_of(&answer);
		a.view = &view;
	}
	resolver_answer_one(r, &m->query, &m->waiter, &a);
	return true;
}

bool miss_led(
	struct resolver *r, const struct miss *m, const struct rule_ruling *ruling, uint64_t now_ms)
{
	struct led led = {.name = m->query.name, .d = ruling->d};
	struct miss on = *m;

	if (!answer_policy_lead(r->answer_policy, ruling, &m->query.name, &led.alias))
		return false;
	on.query.name = led.alias.target;
	on.waiter.led = &led;
	on.subnet = (struct ip_address){0};
	l0_key_of_query(l0_writer_reader(r->l0), &on.query, m->key.view, &on.key);
	if (is_of_alias(&led, m->query.qtype)) {
		const struct resolver_answer alone = resolver_answer_fresh(r, NULL, 0);
		resolver_answer_one(r, &on.query, &on.waiter, &alone);
	} else if (!led_to_local(r, &on)) {
		miss_resolve(r, &on, now_ms);
	}
	return true;
}
