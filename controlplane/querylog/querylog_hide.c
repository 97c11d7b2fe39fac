// SPDX-License-Identifier: BSD-3-Clause
#include "querylog_hide.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <weir/bytes.h>

enum { KEY_LIFE_MS = 24 * 3600 * 1000 };

static uint64_t rotate(uint64_t x, unsigned by)
{
	return x << by | x >> (64 - by);
}

static void round_of(uint64_t v[4])
{
	v[0] += v[1], v[2] += v[3];
	v[1] = rotate(v[1], 13) ^ v[0];
	v[3] = rotate(v[3], 16) ^ v[2];
	v[0] = rotate(v[0], 32);
	v[2] += v[1], v[0] += v[3];
	v[1] = rotate(v[1], 17) ^ v[2];
	v[3] = rotate(v[3], 21) ^ v[0];
	v[2] = rotate(v[2], 32);
}

static void word_in(uint64_t v[4], uint64_t word)
{
	v[3] ^= word;
	round_of(v);
	round_of(v);
	v[0] ^= word;
}

uint64_t querylog_siphash(const uint64_t key[2], const uint8_t bytes[16])
{
	uint64_t v[4] = {key[0] ^ UINT64_C(0x736f6d6570736575),
		key[1] ^ UINT64_C(0x646f72616e646f6d), key[0] ^ UINT64_C(0x6c7967656e657261),
		key[1] ^ UINT64_C(0x7465646279746573)};
	uint64_t word[2];
	memcpy(word, bytes, sizeof(word));
	word_in(v, word[0]);
	word_in(v, word[1]);
	word_in(v, UINT64_C(16) << 56);
	v[2] ^= 0xff;
	for (unsigned i = 0; i < 4; i++)
		round_of(v);
	return v[0] ^ v[1] ^ v[2] ^ v[3];
}

int querylog_hide_beat(struct querylog_hide *h, uint64_t now_ms)
{
	if (h->has_key && now_ms - h->drawn_ms < KEY_LIFE_MS)
		return 0;
	uint64_t key[2];
	ssize_t got = getrandom(key, sizeof(key), 0);
	if (got != (ssize_t)sizeof(key))
		return got < 0 ? -errno : -EIO;
	memcpy(h->key, key, sizeof(key));
	h->drawn_ms = now_ms;
	h->has_key = true;
	return 0;
}

size_t querylog_hide_client(const struct querylog_hide *h, enum log_clients how, unsigned version,
	uint8_t bytes[16], char out[QUERYLOG_CLIENT_TEXT_MAX])
{
	enum { KEPT_V4 = 3, KEPT_V6 = 6 };
	if (how == LOG_CLIENTS_HASHED) {
		uint64_t hash = h->has_key ? querylog_siphash(h->key, bytes) : 0;
		memset(bytes, 0, 16);
		return (size_t)snprintf(
			out, QUERYLOG_CLIENT_TEXT_MAX, "%016llx", (unsigned long long)hash);
	}
	if (how == LOG_CLIENTS_TRUNCATED) {
		unsigned kept = version == 4 ? KEPT_V4 : KEPT_V6;
		memset(bytes + kept, 0, 16 - kept);
	}
	if (!inet_ntop(version == 4 ? AF_INET : AF_INET6, bytes, out, QUERYLOG_CLIENT_TEXT_MAX))
		out[0] = '\0';
	return strlen(out);
}
