// SPDX-License-Identifier: BSD-3-Clause
#include "housekeep.h"
#include "state/dpdk_differs.h"

#include <rte_eal.h>
#include <rte_lcore.h>
#include <rte_malloc.h>
#include <rte_memzone.h>

#include <weir/log_recent.h>

static uint64_t get(const _Atomic uint64_t *n)
{
	return atomic_load_explicit(n, memory_order_relaxed);
}

static void set(_Atomic uint64_t *n, uint64_t value)
{
	atomic_store_explicit(n, value, memory_order_relaxed);
}

static void put_used(struct stats_table *t, uint64_t used)
{
	set(&t->used, used);
	if (used > get(&t->high))
		set(&t->high, used);
}

// Writes all figures but `high`, which put_used derives.
static void put(struct stats_table *t, const struct stats_table_copy *c)
{
	set(&t->cap, c->cap);
	set(&t->bytes, c->bytes);
	set(&t->shared, c->shared);
	set(&t->evicted, c->evicted);
	set(&t->refused, c->refused);
	set(&t->oldest_ms, c->oldest_ms);
	put_used(t, c->used);
}

static uint64_t counted(const struct worker *w, enum counter c)
{
	return get(&w->stats->counter[c]);
}

static uint64_t ended(const struct worker *w, enum verdict v)
{
	return get(&w->stats->verdict[v]);
}

// The units in use on a ring; the other process's index is not trusted.
static uint64_t on_ring(
	const struct ring_index *tail, const struct ring_index *head, uint64_t units)
{
	uint64_t used = get(&tail->units) - get(&head->units);
	return used < units ? used : units;
}

struct rings_used {
	uint64_t miss, answer, log;
};

static struct rings_used rings_used(const struct housekeep *h, unsigned i)
{
	struct rings_used used = {0};
	for (unsigned r = 0; r < h->worker_rings->resolvers; r++) {
		const uint8_t *base = h->worker_rings->rings[i].region[r].base;
		const uint8_t *answers = h->worker_rings->rings[i].answers[r].base;
		const struct rings_dp_page *dp = (const void *)(base + RINGS_DP_PAGE);
		const struct rings_cp_page *cp = (const void *)(answers + ANSWERS_CP_PAGE);
		used.miss += on_ring(&dp->miss_tail, &cp->miss_head, RINGS_MISS_UNITS);
		used.answer += on_ring(&cp->answer_tail, &dp->answer_head, RINGS_ANSWER_UNITS);
		if (r == 0)
			used.log = on_ring(&dp->log_tail, &cp->log_head, RINGS_LOG_UNITS);
	}
	return used;
}

void table_report_look(struct housekeep *h)
{
	for (unsigned i = 0; i < h->worker_count; i++) {
		struct stats_table *t = h->workers[i]->stats->table;
		struct rings_used used = rings_used(h, i);
		put_used(&t[STATS_dp_buffers], rte_mempool_in_use_count(h->workers[i]->pool));
		put_used(&t[STATS_dp_miss_ring], used.miss);
		put_used(&t[STATS_dp_answer_ring], used.answer);
		put_used(&t[STATS_dp_log_ring], used.log);
	}
}

static void put_ring(struct stats_table *t, uint64_t units, uint64_t used, uint64_t refused)
{
	put(t, &(struct stats_table_copy){.cap = units,
		       .used = used,
		       .bytes = units * RING_UNIT,
		       .shared = units * RING_UNIT,
		       .refused = refused});
}

// The control plane counts the answers that found no room on the ring.
static void rings_write(const struct housekeep *h, unsigned i)
{
	const struct worker *w = h->workers[i];
	struct stats_table *t = w->stats->table;
	struct rings_used used = rings_used(h, i);
	const uint64_t resolvers = h->worker_rings->resolvers;
	put_ring(&t[STATS_dp_miss_ring], resolvers * RINGS_MISS_UNITS, used.miss,
		ended(w, VERDICT_servfail_ring_full) + ended(w, VERDICT_drop_ring_full)
			+ ended(w, VERDICT_servfail_fairness) + counted(w, COUNTER_refresh_full));
	put_ring(&t[STATS_dp_answer_ring], resolvers * RINGS_ANSWER_UNITS, used.answer, 0);
	put_ring(&t[STATS_dp_log_ring], RINGS_LOG_UNITS, used.log,
		__atomic_load_n(&w->log.full, __ATOMIC_RELAXED));
}

static void buffers_write(const struct worker *w)
{
	const struct rte_mempool *p = w->pool;
	uint64_t of_one = p->header_size + p->elt_size + p->trailer_size;
	put(&w->stats->table[STATS_dp_buffers],
		&(struct stats_table_copy){.cap = p->size,
			.used = rte_mempool_in_use_count(p),
			.bytes = p->size * of_one,
			.refused = counted(w, COUNTER_answer_nombuf)});
}

