// SPDX-License-Identifier: BSD-3-Clause

// Rules of a port, before a rule engine that stands in for a NIC's: where frames
// would go, what happens when it refuses, and the table of sources that ports drop.

#include "dataplane/port/port_drops.h"
#include "port_rig.h"
#include "wire.h"

#include <rte_errno.h>
#include <rte_ethdev.h>
#include <rte_flow.h>

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <weir/bytes.h>

// A NIC's rule engine: rte_flow_validate, _create and _destroy in place of ethdev's, as no driver
// that has rules runs without hardware here (TAP needs the kernel's multiq). It reads
// the rules and applies them to frames, so that a test sees where a frame would go.

enum { FAKE_FLOW_DEFAULT = -1, FAKE_FLOW_DROP = -2 };

struct fake_flow {
	bool absent;         // no rules at all
	bool one_priority;   // refuses any but 0, as some NICs do
	bool no_vlan;        // refuses a VLAN item
	unsigned rules_most; // 0: as many as one likes
	unsigned count;      // in force
};

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

static struct fake_flow fake_flow;
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

// The queue of a frame, or FAKE_FLOW_*; of several queues, one by its UDP source port.
static int fake_flow_where(const uint8_t *frame, size_t len)
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

enum { WORKERS = PORT_RIG_WORKERS, SEEN_MS = 1000 };

static struct port_rig rig;
static char device[4][12] = {"net_null0", "net_null1", "net_null2", "net_null3"}, nothing[] = "";

static int start_eal(void **)
{
	static char vdevs[][20] = {
		"--vdev=net_null0", "--vdev=net_null1", "--vdev=net_null2", "--vdev=net_null3"};
	char *const all[] = {vdevs[0], vdevs[1], vdevs[2], vdevs[3]};
	return port_rig_start(&rig, "test_port_flow", all, ARRAY_LEN(all));
}

// One port, which no other test has had: a closed one is gone.
static struct config start(struct ports *p, unsigned port, unsigned workers, bool steering)
{
	struct config config = {
		.dataplane = {.worker_count = workers,
			.port_count = 1,
			.ports = {{.device = device[port], .exception = nothing}},
			.flow_rules = steering ? FLOW_RULES_AUTO : FLOW_RULES_OFF,
			.rx_descriptors = 128,
			.tx_descriptors = 128},
		.limits = {.udp_reply_size = 1232},
	};
	assert_int_equal(ports_find(p, &config.dataplane, rig.why), 0);
	assert_int_equal(ports_start(p, &config, rig.pool, rig.why), 0);
	return config;
}

static int where(const struct wire_query *q)
{
	uint8_t frame[WIRE_MAX];
	return fake_flow_where(frame, wire_make(q, frame));
}

static bool leads_to(uint16_t port_id, unsigned first, unsigned last)
{
	struct rte_eth_rss_reta_entry64 table[2] = {{.mask = UINT64_MAX}, {.mask = UINT64_MAX}};
	bool good = rte_eth_dev_rss_reta_query(port_id, table, 128) == 0;
	for (unsigned i = 0; i < 128; i++) {
		uint16_t q = table[i / 64].reta[i % 64];
		good &= q >= first && q <= last;
	}
	return good;
}

TEST(dns_goes_to_the_workers_and_the_rest_elsewhere)
{
	struct ports p;
	fake_flow = (struct fake_flow){0};
	struct config config = start(&p, 0, WORKERS, true);
	assert_true(p.port[0].features & 1u << PORT_FEATURE_steering);
	bool used[WORKERS] = {false};
	for (unsigned i = 0; i < 16; i++) {
		struct wire_query q = {.name = "a.example",
			.version = i & 1 ? 6 : 4,
			.has_vlan = i & 2,
			.src_port = (uint16_t)(4000 + i)};
		assert_in_range(where(&q), 0, WORKERS - 1);
		used[where(&q)] = true;
		q.dst_port = 54;
		assert_int_equal(where(&q), FAKE_FLOW_DEFAULT);
	}
	for (unsigned i = 0; i < WORKERS; i++)
		assert_true(used[i]);
	// What no rule matches goes by the table.
	assert_true(leads_to(p.port[0].id, WORKERS, WORKERS));

	// Worker 0 alone reads that queue, and sends from its own.
	for (unsigned i = 0; i < WORKERS; i++) {
		struct worker w = {.index = i};
		ports_bind(&p, &config.dataplane, &w);
		assert_int_equal(w.port_count, i == 0 ? 2 : 1);
		assert_int_equal(w.port[0].rx_queue, i);
		assert_int_equal(w.port[0].queue, i);
		if (i)
			continue;
		assert_int_equal(w.port[1].rx_queue, WORKERS);
		assert_int_equal(w.port[1].queue, 0);
		assert_int_equal(w.port[1].port_id, w.port[0].port_id);
	}
	ports_stop(&p);
	assert_int_equal(fake_flow.count, 0);
}

