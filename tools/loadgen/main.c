// SPDX-License-Identifier: BSD-3-Clause

// weir-loadgen: asks a weir over a DPDK port (memif, as a rule) and checks every reply.
//
// Bounded in count and time. One line of JSON on stdout at the end; exit status 0 only if every
// query was answered and every reply was right (SERVFAIL and unanswered ones are asked again, a few
// times, since a cold name may take a moment). With --stay it then keeps the port open until its
// standard input ends: a memif client that leaves takes the server's rings along (DPDK 22.11).

#include "packet.h"

#include <rte_cycles.h>
#include <rte_eal.h>
#include <rte_ethdev.h>
#include <rte_mbuf.h>

#include <arpa/inet.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { BURST = 32, WINDOW_MAX = 512, ENDPOINTS_MAX = 2, TRIES_MAX = 8, TRY_MS = 500 };

struct slot { // one outstanding query; its index is the low part of the client port
	struct question q;
	uint64_t sent_tsc;
	unsigned tries; // 0: free
};

struct run {
	uint16_t port;
	struct rte_mempool *pool;
	uint8_t mac[6];
	struct endpoint endpoint[ENDPOINTS_MAX];
	unsigned endpoints, window, names;
	uint64_t queries, seconds;
	struct slot slot[WINDOW_MAX];
	uint64_t asked, answered, bad, again, given_up, unmatched;
};

static void die(const char *what)
{
	fprintf(stderr, "weir-loadgen: %s\n", what);
	exit(2);
}

static void port_start(struct run *r)
{
	struct rte_eth_conf conf = {0};
	if (rte_eth_dev_count_avail() == 0)
		die("no port");
	r->port = (uint16_t)rte_eth_find_next(0);
	r->pool = rte_pktmbuf_pool_create(
		"loadgen", 8191, 64, 0, RTE_MBUF_DEFAULT_BUF_SIZE, SOCKET_ID_ANY);
	if (!r->pool || rte_eth_dev_configure(r->port, 1, 1, &conf)
		|| rte_eth_rx_queue_setup(r->port, 0, 1024, SOCKET_ID_ANY, NULL, r->pool)
		|| rte_eth_tx_queue_setup(r->port, 0, 1024, SOCKET_ID_ANY, NULL)
		|| rte_eth_dev_start(r->port))
		die("the port cannot be started");
	struct rte_ether_addr mac;
	rte_eth_macaddr_get(r->port, &mac);
	memcpy(r->mac, mac.addr_bytes, 6);
}

static void send_frame(struct run *r, const uint8_t *frame, size_t len)
{
	struct rte_mbuf *m = rte_pktmbuf_alloc(r->pool);
	if (!m)
		return; // counted as unanswered in due time
	memcpy(rte_pktmbuf_append(m, (uint16_t)len), frame, len);
	if (rte_eth_tx_burst(r->port, 0, &m, 1) == 0)
		rte_pktmbuf_free(m);
}

static void resolve(struct run *r)
{
	uint8_t frame[PACKET_FRAME_MAX];
	for (int i = 0; i < 100; i++) {
		unsigned left = 0;
		for (unsigned k = 0; k < r->endpoints; k++) {
			if (!r->endpoint[k].resolved) {
				send_frame(
					r, frame, packet_solicit(frame, r->mac, &r->endpoint[k]));
				left++;
			}
		}
		if (!left)
			return;
		rte_delay_us_sleep(100000);
		struct rte_mbuf *m[BURST];
		uint16_t n = rte_eth_rx_burst(r->port, 0, m, BURST);
		for (uint16_t j = 0; j < n; j++)
			for (unsigned k = 0; k < r->endpoints; k++)
				packet_solicited(rte_pktmbuf_mtod(m[j], uint8_t *), m[j]->pkt_len,
					&r->endpoint[k]);
		rte_pktmbuf_free_bulk(m, n);
	}
	die("ARP or neighbour discovery got no answer in 10 s");
}

static void ask(struct run *r, unsigned index)
{
	struct slot *s = &r->slot[index];
	uint8_t frame[PACKET_FRAME_MAX];
	s->tries++;
	s->sent_tsc = rte_rdtsc();
	send_frame(r, frame, packet_query(frame, r->mac, &s->q));
}

static void ask_new(struct run *r, unsigned index)
{
	struct slot *s = &r->slot[index];
	// A full-period step through the names: every name is asked before one is asked twice.
	uint32_t name = (uint32_t)(r->asked * 2654435761u % r->names);
	s->q = (struct question){
		.name = name,
		.id = (uint16_t)(r->asked * 40503u),
		.client_port = (uint16_t)(20000 + index),
		.endpoint = &r->endpoint[r->asked % r->endpoints],
	};
	s->tries = 0;
	r->asked++;
	ask(r, index);
}

static void take_reply(struct run *r, const uint8_t *frame, size_t len)
{
	uint16_t id, client_port;
	if (!packet_is_reply(frame, len, &id, &client_port))
		return;
	unsigned index = (unsigned)client_port - 20000;
	if (index >= r->window || !r->slot[index].tries || r->slot[index].q.id != id) {
		r->unmatched++;
		return;
	}
	struct slot *s = &r->slot[index];
	bool servfail;
	const char *why = packet_check(frame, len, r->mac, &s->q, &servfail);
	if (servfail)
		return; // asked again when its time is up
	if (why && r->bad++ < 10)
		fprintf(stderr, "weir-loadgen: n%u: wrong %s\n", s->q.name, why);
	r->answered += !why;
	s->tries = 0;
}