// Counts the keys whose window is open, in the next part of the worker's table. Returns the age of
// the oldest.
static uint64_t part_look(const struct worker *w, struct asked_walk *a, uint64_t now_ms)
{
	uint64_t oldest_ms = 0;
	unsigned from = a->next * TABLE_REPORT_SETS, live = 0;
	for (unsigned i = 0; i < TABLE_REPORT_SETS * DEDUP_WAYS; i++) {
		const struct recent_way *way = &w->dedup.way[from + i / DEDUP_WAYS][i % DEDUP_WAYS];
		uint32_t age_ms =
			(uint32_t)now_ms - __atomic_load_n(&way->since_ms, __ATOMIC_RELAXED);
		if (!__atomic_load_n(&way->count, __ATOMIC_RELAXED) || age_ms >= DEDUP_WINDOW_MS)
			continue;
		live++;
		oldest_ms = age_ms > oldest_ms ? age_ms : oldest_ms;
	}
	a->live[a->next] = (uint16_t)live;
	a->next = (a->next + 1) % TABLE_REPORT_PARTS;
	return oldest_ms;
}

static void asked_write(const struct worker *w, struct asked_walk *a, uint64_t now_ms)
{
	uint64_t used = 0, oldest_ms = w->dedup.way ? part_look(w, a, now_ms) : 0;
	for (unsigned i = 0; i < TABLE_REPORT_PARTS; i++)
		used += a->live[i];
	put(&w->stats->table[STATS_dp_asked],
		&(struct stats_table_copy){.cap = DEDUP_SETS * DEDUP_WAYS,
			.used = used,
			.bytes = sizeof(struct recent_way) * DEDUP_SETS * DEDUP_WAYS,
			.evicted = counted(w, COUNTER_dedup_replaced),
			.oldest_ms = oldest_ms});
}

static void own_write(const struct worker *w)
{
	struct stats_table *t = w->stats->table;
	put(&t[STATS_dp_fairness],
		&(struct stats_table_copy){.cap = FAIRNESS_SUM,
			.used = __atomic_load_n(&w->fairness.sum, __ATOMIC_RELAXED),
			.bytes = sizeof(w->fairness)});
	uint32_t head = __atomic_load_n(&w->exception.head, __ATOMIC_RELAXED);
	uint32_t waiting = __atomic_load_n(&w->exception.tail, __ATOMIC_RELAXED) - head;
	put(&t[STATS_dp_kernel_queue],
		&(struct stats_table_copy){.cap = EXCEPTION_WAITING,
			.used = waiting < EXCEPTION_WAITING ? waiting : EXCEPTION_WAITING,
			.bytes = sizeof(w->exception),
			.refused = ended(w, VERDICT_drop_exception_full)});
	bool watching = __atomic_load_n(&w->watching, __ATOMIC_RELAXED);
	put(&t[STATS_dp_watched], &(struct stats_table_copy){.cap = WORKER_BATCH,
					  .used = watching ? WORKER_BATCH : 0,
					  .bytes = sizeof(w->came) + sizeof(w->came_len)
						   + sizeof(w->came_at) + sizeof(w->watched_trace),
					  .refused = counted(w, COUNTER_watch_full)});
}

// All workers share one table: its figures are with the first worker's.
static void flows_write(const struct housekeep *h)
{
	struct stats_table_copy flows = {.cap = KERNEL_FLOW_SETS * KERNEL_FLOW_WAYS,
		.bytes = sizeof(struct kernel_flow_table) + sizeof(struct asked_ports)};
	for (unsigned i = 0; i < h->worker_count; i++) {
		flows.used += get(&h->workers[i]->kernel_flows.taken);
		flows.evicted += get(&h->workers[i]->kernel_flows.evicted);
	}
	put(&h->workers[0]->stats->table[STATS_dp_kernel_flows], &flows);
}

// Adds a region, unless the old set has the same region.
static void region_add(struct stats_table_copy *c, const struct region *r, const struct region *old)
{
	if (!r->base || (old && old->base == r->base))
		return;
	c->used++;
	c->bytes += r->size;
	c->shared += r->size;
}

static void images_write(struct housekeep *h)
{
	const struct tables_set *set[] = {h->activate.current, h->activate.next};
	struct stats_table_copy images = {.cap = 2 * 3 + 2};
	struct stats_table_copy sets = {.cap = ARRAY_LEN(set)};
	struct stats_table_copy marks[SHM_WORKERS_MAX] = {{0}};
	region_add(&images, &h->activate.directory, NULL);
	region_add(&images, &h->activate.old_directory, &h->activate.directory);
	for (unsigned k = 0; k < ARRAY_LEN(set); k++) {
		const struct tables_set *s = set[k], *old = k ? set[0] : NULL;
		if (!s)
			continue;
		sets.used++;
		sets.bytes += sizeof(*s);
		region_add(&images, &s->l0, old ? &old->l0 : NULL);
		region_add(&images, &s->names, old ? &old->names : NULL);
		region_add(&images, &s->policy, old ? &old->policy : NULL);
		for (unsigned i = 0; i < h->worker_count; i++)
			region_add(&marks[i], &s->marks[i], old ? &old->marks[i] : NULL);
	}
	put(&h->stats->table[STATS_dp_images], &images);
	put(&h->stats->table[STATS_dp_sets], &sets);
	for (unsigned i = 0; i < h->worker_count; i++) {
		marks[i].cap = 2; // generations
		put(&h->workers[i]->stats->table[STATS_dp_marks], &marks[i]);
	}
}

