// SPDX-License-Identifier: BSD-3-Clause
#include "routes.h"

#include "base/rtnl.h"

#include <event2/event.h>

#include <errno.h>
#include <fcntl.h>
#include <linux/if_link.h>
#include <linux/neighbour.h>
#include <net/if.h>
#include <net/if_arp.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include <weir/bytes.h>
#include <weir/clock.h>
#include <weir/heap_site.h>
#include <weir/log.h>

// One look at the kernel's routes, links and neighbours: the way to each of a number of servers.
// Each server costs one question (rtnl.h), each link and each next hop one more.
enum { ROUTE_LINKS_MAX = 64 };

struct route_link {
	int index, parent; // parent: of a VLAN, else 0
	uint32_t mtu;
	uint16_t vlan; // 0: it is none
	bool is_ether; // has a MAC address
	uint8_t mac[6];
	char name[IF_NAMESIZE];
};

struct route_hop {
	int interface;
	struct ip_address address; // the gateway's, or the server's
	uint16_t state;            // NUD_*; 0: the kernel does not know it
	bool is_known;             // `hop` is filled in
	struct hops_hop hop;
};

struct route_look {
	struct rtnl *kernel;
	const struct config_dataplane *dp;
	unsigned link_count, hop_count;
	struct route_link link[ROUTE_LINKS_MAX];
	struct route_hop hop[HOPS_MAX];
};

// Where a query to a server leaves.
struct route_seen {
	unsigned hop; // number in the look; when the way is ROUTE_port or ROUTE_no_neighbour
	struct ip_address source; // then; prefix_len 0
};

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

bool route_has_interface(const struct config_dataplane *dp)
{
	for (unsigned i = 0; i < dp->port_count; i++)
		if (interface_of(&dp->ports[i]))
			return true;
	return false;
}

static void look_begin(struct route_look *l, struct rtnl *kernel, const struct config_dataplane *dp)
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

