// SPDX-License-Identifier: BSD-3-Clause
#include "http_host.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

static int resolve(const struct http_url *url, const struct bootstrap *b,
	char out[HTTP_HOST_LINE_MAX], char why[HTTP_HOST_WHY_MAX])
{
	struct ip_address address[BOOTSTRAP_ADDRESSES_MAX];
	char reason[BOOTSTRAP_WHY_MAX], text[SOCKET_ADDRESS_TEXT_MAX];
	const size_t cap = HTTP_HOST_LINE_MAX;
	unsigned count;
	int err = bootstrap_resolve(b, url->host, address, &count, reason);
	if (err) {
		snprintf(why, HTTP_HOST_WHY_MAX, "%s", reason);
		return err == -ECANCELED || err == -ETIMEDOUT ? err : -EIO;
	}
	size_t len = (size_t)snprintf(out, cap, "%s:%s:", url->host, url->port);
	for (unsigned i = 0; i < count && len < cap; i++)
		len += (size_t)snprintf(out + len, cap - len, "%s%s%s%s", i ? "," : "",
			address[i].version == 6 ? "[" : "",
			ip_address_text(&address[i], false, text),
			address[i].version == 6 ? "]" : "");
	if (len < cap)
		return 0;
	snprintf(why, HTTP_HOST_WHY_MAX, "a host name that is too long");
	return -EIO;
}

// Addresses, and names that libcurl itself takes for this machine.
static bool needs_no_dns(const char *host)
{
	struct ip_address a;
	static const char local[] = "localhost";
	return host[0] == '[' || ip_address_parse(host, &a) == 0 || strcasecmp(host, local) == 0;
}

// libcurl would look such a name up under another spelling, and ask the system; a sign in front has
// a meaning in its list of addresses.
static bool is_plain(const char *host)
{
	size_t len = strlen(host);
	bool plain = len > 0 && host[0] != '-' && host[0] != '+' && host[len - 1] != '.';
	for (size_t i = 0; i < len; i++)
		plain &= host[i] > 0x20 && host[i] < 0x7f;
	return plain;
}

int http_host_addresses(const struct http_url *url, const struct bootstrap *b,
	char out[HTTP_HOST_LINE_MAX], char why[HTTP_HOST_WHY_MAX])
{
	if (needs_no_dns(url->host)) {
		out[0] = '\0';
		return 0;
	}
	if (is_plain(url->host))
		return resolve(url, b, out, why);
	snprintf(why, HTTP_HOST_WHY_MAX, "a host name that is no plain ASCII");
	return -EPROTO;
}
