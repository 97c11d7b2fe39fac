// SPDX-License-Identifier: BSD-3-Clause

#include "shm_internal.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <weir/clock.h>
#include <weir/stats_read.h>

static uint64_t load64(const _Atomic uint64_t *p)
{
	return atomic_load_explicit(p, memory_order_relaxed);
}

static uint32_t load32(const _Atomic uint32_t *p)
{
	return atomic_load_explicit(p, memory_order_relaxed);
}

const char *process_state_text(enum process_state s)
{
	static const char *const text[] = {"down", "up", "hung", "unknown", "starting", "stopping"};
	return text[s];
}

static void table_copy(struct stats_table_copy *out, const struct stats_table *t)
{
	*out = (struct stats_table_copy){
		.cap = load64(&t->cap),
		.used = load64(&t->used),
		.high = load64(&t->high),
		.bytes = load64(&t->bytes),
		.shared = load64(&t->shared),
		.evicted = load64(&t->evicted),
		.refused = load64(&t->refused),
		.oldest_ms = load64(&t->oldest_ms),
	};
}

static void memory_copy(struct stats_memory_copy *out, const struct stats_memory *m)
{
	out->allocated = load64(&m->allocated);
	out->held = load64(&m->held);
	out->accounted = load64(&m->accounted);
	out->libraries = load64(&m->libraries);
	out->unexplained = load64(&m->unexplained);
	out->unexplained_max = load64(&m->unexplained_max);
	out->alarms = load64(&m->alarms);
	out->alarming = load64(&m->alarming) != 0;
	for (unsigned i = 0; i < STATS_ACCOUNTS_MAX; i++)
		out->account[i] = load64(&m->account[i]);
}

static void kinds_copy(struct mem_kinds *out, const struct stats_kinds *k)
{
	for (unsigned i = 0; i < MEM_MAPS; i++) {
		out->maps[i] = load64(&k->maps[i]);
		out->bytes[i] = load64(&k->bytes[i]);
	}
	for (unsigned i = 0; i < MEM_FDS; i++)
		out->descriptors[i] = load64(&k->descriptors[i]);
	for (unsigned i = 0; i < REGION_KINDS; i++) {
		const struct stats_deleted *d = &k->deleted[i];
		out->deleted[i] = (struct mem_deleted){.files = load64(&d->files),
			.bytes = load64(&d->bytes),
			.stale = load64(&d->stale),
			.stale_bytes = load64(&d->stale_bytes),
			.behind = load64(&d->behind)};
	}
}

static void worker_copy(struct stats_worker_copy *out, const struct stats_worker *w)
{
	for (unsigned i = 0; i < VERDICT_COUNT; i++)
		out->verdict[i] = load64(&w->verdict[i]);
	for (unsigned i = 0; i < COUNTER_COUNT; i++)
		out->counter[i] = load64(&w->counter[i]);
	for (unsigned i = 0; i < STATS_GROUPS_MAX; i++)
		out->group[i] = load64(&w->group[i]);
	out->heartbeat_ms = load64(&w->heartbeat_ms);
	out->mbuf_breaches = load64(&w->mbuf_breaches);
	out->lcore = load32(&w->lcore);
	out->online = load32(&w->online);
	out->bench_mode = load32(&w->bench_mode);
	if (out->bench_mode >= BENCH_MODES)
		out->bench_mode = BENCH_OFF;
	out->mbuf_size = load32(&w->mbuf_size);
	out->mbuf_free = load32(&w->mbuf_free);
	for (unsigned i = 0; i < MBUF_OWNERS; i++)
		out->mbuf_missing[i] = load32(&w->mbuf_missing[i]);
	for (unsigned i = 0; i < STATS_WORKER_TABLES; i++)
		table_copy(&out->table[i], &w->table[i]);
}

// None while they are being written, which takes a microsecond in a second.
static void errors_copy(struct stats_copy *out, const struct stats_errors *e)
{
	uint64_t before = atomic_load_explicit(&e->sequence, memory_order_acquire);
	uint64_t count = e->count;
	if (before % 2 || count > STATS_ERRORS_MAX)
		return;
	memcpy(out->error, e->error, sizeof(out->error));
	out->errors_replaced = e->replaced;
	atomic_thread_fence(memory_order_acquire);
	if (atomic_load_explicit(&e->sequence, memory_order_relaxed) != before)
		return;
	out->errors = (unsigned)count;
	for (unsigned i = 0; i < out->errors; i++)
		out->error[i].text[sizeof(out->error[i].text) - 1] = '\0';
}