TEST(all_rules_or_none)
{
	struct ports p;
	fake_flow = (struct fake_flow){.no_vlan = true};
	(void)start(&p, 1, WORKERS, true);
	assert_int_equal(p.port[0].features & 1u << PORT_FEATURE_steering, 0);
	assert_int_equal(fake_flow.count, 0);
	assert_true(leads_to(p.port[0].id, 0, WORKERS - 1));
	ports_stop(&p);
}

TEST(off_means_no_rule_and_no_queue)
{
	struct ports p;
	struct worker w = {.index = 0};
	fake_flow = (struct fake_flow){0};
	struct config config = start(&p, 2, WORKERS, false);
	ports_bind(&p, &config.dataplane, &w);
	assert_int_equal(w.port_count, 1);
	assert_int_equal(fake_flow.count, 0);
	assert_true(leads_to(p.port[0].id, 0, WORKERS - 1));
	ports_stop(&p);
}

// One worker, a NIC without a table and with one level of priority.
TEST(plain_nics_are_steered_too)
{
	struct port_flow flow = {0};
	const struct wire_query dns = {.name = "a.example"}, ntp = {.name = "", .dst_port = 123};
	char text[64] = "";
	fake_flow = (struct fake_flow){0};
	assert_true(port_flow_steer(&flow, 0, 1, 1, false, text, sizeof(text)));
	assert_int_equal(flow.count, PORT_FLOW_RULES_MAX);
	assert_int_equal(where(&dns), 0);
	assert_int_equal(where(&ntp), 1);
	port_flow_clear(&flow, 0);
	assert_int_equal(fake_flow.count, 0);
	fake_flow.one_priority = true;
	assert_true(port_flow_steer(&flow, 0, 1, 1, true, text, sizeof(text)));
	assert_int_equal(where(&dns), 0);
	port_flow_clear(&flow, 0);
	// Room for three rules of four: the three do not stay.
	fake_flow.rules_most = 3;
	assert_false(port_flow_steer(&flow, 0, 1, 1, true, text, sizeof(text)));
	assert_string_equal(text, "no room for more rules");
	assert_int_equal(fake_flow.count, 0);
}

TEST(drops_end_with_their_time)
{
	static struct drops d;
	const uint16_t id = 0;
	char text[DROPS_WHY_MAX];
	const struct ip_address v4 = address_of_text("198.18.0.4/30"),
				v6 = address_of_text("fd53:0:0:9::/63");
	const struct wire_query bad4 = {.name = "", .src = "198.18.0.7"},
				good4 = {.name = "", .src = "198.18.0.8"},
				bad6 = {.name = "", .version = 6, .src = "fd53:0:0:8::1"},
				good6 = {.name = "", .version = 6, .src = "fd53:0:0:a::1"};
	struct port_flow flow = {0};
	fake_flow = (struct fake_flow){0};
	assert_true(port_flow_steer(&flow, 0, 1, 1, false, text, sizeof(text)));
	drops_init(&d, &id, 1);
	assert_int_equal(drops_add(&d, &v4, 5000, text), 0);
	assert_int_equal(drops_add(&d, &v6, 6000, text), 0);
	// Before steering, whatever came first.
	assert_int_equal(where(&bad4), FAKE_FLOW_DROP);
	struct wire_query tagged = bad4;
	tagged.has_vlan = true;
	assert_int_equal(where(&tagged), FAKE_FLOW_DROP);
	assert_int_equal(where(&good4), 0);
	assert_int_equal(where(&bad6), FAKE_FLOW_DROP);
	assert_int_equal(where(&good6), 0);
	// The time that was given last.
	assert_int_equal(drops_add(&d, &v4, 5900, text), 0);
	assert_int_equal(drops_add(&d, &v4, 5500, text), 0);
	assert_int_equal(d.count, 2);
	drops_expire(&d, 5499);
	assert_int_equal(d.count, 2);
	drops_expire(&d, 5500);
	assert_int_equal(where(&bad4), 0);
	assert_int_equal(where(&bad6), FAKE_FLOW_DROP);
	drops_clear(&d);
	assert_int_equal(where(&bad6), 0);
	port_flow_clear(&flow, 0);
	assert_int_equal(fake_flow.count, 0);
}

