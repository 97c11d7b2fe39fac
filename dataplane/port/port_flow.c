// SPDX-License-Identifier: BSD-3-Clause

#include "port_flow.h"

#include "state/frame_size.h"

#include <rte_errno.h>
#include <rte_flow.h>

#include <errno.h>
#include <stdio.h>
#include <string.h>

enum { PRIORITY_DROP = 0, PRIORITY_STEER = 1, PRIORITY_REST = 2 };

static void tell(char *why, size_t cap, int rc, const struct rte_flow_error *error)
{
	snprintf(why, cap, "%s", error->message ? error->message : rte_strerror(-rc));
}

static int create_at(struct rte_flow **out, uint16_t port_id, uint32_t priority,
	const struct rte_flow_item *items, const struct rte_flow_action *actions,
	struct rte_flow_error *error)
{
	const struct rte_flow_attr attr = {.ingress = 1, .priority = priority};
	int rc = rte_flow_validate(port_id, &attr, items, actions, error);
	if (rc)
		return rc < 0 ? rc : -rc;
	struct rte_flow *rule = rte_flow_create(port_id, &attr, items, actions, error);
	if (!rule)
		return rte_errno ? -rte_errno : -EIO;
	*out = rule;
	return 0;
}

static int create(struct rte_flow **out, uint16_t port_id, uint32_t priority,
	const struct rte_flow_item *items, const struct rte_flow_action *actions, char *why,
	size_t cap)
{
	struct rte_flow_error error = {0};
	int rc = create_at(out, port_id, priority, items, actions, &error);
	if (rc && priority)
		rc = create_at(out, port_id, 0, items, actions, &error);
	if (rc)
		tell(why, cap, rc, &error);
	return rc;
}

static int steer_dns(struct rte_flow **out, uint16_t port_id, bool vlan, unsigned version,
	const struct rte_flow_action *actions, char *why, size_t cap)
{
	static const struct rte_flow_item_udp port = {.hdr.dst_port = RTE_BE16(FRAME_DNS_PORT)};
	static const struct rte_flow_item_udp port_mask = {.hdr.dst_port = RTE_BE16(0xffff)};
	struct rte_flow_item items[5];
	unsigned n = 0;
	items[n++] = (struct rte_flow_item){.type = RTE_FLOW_ITEM_TYPE_ETH};
	if (vlan)
		items[n++] = (struct rte_flow_item){.type = RTE_FLOW_ITEM_TYPE_VLAN};
	items[n++] = (struct rte_flow_item){
		.type = version == 4 ? RTE_FLOW_ITEM_TYPE_IPV4 : RTE_FLOW_ITEM_TYPE_IPV6};
	items[n++] = (struct rte_flow_item){
		.type = RTE_FLOW_ITEM_TYPE_UDP, .spec = &port, .mask = &port_mask};
	items[n] = (struct rte_flow_item){.type = RTE_FLOW_ITEM_TYPE_END};
	return create(out, port_id, PRIORITY_STEER, items, actions, why, cap);
}

static int steer_rest(struct rte_flow **out, uint16_t port_id, unsigned rest, char *why, size_t cap)
{
	const struct rte_flow_item items[] = {
		{.type = RTE_FLOW_ITEM_TYPE_ETH}, {.type = RTE_FLOW_ITEM_TYPE_END}};
	const struct rte_flow_action_queue queue = {.index = (uint16_t)rest};
	const struct rte_flow_action actions[] = {
		{.type = RTE_FLOW_ACTION_TYPE_QUEUE, .conf = &queue},
		{.type = RTE_FLOW_ACTION_TYPE_END}};
	return create(out, port_id, PRIORITY_REST, items, actions, why, cap);
}

