// SPDX-License-Identifier: BSD-3-Clause
#include "route_look.h"

#include <fcntl.h>
#include <linux/if_arp.h>
#include <linux/if_link.h>
#include <linux/neighbour.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include <weir/bytes.h>

static bool is_in(const struct hops_image *image, unsigned count, const struct hops_server *s)
{
	for (unsigned i = 0; i < count; i++)
		if (hops_server_is(&image->server[i], s->ip_version, s->ip, s->port))
			return true;
	return false;
}

// False: the image has no room for the hop.
static bool hop_add(struct hops_image *image, const struct hops_hop *hop, uint8_t *place)
{
	unsigned i = 0;

	while (i < image->hop_count && memcmp(&image->hop[i], hop, sizeof(*hop)) != 0)
		i++;
	if (i == HOPS_MAX)
		return false;
	if (i == image->hop_count)
		image->hop[image->hop_count++] = *hop;
	*place = (uint8_t)i;
	return true;
}

// The source address of its version. False: there is another one now.
static bool source_keep(struct hops_image *image, const struct hops_image *past, unsigned version)
{
	uint8_t *has = version == 4 ? &image->has_v4 : &image->has_v6;
	uint8_t *bytes = version == 4 ? image->source_v4 : image->source_v6;
	const uint8_t *past_bytes = version == 4 ? past->source_v4 : past->source_v6;
	const size_t len = version == 4 ? 4 : 16;

	if (!*has)
		memcpy(bytes, past_bytes, len);
	*has = 1;
	return memcmp(bytes, past_bytes, len) == 0;
}

static bool server_keep(
	struct hops_image *image, const struct hops_image *past, const struct hops_server *s)
{
	struct hops_server kept = *s;

	if (image->server_count == HOPS_SERVERS_MAX || !source_keep(image, past, s->ip_version)
		|| !hop_add(image, &past->hop[s->hop], &kept.hop))
		return false;
	if (image->range_count == 0) {
		image->resolvers = past->resolvers;
		image->range_count = past->range_count;
		memcpy(image->range, past->range, sizeof(image->range));
	}
	image->server[image->server_count++] = kept;
	return true;
}

bool route_past_keep(struct route_past *p, struct hops_image *image, uint64_t now_ms)
{
	const unsigned asked = image->server_count;
	uint64_t leaves_ms[HOPS_SERVERS_MAX] = {0};

	for (unsigned i = 0; i < p->image.server_count; i++) {
		const struct hops_server *s = &p->image.server[i];
		const uint64_t at = p->leaves_ms[i] ? p->leaves_ms[i] : now_ms + ROUTE_PAST_MS;
		const bool is_same =
			i < asked
			&& hops_server_is(&image->server[i], s->ip_version, s->ip, s->port);
		if (!is_same && now_ms < at && !is_in(image, asked, s)
			&& server_keep(image, &p->image, s))
			leaves_ms[image->server_count - 1] = at;
	}
	memcpy(p->leaves_ms, leaves_ms, sizeof(leaves_ms));
	const bool changed = memcmp(&p->image, image, sizeof(*image)) != 0;
	p->image = *image;
	return changed;
}

#define KERNELS_PORTS "/proc/sys/net/ipv4/ip_local_port_range"
enum { MAC_LEN = 6, VLAN_PROTOCOL = 0x8100, PORT_DISCARD = 9, TEXT_MAX = 64 };

static unsigned address_len(const struct ip_address *a)
{
	return a->version == 4 ? 4 : 16;
}

static uint8_t family_of(const struct ip_address *a)
{
	return a->version == 4 ? AF_INET : AF_INET6;
}

static bool same_address(const struct ip_address *a, const struct ip_address *b)
{
	return a->version == b->version && memcmp(a->bytes, b->bytes, address_len(a)) == 0;
}

// One that a frame may come from, or go to, for a single host.
static bool mac_fits(const uint8_t mac[MAC_LEN])
{
	static const uint8_t none[MAC_LEN];
	return !(mac[0] & 1) && memcmp(mac, none, MAC_LEN) != 0;
}

static uint32_t word_of(const void *data)
{
	uint32_t word = 0;
	if (data)
		memcpy(&word, data, sizeof(word));
	return word;
}

