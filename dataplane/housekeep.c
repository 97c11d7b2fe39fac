// SPDX-License-Identifier: BSD-3-Clause
#include "housekeep.h"

#include <rte_ethdev.h>

#include <string.h>
#include <time.h>
#include <weir/clock.h>
#include <weir/heap_site.h>
#include <weir/log.h>
#include <weir/mem_account.h>
#include <weir/os/sd_notify.h>
#include <weir/stats_read.h>

static uint64_t bytes_of(const struct heap_site *s)
{
	return atomic_load_explicit(&s->bytes, memory_order_relaxed);
}

// Inserts a site into the largest so far, in order; the smallest drops out.
static void rank(
	const struct heap_site *top[STATS_SITES_MAX], unsigned *count, const struct heap_site *s)
{
	unsigned i = *count;
	while (i > 0 && bytes_of(top[i - 1]) < bytes_of(s))
		i--;
	if (i == STATS_SITES_MAX)
		return;
	unsigned moved = (*count < STATS_SITES_MAX ? *count : STATS_SITES_MAX - 1) - i;
	memmove(&top[i + 1], &top[i], moved * sizeof(top[0]));
	top[i] = s;
	*count += *count < STATS_SITES_MAX;
}

static void write(struct stats_site *out, const struct heap_site *s)
{
	char name[HEAP_SITE_NAME] = {0}; // the bytes behind the NUL are published, too
	*out = (struct stats_site){.bytes = bytes_of(s),
		.blocks = atomic_load_explicit(&s->blocks, memory_order_relaxed),
		.is_dpdk = s->outside};
	memcpy(out->name, heap_site_name(s, name), STATS_SITE_NAME - 1);
}

static void housekeep_sites_write(struct stats_sites *out)
{
	static_assert((int)HEAP_SITE_NAME >= (int)STATS_SITE_NAME);
	static const struct heap_site *site[HEAP_SITES_MAX]; // the main lcore's
	const struct heap_site *top[STATS_SITES_MAX];
	unsigned count = 0, n = heap_sites(site, HEAP_SITES_MAX);
	uint64_t dpdk_bytes = 0, sequence = atomic_load(&out->sequence);
	for (unsigned i = 0; i < n; i++) {
		dpdk_bytes += site[i]->outside ? bytes_of(site[i]) : 0;
		if (bytes_of(site[i]))
			rank(top, &count, site[i]);
	}
	atomic_store_explicit(&out->sequence, sequence | 1, memory_order_relaxed);
	atomic_thread_fence(memory_order_release);
	for (unsigned i = 0; i < count; i++)
		write(&out->site[i], top[i]);
	out->count = count;
	atomic_store_explicit(&out->dpdk_bytes, dpdk_bytes, memory_order_relaxed);
	atomic_store_explicit(&out->sequence, (sequence | 1) + 1, memory_order_release);
}

static_assert((int)MEM_ACCOUNT_COUNT <= (int)STATS_ACCOUNTS_MAX);
static_assert((int)MEM_MAPS <= (int)STATS_MAPS_MAX && (int)MEM_FDS <= (int)STATS_FDS_MAX);

static uint64_t get(const _Atomic uint64_t *n)
{
	return atomic_load_explicit(n, memory_order_relaxed);
}

static void set(_Atomic uint64_t *n, uint64_t value)
{
	atomic_store_explicit(n, value, memory_order_relaxed);
}

// Writes the figures of the heap. Returns the bytes in no account.
static uint64_t rest_read(struct stats_memory *m)
{
	struct mem_process p = {0};
	struct mem_sum by[MEM_ACCOUNT_COUNT];
	mem_allocator_read(&p);
	const struct mem_sum all = mem_accounts(by);
	set(&m->allocated, p.allocated);
	set(&m->held, p.held);
	set(&m->accounted, all.bytes);
	for (unsigned i = 0; i < MEM_ACCOUNT_COUNT; i++)
		set(&m->account[i], by[i].bytes);
	return mem_unexplained(&p, &all);
}

static void housekeep_memory_start(struct stats_memory *m)
{
	set(&m->libraries, rest_read(m));
}

