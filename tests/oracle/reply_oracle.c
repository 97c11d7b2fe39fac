// SPDX-License-Identifier: BSD-3-Clause
#include "tests/oracle/reply_oracle.h"

#include "tests/fuzz/fuzz.h"

#include <stdbool.h>
#include <string.h>

enum {
	HEADER = 12,
	OPT = 41,
	NAME_MAX_BYTES = 255,
	PLAIN_SIZE = 512,
	FORMERR = 1,
	TC = 0x0200,
	EDE = 15,
	EDE_LEN = 6,
	OPT_MOST = 320
};

static unsigned u16(const uint8_t *p)
{
	return p[0] * 256u + p[1];
}

static unsigned lower(unsigned c)
{
	return c >= 'A' && c <= 'Z' ? c + 32 : c;
}

// The name at `pos` in lower case and without pointers; the position behind it, 0: none.
static size_t name_at(const uint8_t *msg, size_t len, size_t pos, uint8_t out[NAME_MAX_BYTES])
{
	size_t end = 0, n = 0;
	for (;;) {
		if (pos >= len)
			return 0;
		unsigned c = msg[pos];
		if (c >= 0xc0) {
			if (pos + 1 >= len)
				return 0;
			size_t to = (c - 0xc0) * 256 + msg[pos + 1];
			if (to >= pos || to < HEADER)
				return 0;
			end = end ? end : pos + 2;
			pos = to;
			continue;
		}
		if (c > 63 || pos + c >= len || n + c + 1 > NAME_MAX_BYTES)
			return 0;
		out[n++] = (uint8_t)c;
		for (size_t i = 1; i <= c; i++)
			out[n++] = (uint8_t)lower(msg[pos + i]);
		pos += c + 1;
		if (c == 0)
			return end ? end : pos;
	}
}

struct record {
	uint8_t owner[NAME_MAX_BYTES];
	unsigned type, klass;
	uint32_t ttl_s;
	size_t rdata, rdata_len;
};

static size_t record_at(const uint8_t *msg, size_t len, size_t pos, struct record *r)
{
	memset(r->owner, 0, sizeof(r->owner));
	pos = name_at(msg, len, pos, r->owner);
	if (pos == 0 || pos + 10 > len)
		return 0;
	r->type = u16(msg + pos);
	r->klass = u16(msg + pos + 2);
	r->ttl_s = (uint32_t)u16(msg + pos + 4) << 16 | u16(msg + pos + 6);
	r->rdata_len = u16(msg + pos + 8);
	r->rdata = pos + 10;
	return r->rdata + r->rdata_len <= len ? r->rdata + r->rdata_len : 0;
}

static size_t name_len(const uint8_t *name)
{
	size_t n = 0;
	while (name[n])
		n += 1u + name[n];
	return n + 1;
}

// What the query says of its OPT; false: it does not parse, as one with pointers in its question.
static bool query_opt(const struct reply_oracle *o, bool *has_opt, size_t *size)
{
	const uint8_t *q = o->query;
	struct record r;
	size_t pos = HEADER;
	*has_opt = false;
	*size = PLAIN_SIZE;
	if (u16(q + 4) != 1 || u16(q + 6) || u16(q + 8))
		return false;
	pos = name_at(q, o->query_len, pos, r.owner);
	if (pos == 0 || pos + 4 > o->query_len || pos != HEADER + name_len(r.owner))
		return false;
	pos += 4;
	for (unsigned n = u16(q + 10); n > 0; n--) {
		pos = record_at(q, o->query_len, pos, &r);
		if (pos == 0 || (r.type == OPT && (*has_opt || r.owner[0])))
			return false;
		if (r.type != OPT)
			continue;
		*has_opt = true;
		*size = r.klass > PLAIN_SIZE ? r.klass : PLAIN_SIZE;
	}
	return true;
}

// The end of the question, which is the one asked.
static size_t check_question(const struct reply_oracle *o, const uint8_t *reply, size_t len)
{
	uint8_t name[NAME_MAX_BYTES];
	FUZZ_CHECK(u16(reply + 4) <= 1);
	if (u16(reply + 4) == 0)
		return HEADER;
	size_t end = name_at(reply, len, HEADER, name);
	FUZZ_CHECK(end != 0 && end + 4 <= len);
	if (!o->query)
		return end + 4;
	FUZZ_CHECK(end + 4 <= o->query_len);
	FUZZ_CHECK(memcmp(reply + HEADER, o->query + HEADER, end + 4 - HEADER) == 0);
	return end + 4;
}

// Has it an extended error?
static bool check_options(const uint8_t *msg, const struct record *opt)
{
	bool has_ede = false;
	FUZZ_CHECK(opt->owner[0] == 0 && (opt->ttl_s >> 16 & 0xff) == 0);
	size_t pos = opt->rdata, end = opt->rdata + opt->rdata_len;
	while (pos < end) {
		FUZZ_CHECK(pos + 4 <= end);
		FUZZ_CHECK(u16(msg + pos) != EDE || u16(msg + pos + 2) >= 2);
		has_ede |= u16(msg + pos) == EDE;
		pos += 4 + u16(msg + pos + 2);
	}
	FUZZ_CHECK(pos == end);
	return has_ede;
}

