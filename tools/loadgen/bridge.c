// SPDX-License-Identifier: BSD-3-Clause

// weir-bridge: carries frames between two DPDK ports, so that the kernel of a namespace can be a
// client of a memif port.
//
//   weir-bridge LCORE MEMIF TAP        two devices with their arguments
//
// Prints a line when both ports run. Ends when the memif's link goes down after it was up: then its
// server, the data plane, has ended. One thread, which sleeps while no frames come. A frame that
// the other port does not take is dropped.

#include <rte_eal.h>
#include <rte_ethdev.h>
#include <rte_mbuf.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { PORTS = 2, BURST = 32, DESCRIPTORS = 512, BUFFERS = 4095, IDLE_US = 50, LOOK_TURNS = 1000 };

static void die(const char *what)
{
	fprintf(stderr, "weir-bridge: %s\n", what);
	exit(2);
}

static void start_eal(char *program, char **args)
{
	char vdev[PORTS][256], prefix[64];
	for (unsigned i = 0; i < PORTS; i++)
		snprintf(vdev[i], sizeof(vdev[i]), "--vdev=%s", args[1 + i]);
	snprintf(prefix, sizeof(prefix), "--file-prefix=weir-bridge-%d", getpid());
	char *eal[] = {program, strdup("-l"), args[0], strdup("--no-huge"), strdup("-m"),
		strdup("64"), strdup("--no-pci"), strdup("--no-telemetry"), prefix, vdev[0],
		vdev[1], strdup("--log-level=error")};
	if (rte_eal_init((int)RTE_DIM(eal), eal) < 0)
		die("EAL does not start");
}

static void start_port(uint16_t port, struct rte_mempool *pool)
{
	struct rte_eth_conf conf = {0};
	if (rte_eth_dev_configure(port, 1, 1, &conf)
		|| rte_eth_rx_queue_setup(port, 0, DESCRIPTORS, SOCKET_ID_ANY, NULL, pool)
		|| rte_eth_tx_queue_setup(port, 0, DESCRIPTORS, SOCKET_ID_ANY, NULL)
		|| rte_eth_dev_start(port))
		die("a port cannot be started");
	(void)rte_eth_promiscuous_enable(port);
}

static bool is_up(uint16_t port)
{
	struct rte_eth_link link = {0};
	return rte_eth_link_get_nowait(port, &link) == 0 && link.link_status;
}

// Frames that came.
static unsigned carry(uint16_t from, uint16_t to)
{
	struct rte_mbuf *frame[BURST];
	const uint16_t n = rte_eth_rx_burst(from, 0, frame, BURST);
	const uint16_t sent = n ? rte_eth_tx_burst(to, 0, frame, n) : 0;
	rte_pktmbuf_free_bulk(frame + sent, n - sent);
	return n;
}

int main(int argc, char **argv)
{
	if (argc != 2 + PORTS) {
		fputs("usage: weir-bridge LCORE MEMIF TAP\n", stderr);
		return 2;
	}
	start_eal(argv[0], argv + 1);
	struct rte_mempool *pool = rte_pktmbuf_pool_create(
		"bridge", BUFFERS, 64, 0, RTE_MBUF_DEFAULT_BUF_SIZE, SOCKET_ID_ANY);
	uint16_t memif = 0, tap = 0;
	char *name[PORTS] = {argv[2], argv[3]};
	for (unsigned i = 0; i < PORTS; i++)
		name[i][strcspn(name[i], ",")] = '\0';
	if (!pool || rte_eth_dev_get_port_by_name(name[0], &memif)
		|| rte_eth_dev_get_port_by_name(name[1], &tap))
		die("no such port");
	start_port(memif, pool);
	start_port(tap, pool);
	puts("both ports run");
	fflush(stdout);
	bool was_up = false;
	for (unsigned turn = 0;; turn++) {
		if (turn % LOOK_TURNS == 0) {
			const bool up = is_up(memif);
			if (was_up && !up)
				return 0;
			was_up = up;
		}
		if (carry(memif, tap) + carry(tap, memif) == 0)
			usleep(IDLE_US);
	}
}
