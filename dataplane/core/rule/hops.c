// SPDX-License-Identifier: BSD-3-Clause
#include <errno.h>
#include <stdio.h>
#include <weir/config.h>
#include <weir/hops.h>

static int refuse(char why[128], const char *text)
{
	snprintf(why, 128, "hops image: %s", text);
	return -EPROTO;
}

static bool is_zero(const uint8_t *p, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if (p[i])
			return false;
	return true;
}

// One that a frame may go to, or come from, for a single host.
static bool mac_fits(const uint8_t mac[6])
{
	return !(mac[0] & 1) && !is_zero(mac, 6);
}

// One that a single host may have, and no loopback.
static bool address_fits(unsigned ip_version, const uint8_t ip[16])
{
	if (ip_version == 4)
		return ip[0] != 0 && ip[0] != 127 && ip[0] < 224 && is_zero(ip + 4, 12);
	return ip_version == 6 && ip[0] != 0xff && !is_zero(ip, 15);
}

static int hops_check(const struct hops_image *h, char why[128])
{
	for (unsigned i = 0; i < h->hop_count; i++) {
		const struct hops_hop *hop = &h->hop[i];
		if (!mac_fits(hop->destination) || !mac_fits(hop->source))
			return refuse(why, "a next hop with the MAC address of a group, or none");
		if (hop->port >= CONFIG_PORTS_MAX || hop->vlan > HOPS_VLAN_MAX
			|| hop->mtu < HOPS_MTU_LEAST)
			return refuse(why, "a next hop with a port, VLAN or MTU out of range");
	}
	return 0;
}

static int sources_check(const struct hops_image *h, char why[128])
{
	uint8_t v4[16] = {0};
	memcpy(v4, h->source_v4, 4);
	if (h->has_v4 > 1 || h->has_v6 > 1 || (h->has_v4 && !address_fits(4, v4))
		|| (h->has_v6 && !address_fits(6, h->source_v6)))
		return refuse(why, "a source address that no host can have");
	if (h->range_count < 1 || h->range_count > HOPS_RANGES_MAX)
		return refuse(why, "no local ports, or too many ranges of them");
	for (unsigned i = 0; i < h->range_count; i++)
		if (h->range[i].first < HOPS_PORT_LEAST || h->range[i].last < h->range[i].first)
			return refuse(why, "a range of local ports out of range");
	if (h->resolvers < 1 || h->resolvers > SHM_RESOLVERS_MAX)
		return refuse(why, "too many resolvers, or none");
	return 0;
}

static int server_check(const struct hops_image *h, const struct hops_server *s, char why[128])
{
	if (!address_fits(s->ip_version, s->ip) || s->port == 0)
		return refuse(why, "a server with an address or port that none can have");
	if (s->ip_version == 4 ? !h->has_v4 : !h->has_v6)
		return refuse(why, "a server without a source address to ask it from");
	if (s->hop >= h->hop_count)
		return refuse(why, "a server behind a next hop that is not in it");
	if (s->ip_version == 6 && h->hop[s->hop].mtu < HOPS_MTU_LEAST_IPV6)
		return refuse(why, "an IPv6 server behind a next hop with a smaller MTU");
	return 0;
}

static int head_check(const struct hops_image *h, char why[128])
{
	if (h->magic != HOPS_MAGIC)
		return refuse(why, "not one");
	if (h->version != HOPS_VERSION)
		return refuse(why, "of another version");
	if (h->sum != contenthash(h, offsetof(struct hops_image, sum)))
		return refuse(why, "damaged");
	if (h->hop_count > HOPS_MAX || h->server_count > HOPS_SERVERS_MAX)
		return refuse(why, "too many next hops or servers");
	return 0;
}

// -EPROTO: there already.
static int server_take(struct hops_reader *r, unsigned place, const struct hops_server *s)
{
	unsigned at = hops_slot_of(s->ip, s->port);
	for (; r->slot[at]; at = (at + 1) % HOPS_SLOTS)
		if (hops_server_is(&r->server[r->slot[at] - 1], s->ip_version, s->ip, s->port))
			return -EPROTO;
	static_assert(HOPS_SERVERS_MAX < HOPS_SLOTS && HOPS_SERVERS_MAX < UINT16_MAX);
	r->server[place] = *s;
	r->slot[at] = (uint16_t)(place + 1);
	return 0;
}

static int image_check(const struct hops_image *h, char why[128])
{
	int rc = head_check(h, why);
	if (rc < 0 || h->server_count == 0)
		return rc;
	rc = hops_check(h, why);
	if (rc == 0)
		rc = sources_check(h, why);
	for (unsigned i = 0; rc == 0 && i < h->server_count; i++)
		rc = server_check(h, &h->server[i], why);
	return rc;
}

int hops_reader_init(struct hops_reader *r, const void *image, size_t size, char why[128])
{
	struct hops_image h; // a private copy from here on
	if (size < sizeof(h))
		return refuse(why, "cut short");
	memcpy(&h, image, sizeof(h));
	int rc = image_check(&h, why);
	if (rc < 0)
		return rc;
	*r = (struct hops_reader){.has_servers = h.server_count > 0};
	if (!r->has_servers)
		return 0;
	r->has_v4 = h.has_v4;
	r->has_v6 = h.has_v6;
	r->resolvers = h.resolvers;
	memcpy(r->source_v4, h.source_v4, sizeof(r->source_v4));
	memcpy(r->source_v6, h.source_v6, sizeof(r->source_v6));
	r->range_count = h.range_count;
	memcpy(r->range, h.range, sizeof(r->range));
	memcpy(r->hop, h.hop, h.hop_count * sizeof(r->hop[0]));
	for (unsigned i = 0; i < h.server_count; i++)
		if (server_take(r, i, &h.server[i]) < 0)
			return refuse(why, "a server that is in it twice");
	return 0;
}
