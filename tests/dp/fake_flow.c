// SPDX-License-Identifier: BSD-3-Clause

#include "fake_flow.h"

#include <rte_errno.h>
#include <rte_flow.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <weir/bytes.h>

enum { RULES_MAX = 2048 };

struct rte_flow {
	uint32_t priority;
	bool vlan, udp;
	unsigned version; // 0: any
	uint8_t source[16], source_mask[16];
	uint16_t port, port_mask;
	bool drops;
	unsigned queue_count;
	uint16_t queue[64];
};

struct fake_flow fake_flow;
static struct rte_flow *rules[RULES_MAX];

static int refuse(struct rte_flow_error *error, int err, const char *why)
{
	rte_flow_error_set(error, err, RTE_FLOW_ERROR_TYPE_UNSPECIFIED, NULL, why);
	return -err;
}

static bool read_item(struct rte_flow *r, const struct rte_flow_item *item)
{
	const struct rte_flow_item_udp *udp = item->spec, *udp_mask = item->mask;
	const struct rte_flow_item_ipv4 *v4 = item->spec, *v4_mask = item->mask;
	const struct rte_flow_item_ipv6 *v6 = item->spec, *v6_mask = item->mask;
	switch (item->type) {
	case RTE_FLOW_ITEM_TYPE_ETH:
		return !item->spec;
	case RTE_FLOW_ITEM_TYPE_VLAN:
		r->vlan = true;
		return !item->spec && !fake_flow.no_vlan;
	case RTE_FLOW_ITEM_TYPE_IPV4:
		r->version = 4;
		if (v4) {
			memcpy(r->source, &v4->hdr.src_addr, 4);
			memcpy(r->source_mask, &v4_mask->hdr.src_addr, 4);
		}
		return true;
	case RTE_FLOW_ITEM_TYPE_IPV6:
		r->version = 6;
		if (v6) {
			memcpy(r->source, &v6->hdr.src_addr, 16);
			memcpy(r->source_mask, &v6_mask->hdr.src_addr, 16);
		}
		return true;
	case RTE_FLOW_ITEM_TYPE_UDP:
		r->udp = true;
		r->port = udp->hdr.dst_port;
		r->port_mask = udp_mask->hdr.dst_port;
		return r->version != 0;
	default:
		return false;
	}
}

static bool read_action(struct rte_flow *r, const struct rte_flow_action *action)
{
	const struct rte_flow_action_queue *queue = action->conf;
	const struct rte_flow_action_rss *rss = action->conf;
	switch (action->type) {
	case RTE_FLOW_ACTION_TYPE_DROP:
		r->drops = true;
		return true;
	case RTE_FLOW_ACTION_TYPE_QUEUE:
		r->queue_count = 1;
		r->queue[0] = queue->index;
		return true;
	case RTE_FLOW_ACTION_TYPE_RSS:
		if (rss->queue_num == 0 || rss->queue_num > 64 || rss->types == 0)
			return false;
		r->queue_count = rss->queue_num;
		memcpy(r->queue, rss->queue, rss->queue_num * sizeof(rss->queue[0]));
		return true;
	default:
		return false;
	}
}

static int read_rule(struct rte_flow *r, const struct rte_flow_attr *attr,
	const struct rte_flow_item *items, const struct rte_flow_action *actions,
	struct rte_flow_error *error)
{
	*r = (struct rte_flow){.priority = attr->priority};
	if (fake_flow.absent)
		return refuse(error, ENOSYS, "no rules");
	if (!attr->ingress || (fake_flow.one_priority && attr->priority))
		return refuse(error, ENOTSUP, "not that priority");
	for (; items->type != RTE_FLOW_ITEM_TYPE_END; items++) {
		if (!read_item(r, items))
			return refuse(error, ENOTSUP, "not that item");
	}
	for (; actions->type != RTE_FLOW_ACTION_TYPE_END; actions++) {
		if (!read_action(r, actions))
			return refuse(error, ENOTSUP, "not that action");
	}
	return 0;
}

int rte_flow_validate(uint16_t, const struct rte_flow_attr *attr,
	const struct rte_flow_item items[], const struct rte_flow_action actions[],
	struct rte_flow_error *error)
{
	struct rte_flow r;
	return read_rule(&r, attr, items, actions, error);
}

struct rte_flow *rte_flow_create(uint16_t, const struct rte_flow_attr *attr,
	const struct rte_flow_item items[], const struct rte_flow_action actions[],
	struct rte_flow_error *error)
{
	struct rte_flow *r = malloc(sizeof(*r));
	bool full = fake_flow.rules_most && fake_flow.count == fake_flow.rules_most;
	if (!r || full || fake_flow.count == RULES_MAX) {
		free(r);
		(void)refuse(error, ENOSPC, "no room for more rules");
		return NULL;
	}
	if (read_rule(r, attr, items, actions, error) != 0) {
		free(r);
		return NULL;
	}
	rules[fake_flow.count++] = r;
	return r;
}

int rte_flow_destroy(uint16_t, struct rte_flow *flow, struct rte_flow_error *error)
{
	for (unsigned i = 0; i < fake_flow.count; i++) {
		if (rules[i] != flow)
			continue;
		memmove(&rules[i], &rules[i + 1], (--fake_flow.count - i) * sizeof(rules[0]));
		free(flow);
		return 0;
	}
	return refuse(error, ENOENT, "no such rule");
}

static bool fits(const struct rte_flow *r, const uint8_t *frame, size_t len)
{
	size_t at = 12;
	bool vlan = get_u16(frame + at) == 0x8100;
	at += vlan ? 4 : 0;
	unsigned type = get_u16(frame + at);
	unsigned version = type == 0x0800 ? 4 : type == 0x86dd ? 6 : 0;
	const uint8_t *ip = frame + at + 2;
	if (r->version == 0)
		return true;
	// A rule that names no tag is taken to want none, which is what drivers do with one that
	// names none of the headers behind it.
	if (r->version != version || r->vlan != vlan)
		return false;
	const uint8_t *source = ip + (version == 4 ? 12 : 8);
	for (unsigned i = 0; i < (version == 4 ? 4u : 16u); i++) {
		if ((source[i] ^ r->source[i]) & r->source_mask[i])
			return false;
	}
	if (!r->udp)
		return true;
	const uint8_t *l4 = ip + (version == 4 ? 20 : 40);
	uint16_t port;
	memcpy(&port, l4 + 2, sizeof(port));
	return l4 + 8 <= frame + len && ip[version == 4 ? 9 : 6] == 17
	       && ((port ^ r->port) & r->port_mask) == 0;
}

int fake_flow_where(const uint8_t *frame, size_t len)
{
	const struct rte_flow *best = NULL;
	for (unsigned i = 0; i < fake_flow.count; i++) {
		if (fits(rules[i], frame, len) && (!best || rules[i]->priority < best->priority))
			best = rules[i];
	}
	if (!best)
		return FAKE_FLOW_DEFAULT;
	// The lower byte of a UDP source port, without options.
	size_t at = get_u16(frame + 12) == 0x8100 ? 18 : 14;
	at += frame[at] >> 4 == 6 ? 41 : 21;
	return best->drops ? FAKE_FLOW_DROP : best->queue[frame[at] % best->queue_count];
}
