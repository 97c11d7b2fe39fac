// SPDX-License-Identifier: BSD-3-Clause
#include "list_notify.h"

#include <string.h>
#include <time.h>
#include <weir/dns_reply.h>

enum { OPCODE_NOTIFY = 4, RCODE_NOTAUTH = 9 };

// A reply with a TSIG ends in it, so it has no OPT for the transport's options.
static uint16_t reply_write(const struct list_notify_message *m, uint16_t rcode,
	struct list_notify_reply *how, uint8_t *reply)
{
	const uint64_t now_s = (uint64_t)time(NULL);
	uint16_t sum;
	if (how->is_signed || how->tsig.error)
		m->query->has_opt = DNS_OPT_NONE;
	uint16_t len = dns_reply_rcode(reply, DNS_MESSAGE_MAX, m->query, rcode, DNS_EDE_NONE, &sum);
	if (how->is_signed)
		return (uint16_t)tsig_sign_reply(&how->tsig, reply, len, now_s);
	return how->tsig.error
		       ? (uint16_t)tsig_refuse_reply(&how->tsig, m->msg, m->len, reply, len, now_s)
		       : len;
}

enum verdict list_notify_answer(
	struct list_notify *z, const struct list_notify_message *m, uint8_t *reply, uint16_t *len)
{
	const struct dns_query *query = m->query;
	struct list_notify_reply how;
	struct ip_address from = {.version = (uint8_t)m->ip_version};

	if ((query->flags & DNS_FLAG_OPCODE) != OPCODE_NOTIFY << 11 || !z || !list_notify_any(z)
		|| !query->question_len || query->qtype != DNS_TYPE_SOA
		|| query->qclass != DNS_CLASS_IN)
		return VERDICT_miss;
	memcpy(from.bytes, m->client, from.version == 4 ? 4 : 16);
	enum list_notify_outcome outcome =
		list_notify_take(z, &from, &query->name, m->msg, m->len, &how);
	bool is_taken = outcome == LIST_NOTIFY_taken || outcome == LIST_NOTIFY_soon;
	uint16_t rcode = is_taken                            ? DNS_RCODE_NOERROR
			 : outcome == LIST_NOTIFY_not_server ? DNS_RCODE_REFUSED
							     : RCODE_NOTAUTH;
	*len = reply_write(m, rcode, &how, reply);
	explicit_bzero(&how, sizeof(how));
	return is_taken ? VERDICT_local : VERDICT_refused;
}

// The ring is not trusted: the message goes through the same parser as in the data plane. The
// cookie is the reply's, which the worker has made.
static bool notify_parse(
	const struct msg_miss *m, const uint8_t *question, struct list_notify_message *out)
{
	const uint8_t *cookie = question + m->question_len;
	struct dns_query *q = out->query;

	out->msg = cookie + (m->has_opt & DNS_OPT_COOKIE ? DNS_COOKIE_LEN : 0);
	out->len = m->whole_len;
	out->client = m->path.client_ip;
	out->ip_version = m->path.ip_version;
	if (m->whole_len > MSG_WHOLE_MAX || (out->ip_version != 4 && out->ip_version != 6)
		|| dns_query_parse(out->msg, out->len, q) != DNS_QUERY_NOTIMP
		|| q->question_len != m->question_len || q->question_len == 0)
		return false;
	if (m->has_opt & DNS_OPT_COOKIE && q->cookie_len) {
		q->has_opt |= DNS_OPT_COOKIE;
		memcpy(q->cookie, cookie, DNS_COOKIE_LEN);
	}
	return true;
}

bool list_notify_of_worker(struct list_notify *z, const struct msg_miss *m, const uint8_t *question,
	uint8_t *reply, struct msg_answer *head)
{
	struct dns_query q;
	struct list_notify_message notify = {.query = &q};
	uint16_t sum;

	*head = (struct msg_answer){
		.dp_incarnation = m->dp_incarnation,
		.arrival_ms = m->arrival_ms,
		.path = m->path,
		.verdict = ANSWER_UPSTREAM,
	};
	if (!notify_parse(m, question, &notify))
		return false;
	memcpy(reply, notify.msg, DNS_HEADER_LEN + (size_t)q.question_len);
	// The last such list may have gone since.
	if (list_notify_answer(z, &notify, reply, &head->dns_len) == VERDICT_miss)
		head->dns_len = dns_reply_rcode(
			reply, MSG_DNS_MAX, &q, DNS_RCODE_NOTIMP, DNS_EDE_NONE, &sum);
	head->sum = csum_partial(reply, head->dns_len);
	return true;
}
