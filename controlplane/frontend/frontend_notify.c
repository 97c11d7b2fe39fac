// SPDX-License-Identifier: BSD-3-Clause

// NOTIFY from servers of policy zones, which makes the list of the zone due.
#include "frontend_internal.h"
#include "rules/list_notify.h"

#include <string.h>
#include <time.h>
#include <weir/dns_query.h>
#include <weir/dns_reply.h>

enum { OPCODE_NOTIFY = 4, RCODE_NOTAUTH = 9 };

static void address_of(const union client_address *client, struct ip_address *out)
{
	unsigned version;
	const uint8_t *bytes = client_bytes(client, &version);
	*out = (struct ip_address){.version = (uint8_t)version};
	memcpy(out->bytes, bytes, version == 4 ? 4 : 16);
}

// A reply that is signed ends in its TSIG, so it has no OPT for the transport's options.
static void reply_write(struct frontend *f, struct frontend_question *q, uint16_t rcode,
	struct list_notify_reply *how, uint16_t *len)
{
	uint16_t sum;
	if (how->is_signed)
		q->query.has_opt = DNS_OPT_NONE;
	*len = dns_reply_rcode(f->reply, DNS_MESSAGE_MAX, &q->query, rcode, DNS_EDE_NONE, &sum);
	if (how->is_signed)
		*len = (uint16_t)tsig_sign_reply(&how->tsig, f->reply, *len, (uint64_t)time(NULL));
}

enum verdict frontend_notify(struct frontend *f, const union client_address *client,
	const uint8_t *msg, size_t size, struct frontend_question *q, uint16_t *len)
{
	const struct dns_query *query = &q->query;
	struct list_notify_reply how;
	struct ip_address from;
	bool is_notify = (query->flags & DNS_FLAG_OPCODE) == OPCODE_NOTIFY << 11;

	if (!is_notify || !f->notify || !list_notify_any(f->notify) || !query->question_len
		|| query->qtype != DNS_TYPE_SOA || query->qclass != DNS_CLASS_IN)
		return VERDICT_miss;
	address_of(client, &from);
	enum list_notify_outcome outcome =
		list_notify_take(f->notify, &from, &query->name, msg, size, &how);
	bool is_taken = outcome == LIST_NOTIFY_taken || outcome == LIST_NOTIFY_soon;
	uint16_t rcode = is_taken                            ? DNS_RCODE_NOERROR
			 : outcome == LIST_NOTIFY_not_server ? DNS_RCODE_REFUSED
							     : RCODE_NOTAUTH;
	reply_write(f, q, rcode, &how, len);
	explicit_bzero(&how, sizeof(how));
	return is_taken ? VERDICT_local : VERDICT_refused;
}
