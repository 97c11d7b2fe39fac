// SPDX-License-Identifier: BSD-3-Clause

// A record of L0 that a control plane gone wild has written over: the reader stays inside the
// table, both forms of the lookup (the call and that in line) find the same, and a reply that is
// made of it stays inside its buffer. Input: where in the record, then the bytes.

#include "dataplane/core/l0/l0_read.h"
#include "fuzz.h"
#include "tests/unit/core/l0/l0_fixture.h"

#include <weir/dns_reply.h>

enum { ID = 9, ANSWER_LEN = 200, KEPT = 1024, ROOM = 1232 };

static struct box box;
static uint32_t number;
static uint8_t kept[KEPT];

FUZZ_BEGIN
{
	struct l0_view v;
	FUZZ_CHECK(box_open(&box, 1 << 20, 2));
	for (uint32_t id = 0; id < 64; id++)
		FUZZ_CHECK(box_put(&box, id, 1, ANSWER_LEN, 1000, 1 << 30) == 0);
	FUZZ_CHECK(box_get(l0_writer_reader(box.w), ID, &v, &number));
	return 0;
}

static void check_view(const struct l0_reader *r, const struct l0_view *v)
{
	const uint8_t *end = r->units + (size_t)r->unit_count * L0_UNIT;
	const struct dns_answer_view *a = &v->answer;
	FUZZ_CHECK(v->name >= r->units && v->name + v->name_len <= end);
	FUZZ_CHECK(a->bytes >= r->units && a->bytes + a->len <= end && a->len <= L0_ANSWER_MAX);
	for (unsigned i = 0; i < a->ttl_count; i++)
		FUZZ_CHECK(dns_answer_ttl_at(a, i) + 4 <= a->len);
}

static void reply(const struct l0_view *v, bool has_opt)
{
	static const uint8_t head[] = "\x47\x11\1\0\0\1\0\0\0\0\0\0\1a\0\0\1\0\1";
	uint8_t msg[ROOM] = {0};
	const struct dns_query q = {.id = 0x4711,
		.flags = DNS_FLAG_RD,
		.question_len = 7,
		.udp_size = ROOM,
		.has_opt = has_opt};
	const struct dns_reply_opts o = {
		.age_s = 7, .ttl_cap_s = 100, .ede = DNS_EDE_NONE, .limit = ROOM};
	uint16_t sum;
	memcpy(msg, head, sizeof(head) - 1);
	uint8_t *exact = malloc(ROOM);
	FUZZ_CHECK(exact);
	memcpy(exact, msg, ROOM);
	uint16_t n = dns_reply_answer(exact, ROOM, &q, &v->answer, &o, &sum);
	FUZZ_CHECK(n >= DNS_HEADER_LEN + 7 && n <= ROOM);
	free(exact);
}

static void look(const struct l0_reader *r, uint32_t id)
{
	struct box_name name;
	struct l0_key key = box_key(r, id, &name);
	struct l0_found found;
	struct l0_view v, line;
	uint64_t anomalies = 0, line_anomalies = 0;
	uint32_t candidate = l0_candidate(r, key.hash);
	FUZZ_CHECK(candidate == l0_read_candidate(r, key.hash));
	uint32_t at = l0_find(r, &key, candidate, &anomalies);
	FUZZ_CHECK(at == l0_read_find(r, &key, candidate, &found, &line_anomalies));
	FUZZ_CHECK(anomalies == line_anomalies);
	if (at == L0_NONE)
		return;
	bool whole = l0_record_read(r, at, &v);
	FUZZ_CHECK(whole == l0_read_record(r, at, &line));
	if (!whole)
		return;
	check_view(r, &v);
	reply(&v, id & 1);
}

FUZZ_BODY(data, len)
{
	const struct l0_reader *r = l0_writer_reader(box.w);
	if (len < 2)
		return 0;
	uint8_t *record = (uint8_t *)(uintptr_t)r->units + (size_t)number * L0_UNIT;
	size_t at = data[0] % 128u, n = len - 1 < KEPT - 128 ? len - 1 : KEPT - 128;
	memcpy(kept, record + at, n);
	memcpy(record + at, data + 1, n);
	struct l0_view v;
	look(r, ID);
	look(r, ID + 1);
	if (l0_record_read(r, number, &v)) {
		check_view(r, &v);
		reply(&v, true);
	}
	memcpy(record + at, kept, n);
	return 0;
}
