// SPDX-License-Identifier: BSD-3-Clause

#include "slowest_made.h"

#include "tests/unit/core/dns/dns_one_hash.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <weir/bytes.h>
#include <weir/dns_proto.h>

enum {
	DATAGRAM = 512,
	CHAIN = 126,     // pointers that a name may have
	RECORDS = 2048,  // of answer and authority that are read
	UNKNOWN = 65280, // a type whose data nobody reads
	LABELLED = 4,    // bytes of a label of one byte and a pointer
};

static uint8_t bytes[DNS_MESSAGE_MAX];
static struct wr w;

void slow_add(struct slow_set *s, const struct slow_input *what)
{
	if (s->count == s->room) {
		s->room = s->room ? 2 * s->room : 64;
		s->input = realloc(s->input, s->room * sizeof(*s->input));
	}
	uint8_t *copy = malloc(what->len ? what->len : 1);
	if (!s->input || !copy)
		exit(1);
	memcpy(copy, what->bytes, what->len);
	s->input[s->count] = *what;
	s->input[s->count++].bytes = copy;
}

static void add(struct slow_set *s, const char *name, size_t at, bool is_evil)
{
	struct slow_input in = {.bytes = bytes, .len = w.pos, .at = at, .is_evil = is_evil};
	snprintf(in.name, sizeof(in.name), "%s", name);
	slow_add(s, &in);
}

static void head(unsigned flags, unsigned questions)
{
	w = wr_init(bytes, sizeof(bytes));
	wr_u16(&w, 1);
	wr_u16(&w, (uint16_t)flags);
	wr_u16(&w, (uint16_t)questions);
	wr_bytes(&w, "\0\0\0\0\0\0", 6);
}

static void count(unsigned section, unsigned n)
{
	put_u16(bytes + section, (uint16_t)n);
}

enum { ANSWER = 6, AUTHORITY = 8, ADDITIONAL = 10 };

static void name(unsigned labels, unsigned label_len)
{
	for (; labels; labels--) {
		wr_u8(&w, (uint8_t)label_len);
		for (unsigned i = 0; i < label_len; i++)
			wr_u8(&w, (uint8_t)('a' + (labels + i) % 26));
	}
	wr_u8(&w, 0);
}

static void fixed(unsigned type, unsigned rdata_len)
{
	wr_u16(&w, (uint16_t)type);
	wr_u16(&w, DNS_CLASS_IN);
	wr_u32(&w, 300);
	wr_u16(&w, (uint16_t)rdata_len);
}

static void question(unsigned labels, unsigned label_len, unsigned type)
{
	name(labels, label_len);
	wr_u16(&w, (uint16_t)type);
	wr_u16(&w, DNS_CLASS_IN);
}

// An OPT with so many options of so many bytes.
static void opt(unsigned options, unsigned option_len)
{
	wr_u8(&w, 0);
	fixed(DNS_TYPE_OPT, options * (4 + option_len));
	put_u16(bytes + w.pos - 8, DNS_EDNS_SIZE);
	put_u32(bytes + w.pos - 6, 0);
	for (; options; options--) {
		wr_u16(&w, 12);
		wr_u16(&w, (uint16_t)option_len);
		for (unsigned i = 0; i < option_len; i++)
			wr_u8(&w, 0);
	}
}

// One record whose owner takes what is left of `len` bytes, in labels of one byte.
static void owner_fill(size_t len)
{
	name((unsigned)(len - w.pos - 11) / 2, 1);
	fixed(DNS_TYPE_A, 0);
}