static void housekeep_memory_look(struct stats_memory *m)
{
	uint64_t rest = rest_read(m), libraries = get(&m->libraries);
	uint64_t unexplained = rest > libraries ? rest - libraries : 0;
	bool alarming = unexplained > MEM_DATAPLANE_ALARM;
	set(&m->unexplained, unexplained);
	if (unexplained > get(&m->unexplained_max))
		set(&m->unexplained_max, unexplained);
	if (alarming == (get(&m->alarming) != 0))
		return;
	set(&m->alarming, alarming);
	set(&m->alarms, get(&m->alarms) + alarming);
	if (alarming)
		log_warning("memory: %llu KiB allocated since the start are unaccounted",
			(unsigned long long)unexplained >> 10);
	else
		log_info("unaccounted memory back under the threshold");
}

static void failed(int rc)
{
	log_warning(
		"memory: /proc/self: %s; mappings and descriptors are not counted", strerror(-rc));
}

// Counts mappings and descriptors by kind (mem_account.h). A count begins each HOUSEKEEP_KINDS_MS
// and makes one step in each turn until the figures are in the statistics. If a file of /proc
// cannot be read, that is logged, and the last figures stay.
static void housekeep_kinds_begin(struct mem_look *l)
{
	int rc = mem_look_begin(l);
	if (rc < 0)
		failed(rc);
}

static void housekeep_kinds_step(struct mem_look *l, struct stats_kinds *out)
{
	struct mem_kinds k;
	int rc = mem_look_step(l, &k);
	if (rc < 0)
		failed(rc);
	if (rc <= 0)
		return;
	for (unsigned i = 0; i < MEM_MAPS; i++) {
		set(&out->maps[i], k.maps[i]);
		set(&out->bytes[i], k.bytes[i]);
	}
	for (unsigned i = 0; i < MEM_FDS; i++)
		set(&out->descriptors[i], k.descriptors[i]);
	for (unsigned i = 0; i < REGION_KINDS; i++) {
		struct stats_deleted *d = &out->deleted[i];
		set(&d->files, k.deleted[i].files);
		set(&d->bytes, k.deleted[i].bytes);
		set(&d->stale, k.deleted[i].stale);
		set(&d->stale_bytes, k.deleted[i].stale_bytes);
		set(&d->behind, k.deleted[i].behind);
	}
	set(&out->looks, get(&out->looks) + 1);
}

static uint64_t counter_of(const struct worker *w, enum counter c)
{
	return atomic_load_explicit(&w->stats->counter[c], memory_order_relaxed);
}

static uint64_t housekeep_frames_moved(const struct worker *w)
{
	return counter_of(w, COUNTER_rx_frames) + counter_of(w, COUNTER_tx_frames)
	       + counter_of(w, COUNTER_kernel_rx) + counter_of(w, COUNTER_kernel_tx)
	       + counter_of(w, COUNTER_tx_full) + counter_of(w, COUNTER_answer_nombuf);
}

// Has the worker made a turn in this window? A worker without a CPU may stop for seconds while it
// holds a burst, and moves no frame either.
static bool came_round(const struct housekeep_worker *k)
{
	return k->audit.samples > 0;
}

static bool housekeep_buffers_quiet(const struct housekeep_worker *k)
{
	return k->quiet && came_round(k);
}

static void housekeep_buffers_start(struct housekeep *h)
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

// Samples the pool for a walk. A large pool is not sampled at each beat, as this loop has other
// work.
static void look(struct housekeep_worker *k, const struct rte_mempool *pool)
{
	enum { BUFFERS_EACH_BEAT = 1 << 16 };
	if (k->beats++ % (1 + pool->size / BUFFERS_EACH_BEAT))
		return;
	mbuf_walk_look(pool);
	k->looks++;
}

