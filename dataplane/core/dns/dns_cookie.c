// SPDX-License-Identifier: BSD-3-Clause

#include <assert.h>
#include <weir/bytes.h>
#include <weir/dns_cookie.h>
#include <weir/siphash.h>

enum {
	TIME_AT =
		12, // a whole cookie has the time behind the client's part, version and three zeros
	HASH_LEN = 8,
	IPV6_LEN = 16,
};

// The hash of a whole cookie's first 16 bytes for this client, as it is in the cookie. Read word by
// word in place: a buffer would be read in other widths than it was stored in, which stalls the
// core.
static uint64_t cookie_hash(const uint8_t secret[DNS_COOKIE_SECRET_LEN],
	const struct dns_cookie_client *c, const uint8_t cookie[DNS_COOKIE_SIGNED_LEN])
{
	struct sip s = sip_begin(secret);
	sip_word(&s, sip_load(cookie));
	sip_word(&s, sip_load(cookie + 8));
	if (c->ip_version == 4) {
		uint32_t address;
		memcpy(&address, c->address, sizeof(address));
		sip_word(&s, sip_last(le32toh(address), DNS_COOKIE_SIGNED_LEN + sizeof(address)));
	} else {
		sip_word(&s, sip_load(c->address));
		sip_word(&s, sip_load(c->address + 8));
		sip_word(&s, sip_last(0, DNS_COOKIE_SIGNED_LEN + IPV6_LEN));
	}
	return htole64(sip_end(&s));
}

void dns_cookie_make(const struct dns_cookie_terms *t, const struct dns_cookie_client *c,
	uint8_t out[DNS_COOKIE_LEN])
{
	out[DNS_COOKIE_CLIENT_LEN] = DNS_COOKIE_VERSION;
	memset(out + DNS_COOKIE_CLIENT_LEN + 1, 0, 3);
	put_u32(out + TIME_AT, c->now_s);
	uint64_t hash = cookie_hash(t->secret[0], c, out);
	memcpy(out + DNS_COOKIE_SIGNED_LEN, &hash, HASH_LEN);
}

// RFC 9018 4.3; 4.2: the three bytes behind the version may be anything that the hash agrees with.
enum dns_cookie_kind dns_cookie_check(const struct dns_cookie_terms *t,
	const struct dns_cookie_client *c, const uint8_t *cookie, unsigned len, bool *fresh)
{
	*fresh = false;
	if (len == DNS_COOKIE_CLIENT_LEN)
		return DNS_COOKIE_ALONE;
	if (len != DNS_COOKIE_LEN || cookie[DNS_COOKIE_CLIENT_LEN] != DNS_COOKIE_VERSION)
		return DNS_COOKIE_BAD;
	int32_t age_s = (int32_t)(c->now_s - get_u32(cookie + TIME_AT)); // RFC 1982
	if (age_s > DNS_COOKIE_OLD_S || age_s < -DNS_COOKIE_AHEAD_S)
		return DNS_COOKIE_BAD;
	uint64_t given;
	memcpy(&given, cookie + DNS_COOKIE_SIGNED_LEN, sizeof(given));
	unsigned count = t->count < DNS_COOKIE_SECRETS_MAX ? t->count : DNS_COOKIE_SECRETS_MAX;
	for (unsigned i = 0; i < count; i++) {
		if (cookie_hash(t->secret[i], c, cookie) != given)
			continue;
		*fresh = i == 0 && age_s <= DNS_COOKIE_RENEW_S;
		return DNS_COOKIE_GOOD;
	}
	return DNS_COOKIE_BAD;
}

enum dns_query_status dns_cookie_settle(const struct dns_cookie_terms *t,
	const struct dns_cookie_client *c, enum dns_query_status status, struct dns_query *q,
	enum dns_cookie_kind *kind)
{
	bool fresh;
	assert(status != DNS_QUERY_SHORT);
	*kind = DNS_COOKIE_NONE;
	if (!t->is_on || t->count == 0)
		return status == DNS_QUERY_COOKIE ? DNS_QUERY_FORMERR : status;
	bool is_read = status == DNS_QUERY_OK || status == DNS_QUERY_COOKIE
		       || status == DNS_QUERY_NOTIMP; // an OPT is the same whatever the opcode
	if (q->cookie_len == 0 || !is_read)
		return status;
	if (q->cookie_len == DNS_COOKIE_MALFORMED)
		return status == DNS_QUERY_NOTIMP ? status : DNS_QUERY_FORMERR;
	*kind = dns_cookie_check(t, c, q->cookie, q->cookie_len, &fresh);
	if (!fresh)
		dns_cookie_make(t, c, q->cookie);
	q->has_opt |= DNS_OPT_COOKIE;
	return status;
}