static int steer_all(struct port_flow *flow, uint16_t port_id, unsigned workers, unsigned rest,
	bool rest_is_default, char *why, size_t cap)
{
	uint16_t queues[CONFIG_WORKERS_MAX];
	for (unsigned i = 0; i < workers; i++)
		queues[i] = (uint16_t)i;
	for (unsigned i = 0; i < PORT_FLOW_RULES_MAX - 1; i++) {
		unsigned version = i % 2 ? 6 : 4;
		// The fields of the port's own configuration; its key stays.
		const struct rte_flow_action_rss rss = {
			.types = version == 4 ? RTE_ETH_RSS_NONFRAG_IPV4_UDP
					      : RTE_ETH_RSS_NONFRAG_IPV6_UDP,
			.queue_num = workers,
			.queue = queues,
		};
		const struct rte_flow_action_queue queue = {.index = 0};
		const struct rte_flow_action actions[] = {
			workers > 1 ? (struct rte_flow_action){.type = RTE_FLOW_ACTION_TYPE_RSS,
				.conf = &rss}
				    : (struct rte_flow_action){.type = RTE_FLOW_ACTION_TYPE_QUEUE,
					    .conf = &queue},
			{.type = RTE_FLOW_ACTION_TYPE_END}};
		int rc = steer_dns(
			&flow->rule[flow->count], port_id, i >= 2, version, actions, why, cap);
		if (rc)
			return rc;
		flow->count++;
	}
	// Last: until then everything goes where it went before.
	if (rest_is_default)
		return 0;
	int rc = steer_rest(&flow->rule[flow->count], port_id, rest, why, cap);
	flow->count += rc == 0;
	return rc;
}

bool port_flow_steer(struct port_flow *flow, uint16_t port_id, unsigned workers, unsigned rest,
	bool rest_is_default, char *why, size_t cap)
{
	flow->count = 0;
	if (steer_all(flow, port_id, workers, rest, rest_is_default, why, cap) == 0)
		return true;
	port_flow_clear(flow, port_id);
	return false;
}

static void remove_rule(struct rte_flow *rule, uint16_t port_id)
{
	struct rte_flow_error error;
	(void)rte_flow_destroy(port_id, rule, &error);
}

void port_flow_clear(struct port_flow *flow, uint16_t port_id)
{
	while (flow->count > 0)
		remove_rule(flow->rule[--flow->count], port_id);
}

static void mask_bits(uint8_t *mask, unsigned bits)
{
	memset(mask, 0xff, bits / 8);
	if (bits % 8)
		mask[bits / 8] = (uint8_t)(0xff00 >> bits % 8);
}

static int drop_of(struct rte_flow **out, uint16_t port_id, bool vlan,
	const struct rte_flow_item *ip, char *why, size_t cap)
{
	struct rte_flow_item items[4];
	unsigned n = 0;
	items[n++] = (struct rte_flow_item){.type = RTE_FLOW_ITEM_TYPE_ETH};
	if (vlan)
		items[n++] = (struct rte_flow_item){.type = RTE_FLOW_ITEM_TYPE_VLAN};
	items[n++] = *ip;
	items[n] = (struct rte_flow_item){.type = RTE_FLOW_ITEM_TYPE_END};
	const struct rte_flow_action actions[] = {
		{.type = RTE_FLOW_ACTION_TYPE_DROP}, {.type = RTE_FLOW_ACTION_TYPE_END}};
	return create(out, port_id, PRIORITY_DROP, items, actions, why, cap);
}

int port_flow_drop(struct port_drop *out, uint16_t port_id, const struct ip_address *source,
	char *why, size_t cap)
{
	struct rte_flow_item_ipv4 v4 = {0}, v4_mask = {0};
	struct rte_flow_item_ipv6 v6 = {0}, v6_mask = {0};
	struct rte_flow_item ip;
	if (source->version == 4) {
		memcpy(&v4.hdr.src_addr, source->bytes, 4);
		mask_bits((uint8_t *)&v4_mask.hdr.src_addr, source->prefix_len);
		ip = (struct rte_flow_item){
			.type = RTE_FLOW_ITEM_TYPE_IPV4, .spec = &v4, .mask = &v4_mask};
	} else {
		memcpy(&v6.hdr.src_addr, source->bytes, 16);
		mask_bits((uint8_t *)&v6_mask.hdr.src_addr, source->prefix_len);
		ip = (struct rte_flow_item){
			.type = RTE_FLOW_ITEM_TYPE_IPV6, .spec = &v6, .mask = &v6_mask};
	}
	struct port_drop drop = {0};
	char unsaid[64];
	int rc = drop_of(&drop.plain, port_id, false, &ip, why, cap);
	if (rc)
		return rc;
	(void)!drop_of(&drop.tagged, port_id, true, &ip, unsaid, sizeof(unsaid));
	*out = drop;
	return 0;
}

void port_flow_drop_end(struct port_drop *drop, uint16_t port_id)
{
	if (drop->plain)
		remove_rule(drop->plain, port_id);
	if (drop->tagged)
		remove_rule(drop->tagged, port_id);
	*drop = (struct port_drop){0};
}