// The kernel's interface of a port, which has the routes; NULL: it has none.
static const char *interface_of(const struct config_port *p)
{
	if (p->xdp)
		return p->xdp;
	return p->exception && p->exception[0] ? p->exception : NULL;
}

bool route_look_has_interface(const struct config_dataplane *dp)
{
	for (unsigned i = 0; i < dp->port_count; i++)
		if (interface_of(&dp->ports[i]))
			return true;
	return false;
}

void route_look_begin(struct route_look *l, struct rtnl *kernel, const struct config_dataplane *dp)
{
	l->kernel = kernel;
	l->dp = dp;
	l->link_count = l->hop_count = 0;
}

// The number of a VLAN interface of 802.1Q; 0: it is none.
static uint16_t vlan_read(const struct rtnl_message *m)
{
	const struct rtnl_message info = rtnl_nested(m, IFLA_LINKINFO);
	const struct rtnl_message data = rtnl_nested(&info, IFLA_INFO_DATA);
	size_t len;
	const char *kind = rtnl_attribute_any(&info, IFLA_INFO_KIND, &len);
	const uint8_t *protocol = rtnl_attribute(&data, IFLA_VLAN_PROTOCOL, sizeof(uint16_t));
	const void *id = rtnl_attribute(&data, IFLA_VLAN_ID, sizeof(uint16_t));
	uint16_t vlan;

	if (!kind || len < 4 || memcmp(kind, "vlan", 4) != 0 || !id
		|| (protocol && get_u16(protocol) != VLAN_PROTOCOL))
		return 0;
	memcpy(&vlan, id, sizeof(vlan));
	return vlan;
}

static bool link_read(struct route_look *l, int index, struct route_link *out)
{
	struct ifinfomsg body = {.ifi_family = AF_UNSPEC, .ifi_index = index};
	struct rtnl_request q;
	struct rtnl_reply r;
	size_t len;

	rtnl_begin(&q, RTM_GETLINK, &body, sizeof(body));
	if (rtnl_ask(l->kernel, &q, sizeof(body), &r) < 0)
		return false;
	memcpy(&body, r.message.body, sizeof(body));
	*out = (struct route_link){.index = index,
		.mtu = word_of(rtnl_attribute(&r.message, IFLA_MTU, sizeof(uint32_t))),
		.vlan = vlan_read(&r.message)};
	if (out->vlan)
		out->parent = (int)word_of(rtnl_attribute(&r.message, IFLA_LINK, sizeof(uint32_t)));
	const char *name = rtnl_attribute_any(&r.message, IFLA_IFNAME, &len);
	if (name)
		memcpy(out->name, name, len < IF_NAMESIZE ? len : IF_NAMESIZE - 1);
	const uint8_t *mac = rtnl_attribute_any(&r.message, IFLA_ADDRESS, &len);
	if (mac && len == MAC_LEN && body.ifi_type == ARPHRD_ETHER && mac_fits(mac)) {
		out->is_ether = true;
		memcpy(out->mac, mac, MAC_LEN);
	}
	return true;
}

static const struct route_link *link_of(struct route_look *l, int index)
{
	for (unsigned i = 0; i < l->link_count; i++)
		if (l->link[i].index == index)
			return &l->link[i];
	if (l->link_count == ROUTE_LINKS_MAX || !link_read(l, index, &l->link[l->link_count]))
		return NULL;
	return &l->link[l->link_count++];
}

// The data plane's port with that exception interface, or that shares it by AF_XDP; or -1.
static int port_named(const struct config_dataplane *dp, const char *name)
{
	for (unsigned i = 0; i < dp->port_count; i++) {
		const char *interface = interface_of(&dp->ports[i]);
		if (interface && strcmp(interface, name) == 0)
			return (int)i;
	}
	return -1;
}