static unsigned receive(struct run *r)
{
	struct rte_mbuf *m[BURST];
	uint16_t n = rte_eth_rx_burst(r->port, 0, m, BURST);
	for (uint16_t i = 0; i < n; i++)
		take_reply(r, rte_pktmbuf_mtod(m[i], uint8_t *), m[i]->pkt_len);
	rte_pktmbuf_free_bulk(m, n);
	return n;
}

// Fills free slots, asks late ones again; the number still outstanding.
static unsigned keep_window(struct run *r, bool more)
{
	uint64_t now = rte_rdtsc(), late = rte_get_tsc_hz() / 1000 * TRY_MS;
	unsigned outstanding = 0;
	for (unsigned i = 0; i < r->window; i++) {
		struct slot *s = &r->slot[i];
		if (s->tries && now - s->sent_tsc > late) {
			if (s->tries < TRIES_MAX) {
				r->again++;
				ask(r, i);
			} else {
				r->given_up++;
				s->tries = 0;
			}
		}
		if (!s->tries && more && r->asked < r->queries)
			ask_new(r, i);
		outstanding += s->tries != 0;
	}
	return outstanding;
}

static void run_load(struct run *r)
{
	uint64_t hz = rte_get_tsc_hz(), begin = rte_rdtsc(), end = begin + r->seconds * hz;
	uint64_t hard_end = end + (uint64_t)TRIES_MAX * TRY_MS * hz / 1000;
	unsigned turns = 0;
	while (rte_rdtsc() < hard_end) {
		unsigned got = receive(r);
		// Late ones are looked for now and then; free slots are filled whenever replies
		// came.
		if (got || turns++ % 64 == 0) {
			bool more = rte_rdtsc() < end;
			if (!keep_window(r, more) && (!more || r->asked >= r->queries))
				break;
		}
	}
	double seconds = (double)(rte_rdtsc() - begin) / (double)hz;
	uint64_t lost = r->asked - r->answered - r->bad;
	printf("{\"asked\": %lu, \"answered\": %lu, \"bad\": %lu, \"lost\": %lu, \"asked_again\": "
	       "%lu, "
	       "\"unmatched\": %lu, \"seconds\": %.3f, \"qps\": %.0f}\n",
		r->asked, r->answered, r->bad, lost, r->again, r->unmatched, seconds,
		(double)r->answered / seconds);
	fflush(stdout);
}

static void add_endpoint(struct run *r, const char *service, const char *client)
{
	if (r->endpoints == ENDPOINTS_MAX)
		die("too many service addresses");
	struct endpoint *e = &r->endpoint[r->endpoints++];
	e->version = strchr(service, ':') ? 6 : 4;
	int family = e->version == 6 ? AF_INET6 : AF_INET;
	if (inet_pton(family, service, e->service) != 1
		|| inet_pton(family, client, e->client) != 1)
		die("bad address");
}

static void usage(void)
{
	die("usage: weir-loadgen -d DEVARGS -s SERVICE,CLIENT [-s ...] [-n NAMES] [-q QUERIES] "
	    "[-t SECONDS] [-w WINDOW] [-l LCORE] [--stay]");
}

int main(int argc, char **argv)
{
	static struct run r = {.window = 256, .names = 1000, .queries = UINT64_MAX, .seconds = 5};
	const char *device = NULL, *lcore = "0";
	bool stay = false;
	const struct option options[] = {{"stay", no_argument, NULL, 'S'}, {0}};
	for (int c; (c = getopt_long(argc, argv, "d:s:n:q:t:w:l:", options, NULL)) != -1;) {
		char *comma;
		switch (c) {
		case 'd':
			device = optarg;
			break;
		case 's':
			comma = strchr(optarg, ',');
			if (!comma)
				usage();
			*comma = 0;
			add_endpoint(&r, optarg, comma + 1);
			break;
		case 'n':
			r.names = (unsigned)strtoul(optarg, NULL, 10);
			break;
		case 'q':
			r.queries = strtoull(optarg, NULL, 10);
			break;
		case 't':
			r.seconds = strtoull(optarg, NULL, 10);
			break;
		case 'w':
			r.window = (unsigned)strtoul(optarg, NULL, 10);
			break;
		case 'l':
			lcore = optarg;
			break;
		case 'S':
			stay = true;
			break;
		default:
			usage();
		}
	}
	if (!device || !r.endpoints || !r.names || !r.window || r.window > WINDOW_MAX
		|| r.seconds > 3600)
		usage();

	char vdev[256], prefix[64];
	snprintf(vdev, sizeof vdev, "--vdev=%s", device);
	snprintf(prefix, sizeof prefix, "--file-prefix=weir-loadgen-%d", getpid());
	char *eal[] = {argv[0], strdup("-l"), strdup(lcore), strdup("--no-huge"), strdup("-m"),
		strdup("128"), strdup("--no-pci"), strdup("--no-telemetry"), prefix, vdev,
		strdup("--log-level=error")};
	if (rte_eal_init((int)RTE_DIM(eal), eal) < 0)
		die("EAL does not start");
	port_start(&r);
	resolve(&r);
	run_load(&r);
	char rest[64];
	while (stay && read(STDIN_FILENO, rest, sizeof rest) > 0)
		continue;
	return r.asked && r.answered == r.asked && !r.bad ? 0 : 1;
}
