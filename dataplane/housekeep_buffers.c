// SPDX-License-Identifier: BSD-3-Clause

#include "housekeep.h"

#include <string.h>
#include <weir/log.h>
#include <weir/stats_read.h>

static uint64_t counter_of(const struct worker *w, enum counter c)
{
	return atomic_load_explicit(&w->stats->counter[c], memory_order_relaxed);
}

uint64_t housekeep_frames_moved(const struct worker *w)
{
	return counter_of(w, COUNTER_rx_frames) + counter_of(w, COUNTER_tx_frames)
	       + counter_of(w, COUNTER_kernel_rx) + counter_of(w, COUNTER_kernel_tx)
	       + counter_of(w, COUNTER_tx_full) + counter_of(w, COUNTER_answer_nombuf);
}

// One that has no CPU may stand still for seconds with a burst in its hands, and moves no frame
// then either.
static bool came_round(const struct housekeep_worker *k)
{
	return k->audit.samples > 0;
}

bool housekeep_buffers_quiet(const struct housekeep_worker *k)
{
	return k->quiet && came_round(k);
}

void housekeep_buffers_start(struct housekeep *h)
{
	for (unsigned i = 0; i < h->worker_count; i++)
		h->worker[i] = (struct housekeep_worker){
			.audit = {.base = rte_mempool_in_use_count(h->workers[i]->pool),
				.tx_hold = ports_tx_hold(h->ports),
				.rx_vary = ports_rx_vary(h->ports),
				.in_flight = 4 * WORKER_BATCH + EXCEPTION_WAITING},
			.quiet = true,
		};
	// Ports that refill their rings in batches take buffers without clearing them.
	h->walks = ports_rx_vary(h->ports) == 0 && mbuf_walk_init() == 0;
}

// Of a large pool not each time, as this loop has other work.
static void look(struct housekeep_worker *k, const struct rte_mempool *pool)
{
	enum { BUFFERS_EACH_BEAT = 1 << 16 };
	if (k->beats++ % (1 + pool->size / BUFFERS_EACH_BEAT))
		return;
	mbuf_walk_look(pool);
	k->looks++;
}

void housekeep_buffers_sample(struct housekeep *h)
{
	for (unsigned i = 0; i < h->worker_count; i++) {
		struct housekeep_worker *k = &h->worker[i];
		uint64_t moved = housekeep_frames_moved(h->workers[i]);
		k->quiet &= moved == k->moved;
		k->moved = moved;
		// Behind `moved`: a count that is new next time was then made after these frames.
		uint64_t told =
			atomic_load_explicit(&h->workers[i]->pool_told, memory_order_acquire);
		if (told != k->told)
			mbuf_audit_sample(&k->audit, (uint32_t)told);
		k->told = told;
		if (k->looks)
			look(k, h->workers[i]->pool);
	}
}

static uint32_t sum_of(const uint32_t missing[MBUF_OWNERS])
{
	uint32_t sum = 0;
	for (unsigned i = 0; i < MBUF_OWNERS; i++)
		sum += missing[i];
	return sum;
}

static void take_off(uint32_t *missing, uint32_t held)
{
	*missing -= held < *missing ? held : *missing;
}

// Frames that wait for the kernel. The worker moves both ends each turn: the head is read first, so
// that it is never above the tail.
static uint32_t queued(const struct worker *w)
{
	uint32_t head = __atomic_load_n(&w->exception.head, __ATOMIC_ACQUIRE);
	uint32_t waiting = __atomic_load_n(&w->exception.tail, __ATOMIC_RELAXED) - head;
	return waiting < EXCEPTION_WAITING ? waiting : EXCEPTION_WAITING;
}

// The worker has come round since the walk began, so it has none of those buffers in its hands.
static bool may_end(const struct housekeep_worker *k)
{
	return k->looks > HOUSEKEEP_WALK_LOOKS && (k->told >> 32) - (k->looks_from >> 32) > 1;
}

