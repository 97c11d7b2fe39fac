// SPDX-License-Identifier: BSD-3-Clause
#include "routes.h"

#include "route_look.h"

#include <event2/event.h>

#include <errno.h>
#include <linux/neighbour.h>
#include <string.h>
#include <weir/clock.h>
#include <weir/heap_site.h>
#include <weir/log.h>

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

	route_look_ports(&ports);
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
	enum route_way way =
		route_look_server(&r->look, address, source->version ? source : NULL, &seen);
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
	route_look_begin(&r->look, &r->kernel, r->dp);
	b->range_count = 0;
	memset(b->range, 0, sizeof(b->range));
	const enum route_way all = r->via == UPSTREAM_VIA_KERNEL ? ROUTE_kernel
				   : r->kernel.fd < 0            ? ROUTE_elsewhere
				   : ports_take(r, b)            ? ROUTE_port
								 : ROUTE_few_ports;
	r->lost_source =
		all == ROUTE_port && r->source_v6.version && !route_look_has_address(&r->source_v6);
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
	route_look_keep(&r->look);
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
	const bool wanted =
		c->upstreams.via != UPSTREAM_VIA_KERNEL && route_look_has_interface(r->dp);
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