static void queries(struct slow_set *s)
{
	head(DNS_FLAG_RD, 1);
	question(127, 1, DNS_TYPE_A);
	add(s, "127 labels", 0, true);
	count(ADDITIONAL, 1);
	opt(16, 10);
	add(s, "127 labels, 16 options", 0, true);
	for (unsigned evil = 0; evil < 4; evil++) {
		static const char *const what[] = {"labels to the end", "NOTIMP, labels to the end",
			"two questions, labels to the end", "an answer, labels to the end"};
		head(evil == 1 ? 5 << 11 : DNS_FLAG_RD, evil == 2 ? 2 : 1);
		question(127, 1, DNS_TYPE_A);
		if (evil == 2)
			question(1, 1, DNS_TYPE_A);
		count(ADDITIONAL, 1);
		count(ANSWER, evil == 3);
		owner_fill(DATAGRAM);
		add(s, what[evil], 0, true);
	}
	head(DNS_FLAG_RD, 1);
	question(4, 1, DNS_TYPE_A);
	count(ADDITIONAL, 16);
	for (unsigned i = 0; i < 16; i++)
		owner_fill(w.pos + (DATAGRAM - w.pos) / (16 - i));
	add(s, "16 records of labels", 0, true);
	head(5 << 11, 2);
	question(127, 1, DNS_TYPE_A);
	question(127, 1, DNS_TYPE_A);
	count(ADDITIONAL, 200);
	for (unsigned i = 0; i < 200; i++)
		owner_fill(w.pos + DNS_NAME_MAX + 10);
	add(s, "NOTIMP, 200 records of labels", 0, true);
	head(DNS_FLAG_RD, 1);
	question(4, 8, DNS_TYPE_A);
	count(ADDITIONAL, 1);
	opt(16000, 0);
	add(s, "16,000 options", 0, true);
}

// A name of pointers alone, or of labels of one byte with a pointer each, to the one at `at`;
// where the name begins that follows `depth` of them.
static unsigned chain(unsigned at, unsigned depth, bool labelled)
{
	for (unsigned i = 0; i < depth; i++) {
		unsigned to = at;
		at = (unsigned)w.pos;
		if (labelled)
			wr_bytes(&w, "\1b", 2);
		wr_u16(&w, (uint16_t)(0xc000 | to));
	}
	return at;
}

static void names(struct slow_set *s)
{
	for (unsigned len = 1; len < 30; len++) {
		head(0, 0);
		name(2 + len % 4, len);
		add(s, "plain", DNS_HEADER_LEN, false);
	}
	head(0, 0);
	name(127, 1);
	add(s, "127 labels", DNS_HEADER_LEN, true);
	static const char *const what[] = {"126 pointers", "127 labels, 126 pointers",
		"127 pointers", "127 labels, 127 pointers"};
	for (unsigned i = 0; i < 4; i++) {
		head(0, 0);
		name(1, 1);
		add(s, what[i], chain(DNS_HEADER_LEN, CHAIN + i / 2, i % 2), true);
	}
}

// A reply's question, and a record of an unknown type with a chain in its data: to the question's
// name of 124 labels, or of as many labels. One label of four bytes more and it is the longest.
static unsigned reply(unsigned type, bool dnssec_ok, bool labelled)
{
	head(DNS_FLAG_QR | DNS_FLAG_RD | DNS_FLAG_RA | (dnssec_ok ? DNS_FLAG_AD : 0), 1);
	question(CHAIN - 2, 1, type);
	wr_u8(&w, 0);
	fixed(UNKNOWN, 0);
	size_t data = w.pos;
	unsigned at = DNS_HEADER_LEN;
	if (labelled) {
		at = (unsigned)w.pos;
		name(1, 1);
	}
	at = chain(at, CHAIN - 3, labelled);
	put_u16(bytes + data - 2, (uint16_t)(w.pos - data));
	return at;
}

// Records with other data each, as many as fit, whose owner is at that place or, by turns, in one
// of the pointers before it.
static unsigned records(
	unsigned owner, unsigned turns, unsigned type, unsigned most, unsigned rdata_len)
{
	unsigned n = 0;
	for (; n < most && w.pos + 12 + rdata_len <= sizeof(bytes); n++) {
		wr_u16(&w, (uint16_t)(0xc000 | (owner - n % turns * 2)));
		fixed(type, rdata_len);
		for (unsigned i = 0; i < rdata_len; i++)
			wr_u8(&w, i < 2 ? (uint8_t)(n >> 8 * i) : 0);
	}
	return n;
}

// Records with a name of their own as data, the rest of which is at `to`; owners as of records().
static unsigned named(unsigned owner, unsigned turns, unsigned type, unsigned most, unsigned to)
{
	unsigned n = 0;
	for (; n < most && w.pos + 19 <= sizeof(bytes); n++) {
		wr_u16(&w, (uint16_t)(0xc000 | (owner - n % turns * 2)));
		fixed(type, 7);
		wr_u8(&w, 4);
		wr_u32(&w, n * 2654435761u);
		wr_u16(&w, (uint16_t)(0xc000 | to));
	}
	return n;
}