// The port and VLAN by which frames of an interface leave. False: by no port of the data plane.
static bool port_of(struct route_look *l, const struct route_link *link, struct hops_hop *out)
{
	const struct route_link *parent = link->vlan ? link_of(l, link->parent) : NULL;
	int port = port_named(l->dp, link->name);
	uint16_t vlan = 0;

	if (port < 0 && parent) {
		port = port_named(l->dp, parent->name);
		vlan = link->vlan;
	}
	if (port < 0 || vlan > HOPS_VLAN_MAX)
		return false;
	const struct config_port *p = &l->dp->ports[port];
	out->port = (uint16_t)port;
	out->vlan = vlan;
	return !p->has_vlans || (p->vlans[vlan / 64] >> vlan % 64 & 1);
}

static void neighbour_read(struct route_look *l, struct route_hop *h)
{
	const unsigned known = NUD_REACHABLE | NUD_STALE | NUD_DELAY | NUD_PROBE | NUD_PERMANENT;
	struct ndmsg body = {.ndm_family = family_of(&h->address), .ndm_ifindex = h->interface};
	struct rtnl_request q;
	struct rtnl_reply r;
	size_t len;

	rtnl_begin(&q, RTM_GETNEIGH, &body, sizeof(body));
	rtnl_put(&q, NDA_DST, h->address.bytes, address_len(&h->address));
	if (rtnl_ask(l->kernel, &q, sizeof(body), &r) < 0)
		return;
	memcpy(&body, r.message.body, sizeof(body));
	h->state = body.ndm_state;
	const uint8_t *mac = rtnl_attribute_any(&r.message, NDA_LLADDR, &len);
	if (!(body.ndm_state & known) || !mac || len != MAC_LEN || !mac_fits(mac))
		return;
	memcpy(h->hop.destination, mac, MAC_LEN);
	h->is_known = true;
}

// The next hop's place in the look; -1: there is no room for it.
static int hop_of(struct route_look *l, const struct route_link *link, const struct hops_hop *frame,
	const struct ip_address *address)
{
	for (unsigned i = 0; i < l->hop_count; i++) {
		struct route_hop *h = &l->hop[i];
		if (h->interface != link->index || !same_address(&h->address, address))
			continue;
		if (frame->mtu < h->hop.mtu)
			h->hop.mtu = frame->mtu;
		return (int)i;
	}
	if (l->hop_count == HOPS_MAX)
		return -1;
	struct route_hop *h = &l->hop[l->hop_count];
	*h = (struct route_hop){.interface = link->index, .address = *address, .hop = *frame};
	memcpy(h->hop.source, link->mac, MAC_LEN);
	neighbour_read(l, h);
	return (int)l->hop_count++;
}

static bool route_ask(struct route_look *l, const struct socket_address *server,
	const struct ip_address *source, struct rtnl_reply *r)
{
	const unsigned len = address_len(&server->ip);
	struct rtmsg body = {.rtm_family = family_of(&server->ip),
		.rtm_dst_len = (uint8_t)(len * 8),
		.rtm_src_len = source ? (uint8_t)(len * 8) : 0};
	const uint8_t protocol = IPPROTO_UDP; // rules may ask for it and for the port
	const uint16_t port = htons(server->port);
	struct rtnl_request q;

	rtnl_begin(&q, RTM_GETROUTE, &body, sizeof(body));
	rtnl_put(&q, RTA_IP_PROTO, &protocol, sizeof(protocol));
	rtnl_put(&q, RTA_DPORT, &port, sizeof(port));
	rtnl_put(&q, RTA_DST, server->ip.bytes, len);
	if (source)
		rtnl_put(&q, RTA_SRC, source->bytes, len);
	if (rtnl_ask(l->kernel, &q, sizeof(body), r) < 0)
		return false;
	memcpy(&body, r->message.body, sizeof(body));
	return body.rtm_type == RTN_UNICAST && body.rtm_family == family_of(&server->ip);
}

// An address of the reply, of the server's family. False: it is not there.
static bool address_read(
	const struct rtnl_message *m, uint16_t attribute, uint8_t version, struct ip_address *out)
{
	*out = (struct ip_address){.version = version};
	const void *data = rtnl_attribute(m, attribute, address_len(out));
	if (data)
		memcpy(out->bytes, data, address_len(out));
	return data != NULL;
}