// each 100 ms
static void housekeep_buffers_sample(struct housekeep *h)
{
	for (unsigned i = 0; i < h->worker_count; i++) {
		struct housekeep_worker *k = &h->worker[i];
		uint64_t moved = housekeep_frames_moved(h->workers[i]);
		k->quiet &= moved == k->moved;
		k->moved = moved;
		// Read after `moved`: a count that differs at the next sample was made after these
		// frames.
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

// The number of frames that wait for the kernel. The worker moves both ends each turn: this reads
// the head first, so that the head is never above the tail.
static uint32_t queued(const struct worker *w)
{
	uint32_t head = __atomic_load_n(&w->exception.head, __ATOMIC_ACQUIRE);
	uint32_t waiting = __atomic_load_n(&w->exception.tail, __ATOMIC_RELAXED) - head;
	return waiting < EXCEPTION_WAITING ? waiting : EXCEPTION_WAITING;
}

// May the walk end? It must have enough samples, and the worker must have made a turn since the
// walk began, so that it does not hold the marked buffers.
static bool may_end(const struct housekeep_worker *k)
{
	return k->looks > HOUSEKEEP_WALK_LOOKS && (k->told >> 32) - (k->looks_from >> 32) > 1;
}

// `floor`: the least number of buffers in use in the window.
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

// Adds the missing buffers that no walk has found, beyond what the ports may keep. Their owner is
// the port; if the ports do not allow walks, the frames that went in and did not come out name it.
// Under load two bursts and the queue for the kernel may be in flight.
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

// each second
static void housekeep_buffers_check(struct housekeep *h, uint64_t now_ms)
{
	for (unsigned i = 0; i < h->worker_count; i++) {
		const struct worker *w = h->workers[i];
		atomic_store_explicit(&w->stats->mbuf_free, rte_mempool_avail_count(w->pool),
			memory_order_relaxed);
		if (came_round(&h->worker[i])) // else the window goes on
			check(h, i, now_ms);
	}
}

static uint64_t verdicts_of(const struct worker *w)
{
	uint64_t sum = 0;
	for (unsigned v = 0; v < VERDICT_COUNT; v++)
		sum += atomic_load_explicit(&w->stats->verdict[v], memory_order_relaxed);
	return sum;
}

// After a suspend gives the workers the new time. The control plane, like this loop, needs some
// time for its next heartbeat, and now_ms may be from before the suspend: so the time until a
// heartbeat counts as old starts at the next turn.
static void watch_clock(struct housekeep *h, uint64_t now_ms)
{
	uint64_t suspended_ms = clock_suspended_ms(h->suspended_ms);
	if (suspended_ms == h->suspended_ms) {
		if (h->check_from_ms == UINT64_MAX)
			h->check_from_ms = now_ms + CONTROL_HUNG_MS;
		return;
	}
	h->check_from_ms = UINT64_MAX;
	h->suspended_ms = suspended_ms;
	for (unsigned i = 0; i < h->worker_count; i++)
		atomic_store_explicit(
			&h->workers[i]->suspended_ms, suspended_ms, memory_order_relaxed);
}

void housekeep_init(struct housekeep *h, uint64_t now_ms)
{
	housekeep_buffers_start(h);
	h->alive = false;
	watch_clock(h, now_ms);
	h->next_beat_ms = now_ms;
	h->next_report_ms = now_ms + HOUSEKEEP_REPORT_MS;
	h->next_memory_ms = now_ms + HOUSEKEEP_MEMORY_MS;
	housekeep_memory_start(&h->stats->memory);
	housekeep_sites_write(&h->stats->sites);
	housekeep_kinds_begin(&h->look);
	// The ports' state must be there before a control plane may report readiness.
	for (unsigned i = 0; i < h->ports->count; i++)
		port_stats(&h->ports->port[i], &h->stats->port[i]);
	table_report_write(h, now_ms); // or the tables would have no caps in the first second
}

// Sums of the frames that client ports report as received, and of the workers' verdicts.
static void totals(const struct housekeep *h, uint64_t *received, uint64_t *verdicts)
{
	*received = *verdicts = 0;
	for (unsigned i = 0; i < h->ports->client_count; i++)
		*received +=
			atomic_load_explicit(&h->stats->port[i].ipackets, memory_order_relaxed);
	for (unsigned i = 0; i < h->worker_count; i++)
		*verdicts += verdicts_of(h->workers[i]);
}

// `quiet`: no worker moved a frame in the last window, and each made a turn in it. Otherwise both
// sums are from different moments of a moving stream, and their difference means nothing.
static void reconcile(struct housekeep *h, bool quiet)
{
	if (!quiet)
		return;
	uint64_t received, verdicts;
	totals(h, &received, &verdicts);
	uint64_t gap = received > verdicts ? received - verdicts : verdicts - received;
	atomic_store_explicit(&h->stats->verdict_gap, gap, memory_order_relaxed);
	if (gap != h->gap_told)
		log_error("%llu frames received, %llu verdicts", (unsigned long long)received,
			(unsigned long long)verdicts);
	h->gap_told = gap;
}

static void watch_drops(struct housekeep *h, uint64_t now_ms)
{
	struct drops *d = &h->drops;
	drops_expire(d, now_ms);
	drops_take(d, activate_directory(&h->activate), now_ms);
	atomic_store_explicit(&h->stats->drops_in_force, d->count, memory_order_relaxed);
	atomic_store_explicit(&h->stats->drops_partial, drops_partial(d), memory_order_relaxed);
	atomic_store_explicit(&h->stats->drops_refused, d->refused, memory_order_relaxed);
	atomic_store_explicit(&h->stats->drops_full, d->full, memory_order_relaxed);
}

static void watch_steering(struct housekeep *h)
{
	if (!h->steering)
		return;
	steering_report(h->steering, h->stats);
	const int gone = steering_gone(h->steering);
	if (gone >= 0)
		port_gone_report(&h->ports->port[gone].gone, PORT_GONE_REMOVED);
}

static void report(struct housekeep *h, uint64_t now_ms)
{
	bool quiet = true;
	for (unsigned i = 0; i < h->worker_count; i++) {
		quiet &= housekeep_buffers_quiet(&h->worker[i]);
		if (atomic_load_explicit(&h->workers[i]->on_timer, memory_order_relaxed))
			ports_on_timer(h->ports);
	}
	for (unsigned i = 0; i < h->ports->count; i++)
		port_stats(&h->ports->port[i], &h->stats->port[i]);
	// A frame may have come between the last sample and the ports' statistics.
	for (unsigned i = 0; i < h->worker_count; i++)
		quiet &= housekeep_frames_moved(h->workers[i]) == h->worker[i].moved;
	watch_steering(h);
	reconcile(h, quiet);
	housekeep_buffers_check(h, now_ms);
	table_report_write(h, now_ms);
	recent_errors_report(&h->stats->errors, &h->errors_seen);
	if (h->lock)
		shm_keep(&h->activate.src.paths, "dataplane.lock", h->lock);
	const uint64_t lost = log_out_lost();
	atomic_store_explicit(&h->stats->log_lost, lost < UINT32_MAX ? (uint32_t)lost : UINT32_MAX,
		memory_order_relaxed);
	worker_rings_check(h->worker_rings, &h->activate.src.paths);
	activate_check(&h->activate);
}

static void bells_taken(struct housekeep *h)
{
	for (unsigned i = 0; i < h->worker_count; i++)
		atomic_fetch_add_explicit(&h->workers[i]->bells_taken, 1, memory_order_release);
}

static void watch_control(struct housekeep *h, uint64_t now_ms)
{
	enum link_event event = link_poll(&h->link, now_ms);
	if (event == LINK_CAME_UP) {
		bells_taken(h);
		worker_rings_link(h->worker_rings, &h->activate.src.paths);
	}
	worker_rings_look(h->worker_rings, &h->activate.src.paths, now_ms);
	if (event != LINK_NOTHING)
		activate_link(&h->activate, event == LINK_CAME_UP);
	activate_poll(&h->activate, now_ms);

	bool is_old = activate_heartbeat_age_ms(&h->activate, now_ms) > CONTROL_HUNG_MS;
	bool alive = h->link.up && (!is_old || (h->alive && now_ms < h->check_from_ms));
	if (alive != h->alive) {
		h->alive = alive;
		if (h->link.up && !alive)
			log_warning(
				"the control plane hangs: no heartbeat for %d ms", CONTROL_HUNG_MS);
		else if (alive && h->hung)
			log_info("the control plane is back");
		h->hung = h->link.up && !alive;
		sd_notify_send("STATUS=serving%s",
			alive ? "" : "; no control plane: from the cache alone");
		for (unsigned i = 0; i < h->worker_count; i++)
			atomic_store_explicit(
				&h->workers[i]->control_alive, alive, memory_order_relaxed);
	}
	atomic_store_explicit(&h->stats->control_seen, h->link.up, memory_order_relaxed);
}

// Notifies the unit's watchdog only while each worker makes turns; a sleeping worker makes one each
// 100 ms.
static void watch_turns(struct housekeep *h, uint64_t now_ms)
{
	if (!sd_notify_wants_alive(now_ms))
		return;
	for (unsigned i = 0; i < h->worker_count; i++) {
		const uint64_t beat = atomic_load_explicit(
			&h->workers[i]->stats->heartbeat_ms, memory_order_relaxed);
		if (beat <= h->alive_ms)
			return;
	}
	h->alive_ms = now_ms;
	sd_notify_alive(now_ms);
}

static void watch_limits(struct housekeep *h, uint64_t now_ms)
{
	const struct tables_set *set = h->activate.current;
	if (!set || !set->t.has_access)
		return;
	limiter_look(h->limiter, &set->t.policy.limit, now_ms);
	atomic_store_explicit(
		&h->stats->limit_empty, limiter_empty(h->limiter), memory_order_relaxed);
}

void housekeep_turn(struct housekeep *h, uint64_t now_ms)
{
	watch_clock(h, now_ms);
	watch_control(h, now_ms);
	watch_limits(h, now_ms);
	if (now_ms >= h->next_beat_ms) {
		h->next_beat_ms = now_ms + HOUSEKEEP_BEAT_MS;
		atomic_store_explicit(&h->stats->heartbeat_ms, now_ms, memory_order_relaxed);
		housekeep_buffers_sample(h);
		table_report_look(h);
		if (h->steering)
			steering_beat(h->steering, h->stats, h->workers, h->worker_count, now_ms);
		watch_drops(h, now_ms);
		watch_turns(h, now_ms);
		sd_notify_look();
	}
	for (unsigned i = 0; i < h->ports->count; i++) {
		struct port *port = &h->ports->port[i];
		if (port_link_has_event(&port->link))
			(void)port_link_look(&port->link, port->id, port->name, &h->stats->port[i]);
	}
	if (now_ms >= h->next_report_ms) {
		h->next_report_ms = now_ms + HOUSEKEEP_REPORT_MS;
		report(h, now_ms);
	}
	if (now_ms >= h->next_memory_ms) {
		h->next_memory_ms = now_ms + HOUSEKEEP_MEMORY_MS;
		housekeep_memory_look(&h->stats->memory);
		housekeep_sites_write(&h->stats->sites);
	}
	if (now_ms >= h->next_kinds_ms) {
		h->next_kinds_ms = now_ms + HOUSEKEEP_KINDS_MS;
		housekeep_kinds_begin(&h->look);
	}
	housekeep_kinds_step(&h->look, &h->stats->kinds);
}

void housekeep_start(struct housekeep *h)
{
	const struct timespec step = {.tv_nsec = 50000};
	uint64_t now_ms = clock_mono_ms();
	const uint64_t until_ms = now_ms + HOUSEKEEP_START_MS;
	do {
		activate_poll(&h->activate, now_ms);
		(void)nanosleep(&step, NULL);
		now_ms = clock_mono_ms();
	} while (!activate_is_settled(&h->activate) && now_ms < until_ms);
	for (unsigned i = 0; i < h->worker_count; i++)
		atomic_store_explicit(&h->workers[i]->hold, 0, memory_order_release);
}

void housekeep_run(struct housekeep *h, const _Atomic int *stop)
{
	while (!atomic_load_explicit(stop, memory_order_acquire) && !ports_gone(h->ports)) {
		uint64_t now_ms = clock_mono_ms();
		housekeep_turn(h, now_ms);
		// Signals of the TAP driver (one for each frame that finds it idle) interrupt a
		// sleep; they must not make this loop faster.
		const struct timespec until = clock_deadline(HOUSEKEEP_TURN_MS);
		while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, NULL) != 0) {
			if (atomic_load_explicit(stop, memory_order_acquire))
				return;
		}
	}
}
