// SPDX-License-Identifier: BSD-3-Clause
#include "tsig.h"

#include "tls/tls.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <weir/dns_name.h>
#include <weir/dns_query.h>

static const struct {
	const char *digest;
	struct dns_name name;
	size_t len;
} algorithms[CONFIG_TSIG_ALGORITHMS] = {
	[CONFIG_TSIG_SHA256] = {"SHA256", {13, 1, "\13hmac-sha256"}, 32},
	[CONFIG_TSIG_SHA512] = {"SHA512", {13, 1, "\13hmac-sha512"}, 64},
};

// A TSIG record of a message, checked for its bounds.
struct record {
	size_t at; // place in the message
	struct dns_name key, algorithm;
	uint8_t time[6];
	uint16_t fudge_s, mac_len, id, error, other_len;
	const uint8_t *mac, *other;
};

static int ATTR_PRINTF(3, 4) refuse(struct tsig *t, int err, const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	vsnprintf(t->why, sizeof(t->why), fmt, ap);
	va_end(ap);
	return err;
}

static bool hmac_open(struct tsig *t)
{
	if (!t->hmac)
		t->hmac = tls_hmac_new(
			algorithms[t->key->algorithm].digest, t->key->secret, t->key->secret_len);
	return t->hmac != NULL;
}

static bool u16_add(struct tsig *t, uint16_t v)
{
	uint8_t bytes[2];
	put_u16(bytes, v);
	return tls_hmac_add(t->hmac, bytes, sizeof(bytes));
}

// The record's fields that are signed (RFC 8945 4.3.3): of later messages of a reply the time
// alone.
static bool fields_add(struct tsig *t, const struct record *r, bool is_whole)
{
	static const uint8_t head[6] = {0, DNS_CLASS_ANY};
	const struct dns_name *algorithm = &algorithms[t->key->algorithm].name;
	bool ok = true;
	if (is_whole)
		ok = tls_hmac_add(t->hmac, t->key->name.wire, t->key->name.len)
		     && tls_hmac_add(t->hmac, head, sizeof(head))
		     && tls_hmac_add(t->hmac, algorithm->wire, algorithm->len);
	ok = ok && tls_hmac_add(t->hmac, r->time, sizeof(r->time)) && u16_add(t, r->fudge_s);
	if (is_whole)
		ok = ok && u16_add(t, r->error) && u16_add(t, r->other_len)
		     && tls_hmac_add(t->hmac, r->other, r->other_len);
	return ok;
}

static void time_put(uint8_t out[6], uint64_t unix_s)
{
	put_u16(out, (uint16_t)(unix_s >> 32));
	put_u32(out + 2, (uint32_t)unix_s);
}

// The record behind the message. Its new length; 0: there is no room.
static size_t record_append(uint8_t *msg, size_t len, const struct record *r)
{
	struct wr w = wr_init(msg, len + TSIG_RECORD_MAX);
	w.pos = len;
	wr_bytes(&w, r->key.wire, r->key.len);
	wr_u16(&w, DNS_TYPE_TSIG);
	wr_u16(&w, DNS_CLASS_ANY);
	wr_u32(&w, 0);
	wr_u16(&w, (uint16_t)(r->algorithm.len + 16 + r->mac_len + r->other_len));
	wr_bytes(&w, r->algorithm.wire, r->algorithm.len);
	wr_bytes(&w, r->time, sizeof(r->time));
	wr_u16(&w, r->fudge_s);
	wr_u16(&w, r->mac_len);
	wr_bytes(&w, r->mac, r->mac_len);
	wr_bytes(&w, msg, 2);
	wr_u16(&w, r->error);
	wr_u16(&w, r->other_len);
	wr_bytes(&w, r->other, r->other_len);
	put_u16(msg + 10, (uint16_t)(get_u16(msg + 10) + 1));
	return wr_ok(&w) ? w.pos : 0;
}

// Adds the record *r with the code of the message, which is behind whatever the digest has by now.
static size_t message_sign(struct tsig *t, uint8_t *msg, size_t len, struct record *r)
{
	r->key = t->key->name;
	r->algorithm = algorithms[t->key->algorithm].name;
	bool ok = hmac_open(t) && tls_hmac_add(t->hmac, msg, len) && fields_add(t, r, true);
	t->mac_len = sizeof(t->mac);
	ok = t->hmac && tls_hmac_end(t->hmac, ok ? t->mac : NULL, &t->mac_len);
	t->hmac = NULL;
	r->mac = t->mac;
	r->mac_len = (uint16_t)t->mac_len;
	return ok ? record_append(msg, len, r) : 0;
}

