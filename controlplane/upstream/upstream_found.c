// SPDX-License-Identifier: BSD-3-Clause
#include "upstream_found.h"

#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include <weir/log.h>

void upstream_found_read(struct upstream_found *f, uint16_t type, const struct dns_answer *answer)
{
	f->ttl_s = answer->ttl_s;
	f->count = dns_answer_addresses(answer, type, f->address, UPSTREAM_FOUND_MAX);
}

static bool same(const struct ip_address *a, const struct ip_address *b)
{
	return a->version == b->version && memcmp(a->bytes, b->bytes, sizeof(a->bytes)) == 0;
}

static bool has(const struct ip_address *list, unsigned count, const struct ip_address *a)
{
	for (unsigned i = 0; i < count; i++)
		if (same(&list[i], a))
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

// Candidates of a family, those in use first.
struct choice {
	unsigned count, usable;
	struct ip_address address[CONFIG_HOST_ADDRESSES];
};

static void choose(struct choice *c, struct host_state *h, const struct config *config,
	const struct upstream_found *f, bool in_use)
{
	for (unsigned i = 0; i < f->count; i++) {
		const struct ip_address *a = &f->address[i];
		if (has(h->address, h->count, a) != in_use || has(f->address, i, a)
			|| !is_usable(h, config, a))
			continue;
		c->usable++;
		if (c->count < CONFIG_HOST_ADDRESSES)
			c->address[c->count++] = *a;
		else
			h->left_out++;
	}
}

// Of a family without an answer, those of before.
static void keep(struct choice *c, const struct host_state *h, unsigned version)
{
	for (unsigned i = 0; i < h->count; i++)
		if (h->address[i].version == version && c->count < CONFIG_HOST_ADDRESSES)
			c->address[c->count++] = h->address[i];
}

// Those without a route go, unless they are all there is.
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

unsigned upstream_found_take(struct host_state *h, const struct config *config,
	const struct upstream_found *v4, const struct upstream_found *v6, bool has_v4, bool has_v6)
{
	struct ip_address all[HOST_ADDRESSES_MAX] = {0};
	struct choice four = {0}, six = {0};
	unsigned count = 0;

	for (int in_use = 1; in_use >= 0; in_use--) {
		choose(&four, h, config, v4, in_use);
		choose(&six, h, config, v6, in_use);
	}
	const unsigned usable = four.usable + six.usable;
	if (!has_v4)
		keep(&four, h, 4);
	if (!has_v6)
		keep(&six, h, 6);
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
