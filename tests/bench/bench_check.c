// SPDX-License-Identifier: BSD-3-Clause

// G9: a worker at full rate on one core, and each of its replies checked on another.
//
// worker_main with default settings on a net_ring port. The asking core keeps 512 queries in
// flight, of 4,096 that it has written beforehand, and turns each reply's packet buffer into the
// next query, so neither side uses a pool. The first reply to each query is taken apart byte by
// byte by packet.c, which shares no code with the product; every other one has to be the same, all
// bytes of it, or is taken apart again, as when a TTL has aged. Fails when a reply is wrong or
// lost, or when one matches no query in flight; never because it is slow.
//
// What the rings and the asking core can do is measured with a worker that reflects.

#include "bench_row.h"
#include "tests/bench/path/path_rig.h"
#include "tests/dp/wire.h"
#include "tools/loadgen/corpus.h"
#include "tools/loadgen/packet.h"

#include <rte_cycles.h>
#include <rte_errno.h>
#include <rte_eth_ring.h>
#include <rte_ethdev.h>
#include <rte_launch.h>
#include <rte_ring.h>

#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
	QUERIES = 4096,
	WINDOW = 512,
	BURST = 32,
	RING = 1024,
	FRAME_MAX = 224,
	LISTED_EACH = 10, // of a hundred queries, for listed names
	LOST_MS = 1000,
	SKIPPED = 77,
};

static const uint8_t client_mac[6] = {2, 0, 0, 0, 0, 1};

struct query {
	alignas(CACHE_LINE) uint8_t reply[FRAME_MAX]; // the last one that was taken apart
	uint8_t frame[PACKET_FRAME_MAX];
	uint16_t frame_len, reply_len;
	bool under_way;
	struct question question;
};

struct client {
	struct rte_ring *to, *from;
	struct rte_mempool *pool;
	struct endpoint endpoint;
	struct query query[QUERIES];
	unsigned next;
	bool reflecting;
	uint64_t asked, answered, taken_apart, bad, unmatched;
};

static const struct path_case what = {.goal = "G9",
	.name = "1k names, 10% of 1M listed, every reply checked",
	.traffic = {.names = 1000, .listed = 1000000, .listed_percent = LISTED_EACH},
	.rules = true};

static void say(const char *metric, double value, const char *unit, double reference)
{
	bench_say(what.goal, what.name, metric, value, unit, reference);
}

static void write_queries(struct client *a)
{
	a->endpoint.version = 4;
	a->endpoint.resolved = true;
	(void)inet_pton(AF_INET, "198.18.0.53", a->endpoint.service);
	(void)inet_pton(AF_INET, "198.18.0.2", a->endpoint.client);
	for (unsigned i = 0; i < QUERIES; i++) {
		struct query *q = &a->query[i];
		bool listed = i % 100 < LISTED_EACH;
		uint64_t draw = corpus_mix(i);
		q->question = (struct question){
			.kind = listed ? QUESTION_LISTED : QUESTION_CACHED,
			.name = (uint32_t)(draw
					   % (listed ? what.traffic.listed : what.traffic.names)),
			.id = (uint16_t)i,
			.client_port = (uint16_t)(1024 + (draw >> 32) % 60000),
			.endpoint = &a->endpoint,
		};
		q->frame_len = (uint16_t)packet_query(q->frame, client_mac, &q->question);
	}
}

static const char *take_apart(struct client *a, struct query *q, const uint8_t *frame, uint16_t len)
{
	bool servfail = false;
	const char *why = a->reflecting
				  ? packet_check_reflected(frame, len, client_mac, &q->question)
				  : packet_check(frame, len, client_mac, &q->question, &servfail);
	if (!why && servfail)
		why = "SERVFAIL";
	if (!why && len <= FRAME_MAX) {
		memcpy(q->reply, frame, len);
		q->reply_len = len;
	}
	a->taken_apart++;
	return why;
}