static void plain_replies(struct slow_set *s)
{
	static const unsigned many[] = {1, 3, 8, 20, 60, 200, 600, 1000, 1500, 2000};
	for (unsigned i = 0; i < sizeof(many) / sizeof(*many); i++) {
		head(DNS_FLAG_QR | DNS_FLAG_RD | DNS_FLAG_RA, 1);
		question(3, 6, DNS_TYPE_A);
		count(ANSWER, records(DNS_HEADER_LEN, 1, DNS_TYPE_A, many[i], 4));
		add(s, "plain, A", 0, false);
		head(DNS_FLAG_QR | DNS_FLAG_RD | DNS_FLAG_RA, 1);
		question(3, 6, DNS_TYPE_AAAA);
		count(ANSWER, records(DNS_HEADER_LEN, 1, DNS_TYPE_AAAA, many[i], 16));
		add(s, "plain, AAAA", 0, false);
		head(DNS_FLAG_QR | DNS_FLAG_RD | DNS_FLAG_RA, 1);
		question(3, 6, DNS_TYPE_NS);
		count(ANSWER, named(DNS_HEADER_LEN, 1, DNS_TYPE_NS, many[i], DNS_HEADER_LEN));
		add(s, "plain, NS", 0, false);
	}
}

// Many records of long names: of others, of the one asked for, above it, and in the data.
static void named_replies(struct slow_set *s, bool labelled, unsigned turns, unsigned most)
{
	static const unsigned types[] = {DNS_TYPE_NS, DNS_TYPE_DNAME};
	char what[64];
	unsigned at = reply(DNS_TYPE_A, false, labelled);
	snprintf(what, sizeof(what), "%u %s, %u by turns", most, labelled ? "labels" : "pointers",
		turns);
	count(ANSWER, 1 + records(at, turns, DNS_TYPE_A, most, 4));
	add(s, what, 0, true);
	at = reply(DNS_TYPE_A, true, labelled);
	count(ANSWER, 1 + records(at, turns, DNS_TYPE_RRSIG, most, 20));
	add(s, what, 0, true);
	at = reply(DNS_TYPE_A, false, labelled);
	count(ANSWER, 1);
	count(ADDITIONAL, records(at, turns, DNS_TYPE_A, DNS_MESSAGE_MAX, 0));
	add(s, what, 0, true);
	at = reply(DNS_TYPE_A, false, labelled);
	count(ANSWER, 1);
	count(AUTHORITY, records(at, turns, DNS_TYPE_SOA, most, 22));
	add(s, what, 0, true);
	for (unsigned i = 0; i < 2; i++) {
		at = reply(types[i], true, labelled);
		at = turns > 1 ? DNS_HEADER_LEN : at;
		count(ANSWER, 1 + named(DNS_HEADER_LEN, 1, types[i], most, at));
		add(s, what, 0, true);
	}
}

// Long names in the data alone, of labels of so many bytes; in the owners too, by turns, with so
// many bytes behind them that all of these may be read (dns_names_may_follow); and names that each
// stand a label above the one before.
static void names_in_data(struct slow_set *s, unsigned most)
{
	enum { OWNER = 510, TURNS = 100 };
	char what[64];
	for (unsigned len = 1; len <= 8; len++) {
		head(DNS_FLAG_QR | DNS_FLAG_RD, 1);
		question(248 / (1 + len), len, DNS_TYPE_NS);
		count(ANSWER, named(DNS_HEADER_LEN, 1, DNS_TYPE_NS, most, DNS_HEADER_LEN));
		snprintf(what, sizeof(what), "%u names of labels of %u", most, len);
		add(s, what, 0, true);
	}
	unsigned at = reply(DNS_TYPE_NS, true, false);
	count(ANSWER, 1 + named(at, TURNS, DNS_TYPE_NS, most, DNS_HEADER_LEN));
	while (w.pos * 6 < most * OWNER && w.pos < sizeof(bytes))
		wr_u8(&w, 0);
	snprintf(what, sizeof(what), "%u owners and names", most);
	add(s, what, 0, true);
	head(DNS_FLAG_QR | DNS_FLAG_RD, 1);
	question(1, 1, DNS_TYPE_NS);
	unsigned n = 0;
	for (at = DNS_HEADER_LEN; n < CHAIN - 3; n++) {
		wr_u16(&w, 0xc000 | DNS_HEADER_LEN);
		fixed(DNS_TYPE_NS, LABELLED);
		at = chain(at, 1, true);
	}
	count(ANSWER, n + named(DNS_HEADER_LEN, 1, DNS_TYPE_NS, most, at));
	snprintf(what, sizeof(what), "%u names above one another", most);
	add(s, what, 0, true);
}

