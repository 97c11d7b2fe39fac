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

void cookie_count(struct batch *b, enum dns_cookie_kind kind)
{
	static const uint8_t counters[] = {
		[DNS_COOKIE_ALONE] = COUNTER_cookies_alone,
		[DNS_COOKIE_BAD] = COUNTER_cookies_bad,
		[DNS_COOKIE_GOOD] = COUNTER_cookies_good,
	};
	if (kind != DNS_COOKIE_NONE)
		batch_count(b, counters[kind], 1);
}

void cookie_take_plain(struct batch *b, struct packet *p)
{
	struct batch_cookies *c = &b->cookies;
	const struct dns_cookie_terms *t = &b->tables->config.cookies;
	const unsigned v = p->ip_version != 4;
	if (!t->is_on || t->count == 0)
		return;
	if (!c->any) {
		dns_cookie_many_begin(&c->many[0], 4);
		dns_cookie_many_begin(&c->many[1], 6);
		c->any = true;
	}
	c->p[v][c->many[v].count] = p;
	dns_cookie_many_add(&c->many[v], p->q.cookie, packet_source(p));
	p->q.has_opt |= DNS_OPT_COOKIE;
}

static void settle_one(struct batch *b, struct packet *p)
{
	enum dns_cookie_kind kind;
	enum dns_query_status status = settle(b, p, DNS_QUERY_OK, &kind);
	assert(status == DNS_QUERY_OK);
	(void)status;
	cookie_count(b, kind);
}

static __attribute__((noinline)) void settle_others(
	struct batch *b, struct packet *const p[], unsigned count, uint32_t young)
{
	for (unsigned i = 0; i < count; i++)
		if (!(young >> i & 1))
			settle_one(b, p[i]);
}

void cookie_settle_plain(struct batch *b)
{
	struct batch_cookies *c = &b->cookies;
	const uint32_t now_s = (uint32_t)time(NULL);
	c->any = false;
	for (unsigned v = 0; v < ARRAY_LEN(c->many); v++) {
		struct dns_cookie_many *m = &c->many[v];
		if (m->count == 0)
			continue;
		const uint32_t young = dns_cookie_many_young(m, &b->tables->config.cookies, now_s);
		const unsigned right = (unsigned)__builtin_popcount(young);
		batch_count(b, COUNTER_cookies_good, right);
		if (unlikely_(right < m->count))
			settle_others(b, c->p[v], m->count, young);
	}
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
