// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// The answer that the upstreams of the benches give to any query: one A record.

#include <stddef.h>
#include <stdint.h>
#include <string.h>

enum { BENCH_ANSWER_HEADER = 12, BENCH_ANSWER_TTL_S = 3600, BENCH_ANSWER_RECORD = 16 };

// The end of the only question; 0: no question to answer.
static inline size_t bench_question_end(const uint8_t *m, size_t len)
{
	size_t at = BENCH_ANSWER_HEADER;

	if (len < BENCH_ANSWER_HEADER || m[2] & 0x80 || m[4] != 0 || m[5] != 1)
		return 0;
	while (at < len && m[at] != 0 && m[at] < 64)
		at += 1u + m[at];
	return at + 5 <= len && m[at] == 0 ? at + 5 : 0;
}

// Makes the query its own answer, in `cap` bytes; its length, 0: no reply.
static inline size_t bench_answer(uint8_t *m, size_t len, size_t cap)
{
	static const uint8_t record[BENCH_ANSWER_RECORD] = {0xc0, BENCH_ANSWER_HEADER, 0, 1, 0, 1,
		0, 0, BENCH_ANSWER_TTL_S >> 8, BENCH_ANSWER_TTL_S & 255, 0, 4, 198, 18, 200, 1};
	size_t end = bench_question_end(m, len);

	if (end == 0 || end + sizeof(record) > cap)
		return 0;
	m[2] |= 0x80;
	m[3] = 0x80;
	memset(m + 6, 0, 6);
	m[7] = 1;
	memcpy(m + end, record, sizeof(record));
	return end + sizeof(record);
}
