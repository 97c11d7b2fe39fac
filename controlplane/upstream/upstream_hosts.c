// SPDX-License-Identifier: BSD-3-Clause
#include "upstream_hosts.h"

#include "route/host_board.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <weir/heap_site.h>
#include <weir/log.h>

struct upstream_named *upstream_named_new(const struct config_upstreams *config)
{
	unsigned hosts = 0;

	for (unsigned i = 0; i < config->count; i++)
		hosts += config->server[i].host[0] != '\0';
	struct upstream_named *n = hosts ? heap_calloc(1, sizeof(*n)) : NULL;
	if (hosts && !n)
		log_error("no memory for host names of upstream servers: weir goes on with the "
			  "addresses that they have; reload the configuration later");
	if (!n)
		return NULL;
	n->config = *config;
	for (unsigned i = 0; i < config->count; i++) {
		snprintf(n->name[i], sizeof(n->name[i]), "%s",
			config->server[i].name ? config->server[i].name : "");
		n->config.server[i].name = n->name[i];
	}
	snprintf(n->ca_file, sizeof(n->ca_file), "%s", config->ca_file ? config->ca_file : "");
	n->config.ca_file = n->ca_file;
	return n;
}

// What each server of the configuration stands for: its own address, or those of its name.
struct places {
	unsigned count; // of addresses
	struct {
		unsigned owner; // place in the configuration
		struct socket_address address;
	} one[CONFIG_UPSTREAMS_MAX * HOST_ADDRESSES_MAX];
	unsigned has[CONFIG_UPSTREAMS_MAX], takes[CONFIG_UPSTREAMS_MAX];
};

static bool same_address(const struct socket_address *a, const struct socket_address *b)
{
	return a->port == b->port && a->ip.version == b->ip.version
	       && memcmp(a->ip.bytes, b->ip.bytes, sizeof(a->ip.bytes)) == 0;
}

static bool is_taken(
	const struct config_upstreams *c, const struct places *p, const struct socket_address *a)
{
	for (unsigned i = 0; i < c->count; i++)
		if (!c->server[i].host[0] && same_address(&c->server[i].address, a))
			return true;
	for (unsigned i = 0; i < p->count; i++)
		if (same_address(&p->one[i].address, a))
			return true;
	return false;
}

static void name_add(const struct config_upstreams *c, unsigned owner, struct places *p,
	struct upstream_list *out)
{
	const struct config_upstream *s = &c->server[owner];
	struct host_state h;

	(void)host_board_get(s, &h);
	out->unknown += h.count == 0 && !h.why[0];
	for (unsigned i = 0; i < h.count; i++) {
		const struct socket_address a = {.ip = h.address[i], .port = s->address.port};
		if (is_taken(c, p, &a))
			continue;
		p->one[p->count].owner = owner;
		p->one[p->count++].address = a;
		p->has[owner]++;
	}
}

// A name all of whose addresses are those of names before it gets one that such a name can spare.
static void name_take(const struct config_upstreams *c, unsigned owner, struct places *p)
{
	const struct config_upstream *s = &c->server[owner];
	struct host_state h;

	(void)host_board_get(s, &h);
	for (unsigned k = p->count; k-- > 0 && p->has[owner] == 0;) {
		for (unsigned i = 0; i < h.count && p->has[owner] == 0; i++) {
			const struct socket_address a = {
				.ip = h.address[i], .port = s->address.port};
			if (p->has[p->one[k].owner] < 2 || !same_address(&p->one[k].address, &a))
				continue;
			p->has[p->one[k].owner]--;
			p->one[k].owner = owner;
			p->has[owner]++;
		}
	}
}

// Each has one place already, whether or not it has an address for it.
static void places_share(struct places *p, unsigned count)
{
	unsigned left = CONFIG_UPSTREAMS_MAX - count;

	for (unsigned i = 0; i < count; i++)
		p->takes[i] = p->has[i] > 0;
	for (bool more = true; more && left > 0;) {
		more = false;
		for (unsigned i = 0; i < count && left > 0; i++) {
			if (p->takes[i] >= p->has[i])
				continue;
			p->takes[i]++;
			left--;
			more = true;
		}
	}
}

static void list_fill(const struct config_upstreams *c, struct places *p, struct upstream_list *out)
{
	for (unsigned i = 0; i < c->count; i++) {
		const struct config_upstream *s = &c->server[i];
		if (!s->host[0] || p->takes[i] == 0) {
			out->server[out->count++] = *s;
			continue;
		}
		for (unsigned k = 0; k < p->count && p->takes[i] > 0; k++) {
			if (p->one[k].owner != i)
				continue;
			out->server[out->count] = *s;
			out->server[out->count++].address = p->one[k].address;
			p->takes[i]--;
		}
	}
}

void upstream_hosts_expand(const struct config_upstreams *config, struct upstream_list *out)
{
	struct places p = {0};

	out->count = out->unknown = 0;
	for (unsigned i = 0; i < config->count; i++)
		if (config->server[i].host[0])
			name_add(config, i, &p, out);
	for (unsigned i = 0; i < config->count; i++)
		if (config->server[i].host[0] && p.has[i] == 0)
			name_take(config, i, &p);
	places_share(&p, config->count);
	list_fill(config, &p, out);
}

bool upstream_hosts_is(const struct config_upstream *s, const char *text)
{
	const char *scheme = s->tls.path[0] ? "https://" : s->tls.is_on ? "tls://" : "";
	const size_t len = strlen(s->host);
	char port[16];

	if (!s->host[0])
		return false;
	if (strncasecmp(text, scheme, strlen(scheme)) == 0)
		text += strlen(scheme);
	if (strncasecmp(text, s->host, len) != 0)
		return false;
	text += len;
	int port_len = snprintf(port, sizeof(port), ":%u", s->address.port);
	if (strncmp(text, port, (size_t)port_len) == 0)
		text += port_len;
	return !*text || strcmp(text, s->tls.path) == 0;
}
