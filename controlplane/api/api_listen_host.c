// SPDX-License-Identifier: BSD-3-Clause
#include "api_listen_host.h"

#include <arpa/inet.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

enum { NAME_MAX_LEN = 255 };

static bool is_address(const char *name)
{
	struct in6_addr a;
	return inet_pton(AF_INET, name, &a) == 1;
}

// In brackets, and perhaps with a port behind.
static bool is_bracketed(const char *host)
{
	char text[INET6_ADDRSTRLEN];
	struct in6_addr a;
	const size_t len = strcspn(host + 1, "]");
	const char *behind = host + 1 + len;
	if (len >= sizeof(text) || behind[0] != ']' || (behind[1] && behind[1] != ':'))
		return false;
	snprintf(text, sizeof(text), "%.*s", (int)len, host + 1);
	return inet_pton(AF_INET6, text, &a) == 1;
}

static bool is_own(const char *name)
{
	char own[HOST_NAME_MAX + 1] = "";
	return gethostname(own, sizeof(own) - 1) == 0 && strcasecmp(own, name) == 0;
}

bool api_listen_host_is_known(const struct config_metrics *m, const char *host)
{
	char name[NAME_MAX_LEN + 1];
	if (!host || !*host)
		return true;
	if (host[0] == '[')
		return is_bracketed(host);
	size_t len = strcspn(host, ":");
	if (len > 0 && host[len - 1] == '.')
		len--;
	if (len > NAME_MAX_LEN)
		return false;
	snprintf(name, sizeof(name), "%.*s", (int)len, host);
	for (unsigned i = 0; i < m->host_count; i++)
		if (strcasecmp(m->host[i], name) == 0)
			return true;
	return is_address(name) || strcasecmp(name, "localhost") == 0 || is_own(name);
}
