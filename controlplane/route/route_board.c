// SPDX-License-Identifier: BSD-3-Clause
#include "route_board.h"

#include "base/table_registry.h"
#include "host_board.h"
#include "routes.h"

#include <pthread.h>
#include <string.h>

// A port's number at *at, behind blanks. False: no number.
static bool port_read(const char *text, size_t len, size_t *at, unsigned *out)
{
	while (*at < len && (text[*at] == ' ' || text[*at] == '\t'))
		++*at;
	const size_t begin = *at;
	for (*out = 0; *at < len && text[*at] >= '0' && text[*at] <= '9'; ++*at) {
		*out = *out * 10 + (unsigned)(text[*at] - '0');
		if (*out > UINT16_MAX)
			return false;
	}
	return *at > begin;
}

static void range_add(struct route_ports *p, unsigned first, unsigned last)
{
	if (first > last)
		return;
	p->range[p->range_count++] =
		(struct hops_range){.first = (uint16_t)first, .last = (uint16_t)last};
	p->count += last - first + 1;
}

void route_ports_parse(struct route_ports *out, const char *text, size_t len)
{
	unsigned first, last;
	size_t at = 0;

	*out = (struct route_ports){0};
	if (!port_read(text, len, &at, &first) || !port_read(text, len, &at, &last) || first > last)
		return;
	if (first > HOPS_PORT_LEAST)
		range_add(out, HOPS_PORT_LEAST, first - 1);
	range_add(out, last + 1 > HOPS_PORT_LEAST ? last + 1 : HOPS_PORT_LEAST, UINT16_MAX);
}

void route_ports_reserve(struct route_ports *p, const struct local_ports *reserved)
{
	for (unsigned k = 0; k < reserved->count; k++) {
		const unsigned first = reserved->range[k].first, last = reserved->range[k].last;
		for (unsigned i = 0; i < p->range_count; i++) {
			const unsigned from = first > p->range[i].first ? first : p->range[i].first;
			const unsigned to = last < p->range[i].last ? last : p->range[i].last;
			const unsigned both = from <= to ? to - from + 1 : 0;
			p->count -= both < p->count ? both : p->count;
		}
	}
}

static struct {
	pthread_mutex_t lock;
	_Atomic uint64_t turn;
	struct route_board board;
} shared = {.lock = PTHREAD_MUTEX_INITIALIZER};

const char *route_way_why(enum route_way way)
{
	static const char *const why[ROUTE_WAY_COUNT] = {
#define X(name, text) [ROUTE_##name] = text,
		ROUTE_WAYS(X)
#undef X
	};
	return why[way];
}

static bool same_server(const struct socket_address *a, const struct socket_address *b)
{
	return a->port == b->port && a->ip.version == b->ip.version
	       && memcmp(a->ip.bytes, b->ip.bytes, a->ip.version == 4 ? 4 : 16) == 0;
}

static void server_add(struct route_board *b, const struct socket_address *address)
{
	for (unsigned i = 0; i < b->count; i++)
		if (same_server(&b->server[i].address, address))
			return;
	if (b->count == HOPS_SERVERS_MAX)
		return;
	struct route_server *s = &b->server[b->count++];
	*s = (struct route_server){.address = {.port = address->port}};
	s->address.ip.version = address->ip.version;
	memcpy(s->address.ip.bytes, address->ip.bytes, address->ip.version == 4 ? 4 : 16);
}

// At the addresses that it has by now.
static void host_add(struct route_board *b, const struct config_upstream *server)
{
	struct host_state h;

	(void)host_board_get(server, &h);
	for (unsigned i = 0; i < h.count; i++)
		server_add(b,
			&(struct socket_address){.ip = h.address[i], .port = server->address.port});
}

// Only such servers get datagrams.
static bool is_clear(const struct config_upstream *s)
{
	return !s->tls.is_on && !s->is_recursion;
}

static void servers_add(struct route_board *b, const struct config_upstream *server, unsigned count)
{
	for (unsigned i = 0; i < count; i++) {
		if (!is_clear(&server[i]))
			continue;
		if (server[i].host[0])
			host_add(b, &server[i]);
		else
			server_add(b, &server[i].address);
	}
}