static void take_reply(struct client *a, const uint8_t *frame, uint16_t len)
{
	uint16_t id = 0, port = 0;
	bool is_ours = a->reflecting || packet_is_reply(frame, len, &id, &port);
	if (a->reflecting && len >= 44)
		id = (uint16_t)(frame[42] << 8 | frame[43]);
	struct query *q = &a->query[id % QUERIES];
	if (!is_ours || id >= QUERIES || !q->under_way) {
		a->unmatched++;
		return;
	}
	q->under_way = false;
	a->answered++;
	if (q->reply_len == len && memcmp(q->reply, frame, len) == 0)
		return;
	const char *why = take_apart(a, q, frame, len);
	if (why && a->bad++ < 3)
		fprintf(stderr, "G9: query %u: %s\n", id, why);
}

static void make_query(struct client *a, struct rte_mbuf *m)
{
	// A lost one stays in flight for good; there are eight times as many as are in flight at
	// once.
	while (a->query[a->next % QUERIES].under_way)
		a->next++;
	struct query *q = &a->query[a->next++ % QUERIES];
	q->under_way = true;
	rte_pktmbuf_reset(m);
	memcpy(rte_pktmbuf_mtod(m, void *), q->frame, q->frame_len);
	rte_pktmbuf_data_len(m) = q->frame_len;
	rte_pktmbuf_pkt_len(m) = q->frame_len;
	a->asked++;
}

static void hand_in(struct client *a, struct rte_mbuf **m, unsigned n)
{
	// There is room: the ring holds more than are ever in flight.
	for (unsigned sent = 0; sent < n;)
		sent += rte_ring_sp_enqueue_burst(a->to, (void **)(m + sent), n - sent, NULL);
}

static unsigned take(struct client *a, struct rte_mbuf **m)
{
	unsigned n = rte_ring_sc_dequeue_burst(a->from, (void **)m, BURST, NULL);
	for (unsigned i = 0; i < n; i++) {
		const uint8_t *frame = rte_pktmbuf_mtod(m[i], const uint8_t *);
		rte_prefetch0(frame);
		rte_prefetch0(frame + CACHE_LINE);
		rte_prefetch0(frame + 2 * CACHE_LINE);
	}
	for (unsigned i = 0; i < n; i++)
		take_reply(a, rte_pktmbuf_mtod(m[i], const uint8_t *), m[i]->data_len);
	return n;
}

static bool start_asking(struct client *a)
{
	struct rte_mbuf *m[WINDOW];
	if (rte_pktmbuf_alloc_bulk(a->pool, m, WINDOW) != 0)
		return false;
	for (unsigned i = 0; i < WINDOW; i++)
		make_query(a, m[i]);
	hand_in(a, m, WINDOW);
	return true;
}

// Millions of replies a second. Takes the queries still in flight afterwards.
static double ask(struct client *a, unsigned seconds)
{
	struct rte_mbuf *m[BURST];
	uint64_t hz = rte_get_tsc_hz(), began = rte_rdtsc(), now;
	do {
		unsigned n = take(a, m);
		for (unsigned i = 0; i < n; i++)
			make_query(a, m[i]);
		hand_in(a, m, n);
		now = rte_rdtsc();
	} while (now - began < hz * seconds);
	double rate = (double)a->answered * (double)hz / (double)(now - began) / 1e6;
	uint64_t end = now + hz / 1000 * LOST_MS;
	while (a->answered + a->unmatched < a->asked && rte_rdtsc() < end)
		rte_pktmbuf_free_bulk(m, take(a, m));
	return rate;
}

static int reflect(void *arg)
{
	struct worker *w = arg;
	struct stage_cycles unused = {0};
	while (!atomic_load_explicit(&w->stop, memory_order_acquire))
		(void)worker_turn_reflect(w, 0, &unused);
	return 0;
}

static void forget(struct path_rig *r, struct client *a)
{
	a->asked = a->answered = a->taken_apart = a->bad = a->unmatched = 0;
	for (unsigned i = 0; i < QUERIES; i++) {
		a->query[i].under_way = false;
		a->query[i].reply_len = 0;
	}
	memset(&r->stats, 0, sizeof(r->stats));
	atomic_store(&r->w.stop, 0);
}

