// SPDX-License-Identifier: BSD-3-Clause

// Reports the result of a question: to the transport with the reply, and to the query log also
// without a reply.
#include "frontend_internal.h"
#include "querylog/querylog_row.h"

#include <string.h>
#include <weir/clock.h>

enum { OPTION_HEAD = 4 };

// Bytes of the options of the reply's OPT without an EDE.
static uint16_t options_least(const struct frontend *f, uint8_t has_opt)
{
	size_t nsid = has_opt & DNS_OPT_NSID ? strlen(f->set.identity.nsid) : 0;
	return (uint16_t)((has_opt & DNS_OPT_COOKIE ? OPTION_HEAD + DNS_COOKIE_LEN : 0)
			  + (nsid ? OPTION_HEAD + nsid : 0));
}

// The reply's OPT is the last record. It has these options, and then an EDE, with so many bytes of
// EXTRA-TEXT, or none (dns_reply.h).
static uint16_t opt_of(const uint8_t *msg, uint16_t len, uint16_t least, uint8_t text_len)
{
	const uint16_t behind[] = {least, least + DNS_OPT_EDE_LEN + text_len};
	for (unsigned i = 0; i < ARRAY_LEN(behind) && get_u16(msg + 10) > 0; i++) {
		unsigned size = DNS_OPT_FIXED_LEN + behind[i];
		const uint8_t *opt = msg + (len > size ? len - size : 0);
		if (len >= DNS_HEADER_LEN + size && opt[0] == 0 && get_u16(opt + 1) == DNS_TYPE_OPT
			&& get_u16(opt + 9) == behind[i])
			return (uint16_t)(len - size);
	}
	return 0;
}

// The EDE of a reply, where it is weir's last option, with the transport's behind it.
static int reply_ede(const struct frontend *f, const struct frontend_reply *reply, uint8_t has_opt)
{
	const int behind = DNS_OPT_FIXED_LEN + options_least(f, has_opt);
	const uint8_t *option = reply->msg + reply->opt + behind;
	if (!reply->opt || reply->len - reply->opt < behind + DNS_OPT_EDE_LEN
		|| get_u16(option) != DNS_EDNS_OPTION_EDE)
		return DNS_EDE_NONE;
	return get_u16(option + 4);
}

void frontend_reply_fill(const struct frontend *f, struct frontend_session *s, uint8_t *msg,
	uint16_t len, uint8_t has_opt, uint8_t ede_text_len, struct frontend_reply *out)
{
	*out = (struct frontend_reply){.msg = msg, .len = len};
	if (len == 0)
		return;
	if (has_opt)
		out->opt = opt_of(msg, len, options_least(f, has_opt), ede_text_len);
	if (s->complete)
		s->complete(s, out);
}

static void log_set(struct frontend *f, const struct config *config)
{
	enum log_detail detail = (enum log_detail)config_log_detail(config);
	resolver_log_set(f->log, config_log_sample(config), detail);
	f->kept.is_on = detail == LOG_DETAIL_MESSAGES;
}

int frontend_set_log(struct frontend *f, struct querylog *q, const struct config *config)
{
	int rc = resolver_log_source(f->log, q);
	if (rc < 0)
		return rc;
	f->logs = true;
	log_set(f, config);
	return 0;
}

void frontend_log_configure(struct frontend *f, const struct config *config)
{
	if (f->logs)
		log_set(f, config);
}

void frontend_end_log(struct frontend *f)
{
	resolver_log_end(f->log);
}

// `reply`: NULL where there is none.
static void log_end(struct frontend *f, const struct frontend_session *s,
	const struct frontend_slot *slot, const struct dns_query *q, struct resolver_logged what,
	const uint8_t *msg, const struct frontend_reply *reply)
{
	static const uint8_t over[FRONTEND_TRANSPORTS] = {[FRONTEND_TCP] = LOG_TCP,
		[FRONTEND_DOT] = LOG_TCP | LOG_TLS,
		[FRONTEND_DOH] = LOG_TLS};

	if (!resolver_log_is_on(f->log))
		return;
	what.query = q;
	what.asked = msg;
	what.reply = reply && reply->len ? reply->msg : NULL;
	what.reply_len = reply ? reply->len : 0;
	what.query_len = slot->query_len;
	what.arrival_us = slot->asked_us;
	what.group = slot->group;
	what.over = over[s->transport];
	resolver_log_client(f->log, &slot->client, &s->service, &what);
}

void frontend_log_answer(struct frontend *f, const struct frontend_session *s,
	const struct frontend_slot *slot, const struct dns_query *q, const uint8_t *msg,
	const struct frontend_reply *reply, const struct answer_source *source)
{
	if (!resolver_log_is_on(f->log))
		return;
	struct resolver_logged what = {.ede = reply_ede(f, reply, slot->has_opt)};
	resolver_log_answer(&what, source);
	log_end(f, s, slot, q, what, msg, reply);
}

void frontend_log_untold(struct frontend *f, const struct frontend_slot *slot)
{
	const struct resolver_logged what = {.ede = DNS_EDE_NONE,
		.verdict = LOG_VERDICT_UNANSWERED,
		.list = LOG_NO_LIST,
		.upstream = LOG_NO_UPSTREAM};
	log_end(f, slot->session, slot, NULL, what, slot->query, NULL);
}

bool frontend_is_unread(enum verdict v)
{
	return v == VERDICT_drop_dns_short || v == VERDICT_drop_dns_response
	       || v == VERDICT_drop_denied || v == VERDICT_drop_limited;
}

void frontend_log_settled(struct frontend *f, const struct frontend_session *s,
	const union client_address *client, const struct frontend_question *q, const uint8_t *msg,
	size_t len, enum verdict v, const struct frontend_reply *reply)
{
	static const uint8_t tiers[VERDICT_COUNT] = {
		[VERDICT_hit] = LOG_TIER_L0,
		[VERDICT_hit_stale] = LOG_TIER_STALE,
		[VERDICT_blocked_answer] = LOG_TIER_RULES,
		[VERDICT_blocked] = LOG_TIER_RULES,
		[VERDICT_local] = LOG_TIER_RULES,
		[VERDICT_drop_rule] = LOG_TIER_RULES,
	};
	if (!resolver_log_is_on(f->log) || v == VERDICT_drop_dns_short
		|| v == VERDICT_drop_dns_response)
		return;
	const struct frontend_slot slot = {.client = *client,
		.query_len = (uint16_t)len,
		.asked_us = clock_mono_us(),
		.group = group_in_image(q->group, frontend_policy_generation(&f->policy))};
	const struct resolver_logged what = {
		.ede = reply->len ? reply_ede(f, reply, q->query.has_opt) : DNS_EDE_NONE,
		.verdict = (uint8_t)v,
		.tier = tiers[v],
		.validation = q->validation,
		.list = q->list,
		.upstream = LOG_NO_UPSTREAM};
	log_end(f, s, &slot, frontend_is_unread(v) ? NULL : &q->query, what, msg, reply);
}