// As of KeyTrap: each of many signatures could be of each of many keys.
static void signatures(void)
{
	enum { DNSKEY = 48, KEYS = 60, SIGNATURES = 500, KEY_LEN = 68, FIXED = 18 };
	head(DNS_FLAG_QR | DNS_FLAG_RD | DNS_FLAG_AD, 1);
	question(3, 6, DNSKEY);
	count(ANSWER, KEYS + SIGNATURES);
	(void)records(DNS_HEADER_LEN, 1, DNSKEY, KEYS, KEY_LEN);
	for (unsigned n = 0; n < SIGNATURES; n++) {
		wr_u16(&w, 0xc000 | DNS_HEADER_LEN);
		fixed(DNS_TYPE_RRSIG, FIXED + 1 + KEY_LEN);
		wr_u16(&w, DNSKEY);
		for (unsigned i = 2; i < FIXED + 1 + KEY_LEN; i++)
			wr_u8(&w, i > FIXED ? (uint8_t)(n >> i % 2 * 8) : 0);
	}
}

// Names of one hash (dns_compress.c) from their last label, of which there are nine, to the second.
static void one_hash(void)
{
	enum { LASTS = 9, LABELS = 116, LEN = 5 + 2 * LABELS + ONE_HASH_LEN + 1 };
	uint8_t last[LASTS][ONE_HASH_LEN];
	unsigned n = 0;
	for (unsigned i = 0; i < LASTS; i++)
		one_hash_label(i, last[i]);
	head(DNS_FLAG_QR | DNS_FLAG_RD, 1);
	question(3, 6, DNS_TYPE_NS);
	for (; w.pos + 12 + LEN <= sizeof(bytes); n++) {
		wr_u16(&w, 0xc000 | DNS_HEADER_LEN);
		fixed(DNS_TYPE_NS, LEN);
		wr_u8(&w, 4);
		wr_u32(&w, n * 2654435761u);
		for (unsigned i = 0; i < LABELS; i++)
			wr_bytes(&w, "\1a", 2);
		wr_bytes(&w, last[n < LASTS ? n : LASTS - 1], ONE_HASH_LEN);
		wr_u8(&w, 0);
	}
	count(ANSWER, n);
}

// One record, all of them: the first has another pointer to the same owner than the others.
static void twins(void)
{
	unsigned at = reply(UNKNOWN, false, false), n = records(at - 2, 1, UNKNOWN, 1, 0);
	count(ANSWER, 1 + n + records(at, 1, UNKNOWN, RECORDS - 2, 0));
}

static void evil_replies(struct slow_set *s)
{
	for (unsigned most = 30; most < 2 * RECORDS; most *= 2)
		for (unsigned kind = 0; kind < 4; kind++)
			named_replies(s, kind % 2, kind / 2 ? 100 : 1,
				most < RECORDS ? most : RECORDS - 1);
	for (unsigned most = 30; most <= 1000; most += most < 60 ? 10 : most)
		names_in_data(s, most);
	signatures();
	add(s, "KeyTrap: 60 keys, 500 signatures", 0, true);
	one_hash();
	add(s, "names of one hash", 0, true);
	twins();
	add(s, "2,047 twins, two pointers", 0, true);
	head(DNS_FLAG_QR | DNS_FLAG_RD, 1);
	question(4, 8, DNS_TYPE_A);
	count(ANSWER, records(DNS_HEADER_LEN, 1, DNS_TYPE_A, 2 * RECORDS, 4));
	add(s, "4,096 records", 0, true);
}

void slow_make(enum slow_parser parser, struct slow_set *s)
{
	switch (parser) {
	case SLOW_QUERY:
		queries(s);
		return;
	case SLOW_NAME:
		names(s);
		return;
	default:
		plain_replies(s);
		evil_replies(s);
	}
}