// `source`: the address that queries have; NULL: the one that the kernel would choose. The way is
// one of no_route, elsewhere, unfit, no_neighbour, full and port.
static enum route_way look_server(struct route_look *l, const struct socket_address *server,
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

// Is the IPv6 address one of this machine? The kernel finds routes for others too; of IPv4 it does
// not.
static bool look_has_address(const struct ip_address *v6)
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

// Sends a datagram to each next hop whose entry the kernel takes for stale, or does not have.
static void look_keep(const struct route_look *l)
{
	const unsigned fresh = NUD_REACHABLE | NUD_DELAY | NUD_PROBE | NUD_PERMANENT;

	for (unsigned i = 0; i < l->hop_count; i++)
		if (!(l->hop[i].state & fresh))
			neighbour_poke(&l->hop[i]);
}

void route_ports_look(struct route_ports *out)
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

enum {
	LOOK_MS = 1000,
	LOOK_LEAST_MS = 200, // between two looks
	LOOK_SOON_MS = 20,   // after a change: more of them come at once
	WARN_MS = 10000,     // since the latest change
	READS_A_TURN = 64,
	GROUPS = RTMGRP_LINK | RTMGRP_NEIGH | RTMGRP_IPV4_IFADDR | RTMGRP_IPV4_ROUTE
		 | RTMGRP_IPV6_IFADDR | RTMGRP_IPV6_ROUTE,
};

struct routes {
	struct loop *loop;
	const struct config_dataplane *dp;
	unsigned resolvers;
	struct routes_calls calls;
	const struct config *config; // until the next routes_configure
	uint64_t hosts_turn;         // that `board` has the addresses of
	enum upstream_via via;
	struct ip_address source_v4, source_v6; // configured; version 0: the kernel's choice
	bool lost_source; // source_v6 is no address of this machine, as of this look
	struct rtnl kernel, news;
	struct event *news_event, *soon, *tick;
	uint64_t looked_ms;
	uint64_t warn_ms; // when to name servers that are not asked through the port; 0: they are
			  // named
	unsigned through_port; // servers, as logged last
	bool said_few_ports;
	bool unpublished; // the image of the board
	struct route_look look;
	struct route_board board, said; // said: as resolvers have it
	struct route_past past;         // has the image that was published last, not sealed
};

// False: too few ports, which is said once.
static bool ports_take(struct routes *r, struct route_board *b)
{
	struct route_ports ports;

	route_ports_look(&ports);
	if (ports.count < ROUTE_PORTS_LEAST) {
		if (!r->said_few_ports)
			log_warning("weir asks upstreams by sockets: %u local ports are outside "
				    "net.ipv4.ip_local_port_range, %d are needed; set it to "
				    "\"32768 60999\"",
				ports.count, ROUTE_PORTS_LEAST);
		r->said_few_ports = true;
		return false;
	}
	r->said_few_ports = false;
	b->range_count = ports.range_count;
	memcpy(b->range, ports.range, sizeof(b->range));
	return true;
}

// The first server of its version decides, all others must have the same.
static bool source_take(struct hops_image *image, const struct ip_address *source)
{
	uint8_t *has = source->version == 4 ? &image->has_v4 : &image->has_v6;
	uint8_t *bytes = source->version == 4 ? image->source_v4 : image->source_v6;
	const size_t len = source->version == 4 ? 4 : 16;

	if (!*has)
		memcpy(bytes, source->bytes, len);
	*has = 1;
	return memcmp(bytes, source->bytes, len) == 0;
}

// `place`: of each hop of the look in the image, and 1; 0: not in it yet.
static void server_put(struct hops_image *image, const struct route_seen *seen,
	const struct socket_address *address, uint8_t place[HOPS_MAX])
{
	if (!place[seen->hop])
		place[seen->hop] = (uint8_t)++image->hop_count;
	struct hops_server *s = &image->server[image->server_count++];
	memcpy(s->ip, address->ip.bytes, sizeof(s->ip));
	s->port = address->port;
	s->ip_version = address->ip.version;
	s->hop = (uint8_t)(place[seen->hop] - 1);
}

static enum route_way server_look(struct routes *r, const struct socket_address *address,
	struct hops_image *image, uint8_t place[HOPS_MAX])
{
	const struct ip_address *source = address->ip.version == 4 ? &r->source_v4 : &r->source_v6;
	struct route_seen seen;

	if (address->ip.version == 6 && r->lost_source)
		return ROUTE_no_route;
	enum route_way way = look_server(&r->look, address, source->version ? source : NULL, &seen);
	if (way != ROUTE_port)
		return way;
	if (!source_take(image, &seen.source))
		return ROUTE_other_source;
	server_put(image, &seen, address, place);
	return way;
}

static void all_look(struct routes *r, struct route_board *b, struct hops_image *image)
{
	uint8_t place[HOPS_MAX] = {0};

	memset(image, 0, sizeof(*image));
	look_begin(&r->look, &r->kernel, r->dp);
	b->range_count = 0;
	memset(b->range, 0, sizeof(b->range));
	const enum route_way all = r->via == UPSTREAM_VIA_KERNEL ? ROUTE_kernel
				   : r->kernel.fd < 0            ? ROUTE_elsewhere
				   : ports_take(r, b)            ? ROUTE_port
								 : ROUTE_few_ports;
	r->lost_source =
		all == ROUTE_port && r->source_v6.version && !look_has_address(&r->source_v6);
	for (unsigned i = 0; i < b->count; i++)
		b->server[i].way = all == ROUTE_port
					   ? server_look(r, &b->server[i].address, image, place)
					   : all;
	if (image->server_count == 0) {
		memset(image, 0, sizeof(*image));
		return;
	}
	for (unsigned i = 0; i < r->look.hop_count; i++) // finds the least MTU of their routes
		if (place[i])
			image->hop[place[i] - 1] = r->look.hop[i].hop;
	image->resolvers = (uint8_t)r->resolvers;
	image->range_count = (uint8_t)b->range_count;
	memcpy(image->range, b->range, sizeof(image->range));
}

static void through_port_log(struct routes *r)
{
	unsigned count = 0;

	for (unsigned i = 0; i < r->board.count; i++)
		count += r->board.server[i].way == ROUTE_port;
	if (count == r->through_port)
		return;
	r->through_port = count;
	log_info("weir asks %u of %u upstream servers through the port (weirctl upstreams)",
		r->through_port, r->board.count);
}

// A start brings interface and next hops one after the other: no warning of what soon passes.
static void others_warn(struct routes *r)
{
	if (!r->warn_ms || (r->kernel.fd >= 0 && r->looked_ms < r->warn_ms))
		return;
	r->warn_ms = 0;
	for (unsigned i = 0; r->via == UPSTREAM_VIA_PORT && i < r->board.count; i++) {
		const struct route_server *s = &r->board.server[i];
		char text[SOCKET_ADDRESS_TEXT_MAX];
		if (s->way != ROUTE_port)
			log_warning("weir asks upstream %s by sockets: %s",
				socket_address_text(&s->address, text), route_way_why(s->way));
	}
}

// An image has all that the board sends through the port, so the board follows: a worker that has
// not activated the image yet refuses the query, and a socket takes it.
static void look(struct routes *r)
{
	struct hops_image image;

	r->looked_ms = clock_mono_ms();
	route_board_follow(&r->board, r->config, &r->hosts_turn);
	all_look(r, &r->board, &image);
	if (route_past_keep(&r->past, &image, r->looked_ms) || r->unpublished
		|| r->calls.again(r->calls.arg)) {
		hops_image_seal(&image);
		r->unpublished = r->calls.publish(r->calls.arg, &image) < 0;
	}
	if (memcmp(&r->said, &r->board, sizeof(r->said)) != 0) {
		route_board_put(&r->board);
		r->said = r->board;
		r->warn_ms = r->looked_ms + WARN_MS;
	}
	through_port_log(r);
	others_warn(r);
}

static void look_soon(struct routes *r)
{
	const uint64_t now_ms = clock_mono_ms(), next_ms = r->looked_ms + LOOK_LEAST_MS;
	uint64_t wait_ms = next_ms > now_ms ? next_ms - now_ms : 0;

	if (wait_ms < LOOK_SOON_MS)
		wait_ms = LOOK_SOON_MS;
	if (!evtimer_pending(r->soon, NULL))
		(void)evtimer_add(
			r->soon, &(struct timeval){.tv_usec = (suseconds_t)wait_ms * 1000});
}

static void on_soon(evutil_socket_t, short, void *arg)
{
	look(arg);
}

static void on_tick(evutil_socket_t, short, void *arg)
{
	struct routes *r = arg;
	look(r);
	look_keep(&r->look);
	if (r->kernel.fd < 0 && r->past.image.server_count == 0)
		(void)event_del(r->tick);
}

// A neighbour that is no next hop is of no interest: on a busy segment there are many.
static bool message_matters(const struct routes *r, struct rtnl_message *m)
{
	struct ndmsg body;

	if (m->type != RTM_NEWNEIGH && m->type != RTM_DELNEIGH)
		return true;
	if (!rtnl_body(m, sizeof(body)))
		return false;
	memcpy(&body, m->body, sizeof(body));
	for (unsigned i = 0; i < r->look.hop_count; i++) {
		const struct route_hop *h = &r->look.hop[i];
		const size_t len = h->address.version == 4 ? 4 : 16;
		const void *address = rtnl_attribute(m, NDA_DST, len);
		if (h->interface == body.ndm_ifindex && address
			&& memcmp(address, h->address.bytes, len) == 0)
			return true;
	}
	return false;
}

static void on_news(evutil_socket_t, short, void *arg)
{
	struct routes *r = arg;
	struct rtnl_reply reply;
	bool matters = false;

	for (unsigned i = 0; i < READS_A_TURN; i++) {
		ssize_t len = rtnl_read(&r->news, &reply);
		struct rtnl_message m;
		size_t at = 0;
		if (len == 0)
			break;
		if (len < 0)
			matters = true;
		while (len > 0 && rtnl_next(&reply, (size_t)len, &at, &m))
			matters |= message_matters(r, &m);
	}
	if (matters)
		look_soon(r);
}

static void watch_end(struct routes *r)
{
	if (r->news_event)
		event_free(r->news_event);
	r->news_event = NULL;
	(void)event_del(r->tick);
	(void)event_del(r->soon);
	rtnl_close(&r->kernel);
	rtnl_close(&r->news);
}

static int watch_begin(struct routes *r)
{
	int rc = rtnl_open(&r->kernel, 0);

	if (rc == 0)
		rc = rtnl_open(&r->news, GROUPS);
	if (rc == 0) {
		r->news_event =
			event_new(loop_base(r->loop), r->news.fd, EV_READ | EV_PERSIST, on_news, r);
		if (!r->news_event || event_add(r->news_event, NULL) < 0
			|| event_add(r->tick, &(struct timeval){.tv_sec = LOOK_MS / 1000}) < 0)
			rc = -ENOMEM;
	}
	if (rc < 0)
		watch_end(r);
	return rc;
}

static void sources_take(struct routes *r, const struct config_upstreams *c)
{
	r->source_v4 = r->source_v6 = (struct ip_address){0};
	for (unsigned i = 0; i < c->source_count; i++)
		*(c->source[i].version == 4 ? &r->source_v4 : &r->source_v6) = c->source[i];
}

int routes_configure(struct routes *r, const struct config *c)
{
	const bool wanted = c->upstreams.via != UPSTREAM_VIA_KERNEL && route_has_interface(r->dp);
	int rc = 0;

	r->via = c->upstreams.via;
	sources_take(r, &c->upstreams);
	r->config = c;
	r->hosts_turn = UINT64_MAX;
	if (wanted && r->kernel.fd < 0)
		rc = watch_begin(r);
	else if (!wanted && r->kernel.fd >= 0)
		watch_end(r);
	look(r);
	if (r->past.image.server_count && !evtimer_pending(r->tick, NULL)) // until they are past
		(void)event_add(r->tick, &(struct timeval){.tv_sec = LOOK_MS / 1000});
	return rc;
}

int routes_open(struct routes **out, struct loop *loop, const struct config_dataplane *dp,
	unsigned resolvers, const struct routes_calls *calls)
{
	struct routes *r = heap_calloc(1, sizeof(*r));
	if (!r)
		return -ENOMEM;
	r->loop = loop;
	r->dp = dp;
	r->resolvers = resolvers;
	r->calls = *calls;
	r->kernel.fd = r->news.fd = -1;
	r->soon = evtimer_new(loop_base(loop), on_soon, r);
	r->tick = event_new(loop_base(loop), -1, EV_PERSIST, on_tick, r);
	if (!r->soon || !r->tick) {
		routes_close(r);
		return -ENOMEM;
	}
	*out = r;
	return 0;
}

void routes_close(struct routes *r)
{
	if (!r)
		return;
	if (r->soon && r->tick)
		watch_end(r);
	if (r->soon)
		event_free(r->soon);
	if (r->tick)
		event_free(r->tick);
	heap_free(r);
}