// Signs a message that has no error.
static size_t message_sign_good(struct tsig *t, uint8_t *msg, size_t len, uint64_t now_unix_s)
{
	struct record r = {.fudge_s = TSIG_FUDGE_S, .other = msg};
	time_put(r.time, now_unix_s);
	return message_sign(t, msg, len, &r);
}

size_t tsig_begin(struct tsig *t, const struct config_tsig_key *key, uint8_t *msg, size_t len,
	uint64_t now_unix_s)
{
	tls_start();
	*t = (struct tsig){.key = key, .is_first = true};
	return message_sign_good(t, msg, len, now_unix_s);
}

// Moves the cursor from the header to the last record. False: malformed, or without records.
static bool last_record_find(struct rd *msg, uint16_t additional)
{
	rd_skip(msg, 4);
	unsigned questions = rd_u16(msg), records = rd_u16(msg) + rd_u16(msg) + additional;
	rd_skip(msg, 2);
	for (unsigned i = 0; i < questions && rd_ok(msg); i++) {
		dns_name_skip(msg);
		rd_skip(msg, 4);
	}
	for (unsigned i = 0; i + 1 < records && rd_ok(msg); i++) {
		dns_name_skip(msg);
		rd_skip(msg, 8);
		rd_skip(msg, rd_u16(msg));
	}
	return rd_ok(msg) && additional > 0;
}

// 1: the message ends in a TSIG, which is *out; 0: it has none; -EBADMSG.
static int record_read(const uint8_t *bytes, size_t len, struct record *out)
{
	struct rd msg = rd_init(bytes, len);
	uint16_t additional = len < DNS_HEADER_LEN ? 0 : get_u16(bytes + 10);
	if (additional == 0)
		return 0;
	if (!last_record_find(&msg, additional))
		return -EBADMSG;
	out->at = msg.pos;
	if (dns_name_read_compressed(&msg, &out->key, NULL) < 0)
		return -EBADMSG;
	if (rd_u16(&msg) != DNS_TYPE_TSIG)
		return 0;
	uint16_t rclass = rd_u16(&msg);
	uint32_t ttl_s = rd_u32(&msg);
	size_t data_len = rd_u16(&msg), begins = msg.pos;
	if (rclass != DNS_CLASS_ANY || ttl_s || dns_name_read(&msg, &out->algorithm) < 0)
		return -EBADMSG;
	const uint8_t *time = rd_bytes(&msg, sizeof(out->time));
	if (time)
		memcpy(out->time, time, sizeof(out->time));
	out->fudge_s = rd_u16(&msg);
	out->mac_len = rd_u16(&msg);
	out->mac = rd_bytes(&msg, out->mac_len);
	out->id = rd_u16(&msg);
	out->error = rd_u16(&msg);
	out->other_len = rd_u16(&msg);
	out->other = rd_bytes(&msg, out->other_len);
	return rd_ok(&msg) && msg.pos - begins == data_len ? 1 : -EBADMSG;
}

static bool last_code_add(struct tsig *t)
{
	return hmac_open(t) && u16_add(t, (uint16_t)t->mac_len)
	       && tls_hmac_add(t->hmac, t->mac, t->mac_len);
}

// The last code, then the messages since: they stand before the fields in the digest.
static bool message_add(struct tsig *t, const uint8_t *msg, size_t len)
{
	return (t->hmac || last_code_add(t)) && tls_hmac_add(t->hmac, msg, len);
}

static bool signed_message_add(struct tsig *t, const uint8_t *msg, const struct record *r)
{
	uint8_t head[DNS_HEADER_LEN];
	memcpy(head, msg, sizeof(head));
	put_u16(head, r->id);
	put_u16(head + 10, (uint16_t)(get_u16(head + 10) - 1));
	return message_add(t, head, sizeof(head))
	       && tls_hmac_add(t->hmac, msg + sizeof(head), r->at - sizeof(head))
	       && fields_add(t, r, t->is_first);
}

// Takes the same time wherever they differ.
static bool codes_differ(const uint8_t *a, const uint8_t *b, size_t len)
{
	uint8_t all = 0;
	for (size_t i = 0; i < len; i++)
		all |= a[i] ^ b[i];
	return all != 0;
}

static const char *error_text(uint16_t error)
{
	return error == TSIG_BADSIG     ? "BADSIG"
	       : error == TSIG_BADKEY   ? "BADKEY"
	       : error == TSIG_BADTIME  ? "BADTIME: do the clocks agree?"
	       : error == TSIG_BADTRUNC ? "BADTRUNC"
					: "an error of TSIG";
}

