// SPDX-License-Identifier: BSD-3-Clause

// How ports are set up: offloads and hash by what a driver says of itself, and the whole of
// ports_start on drivers that have a hash and a table (net_null) or a link to pull (net_ring).

#include "dataplane/port/eal_args.h"
#include "dataplane/port/mbuf_pool.h"
#include "dataplane/port/port_link.h"
#include "dataplane/port/port_mac.h"
#include "dataplane/port/port_rss.h"
#include "port_rig.h"

#include <rte_eth_ring.h>
#include <rte_ethdev.h>
#include <rte_thash.h>

enum { WORKERS = PORT_RIG_WORKERS };

static struct port_rig rig;

static char ring_device[] = "net_ring0", null_device[] = "net_null0", other_device[] = "net_null1",
	    full_device[] = "net_ring1";

static int start_eal(void **)
{
	static char vdevs[][20] = {
		"--vdev=net_null0", "--vdev=net_null1", "--vdev=net_ring0", "--vdev=net_ring1"};
	char *const all[] = {vdevs[0], vdevs[1], vdevs[2], vdevs[3]};
	return port_rig_start(&rig, "test_port_setup", all, ARRAY_LEN(all));
}

static struct rte_eth_conf chosen(const char *driver, uint64_t rx, uint64_t tx, bool partial)
{
	const struct rte_eth_dev_info info = {
		.driver_name = driver, .rx_offload_capa = rx, .tx_offload_capa = tx};
	struct rte_eth_conf conf = {0};
	port_offload_choose(&info, partial, &conf);
	return conf;
}

TEST(offloads_are_few)
{
	const uint64_t all = UINT64_MAX;
	const uint64_t csums = RTE_ETH_RX_OFFLOAD_IPV4_CKSUM | RTE_ETH_RX_OFFLOAD_UDP_CKSUM;
	struct rte_eth_conf c = chosen("net_ice", all, all, false);
	assert_int_equal(c.rxmode.offloads, csums);
	assert_int_equal(c.txmode.offloads, RTE_ETH_TX_OFFLOAD_MBUF_FAST_FREE);
	// What a port lacks is not asked of it.
	c = chosen("net_ice", RTE_ETH_RX_OFFLOAD_UDP_CKSUM, 0, false);
	assert_int_equal(c.rxmode.offloads, RTE_ETH_RX_OFFLOAD_UDP_CKSUM);
	assert_int_equal(c.txmode.offloads, 0);
	// Partial checksums may come in: the port's word for them is nothing.
	assert_int_equal(chosen("net_ice", all, all, true).rxmode.offloads, 0);
	const struct rte_eth_conf virtio = chosen("net_virtio", all, all, false);
	assert_int_equal(virtio.rxmode.offloads, RTE_ETH_RX_OFFLOAD_VLAN_FILTER);
	assert_int_equal(chosen("net_virtio", csums, 0, false).rxmode.offloads, 0);
	// The driver would sum in software.
	assert_int_equal(chosen("net_tap", all, all, false).rxmode.offloads, 0);
}

TEST(link_interrupts_are_asked_for_where_they_come)
{
	const uint32_t flags = RTE_ETH_DEV_INTR_LSC;
	const struct {
		const char *driver;
		bool come;
	} rows[] = {{"net_ice", true}, {"net_virtio", true}, {"net_e1000_em", false},
		{"net_vmxnet3", false}, {"net_tap", false}};
	for (unsigned i = 0; i < ARRAY_LEN(rows); i++) {
		const struct rte_eth_dev_info info = {
			.driver_name = rows[i].driver, .dev_flags = &flags};
		struct port_link link = {0};
		struct rte_eth_conf conf = {0};
		port_link_choose(&info, &link, &conf);
		assert_int_equal(conf.intr_conf.lsc, rows[i].come);
		assert_int_equal(link.interrupts, rows[i].come);
	}
}