static void zones_add(struct route_board *b, const struct config_forward_zone *zone, unsigned count)
{
	for (unsigned i = 0; i < count; i++)
		servers_add(b, zone[i].servers, zone[i].server_count);
}

static void board_fill(struct route_board *b, const struct config *c)
{
	memset(b, 0, sizeof(*b));
	servers_add(b, c->upstreams.server, c->upstreams.count);
	zones_add(b, c->forwards, c->forward_count);
	for (unsigned i = 0; i < c->group_count; i++) {
		servers_add(b, c->groups[i].upstreams, c->groups[i].upstream_count);
		zones_add(b, c->groups[i].forwards, c->groups[i].forward_count);
	}
}

void route_board_follow(struct route_board *b, const struct config *c, uint64_t *turn)
{
	const uint64_t now = host_board_turn();

	if (*turn == now)
		return;
	*turn = now;
	board_fill(b, c);
}

void route_board_put(const struct route_board *b)
{
	pthread_mutex_lock(&shared.lock);
	shared.board = *b;
	pthread_mutex_unlock(&shared.lock);
	atomic_fetch_add_explicit(&shared.turn, 1, memory_order_release);
}

uint64_t route_board_turn(void)
{
	return atomic_load_explicit(&shared.turn, memory_order_relaxed);
}

enum route_way route_board_way(const struct socket_address *server)
{
	enum route_way way = ROUTE_kernel;

	pthread_mutex_lock(&shared.lock);
	for (unsigned i = 0; i < shared.board.count; i++) {
		if (!same_server(&shared.board.server[i].address, server))
			continue;
		way = shared.board.server[i].way;
		break;
	}
	pthread_mutex_unlock(&shared.lock);
	return way;
}

unsigned route_board_ranges(struct hops_range range[HOPS_RANGES_MAX])
{
	pthread_mutex_lock(&shared.lock);
	unsigned count = shared.board.range_count;
	memcpy(range, shared.board.range, sizeof(shared.board.range));
	pthread_mutex_unlock(&shared.lock);
	return count;
}

static bool has_clear(const struct config_upstream *server, unsigned count)
{
	for (unsigned i = 0; i < count; i++)
		if (is_clear(&server[i]))
			return true;
	return false;
}

static bool has_clear_zone(const struct config_forward_zone *zone, unsigned count)
{
	for (unsigned i = 0; i < count; i++)
		if (has_clear(zone[i].servers, zone[i].server_count))
			return true;
	return false;
}

// Is any server asked in clear text, but by recursion? Whatever addresses names have by now.
static bool has_servers(const struct config *c)
{
	if (has_clear(c->upstreams.server, c->upstreams.count)
		|| has_clear_zone(c->forwards, c->forward_count))
		return true;
	for (unsigned i = 0; i < c->group_count; i++)
		if (has_clear(c->groups[i].upstreams, c->groups[i].upstream_count)
			|| has_clear_zone(c->groups[i].forwards, c->groups[i].forward_count))
			return true;
	return false;
}

unsigned route_board_ranges_of(const struct config *c, struct hops_range range[HOPS_RANGES_MAX])
{
	struct route_ports ports;

	if (c->upstreams.via == UPSTREAM_VIA_KERNEL || !route_has_interface(&c->dataplane)
		|| !has_servers(c))
		return 0;
	route_ports_look(&ports);
	if (ports.count < ROUTE_PORTS_LEAST)
		return 0;
	memcpy(range, ports.range, sizeof(ports.range));
	return ports.range_count;
}

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

void route_board_tables(struct table_registry *tables)
{
	pthread_mutex_lock(&shared.lock);
	unsigned used = shared.board.count;
	pthread_mutex_unlock(&shared.lock);
	table_register(tables, &(struct table_info){.name = "upstream_routes",
				       .owner = "service loop",
				       .eviction = "refuse: asked by the kernel",
				       .lifetime = "life of the server in the configuration",
				       .kind = TABLE_FIXED,
				       .cap = HOPS_SERVERS_MAX,
				       .used = used});
}