static int code_check(struct tsig *t, const uint8_t *msg, const struct record *r, uint64_t now_s)
{
	uint8_t mac[TLS_HMAC_MAX];
	size_t len = sizeof(mac);
	uint64_t at_s = (uint64_t)get_u16(r->time) << 32 | get_u32(r->time + 2);
	bool ok = signed_message_add(t, msg, r);
	ok = t->hmac && tls_hmac_end(t->hmac, ok ? mac : NULL, &len);
	t->hmac = NULL;
	if (!ok)
		return refuse(t, -EKEYREJECTED, "no memory for TSIG");
	t->error = r->mac_len < len ? TSIG_BADTRUNC : TSIG_BADSIG;
	if (r->mac_len != len || codes_differ(r->mac, mac, len))
		return refuse(t, -EKEYREJECTED, "the server's TSIG does not verify");
	memcpy(t->mac, mac, len);
	t->mac_len = len;
	if (r->error)
		return refuse(
			t, -EKEYREJECTED, "the server refused the TSIG: %s", error_text(r->error));
	t->error = TSIG_BADTIME;
	if ((at_s > now_s ? at_s - now_s : now_s - at_s) > TSIG_FUDGE_S)
		return refuse(t, -EKEYREJECTED,
			"the server's TSIG is of another time: do the clocks agree?");
	t->error = 0;
	t->is_first = false;
	t->not_signed = 0;
	return 0;
}

int tsig_take(struct tsig *t, const uint8_t *msg, size_t len, uint64_t now_unix_s)
{
	struct record r;
	int has = record_read(msg, len, &r);
	if (has < 0)
		return refuse(t, has, "the server sent a malformed TSIG");
	if (!has && t->is_first) {
		bool is_error = len >= DNS_HEADER_LEN && get_u16(msg + 2) & DNS_FLAG_RCODE;
		return is_error ? 0 : refuse(t, -EKEYREJECTED, "the server did not sign its reply");
	}
	if (!has) {
		if (++t->not_signed > TSIG_UNSIGNED_MAX)
			return refuse(t, -EKEYREJECTED, "the server signs too few messages");
		return message_add(t, msg, len) ? 0
						: refuse(t, -EKEYREJECTED, "no memory for TSIG");
	}
	if (!dns_name_equal(&r.key, &t->key->name)
		|| !dns_name_equal(&r.algorithm, &algorithms[t->key->algorithm].name))
		return refuse(t, -EKEYREJECTED, "the server signs with another key");
	// The server cannot sign the reply to a query that it could not verify.
	if (r.mac_len == 0)
		return refuse(
			t, -EKEYREJECTED, "the server refused the TSIG: %s", error_text(r.error));
	return code_check(t, msg, &r, now_unix_s);
}

int tsig_take_query(struct tsig *t, const struct config_tsig_key *key, const uint8_t *msg,
	size_t len, uint64_t now_unix_s)
{
	struct record r;
	tls_start();
	*t = (struct tsig){.key = key, .is_first = true};
	int has = record_read(msg, len, &r);
	if (has <= 0)
		return refuse(t, has ? has : -EKEYREJECTED, "no TSIG, or a malformed one");
	t->error = TSIG_BADKEY;
	if (!dns_name_equal(&r.key, &key->name)
		|| !dns_name_equal(&r.algorithm, &algorithms[key->algorithm].name))
		return refuse(t, -EKEYREJECTED, "signed with another key");
	if (!hmac_open(t)) // it covers no code before it
		return refuse(t, -EKEYREJECTED, "no memory for TSIG");
	return code_check(t, msg, &r, now_unix_s);
}

size_t tsig_sign_reply(struct tsig *t, uint8_t *msg, size_t len, uint64_t now_unix_s)
{
	if (last_code_add(t))
		return message_sign_good(t, msg, len, now_unix_s);
	tsig_end(t);
	return 0;
}

size_t tsig_refuse_reply(struct tsig *t, const uint8_t *query, size_t query_len, uint8_t *msg,
	size_t len, uint64_t now_unix_s)
{
	struct record r; // key, algorithm and time are the query's
	uint8_t now[6];
	if (!t->error || record_read(query, query_len, &r) != 1)
		return 0;
	r.error = t->error;
	r.mac_len = r.other_len = 0;
	if (t->error != TSIG_BADTIME)
		return record_append(msg, len, &r);
	time_put(now, now_unix_s);
	r.other = now;
	r.other_len = sizeof(now);
	if (last_code_add(t))
		return message_sign(t, msg, len, &r);
	tsig_end(t);
	return 0;
}

bool tsig_is_closed(const struct tsig *t)
{
	return !t->is_first && t->not_signed == 0;
}

void tsig_end(struct tsig *t)
{
	if (t->hmac)
		(void)tls_hmac_end(t->hmac, NULL, NULL);
	t->hmac = NULL;
}