TEST(one_queue_needs_no_hash)
{
	const struct rte_eth_dev_info info = {.flow_type_rss_offloads = UINT64_MAX};
	struct rte_eth_conf conf = {0};
	uint8_t key[PORT_RSS_KEY_MAX];
	assert_int_equal(port_rss_choose(&info, 1, RSS_PLAIN, key, &conf), 0);
	assert_int_equal(conf.rxmode.mq_mode, RTE_ETH_MQ_RX_NONE);
	const struct rte_eth_dev_info none = {0};
	assert_int_equal(port_rss_choose(&none, 2, RSS_PLAIN, key, &conf), 0);
	assert_int_equal(conf.rxmode.mq_mode, RTE_ETH_MQ_RX_NONE);
}

TEST(key_has_the_ports_length_and_is_new_each_time)
{
	const struct rte_eth_dev_info info = {
		.flow_type_rss_offloads = UINT64_MAX, .hash_key_size = 52};
	uint8_t first[PORT_RSS_KEY_MAX] = {0}, second[PORT_RSS_KEY_MAX] = {0};
	struct rte_eth_conf conf = {0};
	assert_int_equal(port_rss_choose(&info, 2, RSS_PLAIN, first, &conf), 0);
	assert_int_equal(conf.rx_adv_conf.rss_conf.rss_key_len, 52);
	assert_int_equal(conf.rx_adv_conf.rss_conf.rss_hf,
		RTE_ETH_RSS_IP | RTE_ETH_RSS_UDP | RTE_ETH_RSS_TCP);
	assert_int_equal(port_rss_choose(&info, 2, RSS_PLAIN, second, &conf), 0);
	assert_memory_not_equal(first, second, 52);
	for (unsigned i = 52; i < PORT_RSS_KEY_MAX; i++)
		assert_int_equal(first[i], 0);
}

static uint32_t hash_of(
	const uint8_t *key, uint32_t src, uint16_t sport, uint32_t dst, uint16_t dport)
{
	uint32_t tuple[3] = {src, dst, (uint32_t)sport << 16 | dport};
	return rte_softrss(tuple, ARRAY_LEN(tuple), key);
}

// One client with many source ports, as behind a NAT, and many clients with one port each: no
// worker gets more than a fifth more than its share.
TEST(both_keys_spread_clients)
{
	enum { CLIENTS = 20000, TABLE = 128, QUEUES = 6, FAIR = CLIENTS / QUEUES };
	const struct rte_eth_dev_info info = {.flow_type_rss_offloads = UINT64_MAX};
	for (unsigned mode = RSS_PLAIN; mode <= RSS_SYMMETRIC; mode++) {
		uint8_t key[PORT_RSS_KEY_MAX];
		struct rte_eth_conf conf = {0};
		assert_int_equal(port_rss_choose(&info, QUEUES, mode, key, &conf), 0);
		unsigned of_ports[QUEUES] = {0}, of_clients[QUEUES] = {0};
		for (unsigned i = 0; i < CLIENTS; i++) {
			uint32_t one =
				hash_of(key, 0xc6120002, (uint16_t)(1024 + i), 0xc6120035, 53);
			uint32_t other = hash_of(key, 0xc6120000 + i, 5353, 0xc6120035, 53);
			of_ports[one % TABLE % QUEUES]++;
			of_clients[other % TABLE % QUEUES]++;
		}
		// 128 entries in 6 queues: 22 and 21, so 3 % of the distance are the table's.
		for (unsigned q = 0; q < QUEUES; q++) {
			assert_in_range(of_ports[q], FAIR * 8 / 10, FAIR * 12 / 10);
			assert_in_range(of_clients[q], FAIR * 8 / 10, FAIR * 12 / 10);
		}
	}
}

TEST(symmetric_key_maps_both_directions_alike)
{
	const struct rte_eth_dev_info info = {.flow_type_rss_offloads = UINT64_MAX};
	uint8_t key[PORT_RSS_KEY_MAX];
	struct rte_eth_conf conf = {0};
	assert_int_equal(port_rss_choose(&info, 2, RSS_SYMMETRIC, key, &conf), 0);
	assert_int_equal(hash_of(key, 0xc6120002, 40000, 0xc6120035, 53),
		hash_of(key, 0xc6120035, 53, 0xc6120002, 40000));
}

