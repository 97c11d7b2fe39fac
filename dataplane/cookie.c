// SPDX-License-Identifier: BSD-3-Clause
#include "cookie.h"

#include <assert.h>
#include <time.h>
#include <weir/dns_identity.h>

enum { ARCOUNT_AT = 10 };

static enum dns_query_status settle(const struct batch *b, struct packet *p,
	enum dns_query_status status, enum dns_cookie_kind *kind)
{
	const struct dns_cookie_client client = {.address = packet_source(p),
		.ip_version = p->ip_version,
		.now_s = (uint32_t)time(NULL)};
	return dns_cookie_settle(&b->tables->config.cookies, &client, status, &p->q, kind);
}

enum dns_query_status cookie_parse(
	const struct batch *b, struct packet *p, enum dns_cookie_kind *kind)
{
	enum dns_query_status status = dns_query_parse(packet_dns(p), p->dns_len, &p->q);
	*kind = DNS_COOKIE_NONE;
	if (status == DNS_QUERY_SHORT)
		return status;
	dns_identity_nsid(&b->tables->config.identity, &p->q);
	return p->q.cookie_len ? settle(b, p, status, kind) : status;
}

enum dns_cookie_kind cookie_settle_plain(const struct batch *b, struct packet *p)
{
	enum dns_cookie_kind kind;
	enum dns_query_status status = settle(b, p, DNS_QUERY_OK, &kind);
	assert(status == DNS_QUERY_OK);
	(void)status;
	return kind;
}

enum dns_cookie_kind cookie_over_limit(const struct batch *b, struct packet *p)
{
	enum dns_cookie_kind kind;
	if (!b->tables->config.cookies.is_on || p->dns_len < DNS_HEADER_LEN
		|| get_u16(packet_dns(p) + ARCOUNT_AT) == 0)
		return DNS_COOKIE_NONE;
	enum dns_query_status status = cookie_parse(b, p, &kind);
	return status == DNS_QUERY_OK || status == DNS_QUERY_COOKIE ? kind : DNS_COOKIE_NONE;
}
