// SPDX-License-Identifier: BSD-3-Clause
#include "source_key.h"

#include <netinet/in.h>
#include <string.h>

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
