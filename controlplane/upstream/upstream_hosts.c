// SPDX-License-Identifier: BSD-3-Clause
// Host names of servers: the addresses that a lookup gives them, and the servers of a set that they
// stand for.

#include "upstream_hosts.h"

#include "route/host_board.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>
#include <weir/heap_site.h>
#include <weir/log.h>

void upstream_found_read(struct upstream_found *f, uint16_t type, const struct dns_answer *answer)
{
	f->ttl_s = answer->ttl_s;
	f->count = dns_answer_addresses(answer, type, f->address, UPSTREAM_FOUND_MAX);
}

static bool is_same(const struct ip_address *a, const struct ip_address *b)
{
	return a->version == b->version && memcmp(a->bytes, b->bytes, sizeof(a->bytes)) == 0;
}

static bool has_address(const struct ip_address *list, unsigned count, const struct ip_address *a)
{
	for (unsigned i = 0; i < count; i++)
		if (is_same(&list[i], a))
			return true;
	return false;
}

// ::ffff:0:0/96 (RFC 4291 2.5.5.2): the kernel would send to the IPv4 address in it.
static bool is_mapped(const struct ip_address *a)
{
	static const uint8_t prefix[12] = {[10] = 0xff, [11] = 0xff};
	return a->version == 6 && memcmp(a->bytes, prefix, sizeof(prefix)) == 0;
}

static bool is_usable(struct host_state *h, const struct config *config, const struct ip_address *a)
{
	const struct socket_address at = {.ip = *a, .port = h->port};
	char text[SOCKET_ADDRESS_TEXT_MAX];

	if (config_address_is_host(a) && !is_mapped(a) && !config_address_is_own(config, &at))
		return true;
	if (h->refused++ == 0)
		log_warning("upstream host name %s: weir does not use the address %s: it is one of "
			    "this service, or no host's",
			h->host, ip_address_text(a, false, text));
	return false;
}

static bool has_route(const struct ip_address *a, uint16_t port)
{
	const struct socket_address at = {.ip = *a, .port = port};
	struct sockaddr_storage to;
	socklen_t len = 0;

	if (!socket_address_to_sockaddr(&at, &to, &len))
		return false;
	int fd = socket(to.ss_family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return true; // nothing is known
	int rc = connect(fd, (const struct sockaddr *)&to, len);
	close(fd);
	return rc == 0;
}

static int by_bytes(const void *a, const void *b)
{
	const struct ip_address *x = a, *y = b;
	return x->version != y->version ? x->version - y->version
					: memcmp(x->bytes, y->bytes, sizeof(x->bytes));
}

// Addresses chosen of a family, those in use first.
struct choice {
	unsigned count, usable;
	struct ip_address address[CONFIG_HOST_ADDRESSES];
};

static void addresses_choose(struct choice *c, struct host_state *h, const struct config *config,
	const struct upstream_found *f, bool in_use)
{
	for (unsigned i = 0; i < f->count; i++) {
		const struct ip_address *a = &f->address[i];
		if (has_address(h->address, h->count, a) != in_use || has_address(f->address, i, a)
			|| !is_usable(h, config, a))
			continue;
		c->usable++;
		if (c->count < CONFIG_HOST_ADDRESSES)
			c->address[c->count++] = *a;
		else
			h->left_out++;
	}
}

// Keeps the present addresses of a family without an answer.
static void addresses_keep(struct choice *c, const struct host_state *h, unsigned version)
{
	for (unsigned i = 0; i < h->count; i++)
		if (h->address[i].version == version && c->count < CONFIG_HOST_ADDRESSES)
			c->address[c->count++] = h->address[i];
}

// Removes addresses without a route, unless no address has one.
static unsigned routes_filter(struct host_state *h, struct ip_address *address, unsigned count)
{
	struct ip_address routed[HOST_ADDRESSES_MAX];
	unsigned n = 0;

	for (unsigned i = 0; i < count; i++)
		if (has_route(&address[i], h->port))
			routed[n++] = address[i];
	if (n == 0)
		return count;
	h->unreachable += count - n;
	memcpy(address, routed, n * sizeof(*address));
	return n;
}

unsigned upstream_found_apply(struct host_state *h, const struct config *config,
	const struct upstream_found *v4, const struct upstream_found *v6, bool has_v4, bool has_v6)
{
	struct ip_address all[HOST_ADDRESSES_MAX] = {0};
	struct choice four = {0}, six = {0};
	unsigned count = 0;

	for (int in_use = 1; in_use >= 0; in_use--) {
		addresses_choose(&four, h, config, v4, in_use);
		addresses_choose(&six, h, config, v6, in_use);
	}
	const unsigned usable = four.usable + six.usable;
	if (!has_v4)
		addresses_keep(&four, h, 4);
	if (!has_v6)
		addresses_keep(&six, h, 6);
	for (unsigned i = 0; i < four.count; i++)
		all[count++] = four.address[i];
	for (unsigned i = 0; i < six.count; i++)
		all[count++] = six.address[i];
	if (usable == 0)
		return 0;
	count = routes_filter(h, all, count);
	qsort(all, count, sizeof(all[0]), by_bytes);
	memset(h->address, 0, sizeof(h->address));
	memcpy(h->address, all, count * sizeof(all[0]));
	h->count = count;
	return usable;
}

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
	unsigned count; // addresses
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

// Gives a name whose addresses all belong to names before it one that such a name can spare.
static void name_claim(const struct config_upstreams *c, unsigned owner, struct places *p)
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

// Shares out the places of the list. Each name has one place already, with or without an address.
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
			name_claim(config, i, &p);
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
