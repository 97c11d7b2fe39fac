// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// Reads a reply to a question of zipf_load, which may hold anything.

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct zipf_reply {
	uint32_t number, serial, born_ms; // of zipf_names.h
	uint32_t ttl_s;
	bool stale; // EDE 3 or 19 says so (RFC 8914)
};

enum zipf_verdict { ZIPF_ANSWER, ZIPF_SERVFAIL, ZIPF_WRONG };

// `question`: header and question as they were sent.
enum zipf_verdict zipf_reply_read(const uint8_t *message, size_t len, const uint8_t *question,
	size_t question_len, struct zipf_reply *out);
