// SPDX-License-Identifier: BSD-3-Clause
#include "redis_error.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { WHERE_MAX = 160, SLOT_COUNT = 16384 };

enum redis_error redis_error_kind(const struct redis_reply *reply)
{
	static const struct {
		const char *word;
		enum redis_error kind;
	} words[] = {
		{"OOM ", REDIS_ERROR_OOM},
		{"READONLY ", REDIS_ERROR_READONLY},
		{"WRONGTYPE ", REDIS_ERROR_WRONGTYPE},
		{"NOPERM ", REDIS_ERROR_DENIED},
		{"NOAUTH ", REDIS_ERROR_DENIED},
		{"MOVED ", REDIS_ERROR_MOVED},
		{"ASK ", REDIS_ERROR_ASK},
		{"CLUSTERDOWN ", REDIS_ERROR_CLUSTERDOWN},
		{"EXECABORT ", REDIS_ERROR_EXECABORT},
	};
	size_t len;
	const char *text = redis_reply_text(reply, &len);
	for (size_t i = 0; i < ARRAY_LEN(words); i++) {
		if (len >= strlen(words[i].word)
			&& memcmp(text, words[i].word, strlen(words[i].word)) == 0)
			return words[i].kind;
	}
	return REDIS_ERROR_OTHER;
}

int redis_host_parse(const char *host, size_t host_len, int64_t port, struct socket_address *out)
{
	char text[SOCKET_ADDRESS_TEXT_MAX];
	struct ip_address ip;
	if (host_len >= sizeof(text) || port < 1 || port > UINT16_MAX)
		return -EINVAL;
	memcpy(text, host, host_len);
	text[host_len] = '\0';
	if (strlen(text) != host_len || strchr(text, '/') || ip_address_parse(text, &ip) < 0)
		return -EINVAL;
	*out = (struct socket_address){.ip = ip, .port = (uint16_t)port};
	return 0;
}

// At most 5 digits up to `end`; -1 for anything else.
static long number_read(const char *text, const char *end)
{
	long n = 0;
	if (text == end || end - text > 5)
		return -1;
	for (; text < end; text++) {
		if (*text < '0' || *text > '9')
			return -1;
		n = n * 10 + (*text - '0');
	}
	return n;
}

int redis_error_where(const struct redis_reply *reply, const struct socket_address *from,
	unsigned *slot, struct socket_address *out)
{
	size_t len;
	const char *text = redis_reply_text(reply, &len);
	if (!text || len >= WHERE_MAX)
		return -EINVAL;
	const char *end = text + len;
	const char *number = memchr(text, ' ', len);
	const char *host = number ? memchr(number + 1, ' ', (size_t)(end - number - 1)) : NULL;
	const char *port = host ? memrchr(host, ':', (size_t)(end - host)) : NULL;
	if (!port)
		return -EINVAL;
	long s = number_read(number + 1, host), p = number_read(port + 1, end);
	if (s < 0 || s >= SLOT_COUNT || p < 1 || p > UINT16_MAX)
		return -EINVAL;
	host++;
	struct socket_address a = *from;
	a.port = (uint16_t)p;
	if (port > host && redis_host_parse(host, (size_t)(port - host), p, &a) < 0)
		return -EINVAL;
	*slot = (unsigned)s;
	*out = a;
	return 0;
}