static void kinds_add(struct stats_copy *out, const struct stats_worker *w)
{
	for (unsigned i = 0; i < STATS_RCODES; i++)
		out->rcode[i] += load64(&w->rcode[i]);
	for (unsigned i = 0; i < STATS_TYPES; i++)
		out->type[i] += load64(&w->type[i]);
	for (unsigned i = 0; i < OUTCOME_COUNT; i++)
		took_live_sum(&out->outcome[i], &w->outcome[i]);
	for (unsigned i = 0; i < STAGE_COUNT; i++)
		took_live_sum(&out->stage[i], &w->stage[i]);
}

static void port_copy(struct stats_port_copy *out, const struct stats_port *p)
{
	out->ipackets = load64(&p->ipackets);
	out->opackets = load64(&p->opackets);
	out->imissed = load64(&p->imissed);
	out->ierrors = load64(&p->ierrors);
	out->oerrors = load64(&p->oerrors);
	out->rx_nombuf = load64(&p->rx_nombuf);
	out->link_up = load32(&p->link_up) != 0;
	out->is_exception = load32(&p->is_exception) != 0;
	out->link_speed_mbps = load32(&p->link_speed_mbps);
	out->link_changes = load32(&p->link_changes);
	out->features = load32(&p->features);
	out->mtu = atomic_load_explicit(&p->mtu, memory_order_relaxed);
	out->queues = atomic_load_explicit(&p->queues, memory_order_relaxed);
	uint64_t mac = load64(&p->mac);
	for (unsigned i = 0; i < sizeof(out->mac); i++)
		out->mac[i] = (uint8_t)(mac >> (8 * (sizeof(out->mac) - 1 - i)));
	out->is_xdp = load32(&p->is_xdp) != 0;
	for (unsigned c = 0; c < STEER_COUNTERS; c++)
		out->steer[c] = load64(&p->steer[c]);
	memcpy(out->name, p->name, sizeof(out->name));
	out->name[sizeof(out->name) - 1] = '\0';
}

// The version of a program that is not trusted: a byte that no version has is shown as '?'.
static void build_copy(char out[BUILD_TEXT_MAX], const char text[BUILD_TEXT_MAX])
{
	memcpy(out, text, BUILD_TEXT_MAX);
	out[BUILD_TEXT_MAX - 1] = '\0';
	for (char *c = out; *c; c++)
		if (*c <= ' ' || *c > '~' || *c == '"' || *c == '\\')
			*c = '?';
}

// Adds how full a worker's rings for a resolver are. Only root and the two processes may see it.
static bool rings_copy(const struct shm_paths *paths, unsigned worker, unsigned resolver,
	struct stats_worker_copy *out)
{
	static const struct rings_cp_page none; // until the control plane has made its half
	char name[SHM_NAME_MAX], why[SHM_WHY_MAX];
	struct region r, answers = {0};
	shm_name_rings(name, worker, resolver);
	if (region_attach(paths, SHM_IN_MEM, name, REGION_RINGS, false, &r, why) < 0)
		return false;
	shm_name_answers(name, worker, resolver);
	(void)!region_attach(paths, SHM_IN_MEM, name, REGION_ANSWERS, false, &answers, why);
	const uint64_t miss = region_header_of(&r)->geometry[0];
	if (r.size >= RINGS_MISS_RING && miss <= UINT32_MAX) {
		const struct rings_dp_page *dp = (const void *)(r.base + RINGS_DP_PAGE);
		const struct rings_cp_page *cp = &none;
		if (answers.size >= ANSWERS_RING)
			cp = (const void *)(answers.base + ANSWERS_CP_PAGE);
		out->miss_size += (uint32_t)miss;
		out->answer_size += RINGS_ANSWER_UNITS;
		out->miss_used += ring_used(
			load64(&dp->miss_tail.units), load64(&cp->miss_head.units), (uint32_t)miss);
		out->answer_used += ring_used(load64(&cp->answer_tail.units),
			load64(&dp->answer_head.units), RINGS_ANSWER_UNITS);
		out->has_rings = true;
	}
	region_unmap(&answers);
	region_unmap(&r);
	return true;
}

