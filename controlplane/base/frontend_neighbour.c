// SPDX-License-Identifier: BSD-3-Clause
#include "frontend_neighbour.h"

#include "rng.h"

#include <linux/neighbour.h>
#include <string.h>

enum { MAC_LEN = 6, WAYS = 4, SETS = FRONTEND_NEIGHBOURS / WAYS };

struct target {
	uint8_t family;
	uint8_t bytes[16];
	unsigned len;
	uint32_t scope;
};

static struct target target_of(const struct sockaddr *client)
{
	struct target t = {.family = AF_INET, .len = 4};
	if (client->sa_family == AF_INET) {
		const struct sockaddr_in *v4 = (const struct sockaddr_in *)(const void *)client;
		memcpy(t.bytes, &v4->sin_addr, 4);
		return t;
	}
	const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)(const void *)client;
	if (IN6_IS_ADDR_V4MAPPED(&v6->sin6_addr)) {
		memcpy(t.bytes, v6->sin6_addr.s6_addr + 12, 4);
		return t;
	}
	t.family = AF_INET6;
	t.len = 16;
	t.scope = v6->sin6_scope_id;
	memcpy(t.bytes, &v6->sin6_addr, 16);
	return t;
}

// The interface on whose segment the client is; 0: a router is between.
static uint32_t segment_of(struct frontend_neighbours *n, const struct target *t)
{
	const struct rtmsg body = {.rtm_family = t->family, .rtm_dst_len = (uint8_t)(t->len * 8)};
	struct rtnl_request q;
	struct rtnl_reply r;
	uint32_t interface = 0;

	if (t->scope)
		return t->scope;
	rtnl_begin(&q, RTM_GETROUTE, &body, sizeof(body));
	rtnl_put(&q, RTA_DST, t->bytes, t->len);
	if (rtnl_ask(&n->kernel, &q, sizeof(body), &r) < 0
		|| rtnl_attribute(&r.message, RTA_GATEWAY, 0)
		|| rtnl_attribute(&r.message, RTA_VIA, 0))
		return 0;
	const void *oif = rtnl_attribute(&r.message, RTA_OIF, sizeof(interface));
	if (oif)
		memcpy(&interface, oif, sizeof(interface));
	return interface;
}

static bool look_up(struct frontend_neighbours *n, const struct target *t, uint8_t mac[MAC_LEN])
{
	const unsigned known = NUD_REACHABLE | NUD_STALE | NUD_DELAY | NUD_PROBE | NUD_PERMANENT;
	struct ndmsg body = {.ndm_family = t->family, .ndm_ifindex = (int)segment_of(n, t)};
	struct rtnl_request q;
	struct rtnl_reply r;
	size_t len;

	rtnl_begin(&q, RTM_GETNEIGH, &body, sizeof(body));
	rtnl_put(&q, NDA_DST, t->bytes, t->len);
	if (body.ndm_ifindex == 0 || rtnl_ask(&n->kernel, &q, sizeof(body), &r) < 0)
		return false;
	memcpy(&body, r.message.body, sizeof(body));
	const void *address = rtnl_attribute_any(&r.message, NDA_LLADDR, &len);
	if (!(body.ndm_state & known) || !address || len != MAC_LEN)
		return false;
	memcpy(mac, address, MAC_LEN);
	return true;
}

void frontend_neighbours_open(struct frontend_neighbours *n)
{
	struct rng rng = {0};
	n->kernel.fd = -1;
	rng_bytes(&rng, n->secret.bytes, sizeof(n->secret.bytes));
}

void frontend_neighbours_close(struct frontend_neighbours *n)
{
	rtnl_close(&n->kernel);
}

// Whether a question to the kernel may be asked. Opens the socket for the first one, because most
// boxes have no groups by MAC address.
static bool may_ask(struct frontend_neighbours *n, uint64_t now_ms)
{
	if (n->kernel.fd < 0)
		(void)!rtnl_open(&n->kernel, 0);
	if (now_ms - n->second_ms >= 1000) {
		n->second_ms = now_ms;
		n->asked = 0;
	}
	if (n->kernel.fd >= 0 && n->asked < FRONTEND_NEIGHBOUR_ASKS) {
		n->asked++;
		return true;
	}
	n->refused++;
	return false;
}

