// SPDX-License-Identifier: BSD-3-Clause
#include "question.h"
#include "resolver_answer.h"
#include "resolver_check.h"
#include "resolver_store.h"

#include <string.h>
#include <weir/clock.h>

// A question whose answer is validated (validator/validator.h): all of them where dnssec.validate
// is on, but those with CD, whose client validates itself.

bool question_validates(const struct question *q)
{
	const struct resolver *r = q->owner;
	return r->set.validates && !(q->key_flags & L0_KEY_CD);
}

bool question_may_have_ad(const struct question *q)
{
	const struct resolver *r = q->owner;
	return r->set.validates
		       ? question_validates(q)
		       : upstreams_trust_ad(q->forward ? q->forward->upstreams : q->def->upstreams);
}

// The servers of one query of the validator.
static bool servers_find(void *arg, uint16_t number, const struct dns_name *name, uint16_t qtype,
	struct validator_servers *out)
{
	struct resolver *r = arg;
	struct view *view = views_find(r->views, number);
	if (!view)
		return false;
	const struct forward_zone *zone = question_zone(r, view, name, qtype);

	view->users++;
	if (zone)
		zone->set->questions++;
	*out = (struct validator_servers){
		.upstreams = zone ? zone->set->upstreams : view->upstreams,
		.view = view,
		.set = zone ? zone->set : NULL,
	};
	return true;
}

static void servers_release(void *, const struct validator_servers *servers)
{
	struct view *view = servers->view;
	struct forward_set *set = servers->set;

	view->users--;
	if (set)
		set->questions--;
}

static bool leads_on(void *arg, const struct validator_servers *servers, const struct dns_query *q,
	const uint8_t *msg, size_t len)
{
	return question_reply_leads_on(arg, servers->view, servers->set, q, msg, len);
}

int question_validators_open(struct resolver *r)
{
	const struct validator_owner owner = {.arg = r,
		.servers = servers_find,
		.release = servers_release,
		.leads_on = leads_on};
	return validators_new(
		&r->validators, r->loop, resolver_share(r, VALIDATOR_QUESTIONS_MAX), &owner);
}

struct validator_settings question_trusted(const struct config_dnssec *d)
{
	return (struct validator_settings){
		.anchors = d->anchors,
		.keys = d->keys,
		.negative = d->negative,
		.negative_count = d->negative_count,
		.hash = d->hash,
	};
}

// Other servers have other answers above a name, too.
void question_validators_configure(struct resolver *r, const struct config *config)
{
	const uint64_t part[2] = {config->dnssec.hash, view_everyone_hash(config)};
	struct validator_settings set = question_trusted(&config->dnssec);

	set.hash = contenthash(part, sizeof(part));

	validators_configure(r->validators, &set);
	r->set.validates = config->dnssec.validate;
	r->set.dnssec = config->dnssec.hash;
}

// SERVFAIL that says why, and no stale record in its place, now or while the failure is remembered.
static void take_bogus(struct question *q, const struct validator_verdict *v)
{
	struct resolver *r = q->owner;
	const struct l0_key key = inflight_key(q);
	const uint64_t now_ms = clock_mono_ms();
	struct resolver_answer a = resolver_answer_bogus(v->ede);
	struct l0_view record;

	question_note(q, TRACE_bogus, (uint32_t)v->ede);
	failures_add_bogus(r->failures, q->hash, v->ede, now_ms);
	bogus_names_add(&r->bogus_names,
		&(struct bogus_question){q->hash, &q->query.name, q->query.qtype, q->view}, v->ede,
		v->why, now_ms);
	if (store_find(r, &key, &record) && l0_age_of(&record, now_ms) != L0_FRESH)
		(void)l0_writer_delete(r->l0, &key);
	a.text = v->why;
	resolver_answer_all(r, q, &a);
	question_finish(q, REFRESH_FAILED);
}

static void take_answer(struct question *q, const struct validator_verdict *v)
{
	struct resolver *r = q->owner;
	struct dns_answer answer;
	uint8_t made[DNS_MESSAGE_MAX];
	size_t len = v->len;
	const uint8_t *msg = question_dns64_made(q, v->msg, &len, made);

	l0_writer_look_ahead(r->l0, q->hash);
	int rc = question_read(q, msg, len, &answer);
	if (rc < 0 || answer.truncated || answer.kind == DNS_ANSWER_FAILURE) {
		question_note(q, TRACE_failed, get_u16(v->msg + 2) & DNS_FLAG_RCODE);
		question_unanswered(q, DNS_EDE_NO_REACHABLE_AUTHORITY);
		return;
	}
	if (question_follow(q, msg, len, 0, &answer) || question_dns64(q, msg, len, &answer))
		return;
	q->is_secure = v->end == VALIDATOR_SECURE && !q->dns64_ttl_s;
	question_note(q, TRACE_validated, q->is_secure);
	answer.authenticated = q->is_secure && !q->rewrite;
	answer.insecure = v->end == VALIDATOR_INSECURE && !q->dns64_ttl_s && !q->rewrite;
	question_take(q, &answer, &(struct question_reply){msg, len, NULL, clock_mono_ms()});
}

// The CNAME of the name, as a reply to the question: weir follows it.
static void take_alias(struct question *q, const struct validator_verdict *v)
{
	uint8_t msg[DNS_MESSAGE_MAX], made[DNS_MESSAGE_MAX];
	const size_t type_at = DNS_HEADER_LEN + question_asked(q)->len;
	struct dns_answer answer;
	size_t len = v->len;

	if (len >= type_at + 4 && len <= sizeof(msg)) {
		memcpy(msg, v->msg, len);
		put_u16(msg + type_at, question_asked_type(q));
		const uint8_t *reply = question_dns64_made(q, msg, &len, made);
		if (question_read(q, reply, len, &answer) == 0 && answer.reply_cnames > 0
			&& question_follow(q, reply, len, 0, &answer))
			return;
	}
	question_unanswered(q, DNS_EDE_NO_REACHABLE_AUTHORITY);
}

static void on_alias(void *arg, const struct validator_verdict *v)
{
	struct question *q = arg;

	if (v->end == VALIDATOR_BOGUS)
		take_bogus(q, v);
	else if (v->end == VALIDATOR_SECURE || v->end == VALIDATOR_INSECURE)
		take_alias(q, v);
	else
		question_unanswered(q, DNS_EDE_NO_REACHABLE_AUTHORITY);
}

static void validate(struct question *q, uint16_t qtype, validator_done_fn done);

static void on_verdict(void *arg, const struct validator_verdict *v)
{
	struct question *q = arg;

	if (v->end == VALIDATOR_BOGUS)
		take_bogus(q, v);
	else if (v->end == VALIDATOR_FAILED)
		question_unanswered(q, DNS_EDE_NO_REACHABLE_AUTHORITY);
	else if (v->end == VALIDATOR_LED)
		validate(q, DNS_TYPE_CNAME, on_alias);
	else
		take_answer(q, v);
}

static void validate(struct question *q, uint16_t qtype, validator_done_fn done)
{
	struct resolver *r = q->owner;
	const struct validator_question question = {
		.name = question_asked(q),
		.qtype = qtype,
		.view = (uint16_t)view_asks_as(q->def),
		.deadline_ms = q->born_ms + QUESTION_LIFE_MS,
		.done = done,
		.arg = q,
	};

	question_note(q, TRACE_validator_asked, 0);
	if (validators_ask(r->validators, &question, &q->validation) < 0)
		question_unanswered(q, DNS_EDE_OTHER);
}

void question_validate(struct question *q)
{
	validate(q, question_asked_type(q), on_verdict);
}