TEST(queues_share_the_table_evenly)
{
	struct config config = port_rig_config(null_device, WORKERS);
	struct ports p;
	struct rte_eth_dev_info info;
	struct rte_eth_rss_reta_entry64 table[2] = {{.mask = UINT64_MAX}, {.mask = UINT64_MAX}};
	assert_int_equal(ports_find(&p, &config.dataplane, rig.why), 0);
	assert_int_equal(ports_workers_most(&p, WORKERS), WORKERS);
	assert_int_equal(ports_start(&p, &config, rig.pool, rig.why), 0);
	assert_int_equal(p.port[0].queues, WORKERS);
	assert_true(p.port[0].features & 1u << PORT_FEATURE_rss);
	assert_true(p.port[0].features & 1u << PORT_FEATURE_reta);

	// The port keeps the pointer, so what it points to must be there to stay.
	struct rte_eth_conf kept;
	assert_int_equal(rte_eth_dev_conf_get(p.port[0].id, &kept), 0);
	assert_ptr_equal(kept.rx_adv_conf.rss_conf.rss_key, p.port[0].rss_key);

	assert_int_equal(rte_eth_dev_info_get(p.port[0].id, &info), 0);
	assert_int_equal(info.reta_size, 128);
	assert_int_equal(rte_eth_dev_rss_reta_query(p.port[0].id, table, 128), 0);
	unsigned seen[WORKERS] = {0};
	for (unsigned i = 0; i < 128; i++) {
		assert_in_range(table[i / 64].reta[i % 64], 0, WORKERS - 1);
		seen[table[i / 64].reta[i % 64]]++;
	}
	for (unsigned q = 0; q < WORKERS; q++)
		assert_in_range(seen[q], 42, 43);
	// This driver receives everything and cannot be changed; the status shows that.
	assert_int_equal(rte_eth_promiscuous_get(p.port[0].id), 1);
	assert_true(p.port[0].features & 1u << PORT_FEATURE_promiscuous);
	ports_stop(&p);
}

static uint64_t word_of(const void *mac)
{
	uint64_t word = 0;
	memcpy(&word, mac, 6);
	return word;
}

// Workers of a port that takes everything compare: with its own address, the kernel interface's,
// which comes first, and those of the configuration, which such a port need not know.
TEST(workers_compare_where_all_comes_in)
{
	static const char router[] = "\x00\x00\x5e\x00\x01\x05";
	struct config config = port_rig_config(other_device, 1);
	struct ports p;
	struct worker w = {.index = 0};
	config.dataplane.ports[0].mac_count = 1;
	memcpy(&config.dataplane.ports[0].macs[0], router, 6);
	assert_int_equal(ports_find(&p, &config.dataplane, rig.why), 0);
	assert_int_equal(ports_start(&p, &config, rig.pool, rig.why), 0);
	ports_bind(&p, &config.dataplane, &w);
	assert_true(w.port[0].is_screened);
	assert_int_equal(w.port[0].mac_count, 2);
	assert_int_equal(w.port[0].macs[0], word_of(&p.port[0].mac));
	assert_int_equal(w.port[0].macs[1], word_of(router));
	struct port exception = {.mac = {{2, 0, 0, 0, 0, 9}}};
	struct worker_port bound;
	port_mac_bind(&p.port[0], &exception, &config.dataplane.ports[0], &bound);
	assert_int_equal(bound.mac_count, 3);
	assert_int_equal(bound.macs[0], word_of(&exception.mac));
	exception.mac = p.port[0].mac; // as where the kernel's interface has that of the NIC
	port_mac_bind(&p.port[0], &exception, &config.dataplane.ports[0], &bound);
	assert_int_equal(bound.mac_count, 2);
	ports_stop(&p);
}

TEST(refused_mac_ends_the_start)
{
	struct config config = port_rig_config(full_device, 1);
	struct ports p;
	config.dataplane.ports[0].mac_count = 2; // it has room for one
	memcpy(&config.dataplane.ports[0].macs[0], "\x00\x00\x5e\x00\x01\x04", 6);
	memcpy(&config.dataplane.ports[0].macs[1], "\x00\x00\x5e\x00\x01\x05", 6);
	assert_int_equal(ports_find(&p, &config.dataplane, rig.why), 0);
	assert_true(ports_start(&p, &config, rig.pool, rig.why) < 0);
	assert_non_null(strstr(rig.why, "00:00:5e:00:01:05"));
}

