// SPDX-License-Identifier: BSD-3-Clause

#include "import_server.h"

#include "import_add.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <weir/config.h>
#include <weir/dns_name.h>

enum { SERVER_MAX = 800, PORT_DNS = 53, PORT_TLS = 853, PORT_HTTPS = 443 };

struct server {
	const char *scheme; // "", "tls://", "https://"
	char host[260], name[260], path[260];
	unsigned port; // 0: the scheme's
	bool is_tcp;
};

static bool is_host(const char *host)
{
	struct dns_name name;
	const char *last = strrchr(host, '.');
	if (!*host || dns_name_from_text(host, strlen(host), &name) < 0 || name.labels == 0)
		return false;
	if (strspn(host, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.")
		< strlen(host))
		return false;
	last = last && last[1] ? last + 1 : host;
	return !isdigit((unsigned char)*last);
}

static bool is_address(const char *host, struct ip_address *a)
{
	return !strchr(host, '/') && ip_address_parse(host, a) == 0;
}

static bool port_read(const char *text, unsigned *out)
{
	char *end;
	unsigned long n = isdigit((unsigned char)*text) ? strtoul(text, &end, 10) : 0;
	if (n == 0 || n > 65535 || *end)
		return false;
	*out = (unsigned)n;
	return true;
}

// "host", "host:port", "host#port", "host@port", "[v6]:port", "v6".
static bool host_read(char *text, struct server *s)
{
	struct ip_address a;
	char *port = NULL;
	if (text[0] == '[') {
		char *end = strchr(text, ']');
		if (!end || (end[1] && !strchr(":#@", end[1])))
			return false;
		port = end[1] ? end + 2 : NULL;
		*end = '\0';
		text++;
	} else if (!is_address(text, &a)) {
		port = strpbrk(text, "#@");
		port = port ? port : strrchr(text, ':');
		if (port)
			*port++ = '\0';
	}
	if (strlen(text) >= sizeof(s->host) || (port && !port_read(port, &s->port)))
		return false;
	snprintf(s->host, sizeof(s->host), "%s", text);
	return is_address(s->host, &a) || is_host(s->host);
}

// The scheme in front, and what is left; false: one that weir does not have.
static bool scheme_read(const char **text, struct server *s)
{
	static const struct {
		const char *prefix, *scheme;
		bool is_tcp;
	} known[] = {{"udp://", "", false}, {"tcp://", "", true}, {"tls://", "tls://", false},
		{"dot://", "tls://", false}, {"https://", "https://", false},
		{"h3://", "https://", false}, {"tcp-tls:", "tls://", false},
		{"tcp+udp:", "", false}, {"udp:", "", false}, {"tcp:", "", true}};
	s->scheme = "";
	for (size_t i = 0; i < ARRAY_LEN(known); i++) {
		const size_t len = strlen(known[i].prefix);
		if (strncasecmp(*text, known[i].prefix, len) != 0)
			continue;
		s->scheme = known[i].scheme;
		s->is_tcp = known[i].is_tcp;
		*text += len;
		*text += strspn(*text, "/"); // tcp-tls://
		return true;
	}
	return !strstr(*text, "://");
}

// The path of a URL as weir takes it; a template's end and a query go.
static bool path_read(const char *text, struct server *s)
{
	const size_t len = strcspn(text, "{?#");
	if (len > CONFIG_HTTPS_PATH_MAX)
		return false;
	snprintf(s->path, sizeof(s->path), "%.*s", len > 1 ? (int)len : 10,
		len > 1 ? text : "/dns-query");
	return strspn(s->path, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
			       "-._~/!$&'()*+,;=:@%")
	       == strlen(s->path);
}

static bool server_read(const char *text, struct server *s)
{
	char host[SERVER_MAX];
	*s = (struct server){0};
	if (!scheme_read(&text, s) || strlen(text) >= sizeof(host))
		return false;
	const size_t len = strcspn(text, "/");
	snprintf(host, sizeof(host), "%.*s", (int)len, text);
	if (strcmp(s->scheme, "https://") == 0) {
		if (!path_read(text + len, s))
			return false;
	} else if (text[len] && text[len + 1]) {
		return false;
	}
	return host_read(host, s);
}

static void server_text(const struct server *s, char out[SERVER_MAX])
{
	const unsigned usual = *s->path ? PORT_HTTPS : *s->scheme ? PORT_TLS : PORT_DNS;
	const bool is_v6 = strchr(s->host, ':') != NULL, has_port = s->port && s->port != usual;
	char port[16] = "";
	if (has_port)
		snprintf(port, sizeof(port), ":%u", s->port);
	const bool brackets = is_v6 && (has_port || *s->scheme);
	snprintf(out, SERVER_MAX, "%s%.253s%s%s%.253s%s%s%.250s", s->scheme, s->name,
		*s->name ? "@" : "", brackets ? "[" : "", s->host, brackets ? "]" : "", port,
		s->path);
}

static void server_put(struct import_model *m, struct import_items *items, const struct server *s,
	const char *from, const char *note)
{
	char text[SERVER_MAX];
	struct ip_address a;
	static const uint8_t zero[16];
	server_text(s, text);
	if (is_address(s->host, &a)
		&& (memcmp(a.bytes, zero, a.version == 4 ? 4 : 16) == 0
			|| (a.version == 4 ? a.bytes[0] >= 224 : a.bytes[0] == 0xff))) {
		import_miss(m, NULL,
			"the server `%.200s` is left out: no host can have its address", from);
		return;
	}
	if (import_items_have(items, text))
		return;
	if (items->count == IMPORT_SERVERS_MAX) {
		import_miss(m, NULL, "the server `%.200s` is left out: weir takes %d in one list",
			from, IMPORT_SERVERS_MAX);
		return;
	}
	import_items_add(m, items, text, note);
	if (s->is_tcp)
		import_miss(m, NULL,
			"`%.200s` was asked over TCP alone; weir asks over UDP, and over TCP where "
			"an "
			"answer is cut short",
			from);
}

void import_server_add(
	struct import_model *m, struct import_items *items, const char *server, const char *note)
{
	struct server s;
	if (server_read(server, &s))
		server_put(m, items, &s, server, note);
	else
		import_miss(m, NULL,
			"the server `%.200s` is left out: weir asks servers over UDP, TCP, TLS and "
			"HTTPS, by address or host name",
			server);
}

void import_server_add_unbound(
	struct import_model *m, struct import_items *items, const char *server, bool over_tls)
{
	char host[SERVER_MAX];
	struct server s = {.scheme = over_tls ? "tls://" : ""};
	snprintf(host, sizeof(host), "%s", server);
	char *name = strchr(host, '#');
	if (name)
		*name++ = '\0';
	if (!host_read(host, &s) || (over_tls && name && !is_host(name))) {
		import_miss(m, NULL, "the server `%.200s` is left out: it is no address", server);
		return;
	}
	if (over_tls && name)
		snprintf(s.name, sizeof(s.name), "%.253s", name);
	server_put(m, items, &s, server, NULL);
}

void import_server_add_bootstrap(struct import_model *m, const char *server)
{
	struct server s;
	struct ip_address a;
	char text[SERVER_MAX];
	if (!server_read(server, &s) || !is_address(s.host, &a)) {
		import_miss(m, NULL,
			"the bootstrap server `%.200s` is left out: weir takes addresses", server);
		return;
	}
	if (*s.scheme)
		import_miss(m, NULL,
			"weir asks the bootstrap server `%.200s` in clear text, port 53", server);
	if (*s.scheme)
		s.port = 0;
	s.scheme = "";
	s.path[0] = '\0';
	server_text(&s, text);
	if (import_items_have(&m->bootstrap, text))
		return;
	if (m->bootstrap.count == IMPORT_BOOTSTRAP_MAX)
		import_miss(m, NULL, "the bootstrap server `%.200s` is left out: weir takes %d",
			server, IMPORT_BOOTSTRAP_MAX);
	else
		import_items_add(m, &m->bootstrap, text, NULL);
}

struct import_zone *import_server_zone(struct import_model *m, const char *zone)
{
	struct import_items found = {0};
	struct import_zone *z = NULL;
	import_add_name(m, &found, zone, NULL);
	for (unsigned i = 0; found.count && i < m->zone_count; i++)
		if (strcmp(m->zone[i].name, found.item[0].text) == 0)
			z = &m->zone[i];
	if (found.count && !z) {
		z = IMPORT_GROW(m, zone, CONFIG_FORWARD_ZONES_MAX);
		if (z)
			z->name = found.item[0].text;
		if (z)
			found.item[0].text = NULL;
	}
	import_items_free(&found);
	return z;
}

void import_server_add_zone(struct import_model *m, const char *zone, const char *server)
{
	if (!*zone || strcmp(zone, ".") == 0) {
		import_server_add(m, &m->upstreams, server, NULL);
		return;
	}
	struct import_zone *z = import_server_zone(m, zone);
	if (z)
		import_server_add(m, &z->servers, server, NULL);
}

bool import_server_is_named(const char *server)
{
	struct server s;
	struct ip_address a;
	return !strchr(server, '@') && server_read(server, &s) && !is_address(s.host, &a);
}

bool import_server_reverse(const char *prefix, char *out, size_t cap)
{
	struct ip_address a;
	size_t n = 0;
	if (ip_address_parse(prefix, &a) < 0)
		return false;
	int i = a.prefix_len / (a.version == 4 ? 8 : 4);
	if (i == 0)
		return false;
	while (i-- > 0 && n < cap)
		n += (size_t)(a.version == 4
				      ? snprintf(out + n, cap - n, "%u.", a.bytes[i])
				      : snprintf(out + n, cap - n, "%x.",
					      i % 2 ? a.bytes[i / 2] & 15 : a.bytes[i / 2] >> 4));
	if (n >= cap)
		return false;
	n += (size_t)snprintf(out + n, cap - n, a.version == 4 ? "in-addr.arpa" : "ip6.arpa");
	return n < cap;
}