struct found {
	bool opt, ede, records;
};

static void check_rdata(const uint8_t *msg, size_t len, const struct record *r)
{
	enum { A = 1, NS = 2, CNAME = 5, SOA = 6, PTR = 12, MX = 15, AAAA = 28, SRV = 33 };
	uint8_t name[NAME_MAX_BYTES];
	size_t end = r->rdata + r->rdata_len, pos = r->rdata;
	switch (r->klass == 1 ? r->type : 0) {
	case A:
		FUZZ_CHECK(r->rdata_len == 4);
		return;
	case AAAA:
		FUZZ_CHECK(r->rdata_len == 16);
		return;
	case SOA:
		pos = name_at(msg, len, pos, name);
		FUZZ_CHECK(pos != 0);
		FUZZ_CHECK(name_at(msg, len, pos, name) + 20 == end);
		return;
	case MX:
	case SRV:
		pos += r->type == MX ? 2 : 6;
		FUZZ_CHECK(pos < end && name_at(msg, len, pos, name) == end);
		return;
	case NS:
	case CNAME:
	case PTR:
		FUZZ_CHECK(name_at(msg, len, pos, name) == end);
		return;
	default:
		return;
	}
}

static void check_set(const struct record *all, unsigned count)
{
	enum { RRSIG = 46 };
	const struct record *r = &all[count - 1];
	for (unsigned i = 0; i + 1 < count; i++)
		FUZZ_CHECK(all[i].type != r->type || all[i].klass != r->klass || r->type == RRSIG
			   || memcmp(all[i].owner, r->owner, sizeof(r->owner)) != 0
			   || all[i].ttl_s == r->ttl_s);
}

// The end of the records; *f is set.
static size_t check_records(
	const struct reply_oracle *o, const uint8_t *reply, size_t len, size_t pos, struct found *f)
{
	static struct record section[REPLY_ORACLE_RECORDS_MAX];
	*f = (struct found){0};
	for (unsigned s = 0; s < 3; s++) {
		unsigned kept = 0;
		for (unsigned n = u16(reply + 6 + 2 * s); n > 0; n--) {
			struct record *r = &section[kept];
			pos = record_at(reply, len, pos, r);
			FUZZ_CHECK(pos != 0);
			if (r->type == OPT) {
				FUZZ_CHECK(s == 2 && !f->opt);
				f->opt = true;
				f->ede = check_options(reply, r);
				continue;
			}
			f->records = true;
			FUZZ_CHECK(r->ttl_s >> 31 == 0);
			if (!o->any_rdata)
				check_rdata(reply, len, r);
			check_set(section, kept + 1);
			kept += kept + 1 < REPLY_ORACLE_RECORDS_MAX;
		}
	}
	return pos;
}

// What the reply says of the query: its flags, whether it has an OPT, and a length that suits it.
static void check_asked(
	const struct reply_oracle *o, const uint8_t *reply, size_t len, const struct found *f)
{
	size_t size;
	bool asked_with_opt;
	FUZZ_CHECK(o->query_len >= HEADER);
	unsigned flags = u16(reply + 2), asked = u16(o->query + 2);
	FUZZ_CHECK(u16(reply) == u16(o->query) && !(asked & 0x8000));
	// RA and CD are bits of a QUERY.
	const bool is_query = !(asked & 0x7800);
	FUZZ_CHECK((flags & 0x7910) == (asked & (is_query ? 0x7910 : 0x7900)));
	FUZZ_CHECK(!(flags & 0x0080) == !is_query);
	bool parses = query_opt(o, &asked_with_opt, &size);
	FUZZ_CHECK(!parses || u16(reply + 4) == 1);
	// The client can do without AD unless it asked for it (RFC 6840 5.7).
	FUZZ_CHECK(!(flags & 0x0020) || asked & 0x0020 || asked_with_opt || !parses);
	// What is wrong may stand before the OPT, or in it; another opcode's message may be
	// anything; the largest message has no room for one.
	bool without = flags % 16 == FORMERR || asked & 0x7800 || len > REPLY_ORACLE_TCP - OPT_MOST;
	if (parses)
		FUZZ_CHECK(f->opt == asked_with_opt || (asked_with_opt && without));
	if (parses && o->limit != REPLY_ORACLE_TCP)
		FUZZ_CHECK(len <= size);
	if (parses && f->records && u16(reply + 2) & TC)
		FUZZ_CHECK(len + EDE_LEN > (size < o->limit ? size : o->limit));
}

void reply_oracle_check(const struct reply_oracle *o, const uint8_t *reply, size_t len)
{
	struct found f;
	FUZZ_CHECK(len >= HEADER && len <= o->limit);
	FUZZ_CHECK(u16(reply + 2) & 0x8000 && !(u16(reply + 2) & 0x0440));
	size_t pos = check_question(o, reply, len);
	FUZZ_CHECK(check_records(o, reply, len, pos, &f) == len);
	// TC stands alone, but where there is no room for an error (RFC 8914 3).
	if (f.records && u16(reply + 2) & TC)
		FUZZ_CHECK(f.opt && !f.ede && o->limit != REPLY_ORACLE_TCP);
	if (o->query)
		check_asked(o, reply, len, &f);
}