static int geometry_check(const struct region *r, char why[SHM_WHY_MAX])
{
	const uint64_t *geometry = region_header_of(r)->geometry, workers = geometry[0];
	if (geometry[2] != VERDICT_COUNT || geometry[3] != COUNTER_COUNT
		|| geometry[4] != STATS_WORKER_TABLES || geometry[5] != STATS_PROCESS_TABLES) {
		snprintf(why, SHM_WHY_MAX, "the data plane is of another version than weirctl");
		return -EPROTO;
	}
	if (workers > SHM_WORKERS_MAX || geometry[1] > STATS_PORTS_MAX
		|| region_data_size(r)
			   < sizeof(struct stats_region) + workers * sizeof(struct stats_worker)) {
		snprintf(why, SHM_WHY_MAX, "the statistics of the data plane are damaged");
		return -EPROTO;
	}
	return 0;
}

static void region_copy(const struct region *r, struct stats_copy *out)
{
	const struct region_header *h = region_header_of(r);
	const struct stats_region *s = region_data(r);
	out->incarnation = h->incarnation;
	out->workers = (unsigned)h->geometry[0];
	out->ports = (unsigned)h->geometry[1];
	out->heartbeat_ms = load64(&s->heartbeat_ms);
	out->start_ms = load64(&s->start_ms);
	out->l0_generation = load64(&s->l0_generation);
	out->rule_image_generation = load64(&s->rule_image_generation);
	out->config_generation = load64(&s->config_generation);
	out->policy_generation = load64(&s->policy_generation);
	out->hops_generation = load64(&s->hops_generation);
	out->verdict_gap = load64(&s->verdict_gap);
	out->limit_empty = load64(&s->limit_empty);
	out->tsc_hz = load64(&s->tsc_hz);
	out->pid = load32(&s->pid);
	out->ended = load32(&s->ended);
	out->former_end = load32(&s->former_end);
	out->former_incarnation = load64(&s->former_incarnation);
	build_copy(out->version, s->version);
	build_copy(out->commit, s->commit);
	out->control_seen = load32(&s->control_seen);
	out->drops_in_force = load32(&s->drops_in_force);
	out->drops_refused = load32(&s->drops_refused);
	out->drops_partial = load32(&s->drops_partial);
	out->log_lost = load32(&s->log_lost);
	errors_copy(out, &s->errors);
	stats_sites_copy(out, &s->sites);
	memory_copy(&out->memory, &s->memory);
	kinds_copy(&out->kinds, &s->kinds);
	out->kinds.looks = load64(&s->kinds.looks);
	for (unsigned i = 0; i < STATS_PROCESS_TABLES; i++)
		table_copy(&out->table[i], &s->table[i]);
	for (unsigned i = 0; i < out->ports; i++)
		port_copy(&out->port[i], &s->port[i]);
	for (unsigned i = 0; i < out->workers; i++) {
		worker_copy(&out->worker[i], &s->worker[i]);
		kinds_add(out, &s->worker[i]);
		for (unsigned v = 0; v < VERDICT_COUNT; v++)
			out->verdict[v] += out->worker[i].verdict[v];
		for (unsigned n = 0; n < COUNTER_COUNT; n++)
			out->counter[n] += out->worker[i].counter[n];
		for (unsigned g = 0; g < STATS_GROUPS_MAX; g++)
			out->group[g] += out->worker[i].group[g];
	}
}

int stats_read(const struct shm_paths *paths, struct stats_copy *out, char why[SHM_WHY_MAX])
{
	struct region r;
	int rc = region_load(paths, SHM_IN_MEM, "stats", REGION_STATS, &r, why);
	if (rc < 0)
		return rc;
	rc = geometry_check(&r, why);
	if (rc == 0) {
		memset(out, 0, sizeof(*out));
		region_copy(&r, out);
		// After the copy, so that no heartbeat in it lies ahead of the time of taking.
		out->taken_ms = clock_mono_ms();
		for (unsigned i = 0, of = 0; i < out->workers; i++, of = 0)
			while (of < SHM_RESOLVERS_MAX && rings_copy(paths, i, of, &out->worker[i]))
				of++;
	}
	region_unmap(&r);
	return rc;
}