static uint16_t mtu_of(const struct rtnl_message *m, const struct route_link *link)
{
	const struct rtnl_message metrics = rtnl_nested(m, RTA_METRICS);
	const uint32_t routes = word_of(rtnl_attribute(&metrics, RTAX_MTU, sizeof(uint32_t)));
	const uint32_t mtu = routes && routes < link->mtu ? routes : link->mtu;

	return mtu < UINT16_MAX ? (uint16_t)mtu : UINT16_MAX;
}

enum route_way route_look_server(struct route_look *l, const struct socket_address *server,
	const struct ip_address *source, struct route_seen *out)
{
	const uint8_t version = server->ip.version;
	struct ip_address next = server->ip;
	struct hops_hop frame = {0};
	struct rtnl_reply r;

	if (!route_ask(l, server, source, &r))
		return ROUTE_no_route;
	const int index = (int)word_of(rtnl_attribute(&r.message, RTA_OIF, sizeof(uint32_t)));
	const struct route_link *link = index ? link_of(l, index) : NULL;
	// A gateway of the other family (RTA_VIA) and tunnels of a route are left to the kernel.
	if (!link || !port_of(l, link, &frame) || rtnl_attribute(&r.message, RTA_VIA, 0)
		|| rtnl_attribute(&r.message, RTA_ENCAP, 0))
		return ROUTE_elsewhere;
	frame.mtu = mtu_of(&r.message, link);
	if (!link->is_ether || frame.mtu < (version == 4 ? HOPS_MTU_LEAST : HOPS_MTU_LEAST_IPV6))
		return ROUTE_unfit;
	if (source)
		out->source = *source;
	else if (!address_read(&r.message, RTA_PREFSRC, version, &out->source))
		return ROUTE_no_route;
	if (!address_read(&r.message, RTA_GATEWAY, version, &next))
		next = server->ip;
	int hop = hop_of(l, link, &frame, &next);
	if (hop < 0)
		return ROUTE_full;
	out->hop = (unsigned)hop;
	return l->hop[hop].is_known ? ROUTE_port : ROUTE_no_neighbour;
}

bool route_look_has_address(const struct ip_address *v6)
{
	struct sockaddr_in6 at = {.sin6_family = AF_INET6};
	int fd = socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return false;
	memcpy(&at.sin6_addr, v6->bytes, sizeof(at.sin6_addr));
	const bool is = bind(fd, (const struct sockaddr *)&at, sizeof(at)) == 0;
	close(fd);
	return is;
}

// So that the kernel confirms the entry of a next hop which its own packets do not pass.
static void neighbour_poke(const struct route_hop *h)
{
	const struct sockaddr_in v4 = {.sin_family = AF_INET, .sin_port = htons(PORT_DISCARD)};
	const struct sockaddr_in6 v6 = {.sin6_family = AF_INET6,
		.sin6_port = htons(PORT_DISCARD),
		.sin6_scope_id = (uint32_t)h->interface};
	union {
		struct sockaddr any;
		struct sockaddr_in v4;
		struct sockaddr_in6 v6;
	} to = {0};
	socklen_t len = sizeof(v4);
	int fd;

	if (h->address.version == 4) {
		to.v4 = v4;
		memcpy(&to.v4.sin_addr, h->address.bytes, sizeof(to.v4.sin_addr));
	} else {
		to.v6 = v6;
		memcpy(&to.v6.sin6_addr, h->address.bytes, sizeof(to.v6.sin6_addr));
		len = sizeof(v6);
	}
	fd = socket(to.any.sa_family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return;
	(void)!sendto(fd, "", 0, MSG_DONTWAIT, &to.any, len);
	close(fd);
}

void route_look_keep(const struct route_look *l)
{
	const unsigned fresh = NUD_REACHABLE | NUD_DELAY | NUD_PROBE | NUD_PERMANENT;

	for (unsigned i = 0; i < l->hop_count; i++)
		if (!(l->hop[i].state & fresh))
			neighbour_poke(&l->hop[i]);
}

void route_look_ports(struct route_ports *out)
{
	struct local_ports reserved;
	char text[TEXT_MAX];
	int fd = open(KERNELS_PORTS, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? 0 : read(fd, text, sizeof(text));

	if (fd >= 0)
		close(fd);
	route_ports_parse(out, text, n > 0 ? (size_t)n : 0);
	local_ports_load(&reserved);
	route_ports_reserve(out, &reserved);
}
