// SPDX-License-Identifier: BSD-3-Clause
#include "corpus_l0.h"

#include "tools/loadgen/corpus.h"

#include <errno.h>
#include <string.h>
#include <weir/dns_name.h>

static bool key_make(const struct corpus_name *text, struct dns_name *name, struct l0_key *key)
{
	if (dns_name_from_text(text->text, strlen(text->text), name) != 0)
		return false;
	*key = (struct l0_key){.name = name->wire, .name_len = name->len, .qtype = 1, .qclass = 1};
	return true;
}

static void answer_fill(uint8_t *answer, uint16_t *ttl_off, uint32_t id)
{
	corpus_answer(id, answer);
	for (unsigned i = 0; i < CORPUS_ANSWERS; i++)
		ttl_off[i] = (uint16_t)(CORPUS_RR_LEN * i + 6);
}

static int put(struct l0_writer *writer, const struct l0_key *key,
	const struct dns_answer_view *answer, uint64_t now_ms)
{
	const struct l0_put what = {
		.key = *key,
		.answer = *answer,
		.created_ms = now_ms,
		.soft_ms = 3600000,
		.hard_ms = 7200000,
		.refresh_ms = UINT32_MAX,
		.auth_ttl_s = CORPUS_TTL_S,
	};
	return l0_writer_put(writer, &what);
}

int corpus_l0_put_some(struct l0_writer *writer, uint32_t id, unsigned count, uint64_t now_ms)
{
	uint8_t answer[CORPUS_ANSWER_LEN];
	uint16_t ttl_off[CORPUS_ANSWERS];
	struct corpus_name text;
	struct dns_name name;
	struct l0_key key;
	corpus_cached(id, &text);
	if (!key_make(&text, &name, &key))
		return -EINVAL;
	l0_key_hash(l0_writer_reader(writer), &key);
	answer_fill(answer, ttl_off, id);
	const struct dns_answer_view view = {
		.bytes = answer,
		.ttl_off = ttl_off,
		.len = (uint16_t)(count * CORPUS_RR_LEN),
		.ttl_count = (uint16_t)count,
		.ancount = (uint16_t)count,
		.sum = csum_partial(answer, count * CORPUS_RR_LEN),
	};
	return put(writer, &key, &view, now_ms);
}

int corpus_l0_put(struct l0_writer *writer, uint32_t id, uint64_t now_ms)
{
	return corpus_l0_put_some(writer, id, CORPUS_ANSWERS, now_ms);
}

int corpus_l0_put_negative(struct l0_writer *writer, uint32_t id, uint64_t now_ms)
{
	// The zone is the last label, at offset 29 of every message of the corpus.
	static const uint8_t soa[] = {0xc0, 29, 0, 6, 0, 1, 0, 0, CORPUS_TTL_S >> 8,
		CORPUS_TTL_S & 0xff, 0, 27, 2, 'n', 's', 0xc0, 29, 0xc0, 29, 0, 0, 0, 1, 0, 0, 14,
		16, 0, 0, 3, 132, 0, 9, 58, 128, 0, 0, 14, 16};
	static const uint16_t ttl_off[] = {6};
	struct corpus_name text;
	struct dns_name name;
	struct l0_key key;
	corpus_missing(id, &text);
	if (!key_make(&text, &name, &key))
		return -EINVAL;
	l0_key_hash(l0_writer_reader(writer), &key);
	const struct dns_answer_view view = {
		.bytes = soa,
		.ttl_off = ttl_off,
		.len = sizeof(soa),
		.ttl_count = 1,
		.nscount = 1,
		.rcode = 3,
		.sum = csum_partial(soa, sizeof(soa)),
	};
	return put(writer, &key, &view, now_ms);
}

bool corpus_l0_has(const struct l0_reader *reader, uint32_t id)
{
	struct corpus_name text;
	struct dns_name name;
	struct l0_key key;
	corpus_cached(id, &text);
	if (!key_make(&text, &name, &key))
		return false;
	l0_key_hash(reader, &key);
	uint64_t anomalies = 0;
	return l0_find(reader, &key, l0_candidate(reader, key.hash), &anomalies) != L0_NONE;
}