// `floor`: the window's.
static void walk(
	struct housekeep_worker *k, const struct worker *w, uint32_t floor, uint64_t now_ms)
{
	if (floor <= k->audit.base) {
		k->looks = 0;
		k->walked = false;
		memset(k->missing, 0, sizeof(k->missing));
	} else if (k->looks == 0 && now_ms >= k->next_walk_ms) {
		mbuf_walk_begin(w->pool);
		k->looks = 1;
		k->looks_from = k->told;
		k->next_walk_ms = now_ms + HOUSEKEEP_WALK_MS;
	} else if (may_end(k)) {
		mbuf_walk_end(w->pool, k->missing);
		k->looks = 0;
		k->walked = true;
		take_off(&k->missing[MBUF_OWNER_tx], k->audit.tx_hold);
		take_off(&k->missing[MBUF_OWNER_kernel_queue], queued(w));
	}
}

// Those beyond what the ports may keep that no walk has found: a port's, or, where no walk can
// tell, by the frames that went in and did not come out. Under load a burst, or twice that of
// answers, is on its way, and some wait for the kernel.
static void add_unfound(const struct housekeep *h, const struct housekeep_worker *k,
	const struct worker *w, uint32_t floor, uint32_t missing[MBUF_OWNERS])
{
	uint32_t known = k->audit.base + k->audit.tx_hold + sum_of(missing);
	uint32_t lost = k->quiet ? 1 : 2 * WORKER_BATCH + EXCEPTION_WAITING + 1;
	unsigned owner = MBUF_OWNER_port;
	struct mbuf_flows now;
	if (!h->walks) {
		mbuf_flows_read(&now, w->stats);
		owner = mbuf_suspect(&k->rest, &now, lost);
	}
	if (floor > known)
		missing[owner] += floor - known;
}

static void report_missing(struct housekeep_worker *k, unsigned worker, uint32_t floor,
	const uint32_t missing[MBUF_OWNERS])
{
	char owners[STATS_OWNERS_TEXT];
	uint32_t sum = sum_of(missing);
	if (sum < 2 * k->reported)
		return;
	k->reported = sum;
	stats_owners_text(missing, owners);
	log_error("worker %u: packet buffers are missing: %u (%u in use, %u expected); last "
		  "owners: %s; restart the data plane before none is left",
		worker, sum, floor, k->audit.base, owners);
}

static void report_twice(struct housekeep_worker *k, unsigned worker, uint32_t floor)
{
	if (!k->reported)
		log_error("worker %u: packet buffers were freed twice: %u in use, %u expected; "
			  "restart the data plane",
			worker, floor, k->audit.base);
	k->reported = 1;
}

static void check(struct housekeep *h, unsigned i, uint64_t now_ms)
{
	struct housekeep_worker *k = &h->worker[i];
	const struct worker *w = h->workers[i];
	uint32_t floor = k->audit.floor, missing[MBUF_OWNERS];
	enum mbuf_breach breach = mbuf_audit_check(&k->audit, k->quiet);
	if (h->walks)
		walk(k, w, floor, now_ms);
	memcpy(missing, k->missing, sizeof(missing));
	if (breach == MBUF_LEAK)
		add_unfound(h, k, w, floor, missing);
	for (unsigned o = 0; o < MBUF_OWNERS; o++)
		atomic_store_explicit(&w->stats->mbuf_missing[o], missing[o], memory_order_relaxed);
	bool was_quiet = k->quiet;
	k->quiet = true;
	if (breach == MBUF_SOUND && sum_of(missing) == 0) {
		k->reported = 0;
		if (was_quiet)
			mbuf_flows_read(&k->rest, w->stats);
		return;
	}
	stats_add(&w->stats->mbuf_breaches, 1);
	if (breach == MBUF_DOUBLE_FREE)
		report_twice(k, i, floor);
	else if (k->walked || !h->walks)
		report_missing(k, i, floor, missing);
}

void housekeep_buffers_check(struct housekeep *h, uint64_t now_ms)
{
	for (unsigned i = 0; i < h->worker_count; i++) {
		const struct worker *w = h->workers[i];
		atomic_store_explicit(&w->stats->mbuf_free, rte_mempool_avail_count(w->pool),
			memory_order_relaxed);
		if (came_round(&h->worker[i])) // else the window goes on
			check(h, i, now_ms);
	}
}
