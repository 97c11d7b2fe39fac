// SPDX-License-Identifier: BSD-3-Clause
#include "frontend_neighbour.h"

#include <linux/neighbour.h>
#include <linux/rtnetlink.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { REPLY_MAX = 4096, MAC_LEN = 6 };

struct request {
	struct nlmsghdr head;
	union {
		struct rtmsg route;
		struct ndmsg neighbour;
	} body; // of 12 bytes each
	struct rtattr attribute;
	uint8_t address[16];
};
static_assert(sizeof(struct rtmsg) == sizeof(struct ndmsg));

// The kernel's reply, checked as far as its header.
struct reply {
	alignas(struct nlmsghdr) uint8_t bytes[REPLY_MAX];
	const void *body;
	const struct rtattr *first;
	int attributes; // bytes
};

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

// It answers before send returns, so nothing is waited for.
static bool ask_kernel(
	struct frontend_neighbours *n, struct request *q, const struct target *t, struct reply *out)
{
	q->attribute.rta_len = (unsigned short)RTA_LENGTH(t->len);
	memcpy(q->address, t->bytes, t->len);
	q->head.nlmsg_len = (uint32_t)(NLMSG_LENGTH(sizeof(q->body)) + RTA_LENGTH(t->len));
	q->head.nlmsg_flags = NLM_F_REQUEST;
	q->head.nlmsg_seq = ++n->sequence;
	if (send(n->fd, q, q->head.nlmsg_len, MSG_DONTWAIT) < 0)
		return false;
	ssize_t got = recv(n->fd, out->bytes, sizeof(out->bytes), MSG_DONTWAIT);
	const struct nlmsghdr *h = (const struct nlmsghdr *)(const void *)out->bytes;
	if (got < (ssize_t)NLMSG_LENGTH(sizeof(q->body)) || h->nlmsg_len > (size_t)got
		|| h->nlmsg_len < NLMSG_LENGTH(sizeof(q->body)) || h->nlmsg_seq != n->sequence
		|| h->nlmsg_type == NLMSG_ERROR)
		return false;
	out->body = out->bytes + NLMSG_HDRLEN;
	out->first =
		(const struct rtattr *)(const void *)(out->bytes + NLMSG_SPACE(sizeof(q->body)));
	out->attributes = (int)(h->nlmsg_len - NLMSG_LENGTH(sizeof(q->body)));
	return true;
}

static const struct rtattr *attribute(const struct reply *r, unsigned short type)
{
	int left = r->attributes;
	for (const struct rtattr *a = r->first; RTA_OK(a, left);) {
		if (a->rta_type == type)
			return a;
		size_t step = RTA_ALIGN(a->rta_len);
		left -= (int)step;
		a = (const struct rtattr *)(const void *)((const uint8_t *)a + step);
	}
	return NULL;
}

static const void *attribute_data(const struct rtattr *a)
{
	return (const uint8_t *)a + RTA_LENGTH(0);
}

// The interface through which a client is on weir's own segment; 0: it is on none.
static uint32_t segment_of(struct frontend_neighbours *n, const struct target *t)
{
	struct request q = {
		.head.nlmsg_type = RTM_GETROUTE,
		.body.route = {.rtm_family = t->family, .rtm_dst_len = (uint8_t)(t->len * 8)},
		.attribute.rta_type = RTA_DST,
	};
	struct reply r;
	uint32_t interface;

	if (t->scope)
		return t->scope;
	if (!ask_kernel(n, &q, t, &r) || attribute(&r, RTA_GATEWAY) || attribute(&r, RTA_VIA))
		return 0;
	const struct rtattr *a = attribute(&r, RTA_OIF);
	if (!a || a->rta_len < RTA_LENGTH(sizeof(interface)))
		return 0;
	memcpy(&interface, attribute_data(a), sizeof(interface));
	return interface;
}

static bool look_up(struct frontend_neighbours *n, const struct target *t, uint8_t mac[MAC_LEN])
{
	const unsigned known = NUD_REACHABLE | NUD_STALE | NUD_DELAY | NUD_PROBE | NUD_PERMANENT;
	uint32_t interface = segment_of(n, t);
	struct request q = {
		.head.nlmsg_type = RTM_GETNEIGH,
		.body.neighbour = {.ndm_family = t->family, .ndm_ifindex = (int)interface},
		.attribute.rta_type = NDA_DST,
	};
	struct reply r;

	if (interface == 0 || !ask_kernel(n, &q, t, &r))
		return false;
	const struct ndmsg *body = r.body;
	const struct rtattr *a = attribute(&r, NDA_LLADDR);
	if (!(body->ndm_state & known) || !a || a->rta_len != RTA_LENGTH(MAC_LEN))
		return false;
	memcpy(mac, attribute_data(a), MAC_LEN);
	return true;
}

void frontend_neighbours_open(struct frontend_neighbours *n)
{
	n->fd = -1;
}

void frontend_neighbours_close(struct frontend_neighbours *n)
{
	if (n->fd >= 0)
		close(n->fd);
	n->fd = -1;
}

// Opened when it is first wanted: most have no groups by MAC.
static bool may_ask(struct frontend_neighbours *n, uint64_t now_ms)
{
	if (n->fd < 0)
		n->fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_ROUTE);
	if (now_ms - n->second_ms >= 1000) {
		n->second_ms = now_ms;
		n->asked = 0;
	}
	if (n->fd >= 0 && n->asked < FRONTEND_NEIGHBOUR_ASKS) {
		n->asked++;
		return true;
	}
	n->refused++;
	return false;
}

static struct frontend_neighbour *entry_of(struct frontend_neighbours *n, const struct target *t)
{
	uint64_t half[2];
	memcpy(half, t->bytes, sizeof(half));
	uint64_t hash = (half[0] ^ half[1] ^ t->scope) * UINT64_C(0x9e3779b97f4a7c15);
	return &n->entry[hash >> 52];
}

static bool is_of(const struct frontend_neighbour *e, const struct target *t)
{
	return e->scope == t->scope && memcmp(e->address, t->bytes, sizeof(e->address)) == 0;
}

static void entry_fill(struct frontend_neighbours *n, struct frontend_neighbour *e,
	const struct target *t, uint64_t now_ms)
{
	n->used += e->until_ms == 0;
	n->evicted += now_ms < e->until_ms && !is_of(e, t);
	*e = (struct frontend_neighbour){.scope = t->scope};
	memcpy(e->address, t->bytes, sizeof(e->address));
	e->has_mac = look_up(n, t, e->mac);
	e->until_ms =
		now_ms + (e->has_mac ? FRONTEND_NEIGHBOUR_KEEP_MS : FRONTEND_NEIGHBOUR_NONE_MS);
}

bool frontend_neighbour_mac(struct frontend_neighbours *n, const struct sockaddr *client,
	uint64_t now_ms, uint8_t mac[FRONTEND_NEIGHBOUR_MAC])
{
	const struct target t = target_of(client);
	struct frontend_neighbour *e = entry_of(n, &t);

	bool known = is_of(e, &t);
	if (!known || now_ms >= e->until_ms) {
		if (may_ask(n, now_ms))
			entry_fill(n, e, &t, now_ms);
		else if (!known)
			return false;
	}
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
