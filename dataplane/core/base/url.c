// SPDX-License-Identifier: BSD-3-Clause
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <weir/url.h>

// The host as a name, an IPv4 address or an IPv6 address in brackets.
static size_t host_span(const char *text)
{
	static const char name[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
				   "0123456789-._";
	if (text[0] != '[')
		return strspn(text, name);
	size_t len = 1 + strspn(text + 1, "0123456789abcdefABCDEF:.");
	return text[len] == ']' ? len + 1 : 0;
}

static int authority_parse(const char *text, size_t len, struct url *u)
{
	const char *at = memrchr(text, '@', len);
	u->userinfo = text;
	u->userinfo_len = at ? (size_t)(at - text) : 0;
	u->host = at ? at + 1 : text;
	u->host_len = host_span(u->host);
	u->port = u->host + u->host_len;
	u->port_len = 0;
	if (u->host_len == 0 || u->host_len > 255)
		return -EINVAL;
	if (u->port == text + len)
		return 0;
	if (*u->port++ != ':')
		return -EINVAL;
	u->port_len = strspn(u->port, "0123456789");
	return u->port_len > 0 && u->port_len <= 5 && u->port + u->port_len == text + len ? 0
											  : -EINVAL;
}

int url_parse_list(const char *text, struct url *out)
{
	struct url u = {
		.https = strncmp(text, "https://", 8) == 0, .ixfr = strncmp(text, "ixfr", 4) == 0};
	bool is_transfer = u.ixfr || strncmp(text, "axfr", 4) == 0;
	u.axfr_tls = is_transfer && strncmp(text + 4, "+tls://", 7) == 0;
	u.axfr = u.axfr_tls || (is_transfer && strncmp(text + 4, "://", 3) == 0);
	if (!u.https && !u.axfr && strncmp(text, "http://", 7) != 0)
		return -EINVAL;
	for (const char *p = text; *p; p++)
		if (*p <= 0x20 || *p > 0x7e || strchr("\"<>\\^`{|}", *p))
			return -EINVAL;
	const char *authority = strstr(text, "://") + 3;
	size_t len = strcspn(authority, "/?#");
	if (authority_parse(authority, len, &u) < 0)
		return -EINVAL;
	u.path = authority + len;
	u.path_len = strcspn(u.path, "?#");
	u.has_query = u.path[u.path_len] == '?';
	*out = u;
	return 0;
}

int url_parse(const char *text, struct url *out)
{
	struct url u;
	if (url_parse_list(text, &u) < 0 || u.axfr)
		return -EINVAL;
	*out = u;
	return 0;
}

char *url_shown(const char *text, char *out, size_t cap)
{
	struct url u;
	if (url_parse_list(text, &u) < 0)
		snprintf(out, cap, "?");
	else
		snprintf(out, cap, "%s://%.*s%s%.*s%.*s%s",
			u.https      ? "https"
			: u.axfr_tls ? u.ixfr ? "ixfr+tls" : "axfr+tls"
			: u.ixfr     ? "ixfr"
			: u.axfr     ? "axfr"
				     : "http",
			(int)u.host_len, u.host, u.port_len ? ":" : "", (int)u.port_len, u.port,
			(int)u.path_len, u.path, u.has_query ? "?..." : "");
	return out;
}
