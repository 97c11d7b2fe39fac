// SPDX-License-Identifier: BSD-3-Clause
// Servers that fail, or leave, what others of their set answer.

#include "lists/zone_suffix.h"
#include "upstream_internal.h"

#include <weir/clock.h>
#include <weir/dns_query.h>
#include <weir/log.h>

uint32_t upstream_ask_zone(const struct upstream_ask *a)
{
	struct rd r = rd_init(a->question, a->question_len);
	struct dns_name name;

	return dns_name_read(&r, &name) == 0 ? zone_key(&name, &a->owner->secret) : 0;
}

uint32_t upstream_ask_subject(const struct upstream_ask *a)
{
	struct rd r = rd_init(a->question, a->question_len);
	struct dns_name name;

	if (!a->owner->is_for_zones || dns_name_read(&r, &name) < 0)
		return upstream_ask_zone(a);
	return (uint32_t)keyhash(&a->owner->secret, name.wire, name.len);
}

// DNSSEC of the name, or a block of it.
static bool is_of_the_name(unsigned ede)
{
	return ede == DNS_EDE_DNSKEY_ALGORITHM || ede == DNS_EDE_DS_DIGEST
	       || (ede >= DNS_EDE_DNSSEC_INDETERMINATE && ede <= DNS_EDE_NSEC_MISSING)
	       || (ede >= DNS_EDE_BLOCKED && ede <= DNS_EDE_FILTERED)
	       || ede == DNS_EDE_SIGNATURE_EXPIRED_BEFORE_VALID || ede == DNS_EDE_NSEC3_ITERATIONS;
}

bool upstream_reply_blames(const uint8_t *msg, size_t len)
{
	const unsigned rcode = get_u16(msg + 2) & DNS_FLAG_RCODE;
	size_t rdata_len = 0;
	const uint8_t *rdata = dns_reply_options(msg, len, &rdata_len);
	struct rd r = rd_init(rdata, rdata ? rdata_len : 0);

	if (rcode == DNS_RCODE_NOERROR || rcode == DNS_RCODE_NXDOMAIN
		|| rcode == DNS_RCODE_YXDOMAIN)
		return false;
	while (rd_left(&r) >= 4) {
		const uint16_t code = rd_u16(&r), size = rd_u16(&r);
		const uint8_t *data = rd_bytes(&r, size);
		if (data && code == DNS_EDNS_OPTION_EDE && size >= 2
			&& is_of_the_name(get_u16(data)))
			return false;
	}
	return true;
}

unsigned upstream_zones_add(struct upstream_zones *z, uint32_t zone, uint64_t now_ms)
{
	unsigned oldest = 0, valid = 0;

	for (unsigned i = 0; i < UPSTREAM_STRIKES; i++) {
		const bool counts = z->at_ms[i] && now_ms < z->at_ms[i] + UPSTREAM_STRIKE_MS;
		if (counts && z->zone[i] == zone)
			return 0;
		valid += counts;
		if (z->at_ms[i] < z->at_ms[oldest])
			oldest = i;
	}
	z->zone[oldest] = zone;
	z->at_ms[oldest] = now_ms;
	return valid + 1;
}

// Recursion comes last anyway, and fails what no server answers.
static void server_outdone(
	const struct upstreams *u, struct upstream *s, uint32_t zone, uint64_t now_ms)
{
	struct upstream_outdone *o = &s->outdone;
	const bool again = o->until_ms && now_ms < o->until_ms + UPSTREAM_STRIKE_MS;

	if (s->config.is_recursion
		|| (!again && upstream_zones_add(&o->zones, zone, now_ms) < UPSTREAM_STRIKES))
		return;
	if (!again)
		log_warning("upstream %s fails questions that others answer; asked after them, and "
			    "tried again each %u s",
			s->name, u->backoff_s);
	o->until_ms = now_ms + u->backoff_s * 1000ull;
}

void upstream_server_outdid(struct upstreams *u, struct upstream *s,
	const struct upstream_outdid *others, uint64_t now_us)
{
	s->outdone = (struct upstream_outdone){0};
	for (uint32_t left = others->blamed; left; left &= left - 1)
		server_outdone(u, &u->server[__builtin_ctz(left)], others->zone, now_us / 1000);
	for (uint32_t left = others->silent; left; left &= left - 1)
		upstream_server_left(u, &u->server[__builtin_ctz(left)], others->zone, now_us);
}

bool upstream_server_failing(const struct upstream *s, uint64_t now_ms)
{
	return s->outdone.until_ms > now_ms;
}