static uint64_t missing_of(const struct worker *w)
{
	uint64_t sum = 0;
	for (unsigned i = 0; i < MBUF_OWNERS; i++)
		sum += atomic_load_explicit(&w->stats->mbuf_missing[i], memory_order_relaxed);
	return sum;
}

// Buffers in use beyond the receive rings count as on transmit rings, but not missing buffers.
static void ports_write(const struct housekeep *h)
{
	struct stats_table_copy rx = {0}, tx = {0};
	for (unsigned i = 0; i < h->ports->count; i++) {
		const struct port *p = &h->ports->port[i];
		const struct stats_port *s = &h->stats->port[i];
		rx.cap += (uint64_t)p->rx_descriptors * (p->queues + p->has_rest);
		tx.cap += (uint64_t)p->tx_descriptors * p->queues;
		rx.refused += get(&s->imissed) + get(&s->rx_nombuf);
	}
	for (unsigned i = 0; i < h->worker_count; i++) {
		const struct worker *w = h->workers[i];
		uint64_t in_use = get(&w->stats->table[STATS_dp_buffers].used);
		uint64_t base = h->worker[i].audit.base, missing = missing_of(w);
		in_use -= missing < in_use ? missing : in_use;
		rx.used += base < in_use ? base : in_use;
		tx.used += base < in_use ? in_use - base : 0;
		tx.refused += counted(w, COUNTER_tx_full);
	}
	rx.used = rx.used < rx.cap ? rx.used : rx.cap;
	tx.used = tx.used < tx.cap ? tx.used : tx.cap;
	put(&h->stats->table[STATS_dp_rx_rings], &rx);
	put(&h->stats->table[STATS_dp_tx_rings], &tx);
}

static void zone_add(const struct rte_memzone *z, void *arg)
{
	struct stats_table_copy *c = arg;
	c->used++;
	c->bytes += z->len;
}

// Figures of EAL's heap and memory zones. A pool's memory is in a zone, and zones are on the heap.
static void eal_write(const struct housekeep *h)
{
	struct stats_table_copy heap = {0}, zones = {.cap = memzones_max()};
	for (unsigned i = 0; i < rte_socket_count(); i++) {
		struct rte_malloc_socket_stats s;
		if (rte_malloc_get_socket_stats(rte_socket_id_by_idx(i), &s) != 0)
			continue;
		heap.cap += s.heap_totalsz_bytes;
		heap.used += s.heap_allocsz_bytes;
	}
	heap.bytes = heap.cap;
	rte_memzone_walk(zone_add, &zones);
	put(&h->stats->table[STATS_dp_eal_heap], &heap);
	put(&h->stats->table[STATS_dp_memzones], &zones);
}

static void rest_write(const struct housekeep *h)
{
	struct stats_table *t = h->stats->table;
	struct log_recent_counts errors;
	log_recent_counts(&errors);
	put(&t[STATS_dp_workers], &(struct stats_table_copy){.cap = SHM_WORKERS_MAX,
					  .used = h->worker_count,
					  .bytes = h->worker_count * sizeof(struct worker)});
	put(&t[STATS_dp_limits], &(struct stats_table_copy){.cap = LIMIT_CELLS,
					 .used = h->limiter ? limiter_taken(h->limiter) : 0,
					 .bytes = h->limiter ? limiter_bytes(h->limiter) : 0});
	put(&t[STATS_dp_drops], &(struct stats_table_copy){.cap = DROPS_MAX,
					.used = h->drops.count,
					.bytes = sizeof(h->drops),
					.refused = (uint64_t)h->drops.full + h->drops.refused});
	put(&t[STATS_dp_errors], &(struct stats_table_copy){.cap = LOG_RECENT_MAX,
					 .used = errors.used,
					 .bytes = errors.bytes + sizeof(h->stats->errors),
					 .shared = sizeof(h->stats->errors),
					 .evicted = errors.replaced});
	put(&t[STATS_dp_xdp_sockets],
		&(struct stats_table_copy){.cap = SHM_WORKERS_MAX * CONFIG_PORTS_MAX,
			.used = h->steering ? h->steering->socket_count : 0,
			.bytes = sizeof(*h->steering)
				 + (h->steering ? h->steering->count : 0)
					   * sizeof(struct steer_asked)});
	put(&t[STATS_dp_stats], &(struct stats_table_copy){.cap = SHM_WORKERS_MAX,
					.used = h->worker_count,
					.bytes = h->worker_rings->stats.size,
					.shared = h->worker_rings->stats.size});
}

void table_report_write(struct housekeep *h, uint64_t now_ms)
{
	for (unsigned i = 0; i < h->worker_count; i++) {
		const struct worker *w = h->workers[i];
		buffers_write(w);
		rings_write(h, i);
		asked_write(w, &h->worker[i].asked, now_ms);
		own_write(w);
	}
	flows_write(h);
	images_write(h);
	ports_write(h);
	eal_write(h);
	rest_write(h);
}