TEST(link_changes_are_noticed)
{
	struct config config = port_rig_config(ring_device, 1);
	struct ports p;
	struct stats_port s = {0};
	config.dataplane.ports[0].mac_count = 1;
	memcpy(&config.dataplane.ports[0].macs[0], "\x00\x00\x5e\x00\x01\x05", 6);
	assert_int_equal(ports_find(&p, &config.dataplane, rig.why), 0);
	assert_in_range(ports_workers_most(&p, 4096), 1, 4095); // it has not that many queues
	assert_int_equal(ports_start(&p, &config, rig.pool, rig.why), 0);
	assert_int_equal(p.port[0].features & 1u << PORT_FEATURE_promiscuous, 0);
	struct worker w = {.index = 0};
	ports_bind(&p, &config.dataplane, &w);
	assert_false(w.port[0].is_screened);
	assert_int_equal(w.port[0].mac_count, 0);
	port_stats(&p.port[0], &s);
	assert_int_equal(s.link_up, 1);
	assert_int_equal(s.link_changes, 0);
	assert_int_equal(s.queues, 1);
	assert_int_equal(rte_eth_dev_set_link_down(p.port[0].id), 0);
	port_stats(&p.port[0], &s);
	assert_int_equal(s.link_up, 0);
	assert_int_equal(s.link_changes, 1);
	assert_int_equal(rte_eth_dev_set_link_up(p.port[0].id), 0);
	port_stats(&p.port[0], &s);
	assert_int_equal(s.link_up, 1);
	assert_int_equal(s.link_changes, 2);
	// Frames of before do not make up a link that its driver has seen up.
	assert_int_equal(rte_eth_dev_set_link_down(p.port[0].id), 0);
	port_link_frames(&p.port[0].link, 5);
	port_stats(&p.port[0], &s);
	assert_int_equal(s.link_up, 0);
	// A driver that says down all along, while frames come.
	struct port_link link = {0};
	port_link_look(&link, p.port[0].id, "never up", &s);
	assert_int_equal(s.link_up, 0);
	port_link_frames(&link, 0);
	port_link_look(&link, p.port[0].id, "never up", &s);
	assert_int_equal(s.link_up, 0);
	port_link_frames(&link, 1);
	port_link_look(&link, p.port[0].id, "never up", &s);
	assert_int_equal(s.link_up, 1);
	assert_int_equal(s.link_speed_mbps, 0);
	assert_int_equal(rte_eth_dev_set_link_up(p.port[0].id), 0);
	ports_stop(&p);
}

// A pool holds what full rings take, what waits for the kernel where there is a port to it, and
// some to go on with.
TEST(a_pool_has_room_for_what_waits)
{
	enum { RX = 128, TX = 256, ON = CONFIG_MBUF_SPARE };
	struct ports p = {.client_count = 1, .count = 1};
	for (unsigned i = 0; i < 2; i++)
		p.port[i] = (struct port){.rx_descriptors = RX, .tx_descriptors = TX};
	assert_int_equal(ports_mbufs_least(&p), RX + ON);
	p.port[0].dma = true;
	assert_int_equal(ports_mbufs_least(&p), RX + TX + ON);
	p.port[0].has_rest = true;
	assert_int_equal(ports_mbufs_least(&p), 2 * RX + TX + ON);
	p.count = 2;
	assert_int_equal(ports_mbufs_least(&p), 3 * RX + TX + EXCEPTION_WAITING + ON);
	// What the configuration asks for at least is enough where both ports free late.
	p.port[0].has_rest = false;
	p.port[1].dma = true;
	assert_int_equal(
		ports_mbufs_least(&p), 2 * (RX + TX) + CONFIG_KERNEL_WAITING + CONFIG_MBUF_SPARE);
}

TEST_GROUP(start_eal, port_rig_stop)
