// SPDX-License-Identifier: BSD-3-Clause

// The port is one client with an address of its own on a network that has the service. It must stay
// open until the server has stopped: a memif client that leaves takes the server's rings along
// (DPDK 22.11).

#include "../packet.h"
#include "udp.h"

#include <rte_cycles.h>
#include <rte_eal.h>
#include <rte_ethdev.h>
#include <rte_mbuf.h>

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { BURST = 32, DESCRIPTORS = 1024, BUFFERS = 8191, FIRST_PORT = 20000, CLIENT_PORTS = 4096 };

const char udp_usage[] = "bench_hour_port DEVICE LCORE CLIENT";
const unsigned udp_arguments = 3;
const int64_t udp_wait_ns = 20 * 1000;

static struct port {
	uint16_t id;
	struct rte_mempool *pool;
	uint8_t mac[RTE_ETHER_ADDR_LEN];
	struct endpoint endpoint;
	struct rte_mbuf *out[BURST];
	unsigned out_count;
} port;

static void die(const char *what)
{
	fprintf(stderr, "bench_hour_port: %s\n", what);
	exit(2);
}

static void start_eal(char *device, char *lcore)
{
	char vdev[256], prefix[64];
	snprintf(vdev, sizeof(vdev), "--vdev=%s", device);
	snprintf(prefix, sizeof(prefix), "--file-prefix=bench-hour-%d", getpid());
	char *eal[] = {strdup("bench_hour_port"), strdup("-l"), lcore, strdup("--no-huge"),
		strdup("-m"), strdup("64"), strdup("--no-pci"), strdup("--no-telemetry"), prefix,
		vdev, strdup("--log-level=error")};
	if (rte_eal_init((int)RTE_DIM(eal), eal) < 0)
		die("EAL does not start");
}

static void start_port(void)
{
	struct rte_eth_conf conf = {0};
	struct rte_ether_addr mac;

	if (rte_eth_dev_count_avail() == 0)
		die("no port");
	port.id = (uint16_t)rte_eth_find_next(0);
	port.pool = rte_pktmbuf_pool_create(
		"hour", BUFFERS, 64, 0, RTE_MBUF_DEFAULT_BUF_SIZE, SOCKET_ID_ANY);
	if (!port.pool || rte_eth_dev_configure(port.id, 1, 1, &conf)
		|| rte_eth_rx_queue_setup(port.id, 0, DESCRIPTORS, SOCKET_ID_ANY, NULL, port.pool)
		|| rte_eth_tx_queue_setup(port.id, 0, DESCRIPTORS, SOCKET_ID_ANY, NULL)
		|| rte_eth_dev_start(port.id) || rte_eth_macaddr_get(port.id, &mac))
		die("the port cannot be started");
	memcpy(port.mac, mac.addr_bytes, sizeof(port.mac));
}

static void flush(void)
{
	uint16_t sent = rte_eth_tx_burst(port.id, 0, port.out, (uint16_t)port.out_count);
	rte_pktmbuf_free_bulk(port.out + sent, port.out_count - sent);
	port.out_count = 0;
}

// NULL: no buffer, and the query is lost.
static struct rte_mbuf *frame_new(void)
{
	struct rte_mbuf *m = rte_pktmbuf_alloc(port.pool);

	if (m)
		port.out[port.out_count++] = m;
	return m;
}

static void solicit(void)
{
	uint8_t frame[PACKET_FRAME_MAX];
	size_t len = packet_solicit(frame, port.mac, &port.endpoint);
	struct rte_mbuf *m = frame_new();

	if (m)
		memcpy(rte_pktmbuf_append(m, (uint16_t)len), frame, len);
	flush();
}

static void resolve(void)
{
	enum { TRIES = 100, WAIT_US = 100000 };
	struct rte_mbuf *m[BURST];

	for (unsigned i = 0; i < TRIES && !port.endpoint.resolved; i++) {
		solicit();
		rte_delay_us_sleep(WAIT_US);
		uint16_t n = rte_eth_rx_burst(port.id, 0, m, BURST);
		for (uint16_t j = 0; j < n; j++)
			(void)packet_solicited(
				rte_pktmbuf_mtod(m[j], uint8_t *), m[j]->pkt_len, &port.endpoint);
		rte_pktmbuf_free_bulk(m, n);
	}
	if (!port.endpoint.resolved)
		die("ARP got no answer in 10 s");
}

void udp_open(char **arguments, const struct sockaddr_in *to)
{
	port.endpoint.version = 4;
	memcpy(port.endpoint.service, &to->sin_addr, sizeof(to->sin_addr));
	if (to->sin_port != htons(53)
		|| inet_pton(AF_INET, arguments[2], port.endpoint.client) != 1)
		die("port 53 and a client's IPv4 address");
	start_eal(arguments[0], arguments[1]);
	start_port();
	resolve();
}

unsigned udp_fds(struct pollfd out[UDP_FDS_MAX])
{
	(void)out;
	return 0;
}

void udp_send(const uint8_t *query, size_t len, uint64_t any)
{
	const size_t at = packet_payload_at(&port.endpoint);
	struct rte_mbuf *m = frame_new();

	if (!m)
		return;
	uint8_t *frame = (uint8_t *)rte_pktmbuf_append(m, (uint16_t)(at + len));
	memcpy(frame + at, query, len);
	(void)packet_udp(
		frame, port.mac, &port.endpoint, (uint16_t)(FIRST_PORT + any % CLIENT_PORTS), len);
	if (port.out_count == BURST)
		flush();
}

static unsigned take_one(const struct rte_mbuf *m, udp_reply *reply)
{
	const uint8_t *frame = rte_pktmbuf_mtod(m, const uint8_t *);
	uint16_t id, client_port;
	size_t at, len;

	if (!packet_is_reply(frame, m->pkt_len, &id, &client_port))
		return 0;
	const char *why = packet_payload(frame, m->pkt_len, port.mac, &port.endpoint, &at, &len);
	if (why)
		die(why);
	reply(frame + at, len);
	return 1;
}

unsigned udp_take(const struct pollfd *ready, udp_reply *reply)
{
	struct rte_mbuf *m[BURST];
	unsigned count = 0;

	(void)ready;
	flush();
	uint16_t n = rte_eth_rx_burst(port.id, 0, m, BURST);
	for (uint16_t i = 0; i < n; i++)
		count += take_one(m[i], reply);
	rte_pktmbuf_free_bulk(m, n);
	return count;
}
