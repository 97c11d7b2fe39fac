// SPDX-License-Identifier: BSD-3-Clause

// weir-loadgen: asks a weir over a DPDK port (memif, as a rule) and checks every reply.
//
// Bounded in count and time. Each run ends with a line of JSON on stdout; exit status 0 only if
// every query was answered (or, with --reflected, came back as it was) and every reply was right.
// In this order: with --warm a query for each name; then the load itself, a closed loop or, with
// --rate, an open one; with --loads open loops at 25, 50 and 75 % of the answers a second that the
// load reached, once or in rounds; with --nap it leaves its CPU to others between an open loop's
// bursts; with --alone a run with a window of one. With --stay it then keeps the port open until
// its standard input ends: a memif client that leaves takes the server's rings along (DPDK 22.11).

#include "report.h"

#include <rte_eal.h>
#include <rte_ethdev.h>
#include <rte_mbuf.h>

#include <arpa/inet.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { WARM_S = 180, RATE_MAX = 100000000, ROUNDS_MAX = 100, NAP_US_MAX = 1000 };

struct arguments {
	const char *device, *lcore;
	const char *mac;  // of the service; NULL: asked for
	uint64_t loads_s; // then so long each part of the capacity, in some rounds
	unsigned rounds;
	uint64_t alone_s; // then so long one query at a time
	bool warm, stay;
};

static void die(const char *what)
{
	fprintf(stderr, "weir-loadgen: %s\n", what);
	exit(2);
}

static void port_start(struct load *l)
{
	struct rte_eth_conf conf = {0};
	if (rte_eth_dev_count_avail() == 0)
		die("no port");
	l->port = (uint16_t)rte_eth_find_next(0);
	l->pool = rte_pktmbuf_pool_create(
		"loadgen", 8191, 64, 0, RTE_MBUF_DEFAULT_BUF_SIZE, SOCKET_ID_ANY);
	if (!l->pool || rte_eth_dev_configure(l->port, 1, 1, &conf)
		|| rte_eth_rx_queue_setup(l->port, 0, 1024, SOCKET_ID_ANY, NULL, l->pool)
		|| rte_eth_tx_queue_setup(l->port, 0, 1024, SOCKET_ID_ANY, NULL)
		|| rte_eth_dev_start(l->port))
		die("the port cannot be started");
	struct rte_ether_addr mac;
	rte_eth_macaddr_get(l->port, &mac);
	memcpy(l->mac, mac.addr_bytes, 6);
}

static void add_endpoint(struct load *l, const char *service, const char *client)
{
	if (l->endpoints == LOAD_ENDPOINTS_MAX)
		die("too many service addresses");
	struct endpoint *e = &l->endpoint[l->endpoints++];
	e->version = strchr(service, ':') ? 6 : 4;
	int family = e->version == 6 ? AF_INET6 : AF_INET;
	if (inet_pton(family, service, e->service) != 1
		|| inet_pton(family, client, e->client) != 1)
		die("bad address");
}

static void set_mac(struct load *l, const char *text)
{
	struct rte_ether_addr mac;
	if (rte_ether_unformat_addr(text, &mac))
		die("bad MAC address");
	for (unsigned k = 0; k < l->endpoints; k++) {
		memcpy(l->endpoint[k].service_mac, mac.addr_bytes, 6);
		l->endpoint[k].resolved = true;
	}
}

static void usage(void)
{
	die("usage: weir-loadgen -d DEVARGS -s SERVICE,CLIENT [-s ...] [-n NAMES] [-q QUERIES] "
	    "[-t SECONDS] [-w WINDOW] [-l LCORE] [--corpus [LISTED,PERCENT]] [--reflected] "
	    "[--mac MAC] [--warm] [--rate QPS] [--nap US] [--loads SECONDS[,ROUNDS]] [--alone "
	    "SECONDS] "
	    "[--stay]");
}

// LISTED,PERCENT: so many names of the corpus' list, and how much of the load they are.
static void set_corpus(struct load *l, const char *text)
{
	l->corpus = true;
	if (text && (sscanf(text, "%u,%u", &l->listed, &l->listed_percent) != 2 || !l->listed))
		usage();
}

static void set_loads(struct arguments *a, const char *text)
{
	a->rounds = 1;
	if (sscanf(text, "%lu,%u", &a->loads_s, &a->rounds) < 1 || a->rounds > ROUNDS_MAX)
		usage();
}

static void set_service(struct load *l, char *text)
{
	char *comma = strchr(text, ',');
	if (!comma)
		usage();
	*comma = 0;
	add_endpoint(l, text, comma + 1);
}

