// SPDX-License-Identifier: BSD-3-Clause
#include "source_key.h"

#include <assert.h>
#include <netinet/in.h>
#include <string.h>

struct source_ids source_ids_of(const struct sockaddr_storage *a)
{
	const struct source_key key = source_key_of(a);
	struct source_ids out = {0};
	static_assert(AF_INET < SOURCE_KIND_NETWORK && AF_INET6 < SOURCE_KIND_NETWORK);
	memcpy(out.own.bytes, key.bytes, sizeof(key.bytes));
	if (a->ss_family != AF_INET6)
		return out;
	memcpy(out.network.bytes, key.bytes, sizeof(key.bytes));
	out.network.bytes[0] = SOURCE_KIND_NETWORK;
	memcpy(out.own.bytes + 1, &((const struct sockaddr_in6 *)a)->sin6_addr, 16);
	return out;
}

struct source_key source_key_of(const struct sockaddr_storage *a)
{
	struct source_key out = {0};
	if (a->ss_family == AF_INET)
		memcpy(out.bytes + 1, &((const struct sockaddr_in *)a)->sin_addr, 4);
	else if (a->ss_family == AF_INET6)
		memcpy(out.bytes + 1, &((const struct sockaddr_in6 *)a)->sin6_addr, 8);
	else
		return out;
	out.bytes[0] = (uint8_t)a->ss_family;
	return out;
}
