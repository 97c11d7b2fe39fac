// SPDX-License-Identifier: BSD-3-Clause
#include "corpus_l0.h"

#include "../../tools/loadgen/corpus.h"

#include <errno.h>
#include <string.h>
#include <weir/dns_name.h>

static bool key_make(uint32_t id, struct dns_name *name, struct l0_key *key)
{
	struct corpus_name text;
	corpus_cached(id, &text);
	if (dns_name_from_text(text.text, strlen(text.text), name) != 0)
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

int corpus_l0_put(struct l0_writer *writer, uint32_t id, uint64_t now_ms)
{
	uint8_t answer[CORPUS_ANSWER_LEN];
	uint16_t ttl_off[CORPUS_ANSWERS];
	struct dns_name name;
	struct l0_key key;
	if (!key_make(id, &name, &key))
		return -EINVAL;
	l0_key_hash(l0_writer_reader(writer), &key);
	answer_fill(answer, ttl_off, id);
	const struct l0_put put = {
		.key = key,
		.answer =
			{
				.bytes = answer,
				.ttl_off = ttl_off,
				.len = CORPUS_ANSWER_LEN,
				.ttl_count = CORPUS_ANSWERS,
				.ancount = CORPUS_ANSWERS,
				.sum = csum_partial(answer, CORPUS_ANSWER_LEN),
			},
		.created_ms = now_ms,
		.soft_ms = 3600000,
		.hard_ms = 7200000,
		.refresh_ms = UINT32_MAX,
		.auth_ttl_s = CORPUS_TTL_S,
	};
	return l0_writer_put(writer, &put);
}

bool corpus_l0_has(const struct l0_reader *reader, uint32_t id)
{
	struct dns_name name;
	struct l0_key key;
	if (!key_make(id, &name, &key))
		return false;
	l0_key_hash(reader, &key);
	uint64_t anomalies = 0;
	return l0_find(reader, &key, l0_candidate(reader, key.hash), &anomalies) != L0_NONE;
}