static void parse_arguments(int argc, char **argv, struct load *l, struct arguments *a)
{
	static const struct option options[] = {{"stay", no_argument, NULL, 'S'},
		{"corpus", optional_argument, NULL, 'C'}, {"reflected", no_argument, NULL, 'R'},
		{"mac", required_argument, NULL, 'M'}, {"alone", required_argument, NULL, 'A'},
		{"warm", no_argument, NULL, 'W'}, {"rate", required_argument, NULL, 'r'},
		{"loads", required_argument, NULL, 'L'}, {"nap", required_argument, NULL, 'N'},
		{0}};
	for (int c; (c = getopt_long(argc, argv, "d:s:n:q:t:w:l:", options, NULL)) != -1;) {
		switch (c) {
		case 'd':
			a->device = optarg;
			break;
		case 's':
			set_service(l, optarg);
			break;
		case 'n':
			l->names = (unsigned)strtoul(optarg, NULL, 10);
			break;
		case 'q':
			l->queries = strtoull(optarg, NULL, 10);
			break;
		case 't':
			l->seconds = strtoull(optarg, NULL, 10);
			break;
		case 'w':
			l->window = (unsigned)strtoul(optarg, NULL, 10);
			break;
		case 'l':
			a->lcore = optarg;
			break;
		case 'S':
			a->stay = true;
			break;
		case 'C':
			set_corpus(l, optarg);
			break;
		case 'R':
			l->reflected = true;
			break;
		case 'A':
			a->alone_s = strtoull(optarg, NULL, 10);
			break;
		case 'W':
			a->warm = true;
			break;
		case 'r':
			l->rate = strtoull(optarg, NULL, 10);
			break;
		case 'N':
			l->nap_us = (unsigned)strtoul(optarg, NULL, 10);
			break;
		case 'L':
			set_loads(a, optarg);
			break;
		case 'M':
			a->mac = optarg;
			break;
		default:
			usage();
		}
	}
	if (!a->device || !l->endpoints || !l->names || !l->window || l->window > LOAD_WINDOW_MAX
		|| l->seconds > 3600 || a->alone_s > 3600 || a->loads_s > 3600 || l->rate > RATE_MAX
		|| l->nap_us > NAP_US_MAX || (l->nap_us && !l->rate))
		usage();
}

static void start_eal(char *program, const struct arguments *a)
{
	char vdev[256], prefix[64];
	snprintf(vdev, sizeof(vdev), "--vdev=%s", a->device);
	snprintf(prefix, sizeof(prefix), "--file-prefix=weir-loadgen-%d", getpid());
	char *eal[] = {program, strdup("-l"), strdup(a->lcore), strdup("--no-huge"), strdup("-m"),
		strdup("128"), strdup("--no-pci"), strdup("--no-telemetry"), prefix, vdev,
		strdup("--log-level=error")};
	if (rte_eal_init((int)RTE_DIM(eal), eal) < 0)
		die("EAL does not start");
}

static bool run_warm(struct load *l)
{
	uint64_t queries = l->queries, seconds = l->seconds, rate = l->rate;
	l->queries = l->names;
	l->seconds = WARM_S;
	l->rate = 0;
	bool ok = report_load(l, load_run(l), 0);
	l->queries = queries;
	l->seconds = seconds;
	l->rate = rate;
	return ok;
}

// `capacity`: answers a second.
static bool run_loads(struct load *l, double capacity, const struct arguments *a)
{
	bool ok = true;
	l->window = LOAD_WINDOW_MAX;
	l->seconds = a->loads_s;
	for (unsigned part = 0; part < 3 * a->rounds; part++) {
		unsigned percent = 25 * (part % 3 + 1);
		l->rate = (uint64_t)(capacity * percent / 100) + 1;
		ok &= report_load(l, load_run(l), percent);
	}
	l->rate = 0;
	return ok;
}

static bool run_all(struct load *l, const struct arguments *a)
{
	bool ok = !a->warm || run_warm(l);
	double seconds = load_run(l);
	ok &= report_load(l, seconds, 0);
	// Where the other side reflects in turn with answering, it answers half of the time.
	double capacity = (double)l->answered * (l->reflected && l->sent_back ? 2 : 1) / seconds;
	if (a->loads_s)
		ok &= run_loads(l, capacity, a);
	if (a->alone_s) {
		l->window = 1;
		l->seconds = a->alone_s;
		ok &= report_load(l, load_run(l), 0);
	}
	return ok;
}

int main(int argc, char **argv)
{
	static struct load l = {.window = 256, .names = 1000, .queries = UINT64_MAX, .seconds = 5};
	struct arguments a = {.lcore = "0"};
	parse_arguments(argc, argv, &l, &a);
	start_eal(argv[0], &a);
	port_start(&l);
	if (a.mac)
		set_mac(&l, a.mac);
	if (!load_resolve(&l))
		die("ARP or neighbour discovery got no answer in 10 s");
	bool ok = run_all(&l, &a);
	char rest[64];
	while (a.stay && read(STDIN_FILENO, rest, sizeof(rest)) > 0)
		continue;
	return ok ? 0 : 1;
}
