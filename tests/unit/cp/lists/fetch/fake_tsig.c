// SPDX-License-Identifier: BSD-3-Clause
#include "fake_tsig.h"

#include "tests/unit/unit.h"

#include <openssl/hmac.h>

enum { DIGESTED_MAX = (1 << 20) + 4096 };

static void name_put(struct wr *w, const char *text)
{
	struct dns_name name = name_of_text(text);
	wr_bytes(w, name.wire, name.len);
}

static size_t hmac(const struct fake_tsig *t, const struct wr *w, uint8_t out[64])
{
	unsigned len = 0;
	assert_true(wr_ok(w));
	assert_non_null(HMAC(EVP_get_digestbyname(t->digest), t->secret, sizeof(t->secret), w->base,
		w->pos, out, &len));
	return len;
}

static void put_time(struct wr *w, uint64_t at_s)
{
	wr_u16(w, (uint16_t)(at_s >> 32));
	wr_u32(w, (uint32_t)at_s);
	wr_u16(w, 300);
}

static void put_whole(const struct fake_tsig *t, struct wr *w, uint64_t at_s, uint16_t error)
{
	name_put(w, "weir-key");
	wr_u16(w, DNS_CLASS_ANY);
	wr_u32(w, 0);
	name_put(w, t->algorithm);
	put_time(w, at_s);
	wr_u16(w, error);
	wr_u16(w, 0);
}

// Queries have one question, one for differences an SOA of 34 bytes, and the TSIG.
bool fake_tsig_query(struct fake_tsig *t, const uint8_t *msg, size_t len)
{
	static uint8_t digested[DIGESTED_MAX];
	struct wr w = wr_init(digested, sizeof(digested));
	struct rd r = rd_init(msg, len);
	struct dns_name name;
	uint8_t mac[64];
	rd_skip(&r, 8);
	unsigned authority = rd_u16(&r), additional = rd_u16(&r);
	assert_int_equal(dns_name_read(&r, &name), 0);
	rd_skip(&r, 4 + 34 * authority);
	if (additional == 0)
		return false;
	wr_bytes(&w, msg, r.pos);
	put_u16(w.base + 10, 0);
	assert_int_equal(dns_name_read(&r, &name), 0);
	assert_int_equal(rd_u16(&r), DNS_TYPE_TSIG);
	rd_skip(&r, 8);
	assert_int_equal(dns_name_read(&r, &name), 0);
	uint64_t at_s = (uint64_t)rd_u16(&r) << 32;
	at_s |= rd_u32(&r);
	assert_int_equal(rd_u16(&r), 300);
	t->mac_len = rd_u16(&r);
	const uint8_t *sent = rd_bytes(&r, t->mac_len);
	assert_true(rd_u16(&r) == get_u16(msg) && rd_u32(&r) == 0 && rd_left(&r) == 0);
	put_whole(t, &w, at_s, 0);
	t->is_right = sent && hmac(t, &w, mac) == t->mac_len && memcmp(mac, sent, t->mac_len) == 0;
	memcpy(t->mac, mac, sizeof(mac));
	t->is_first = true;
	t->pending_len = 0;
	return true;
}

static bool is_signed(const struct fake_tsig *t, enum fake_tsig_how how, bool is_last)
{
	switch (how) {
	case FAKE_TSIG_NONE:
		return false;
	case FAKE_TSIG_ENDS:
		return t->is_first || is_last;
	case FAKE_TSIG_FIRST:
		return t->is_first;
	case FAKE_TSIG_LAST:
		return is_last;
	default:
		return true;
	}
}

static void append(struct fake_tsig *t, struct wr *w, enum fake_tsig_how how, uint64_t at_s,
	uint16_t error, size_t mac_len)
{
	name_put(w, how == FAKE_TSIG_KEY ? "other-key" : "weir-key");
	wr_u16(w, DNS_TYPE_TSIG);
	wr_u16(w, DNS_CLASS_ANY);
	wr_u32(w, 0);
	wr_u16(w, (uint16_t)(strlen(t->algorithm) + 2 + 16 + mac_len));
	name_put(w, t->algorithm);
	put_time(w, at_s);
	wr_u16(w, (uint16_t)mac_len);
	wr_bytes(w, t->mac, mac_len);
	wr_bytes(w, w->base + 2, 2);
	wr_u16(w, error);
	wr_u16(w, 0);
	unsigned additional = 1;
	if (how == FAKE_TSIG_NOT_LAST) {
		static const uint8_t text[] = {0, 0, DNS_TYPE_TXT, 0, 1, 0, 0, 0, 0, 0, 2, 1, 'a'};
		wr_bytes(w, text, sizeof(text));
		additional = 2;
	}
	put_u16(w->base + 12, (uint16_t)additional);
	if (how == FAKE_TSIG_CUT)
		w->pos -= 3;
}

void fake_tsig_reply(struct fake_tsig *t, struct wr *w, enum fake_tsig_how how, bool is_last)
{
	static uint8_t digested[DIGESTED_MAX];
	struct wr d = wr_init(digested, sizeof(digested));
	uint64_t at_s = (uint64_t)time(NULL) - (how == FAKE_TSIG_OLD ? 1000 : 0);
	uint16_t error = how == FAKE_TSIG_BADKEY ? 17 : how == FAKE_TSIG_BADTIME ? 18 : 0;
	if (!is_signed(t, how, is_last)) {
		assert_true(t->pending_len + w->pos < sizeof(t->pending));
		memcpy(t->pending + t->pending_len, w->base + 2, w->pos - 2);
		t->pending_len += w->pos - 2;
		return;
	}
	wr_u16(&d, (uint16_t)t->mac_len);
	wr_bytes(&d, t->mac, t->mac_len);
	wr_bytes(&d, t->pending, t->pending_len);
	wr_bytes(&d, w->base + 2, w->pos - 2);
	if (t->is_first)
		put_whole(t, &d, at_s, error);
	else
		put_time(&d, at_s);
	t->mac_len = hmac(t, &d, t->mac);
	const size_t data_end = w->pos;
	t->mac[0] ^= how == FAKE_TSIG_BAD && is_last;
	append(t, w, how, at_s, error,
		how == FAKE_TSIG_BADKEY  ? 0
		: how == FAKE_TSIG_SHORT ? t->mac_len / 2
					 : t->mac_len);
	if (how == FAKE_TSIG_CHANGED)
		w->base[data_end - 1] ^= 1;
	t->is_first = false;
	t->pending_len = 0;
}
