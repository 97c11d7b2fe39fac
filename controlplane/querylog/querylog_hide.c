// SPDX-License-Identifier: BSD-3-Clause
#include "querylog_hide.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <weir/siphash.h>

enum { KEY_LIFE_MS = 24 * 3600 * 1000 };

uint64_t querylog_siphash(const uint64_t key[2], const uint8_t bytes[16])
{
	struct sip s = sip_begin((const uint8_t *)key);
	sip_word(&s, sip_load(bytes));
	sip_word(&s, sip_load(bytes + 8));
	sip_word(&s, sip_last(0, 16));
	return sip_end(&s);
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

unsigned querylog_hide_bits(enum log_clients how, unsigned version)
{
	static const uint8_t bits[][2] = {[LOG_CLIENTS_WHOLE] = {32, 128},
		[LOG_CLIENTS_TRUNCATED] = {24, 48},
		[LOG_CLIENTS_HASHED] = {0, 0}};
	return bits[how][version != 4];
}

size_t querylog_hide_client(const struct querylog_hide *h, enum log_clients how, unsigned version,
	uint8_t bytes[16], char out[QUERYLOG_CLIENT_TEXT_MAX])
{
	if (how == LOG_CLIENTS_HASHED) {
		uint64_t hash = h->has_key ? querylog_siphash(h->key, bytes) : 0;
		memset(bytes, 0, 16);
		return (size_t)snprintf(
			out, QUERYLOG_CLIENT_TEXT_MAX, "%016llx", (unsigned long long)hash);
	}
	if (how == LOG_CLIENTS_TRUNCATED) {
		const unsigned kept = querylog_hide_bits(how, version) / 8;
		memset(bytes + kept, 0, 16 - kept);
	}
	if (!inet_ntop(version == 4 ? AF_INET : AF_INET6, bytes, out, QUERYLOG_CLIENT_TEXT_MAX))
		out[0] = '\0';
	return strlen(out);
}