static uint64_t of_workers(const struct stats_copy *s, enum stats_worker_table table)
{
	uint64_t sum = 0;
	for (unsigned i = 0; i < s->workers; i++)
		sum += s->worker[i].table[table].bytes;
	return sum;
}

static uint64_t above(uint64_t a, uint64_t b)
{
	return a > b ? a - b : 0;
}

struct stats_eal stats_eal_split(const struct stats_copy *s)
{
	const struct stats_table_copy *heap = &s->table[STATS_dp_eal_heap];
	const uint64_t buffers = of_workers(s, STATS_dp_buffers);
	const uint64_t workers = s->table[STATS_dp_workers].bytes + of_workers(s, STATS_dp_asked)
				 + of_workers(s, STATS_dp_kernel_flows);
	const uint64_t others = above(s->dpdk_bytes, workers);
	return (struct stats_eal){.buffers = buffers,
		.workers = workers,
		.others = others,
		.drivers = above(heap->used, buffers + workers + others),
		.free = above(heap->cap, heap->used)};
}

static int lock_probe(const struct shm_paths *paths, const char *file)
{
	char path[SHM_PATH_MAX + 32];
	snprintf(path, sizeof(path), "%s/%s", paths->run, file);
	return process_lock_probe(path);
}

static bool beat_is_old(uint64_t heartbeat_ms)
{
	uint64_t now_ms = clock_mono_ms();
	return now_ms > heartbeat_ms && now_ms - heartbeat_ms > STATS_HUNG_MS;
}

enum process_state dataplane_state(const struct shm_paths *paths, const struct stats_copy *s)
{
	int held = lock_probe(paths, "dataplane.lock");
	bool old = !s || beat_is_old(s->heartbeat_ms);
	if (held == 0 || (held == -ENOENT && !s))
		return PROCESS_DOWN;
	if (held < 0 && !s)
		return PROCESS_UNKNOWN;
	// No permission, or the file was deleted: only the heartbeat is left.
	if (held < 0)
		return old ? PROCESS_DOWN : PROCESS_UP;
	return old ? PROCESS_HUNG : PROCESS_UP;
}

enum process_state controlplane_state(const struct shm_paths *paths, uint64_t *silent_ms)
{
	char why[SHM_WHY_MAX];
	struct region r;
	int held = lock_probe(paths, SHM_NAME_CONTROL_LOCK);
	if (held == -ENOENT)
		held = lock_probe(paths, SHM_NAME_FORMER_LOCK);
	if (held == 0)
		return PROCESS_DOWN;
	// A caller that may not read the directory learns it from the control API.
	if (region_attach(paths, SHM_IN_MEM, "directory", REGION_DIRECTORY, false, &r, why) < 0)
		return held == -ENOENT ? PROCESS_DOWN : held < 0 ? PROCESS_UNKNOWN : PROCESS_UP;
	enum process_state state = PROCESS_UP;
	if (region_data_size(&r) >= sizeof(struct directory)) {
		const struct directory *d = region_data(&r);
		uint64_t heartbeat_ms = load64(&d->heartbeat_ms), now_ms = clock_mono_ms();
		*silent_ms = now_ms > heartbeat_ms ? now_ms - heartbeat_ms : 0;
		switch (atomic_load_explicit(&d->state, memory_order_relaxed)) {
		case CP_STARTING:
			state = PROCESS_STARTING;
			break;
		case CP_STOPPING:
			state = PROCESS_STOPPING;
			break;
		default:
			state = beat_is_old(heartbeat_ms) ? PROCESS_HUNG : PROCESS_UP;
		}
		if (held < 0 && beat_is_old(heartbeat_ms))
			state = PROCESS_DOWN; // the file was deleted: only the heartbeat is left
	}
	region_unmap(&r);
	return state;
}
