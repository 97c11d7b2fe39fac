// SPDX-License-Identifier: BSD-3-Clause
// Servers that are given by a host name in place of an address, and the servers that resolve these.

#include "config_entries.h"
#include "config_sections.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { DNS_PORT = 53 };

bool config_address_is_own(const struct config *c, const struct socket_address *a)
{
	if (a->port != DNS_PORT && !(c->dot.enabled && a->port == c->dot.port)
		&& !(c->doh.enabled && a->port == c->doh.port))
		return false;
	for (unsigned i = 0; i < c->dataplane.address_count; i++)
		if (config_address_equal(&c->dataplane.addresses[i], &a->ip))
			return true;
	return false;
}

static bool same_address(const struct socket_address *a, const struct socket_address *b)
{
	return a->port == b->port && config_address_equal(&a->ip, &b->ip);
}

static int bootstrap_add(const struct config_doc *doc, const char *key, const char *text,
	const struct config *out, struct socket_address *servers, unsigned count)
{
	struct socket_address *a = &servers[count];
	if (!text || socket_address_parse(text, DNS_PORT, a) < 0)
		return config_refuse(doc, key,
			"is not an IP address, with or without port (\"9.9.9.9\", "
			"\"[2620:fe::fe]:53\")");
	for (unsigned i = 0; i < count; i++)
		if (same_address(&servers[i], a))
			return config_refuse(doc, key, "given twice");
	return config_server_check(doc, key, out, NULL, 0, a);
}

// One that is refused counts: that it is missing must not be an error of host names too.
int config_bootstrap_apply(const struct config_doc *doc, const char *list,
	const struct config_node *items, const struct config *out, struct socket_address *servers,
	unsigned *count)
{
	char key[CONFIG_PATH_MAX];
	int rc = 0;
	for (unsigned i = 0; i < config_list_count(items); i++, (*count)++)
		rc = config_worse(rc, bootstrap_add(doc, config_item_key(key, list, i, NULL),
					      items->child[i]->text, out, servers, *count));
	return rc;
}

// A mistyped address is no name: no top level domain has digits alone.
static bool ends_in_number(const char *name)
{
	const char *dot = strrchr(name, '.'), *last = dot ? dot + 1 : name;
	return strspn(last, "0123456789") == strlen(last);
}

bool config_host_take(const char *text, uint16_t port, struct config_upstream *s)
{
	const char *colon = strchr(text, ':');
	const size_t len = colon ? (size_t)(colon - text) : strlen(text);
	char *end = NULL;

	if (!config_tls_name_take(text, len, s->host) || ends_in_number(s->host)) {
		s->host[0] = '\0';
		return false;
	}
	s->address = (struct socket_address){.port = port};
	if (!colon)
		return true;
	unsigned long number =
		colon[1] >= '0' && colon[1] <= '9' ? strtoul(colon + 1, &end, 10) : 0;
	if (number == 0 || number > UINT16_MAX || *end) {
		s->host[0] = '\0';
		return false;
	}
	s->address.port = (uint16_t)number;
	return true;
}

static bool same_host(const struct config_upstream *a, const struct config_upstream *b)
{
	return a->host[0] && a->address.port == b->address.port && strcmp(a->host, b->host) == 0;
}

int config_host_check(const struct config_doc *doc, const char *key, const struct config *out,
	const struct config_upstream *servers, unsigned count, const struct config_upstream *s)
{
	if (out->upstreams.bootstrap_count == 0)
		return config_refuse(doc, key,
			"is a host name, and no server is known that resolves it: add "
			"`upstreams.bootstrap: [9.9.9.9]`, or give its address (\"9.9.9.9\", "
			"\"tls://%.60s@9.9.9.9\")",
			s->host);
	for (unsigned i = 0; i < count; i++)
		if (same_host(&servers[i], s))
			return config_refuse(doc, key, "given twice");
	return 0;
}

struct hosts {
	const struct config_upstream **out;
	unsigned count;
};

static void hosts_add(struct hosts *h, const struct config_upstream *server, unsigned count)
{
	for (unsigned i = 0; i < count; i++) {
		unsigned k = 0;
		while (k < h->count && k < CONFIG_HOSTS_MAX && !same_host(&server[i], h->out[k]))
			k++;
		if (!server[i].host[0] || (k < h->count && k < CONFIG_HOSTS_MAX))
			continue;
		if (h->count < CONFIG_HOSTS_MAX)
			h->out[h->count] = &server[i];
		h->count++;
	}
}

static void zones_add(struct hosts *h, const struct config_forward_zone *zone, unsigned count)
{
	for (unsigned i = 0; i < count; i++)
		hosts_add(h, zone[i].servers, zone[i].server_count);
}

unsigned config_hosts(const struct config *c, const struct config_upstream *out[CONFIG_HOSTS_MAX])
{
	struct hosts h = {.out = out};

	hosts_add(&h, c->upstreams.server, c->upstreams.count);
	zones_add(&h, c->forwards, c->forward_count);
	for (unsigned i = 0; i < c->group_count; i++) {
		hosts_add(&h, c->groups[i].upstreams, c->groups[i].upstream_count);
		zones_add(&h, c->groups[i].forwards, c->groups[i].forward_count);
	}
	return h.count;
}

int config_hosts_check(const struct config_doc *doc, const struct config *c)
{
	const struct config_upstream *hosts[CONFIG_HOSTS_MAX];

	if (config_hosts(c, hosts) <= CONFIG_HOSTS_MAX)
		return 0;
	return config_refuse(doc, "upstreams.bootstrap",
		"more than %d servers are given by a host name, those of groups and forward zones "
		"included",
		CONFIG_HOSTS_MAX);
}

char *config_server_text(const struct config_upstream *s, char out[CONFIG_HOST_TEXT_MAX])
{
	if (!s->host[0])
		return socket_address_text(&s->address, out);
	snprintf(out, CONFIG_HOST_TEXT_MAX, "%s:%u", s->host, s->address.port);
	return out;
}