// With a worker that does `work` on the other core. False when not all was right.
static bool run(struct path_rig *r, struct client *a, lcore_function_t *work, unsigned seconds,
	double *rate)
{
	unsigned lcore = rte_get_next_lcore(rte_lcore_id(), 1, 0);
	forget(r, a);
	a->reflecting = work == reflect;
	if (rte_eal_remote_launch(work, &r->w, lcore) != 0 || !start_asking(a)) {
		fputs("G9: no second core, or no packet buffers\n", stderr);
		return false;
	}
	*rate = ask(a, seconds);
	atomic_store(&r->w.stop, 1);
	rte_eal_wait_lcore((unsigned)lcore);
	return a->bad + a->unmatched == 0 && a->answered == a->asked;
}

static bool open_port(struct path_rig *r, struct client *a)
{
	unsigned one_each = RING_F_SP_ENQ | RING_F_SC_DEQ;
	struct rte_eth_conf conf = {0};
	a->to = rte_ring_create("check_to", RING, 0, one_each);
	a->from = rte_ring_create("check_from", RING, 0, one_each);
	// Whatever the worker does not answer it gives back on its own core.
	a->pool = rte_pktmbuf_pool_create_by_ops(
		"check", RING, 0, 0, FRAME_MAX + RTE_PKTMBUF_HEADROOM + 416, 0, "ring_mp_mc");
	if (!a->to || !a->from || !a->pool)
		return false;
	int id = rte_eth_from_rings("check", &a->to, 1, &a->from, 1, 0);
	if (id < 0 || rte_eth_dev_configure((uint16_t)id, 1, 1, &conf) != 0
		|| rte_eth_rx_queue_setup((uint16_t)id, 0, RING, 0, NULL, a->pool) != 0
		|| rte_eth_tx_queue_setup((uint16_t)id, 0, RING, 0, NULL) != 0
		|| rte_eth_dev_start((uint16_t)id) != 0)
		return false;
	r->w.port[0] = (struct worker_port){
		.port_id = (uint16_t)id, .exception_id = (uint16_t)id, .dns_most = 500};
	memcpy(&r->w.port[0].mac, wire_service_mac, 6);
	memcpy(a->endpoint.service_mac, wire_service_mac, 6);
	r->w.port_count = 1;
	r->w.poll = POLL_BUSY;
	return true;
}

static bool measure(struct path_rig *r, struct client *a, unsigned seconds)
{
	double reflected = 0, answered = 0;
	bool ok = run(r, a, reflect, seconds, &reflected);
	say("reflector_rate", reflected, "Mq/s", 0);
	ok &= run(r, a, worker_main, seconds, &answered);
	say("rate", answered, "Mq/s", 10);
	say("ratio", answered / reflected, "of reflector", 0);
	say("answered", (double)a->answered, "replies", 0);
	say("taken_apart", (double)a->taken_apart, "replies", 0);
	say("bad", (double)a->bad, "replies", 0);
	say("lost", (double)(a->asked - a->answered), "queries", 0);
	say("unmatched", (double)a->unmatched, "replies", 0);
	uint64_t blocked = r->stats.verdict[VERDICT_blocked], hits = r->stats.verdict[VERDICT_hit];
	int64_t odd = (int64_t)(r->stats.counter[COUNTER_rx_frames] - blocked - hits);
	say("unaccounted", (double)llabs(odd), "packets", 0);
	return ok && odd == 0 && blocked > 0 && hits > blocked;
}

int main(int argc, char **argv)
{
	static struct path_rig rig;
	static struct client client;
	unsigned seconds = 5;
	for (int c; (c = getopt(argc, argv, "t:")) != -1;) {
		seconds = c == 't' ? (unsigned)strtoul(optarg, NULL, 10) : 0;
		if (seconds == 0 || seconds > 600) {
			fputs("usage: bench_check [-t SECONDS]\n", stderr);
			return 2;
		}
	}
	if (!path_rig_start(&rig, 0, true))
		return SKIPPED;
	if (!path_rig_tables(&rig, &what) || !open_port(&rig, &client)) {
		fprintf(stderr, "G9: %s\n", rte_strerror(rte_errno));
		return 1;
	}
	write_queries(&client);
	bool ok = measure(&rig, &client, seconds);
	path_rig_stop(&rig);
	return !ok;
}