TEST(drops_have_caps)
{
	static struct drops d;
	const uint16_t ids[2] = {0, 1};
	char text[DROPS_WHY_MAX];
	fake_flow = (struct fake_flow){0};
	drops_init(&d, ids, 2);
	struct ip_address a = address_of_text("198.18.0.0/32");
	for (unsigned i = 0; i < DROPS_MAX; i++) {
		a.bytes[2] = (uint8_t)(i >> 8);
		a.bytes[3] = (uint8_t)i;
		assert_int_equal(drops_add(&d, &a, 5000, text), 0);
	}
	assert_int_equal(fake_flow.count, 2 * 2 * DROPS_MAX);
	assert_int_equal(drops_partial(&d), 0);
	a.bytes[2] = 9;
	assert_int_equal(drops_add(&d, &a, 5000, text), -ENOSPC);
	assert_int_equal(d.full, 1);
	drops_clear(&d);
	assert_int_equal(fake_flow.count, 0);
	// No rules with a tag: those without are better than nothing.
	fake_flow.no_vlan = true;
	assert_int_equal(drops_add(&d, &a, 5000, text), 0);
	assert_int_equal(fake_flow.count, 2);
	assert_int_equal(drops_partial(&d), 1);
	drops_clear(&d);
	assert_int_equal(drops_partial(&d), 0);
	assert_int_equal(fake_flow.count, 0);
	fake_flow.no_vlan = false;
	// A port that refuses; both.
	fake_flow.rules_most = 1;
	assert_int_equal(drops_add(&d, &a, 5000, text), 0);
	assert_int_equal(drops_partial(&d), 1);
	drops_clear(&d);
	fake_flow.absent = true;
	assert_int_equal(drops_add(&d, &a, 5000, text), -ENOTSUP);
	assert_string_equal(text, "no rules");
	assert_int_equal(d.count, 0);
	assert_int_equal(d.refused, 1);
	// So short a prefix would be most of the clients.
	a = address_of_text("198.0.0.0/7");
	assert_int_equal(drops_add(&d, &a, 5000, text), -EINVAL);
	a = address_of_text("fd53::/23");
	assert_int_equal(drops_add(&d, &a, 5000, text), -EINVAL);
}

// What the operator asks for comes through shared memory: read once, never while it is being
// written, and nonsense is passed over.
TEST(directory_is_read_as_hostile)
{
	struct directory *dir = aligned_alloc(SHM_PAGE, sizeof(*dir));
	static struct drops d;
	const uint16_t id = 0;
	assert_non_null(dir);
	memset(dir, 0, sizeof(*dir));
	fake_flow = (struct fake_flow){0};
	drops_init(&d, &id, 1);
	struct directory_drop *e = dir->drops.entry;
	e[3] = (struct directory_drop){
		.version = 4, .prefix_len = 32, .bytes = {198, 18, 0, 9}, .expires_ms = 5000};
	dir->drops.sequence = 1;
	drops_take(&d, dir, SEEN_MS);
	assert_int_equal(d.count, 0);
	dir->drops.sequence = 2;
	drops_take(&d, dir, SEEN_MS);
	assert_int_equal(d.count, 1);
	// The time of an entry that is there: what the operator said last, also less.
	e[3].expires_ms = 3000;
	dir->drops.sequence = 4;
	drops_take(&d, dir, SEEN_MS);
	drops_expire(&d, 3000);
	assert_int_equal(d.count, 0);
	e[3].expires_ms = 5000;
	dir->drops.sequence = 6;
	drops_take(&d, dir, SEEN_MS);
	assert_int_equal(d.count, 1);
	e[4] = (struct directory_drop){.version = 6, .prefix_len = 1, .expires_ms = 5000};
	e[5] = (struct directory_drop){.version = 77, .prefix_len = 32, .expires_ms = 5000};
	e[6] = (struct directory_drop){.version = 4, .prefix_len = 31, .expires_ms = UINT64_MAX};
	e[7] = (struct directory_drop){.version = 4, .prefix_len = 30, .expires_ms = SEEN_MS};
	e[8] = (struct directory_drop){.version = 4, .prefix_len = 200, .expires_ms = 5000};
	dir->drops.sequence = 8;
	drops_take(&d, dir, SEEN_MS);
	assert_int_equal(d.count, 1);
	// Without a directory all stays; what is not asked for any more goes.
	drops_take(&d, NULL, SEEN_MS);
	assert_int_equal(d.count, 1);
	memset(e, 0, sizeof(dir->drops.entry));
	dir->drops.sequence = 10;
	drops_take(&d, dir, SEEN_MS);
	assert_int_equal(d.count, 0);
	free(dir);
}

// A control plane that makes its directory again counts from the beginning.
TEST(new_directory_is_looked_at)
{
	struct directory *old = aligned_alloc(SHM_PAGE, sizeof(*old));
	struct directory *new = aligned_alloc(SHM_PAGE, sizeof(*new));
	static struct drops d;
	const uint16_t id = 0;
	assert_true(old && new);
	memset(old, 0, sizeof(*old));
	memset(new, 0, sizeof(*new));
	fake_flow = (struct fake_flow){0};
	drops_init(&d, &id, 1);
	old->drops.entry[0] = (struct directory_drop){
		.version = 4, .prefix_len = 32, .bytes = {198, 18, 0, 9}, .expires_ms = 5000};
	old->drops.sequence = new->drops.sequence = 2;
	drops_take(&d, old, SEEN_MS);
	assert_int_equal(d.count, 1);
	drops_take(&d, new, SEEN_MS);
	assert_int_equal(d.count, 0);
	assert_int_equal(fake_flow.count, 0);
	free(old);
	free(new);
}

TEST_GROUP(start_eal, port_rig_stop)