static struct frontend_neighbour *set_of(struct frontend_neighbours *n, const struct target *t)
{
	uint8_t key[sizeof(t->bytes) + sizeof(t->scope) + 1];
	memcpy(key, t->bytes, sizeof(t->bytes));
	memcpy(key + sizeof(t->bytes), &t->scope, sizeof(t->scope));
	key[sizeof(key) - 1] = t->family;
	return &n->entry[keyhash(&n->secret, key, sizeof(key)) % SETS * WAYS];
}

static struct frontend_neighbour *entry_find(struct frontend_neighbour *set, const struct target *t)
{
	for (unsigned i = 0; i < WAYS; i++) {
		struct frontend_neighbour *e = &set[i];
		if (e->until_ms && e->family == t->family && e->scope == t->scope
			&& memcmp(e->address, t->bytes, sizeof(e->address)) == 0)
			return e;
	}
	return NULL;
}

// The place for an address that is new in the set: an entry without a MAC address, else the oldest
// entry. NULL: the address has no MAC address, and each entry has had one recently.
static struct frontend_neighbour *entry_place(
	struct frontend_neighbour *set, bool has_mac, uint64_t now_ms)
{
	struct frontend_neighbour *place = NULL;
	for (unsigned i = 0; i < WAYS; i++) {
		struct frontend_neighbour *e = &set[i];
		if (!e->until_ms)
			return e;
		if (e->has_mac && !has_mac && now_ms < e->until_ms + FRONTEND_NEIGHBOUR_LAST_MS)
			continue;
		if (!place || e->has_mac < place->has_mac
			|| (e->has_mac == place->has_mac && e->until_ms < place->until_ms))
			place = e;
	}
	return place;
}

// Asks the kernel, and keeps the answer. NULL: there was no place for it.
static struct frontend_neighbour *entry_fill(struct frontend_neighbours *n,
	struct frontend_neighbour *known, const struct target *t, uint64_t now_ms)
{
	struct frontend_neighbour is = {.scope = t->scope, .family = t->family};
	memcpy(is.address, t->bytes, sizeof(is.address));
	is.has_mac = look_up(n, t, is.mac);
	is.until_ms =
		now_ms + (is.has_mac ? FRONTEND_NEIGHBOUR_KEEP_MS : FRONTEND_NEIGHBOUR_NONE_MS);
	struct frontend_neighbour *e =
		known ? known : entry_place(set_of(n, t), is.has_mac, now_ms);
	if (!e)
		return NULL;
	n->used += e->until_ms == 0;
	n->evicted += !known && now_ms < e->until_ms;
	*e = is;
	return e;
}

bool frontend_neighbour_mac(struct frontend_neighbours *n, const struct sockaddr *client,
	uint64_t now_ms, uint8_t mac[FRONTEND_NEIGHBOUR_MAC])
{
	const struct target t = target_of(client);
	struct frontend_neighbour *e = entry_find(set_of(n, &t), &t);

	if ((!e || now_ms >= e->until_ms) && may_ask(n, now_ms))
		e = entry_fill(n, e, &t, now_ms);
	if (!e)
		return false;
	memcpy(mac, e->mac, sizeof(e->mac));
	return e->has_mac;
}

uint64_t frontend_neighbours_age(const struct frontend_neighbours *n, uint64_t now_ms)
{
	uint64_t oldest = 0;
	for (unsigned i = 0; n->used && i < FRONTEND_NEIGHBOURS; i++) {
		const struct frontend_neighbour *e = &n->entry[i];
		uint64_t life =
			e->has_mac ? FRONTEND_NEIGHBOUR_KEEP_MS : FRONTEND_NEIGHBOUR_NONE_MS;
		if (now_ms < e->until_ms && now_ms + life - e->until_ms > oldest)
			oldest = now_ms + life - e->until_ms;
	}
	return oldest;
}
