// SPDX-License-Identifier: BSD-3-Clause

#include "worker_rings.h"

#include "querylog/querylog.h"

#include <event2/event.h>

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <weir/bell.h>
#include <weir/clock.h>
#include <weir/csum.h>
#include <weir/fault.h>
#include <weir/heap_site.h>
#include <weir/log.h>
#include <weir/page.h>
#include <weir/region_each.h>
#include <weir/shm_ring.h>

enum {
	RINGS_ENDED_MARKS_MS = 2000,
	RINGS_MARKS_US = 500,  // time to map marks, and to unmap marks, in one beat
	RINGS_LEFT_US = 10000, // time in one beat for rings whose resolvers are gone, less the last
};

struct rings { // the rings of one worker with one resolver
	struct worker_rings *owner;
	unsigned index;
	struct region first;   // the first resolver's rings; unused if this is the first
	struct region region;  // this resolver's rings; not mapped before the data plane makes them
	struct region answers; // the control plane's half of them
	struct region marks;
	struct ring_consumer misses;
	struct ring_producer answer_ring;
	int bell_fd;     // the worker's bell; the link closes it
	bool asleep;     // the worker strikes the gong for the next miss
	bool apart;      // the worker may not have mapped the answer ring yet
	bool dirty;      // messages are reserved, but not published
	unsigned unrung; // publications for which the worker was not rung yet
};

struct worker_rings {
	struct loop *loop;
	struct publisher *publisher;
	struct l0_writer *l0;
	unsigned resolver;
	worker_rings_miss_fn miss;
	void *arg;
	worker_rings_heard_fn heard; // NULL: such messages are foreign
	void *heard_arg;
	worker_rings_marks_fn marked; // NULL: not called
	void *marked_arg;
	uint64_t incarnation; // the data plane's; 0: no rings attached
	unsigned count;
	bool missing;              // rings or marks that the data plane has not made yet
	unsigned missing_beats;    // beats without own rings, although the cache is activated
	bool left;                 // rings of resolvers that are gone may hold misses
	bool left_done;            // this pass so far: all have activated, and no ring has more
	unsigned left_at;          // the ring of these at which the next beat goes on
	bool resting;              // the loop pauses between turns, and is in a turn
	bool awake;                // a worker would not strike the gong for this loop
	struct event *gong, *more; // `more`: drains on in the next turn
	struct querylog *log;      // NULL: not set
	uint64_t anomalies_before; // anomalies of worker rings that are gone
	struct worker_rings_stats stats;
	struct rings rings[SHM_WORKERS_MAX];
	struct region ended_marks[SHM_WORKERS_MAX]; // marks of workers that ended
	uint64_t marks_ended_ms;                    // when the last worker ended; 0: no such marks
};

static inline struct rings_cp_page *rings_cp(const struct region *answers)
{
	return (struct rings_cp_page *)(void *)(answers->base + ANSWERS_CP_PAGE);
}

static inline const struct rings_dp_page *rings_dp(const struct region *r)
{
	return (const struct rings_dp_page *)(const void *)(r->base + RINGS_DP_PAGE);
}

// Maps rings that the data plane has made, checks their headers, and makes the control plane's
// half.

enum { RING_UNITS_MAX = 1 << 22 };
#define EVICTIONS_APART (UINT64_C(1) << 32)

static bool units_ok(uint64_t units)
{
	return units >= 64 && units <= RING_UNITS_MAX && (units & (units - 1)) == 0;
}

// Reads a word once, because the data plane can change it at any time.
static uint64_t geometry_of(const struct region *rings, unsigned which)
{
	return *(const volatile uint64_t *)&region_header_of(rings)->geometry[which];
}

static int not_ours(const char *name, char why[SHM_WHY_MAX])
{
	snprintf(why, SHM_WHY_MAX, "%s: of another process or shape", name);
	return -EPROTO;
}

// Sets the indices of a new half, in place of one that the data plane has used. The worker reads
// the former half until it has mapped the new one. Misses and log records are read from the
// worker's present tails on. The worker's head on the answer ring may still move by what the former
// half has, at most a lap. The new tail is further ahead, so the ring counts as full until the
// worker has mapped the new half and begun again there. No worker has taken up this number of
// evictions: a worker that the former half evicted finds that out here.
static void indices_take(struct rings_cp_page *cp, const struct rings_dp_page *dp)
{
	if (atomic_load_explicit(&dp->answers, memory_order_acquire) == 0)
		return;
	cp->miss_head.units = atomic_load_explicit(&dp->miss_tail.units, memory_order_acquire);
	cp->answer_tail.units = atomic_load_explicit(&dp->answer_head.units, memory_order_acquire)
				+ UINT64_C(3) * RINGS_ANSWER_UNITS;
	cp->log_head.units = atomic_load_explicit(&dp->log_tail.units, memory_order_acquire);
	cp->evicted = atomic_load_explicit(&dp->returned, memory_order_acquire) + EVICTIONS_APART;
}

// Opens the control plane's half of rings of `incarnation`: that of the last life, with its
// indices, or a new one.
static int answers_open(struct rings *rings, const struct rings_dp_page *dp, unsigned resolver,
	uint64_t incarnation, struct region *out, char why[SHM_WHY_MAX])
{
	const struct shm_paths *paths = publisher_paths(rings->owner->publisher);
	char name[SHM_NAME_MAX];

	shm_name_answers(name, rings->index, resolver);
	const struct region_spec spec = {
		.name = name,
		.kind = REGION_ANSWERS,
		.generation = 1,
		.incarnation = incarnation_new(), // the file's number, for rings_dp_page.answers
		.index = rings->index,
		.data_size = ANSWERS_SIZE - SHM_PAGE,
		.geometry = {0, RINGS_ANSWER_UNITS, 0, resolver, incarnation},
	};
	if (region_attach(paths, SHM_IN_MEM, name, REGION_ANSWERS, true, out, why) == 0) {
		if (out->size == page_up(ANSWERS_SIZE)
			&& memcmp(region_header_of(out)->geometry, spec.geometry,
				   sizeof(spec.geometry))
				   == 0)
			return 0;
		region_unmap(out);
	}
	int rc = region_create(paths, &spec, out, why);
	if (rc == 0) {
		indices_take(rings_cp(out), dp);
		region_publish(out);
	}
	FAULT_POINT(answers_made);
	return rc;
}

// Maps the rings of `resolver`, which may be another resolver than the owner's.
static int rings_map_of(
	struct rings *rings, unsigned resolver, uint64_t incarnation, char why[SHM_WHY_MAX])
{
	const struct worker_rings *l = rings->owner;
	char name[SHM_NAME_MAX];
	struct region r;

	shm_name_rings(name, rings->index, resolver);
	int rc = region_attach(
		publisher_paths(l->publisher), SHM_IN_MEM, name, REGION_RINGS, false, &r, why);
	if (rc < 0)
		return rc;
	const struct region_header *h = region_header_of(&r);
	uint64_t miss = geometry_of(&r, 0);
	if (h->incarnation != incarnation || h->index != rings->index
		|| geometry_of(&r, 3) != resolver || !units_ok(miss)
		|| RINGS_MISS_RING + miss * RING_UNIT > r.size)
		rc = not_ours(name, why);
	if (rc == 0)
		rc = answers_open(rings, rings_dp(&r), resolver, incarnation, &rings->answers, why);
	if (rc < 0) {
		region_unmap(&r);
		return rc;
	}
	const struct rings_dp_page *dp = rings_dp(&r);
	struct rings_cp_page *cp = rings_cp(&rings->answers);
	ring_consumer_init(
		&rings->misses, &dp->miss_tail, &cp->miss_head, r.base + RINGS_MISS_RING, miss);
	ring_producer_init(&rings->answer_ring, &cp->answer_tail, &dp->answer_head,
		rings->answers.base + ANSWERS_RING, RINGS_ANSWER_UNITS);
	rings->apart = true;
	rings->region = r;
	return 0;
}

static int rings_map_own(struct rings *rings, uint64_t incarnation, char why[SHM_WHY_MAX])
{
	return rings_map_of(rings, rings->owner->resolver, incarnation, why);
}

// Maps the first resolver's rings, of which other resolvers read only the seen-epoch.
static int map_first(struct rings *rings, uint64_t incarnation, char why[SHM_WHY_MAX])
{
	char name[SHM_NAME_MAX];

	shm_name_rings(name, rings->index, 0);
	int rc = region_attach(publisher_paths(rings->owner->publisher), SHM_IN_MEM, name,
		REGION_RINGS, false, &rings->first, why);
	if (rc < 0)
		return rc;
	const struct region_header *h = region_header_of(&rings->first);
	if (h->incarnation == incarnation && h->index == rings->index
		&& rings->first.size >= RINGS_DP_PAGE + SHM_PAGE)
		return 0;
	return not_ours(name, why);
}

// Maps the rings that this resolver needs. -errno with `why`. The rings of a resolver other than
// the first may be missing (region.base NULL); attach_missing maps them later.
static int rings_map(struct rings *rings, uint64_t incarnation, char why[SHM_WHY_MAX])
{
	if (rings->owner->resolver == 0)
		return rings_map_own(rings, incarnation, why);
	int rc = map_first(rings, incarnation, why);
	if (rc == 0) // the data plane usually makes them later
		(void)!rings_map_own(rings, incarnation, why);
	return rc;
}

static void rings_unmap(struct rings *rings)
{
	region_unmap(&rings->marks);
	region_unmap(&rings->region);
	region_unmap(&rings->answers);
	region_unmap(&rings->first);
	*rings = (struct rings){.bell_fd = -1};
}

struct present {
	const struct shm_paths *paths;
	unsigned workers, resolvers;
};

static void unlink_former(void *arg, const char *name)
{
	const struct present *p = arg;
	unsigned worker = 0, resolver = 0;
	if (sscanf(name, "answers.%u.%u", &worker, &resolver) < 1
		|| (worker < p->workers && resolver < p->resolvers))
		return;
	(void)region_unlink(p->paths, SHM_IN_MEM, name);
	FAULT_POINT(leftover_unlinked);
}

// Deletes the control plane's halves that no data plane will use any more: of workers from
// `workers` on, and of resolvers from `resolvers` on.
static void rings_sweep(const struct worker_rings *l, unsigned workers, unsigned resolvers)
{
	struct present p = {publisher_paths(l->publisher), workers, resolvers};
	region_each(p.paths, SHM_IN_MEM, unlink_former, &p);
}

// Gives the log ring, which lies behind the miss ring, to the log thread, if there is one. Both
// files are mapped again for that thread, which reads the rest of a dead worker's ring after the
// worker rings are detached here.
static int rings_map_log(const struct rings *rings, char why[SHM_WHY_MAX])
{
	const struct worker_rings *l = rings->owner;
	const struct shm_paths *paths = publisher_paths(l->publisher);
	// Reads only the field of the header that was not checked before: the data plane may have
	// changed the others meanwhile.
	const uint64_t before = rings->misses.units, units = geometry_of(&rings->region, 2);
	struct querylog_source s = {0};
	char name[SHM_NAME_MAX];

	if (!l->log || units == 0)
		return 0;
	shm_name_rings(name, rings->index, 0);
	if (!units_ok(units)
		|| RINGS_MISS_RING + (before + units) * RING_UNIT > rings->region.size) {
		snprintf(why, SHM_WHY_MAX, "%s: log ring of another shape", name);
		return -EPROTO;
	}
	int rc = region_attach(paths, SHM_IN_MEM, name, REGION_RINGS, false, &s.rings, why);
	if (rc < 0)
		return rc;
	shm_name_answers(name, rings->index, 0);
	rc = region_attach(paths, SHM_IN_MEM, name, REGION_ANSWERS, true, &s.region, why);
	if (rc == 0 && (s.rings.size != rings->region.size || s.region.size != rings->answers.size))
		rc = not_ours(name, why);
	if (rc == 0) {
		const struct rings_dp_page *dp = rings_dp(&s.rings);
		s.owed = &dp->log_owed;
		ring_consumer_init(&s.ring, &dp->log_tail, &rings_cp(&s.region)->log_head,
			s.rings.base + RINGS_MISS_RING + before * RING_UNIT, units);
		rc = querylog_add_source(l->log, &s);
		if (rc < 0)
			snprintf(why, SHM_WHY_MAX, "%s: log ring: %s", name, strerror(-rc));
	}
	if (rc < 0) {
		region_unmap(&s.region);
		region_unmap(&s.rings);
	}
	return rc;
}

// Marks of the workers, which the data plane makes once it has activated a cache.

// Maps a worker's marks. The data plane makes them where it finds room, so both places are tried.
// False: they are not made yet.
static bool rings_map_marks(struct rings *rings)
{
	struct worker_rings *l = rings->owner;
	char name[SHM_NAME_MAX], why[SHM_WHY_MAX];
	const struct shm_paths *paths = publisher_paths(l->publisher);
	struct publish_status now;

	publish_status(l->publisher, &now);
	uint32_t units = l0_writer_reader(l->l0)->unit_count;
	shm_name_marks(name, rings->index, now.l0_generation);
	if (region_attach(paths, SHM_IN_MEM, name, REGION_MARKS, true, &rings->marks, why) < 0
		&& (!paths->huge[0]
			|| region_attach(
				   paths, SHM_IN_HUGE, name, REGION_MARKS, true, &rings->marks, why)
				   < 0))
		return false;
	const struct region_header *h = region_header_of(&rings->marks);
	if (h->incarnation != l->incarnation || h->index != rings->index
		|| h->generation != now.l0_generation || h->geometry[0] != units
		|| region_data_size(&rings->marks) < units) {
		region_unmap(&rings->marks);
		return false;
	}
	l0_writer_set_marks(l->l0, rings->index, region_data(&rings->marks));
	region_unmap(&l->ended_marks[rings->index]);
	return true;
}

// Ends the marks of a worker. They stay mapped for their visits until the successor's marks are
// mapped, but at most RINGS_ENDED_MARKS_MS: if there is no room for both, the data plane then finds
// some.
static void rings_end_marks(struct rings *rings)
{
	struct worker_rings *l = rings->owner;
	struct region *ended = &l->ended_marks[rings->index];

	if (!rings->marks.base)
		return;
	l0_writer_end_marks(l->l0, rings->index);
	region_unmap(ended);
	*ended = rings->marks;
	rings->marks = (struct region){0};
	l->marks_ended_ms = clock_mono_ms();
}

// Unmaps ended marks when their time is over. `now`: all of them at once.
static void rings_release_marks(struct worker_rings *l, bool now)
{
	const uint64_t start_us = clock_mono_us();

	if (!l->marks_ended_ms
		|| (!now && clock_mono_ms() < l->marks_ended_ms + RINGS_ENDED_MARKS_MS))
		return;
	for (unsigned i = 0; i < SHM_WORKERS_MAX; i++) {
		if (!l->ended_marks[i].base)
			continue;
		if (!now && clock_mono_us() >= start_us + RINGS_MARKS_US)
			return;
		l0_writer_forget_marks(l->l0, i);
		region_unmap(&l->ended_marks[i]);
	}
	l->marks_ended_ms = 0;
}

bool worker_rings_marked(const struct worker_rings *l, uint32_t record, uint8_t which)
{
	for (unsigned i = 0; i < l->count; i++) {
		const struct region *marks = &l->rings[i].marks;
		if (!marks->base || record >= region_data_size(marks))
			continue;
		const _Atomic uint8_t *mark = (const _Atomic uint8_t *)region_data(marks) + record;
		if (atomic_load_explicit(mark, memory_order_relaxed) & which)
			return true;
	}
	return false;
}

// The rings in a turn of the loop: takes misses, puts answers, rings bells, and handles the gong.

enum {
	MISS_MAX = sizeof(struct msg_miss) + DNS_NAME_MAX + 4 + DNS_COOKIE_LEN + MSG_WHOLE_MAX,
	MESSAGE_MAX = sizeof(struct msg_heard) + MSG_DNS_MAX,
	PUBLICATIONS_A_RING = 8 // publications for each ring of a bell, while resting
};
static_assert((int)MISS_MAX <= (int)MESSAGE_MAX);

static void heard_take(struct worker_rings *l, const uint8_t *buf, uint32_t len)
{
	struct msg_heard m;

	if (l->heard && msg_heard_read(&m, buf, len) && m.dp_incarnation == l->incarnation
		&& csum_agree(csum_partial(buf + sizeof(m), m.dns_len), m.sum))
		l->heard(l->heard_arg, &m, buf + sizeof(m));
	else
		l->stats.foreign++;
}

static void miss_take(struct rings *rings, const uint8_t *buf, uint32_t len)
{
	struct worker_rings *l = rings->owner;
	struct msg_miss m;

	if (len < sizeof(m)) {
		l->stats.foreign++;
		return;
	}
	memcpy(&m, buf, sizeof(m));
	if (m.dp_incarnation != l->incarnation || m.path.worker != rings->index
		|| m.question_len + (m.has_opt & DNS_OPT_COOKIE ? DNS_COOKIE_LEN : 0u) + m.whole_len
			   != len - sizeof(m)) {
		l->stats.foreign++;
		return;
	}
	l->miss(l->arg, &m, buf + sizeof(m));
}

static void message_take(struct rings *rings, const uint8_t *buf, uint32_t len, uint16_t type)
{
	if (type == MSG_MISS)
		miss_take(rings, buf, len);
	else if (type == MSG_HEARD)
		heard_take(rings->owner, buf, len);
	else
		rings->owner->stats.foreign++;
}

// Goes to sleep on an empty ring. False: a message has come meanwhile, for which no worker strikes
// the gong.
static bool rings_empty(struct rings *rings)
{
	ring_release(&rings->misses);
	if (!rings->owner->resting) {
		rings->asleep = ring_prepare_sleep(&rings->misses);
		return rings->asleep;
	}
	rings->owner->awake = true;
	return true;
}

// Takes a burst of messages. True: there was one.
static bool rings_drain(struct rings *rings)
{
	uint8_t buf[MESSAGE_MAX];
	uint16_t type;

	if (!rings->region.base)
		return false;
	rings->asleep = false;
	ring_awake(&rings->misses);
	for (unsigned i = 0; i < WORKER_RINGS_BURST; i++) {
		int len = ring_read(&rings->misses, buf, sizeof(buf), &type);
		if (len > 0)
			message_take(rings, buf, (uint32_t)len, type);
		else if (len == 0 && rings_empty(rings))
			return i > 0;
	}
	ring_release(&rings->misses);
	if (rings->owner->resting) // the next turn drains on; `more` would do it in this turn
		rings->owner->awake = true;
	else
		event_add(rings->owner->more, &(struct timeval){0});
	return true;
}

static bool drain_all(struct worker_rings *l)
{
	bool any = false;

	for (unsigned i = 0; i < l->count; i++)
		any |= rings_drain(&l->rings[i]);
	return any;
}

// Takes a burst of messages without sleeping on the ring. False: the ring is empty.
static bool rings_take(struct rings *rings)
{
	uint8_t buf[MESSAGE_MAX];
	uint16_t type;
	int len = 0;

	for (unsigned i = 0; i < WORKER_RINGS_BURST; i++) {
		len = ring_read(&rings->misses, buf, sizeof(buf), &type);
		if (len == 0)
			break;
		if (len > 0)
			message_take(rings, buf, (uint32_t)len, type);
	}
	ring_release(&rings->misses);
	return len != 0;
}

// Drains the rings that may have messages. An empty ring on which the loop sleeps costs only a read
// of its tail; to drain it would cost two stores and a fence.
static void drain_some(struct worker_rings *l)
{
	for (unsigned i = 0; i < l->count; i++) {
		struct rings *rings = &l->rings[i];
		if (!rings->asleep || ring_consumer_used(&rings->misses) > 0)
			(void)rings_drain(rings);
	}
}

static void rings_drain_all(struct worker_rings *l)
{
	(void)drain_all(l);
}

// All workers strike this gong, so it does not tell which worker has a message. It is
// edge-triggered: each strike is an event.
static void on_gong(evutil_socket_t, short, void *arg)
{
	drain_some(arg);
}

// Opens the events of the gong. -ENOMEM.
static int rings_listen(struct worker_rings *l, int gong)
{
	struct event_base *base = loop_base(l->loop);

	l->gong = event_new(base, gong, EV_READ | EV_PERSIST | EV_ET, on_gong, l);
	l->more = event_new(base, -1, 0, on_gong, l);
	if (!l->gong || !l->more || event_add(l->gong, NULL) < 0)
		return -ENOMEM;
	// No worker strikes the gong for messages that are already there.
	event_add(l->more, &(struct timeval){0});
	return 0;
}

// Closes the events of the gong, if they are open.
static void rings_deafen(struct worker_rings *l)
{
	if (l->gong)
		event_free(l->gong);
	if (l->more)
		event_free(l->more);
	l->gong = l->more = NULL;
}

static void turn_look(void *arg)
{
	(void)drain_all(arg);
}

// Drains the rings, and goes to sleep on all of them before the loop may wait.
static bool turn_begin(void *arg, bool resting)
{
	struct worker_rings *l = arg;

	l->resting = resting;
	if (resting && drain_all(l))
		return true;
	if (resting || l->awake) {
		l->resting = l->awake = false;
		(void)drain_all(l);
		l->resting = resting;
	}
	return false;
}

// Rings the bell of a worker that sleeps.
static void worker_ring(struct rings *rings)
{
	rings->unrung = 0;
	if (ring_wants_wake(&rings->answer_ring))
		bell_ring(rings->bell_fd);
}

static void turn_end(void *arg)
{
	struct worker_rings *l = arg;

	worker_rings_publish(l); // queries to upstreams
	l->resting = false;
	for (unsigned i = 0; i < l->count; i++)
		if (l->rings[i].unrung > 0)
			worker_ring(&l->rings[i]);
}

static void rings_watch_loop(struct worker_rings *l)
{
	loop_set_watch(l->loop,
		&(struct loop_watch){
			.begin = turn_begin, .look = turn_look, .end = turn_end, .arg = l});
}

// Room for a message to the worker; NULL: the ring is full. It counts as full while the worker
// reads the former half of its rings, which is no anomaly.
static uint8_t *room(struct rings *rings, uint16_t type, uint32_t len)
{
	struct ring_producer *p = &rings->answer_ring;

	if (rings->apart
		&& p->next - atomic_load_explicit(&p->head->units, memory_order_acquire) > p->units)
		return NULL;
	rings->apart = false;
	return ring_reserve(p, type, len);
}

bool worker_rings_answer(struct worker_rings *l, const struct msg_answer *head, const uint8_t *dns)
{
	if (head->dp_incarnation != l->incarnation || head->path.worker >= l->count
		|| !l->rings[head->path.worker].region.base) {
		l->stats.answer_foreign++;
		return false;
	}
	struct rings *rings = &l->rings[head->path.worker];
	if (publisher_is_out(l->publisher, rings->index)) {
		l->stats.answer_evicted++;
		return false;
	}
	uint8_t *p = room(rings, MSG_ANSWER, (uint32_t)(sizeof(*head) + head->dns_len));
	if (!p) {
		l->stats.answer_ring_full++;
		return false;
	}
	memcpy(p, head, sizeof(*head));
	memcpy(p + sizeof(*head), dns, head->dns_len);
	rings->dirty = true;
	l->stats.answers++;
	return true;
}

int worker_rings_send(
	struct worker_rings *l, unsigned worker, const struct msg_send *head, const uint8_t *dns)
{
	struct rings *rings = &l->rings[worker % SHM_WORKERS_MAX];
	struct msg_send m = *head;

	if (worker >= l->count || !rings->region.base
		|| publisher_is_out(l->publisher, rings->index))
		return -ENOLINK;
	uint8_t *p = room(rings, MSG_SEND, (uint32_t)(sizeof(m) + m.dns_len));
	if (!p) {
		l->stats.send_ring_full++;
		return -EAGAIN;
	}
	m.dp_incarnation = l->incarnation;
	memcpy(p, &m, sizeof(m));
	memcpy(p + sizeof(m), dns, m.dns_len);
	rings->dirty = true;
	l->stats.sends++;
	return 0;
}

void worker_rings_publish(struct worker_rings *l)
{
	for (unsigned i = 0; i < l->count; i++) {
		if (!l->rings[i].dirty)
			continue;
		ring_publish(&l->rings[i].answer_ring);
		l->rings[i].dirty = false;
		if (!l->resting || ++l->rings[i].unrung >= PUBLICATIONS_A_RING)
			worker_ring(&l->rings[i]);
	}
}

// Rings of resolvers that this process does not have. After a restart with fewer resolvers the
// workers put misses there until they have activated the new cache. The first resolver takes these
// misses, and answers on its own rings.

// Whether all workers have activated the current cache.
static bool rings_activated(const struct worker_rings *l)
{
	struct publish_status now;

	publish_status(l->publisher, &now);
	for (unsigned i = 0; i < l->count; i++) {
		const struct rings *r = &l->rings[i];
		const struct rings_dp_page *dp = rings_dp(l->resolver ? &r->first : &r->region);
		if (atomic_load_explicit(&dp->activated_l0, memory_order_acquire)
			!= now.l0_generation)
			return false;
	}
	return true;
}

// Takes messages of a ring whose resolver is gone. 1: it may hold more; 0: it is empty; -ENOENT:
// there is no such ring; -errno.
static int left_take(struct worker_rings *l, unsigned worker, unsigned resolver)
{
	struct rings left = {.owner = l, .index = worker, .bell_fd = -1};
	char why[SHM_WHY_MAX];

	int rc = rings_map_of(&left, resolver, l->incarnation, why);
	if (rc < 0)
		return rc;
	bool more = rings_take(&left);
	l->anomalies_before += left.misses.anomalies;
	rings_unmap(&left);
	return more;
}

// Takes messages of the rings whose resolvers are gone, for RINGS_LEFT_US: a data plane that never
// activates the cache holds up no iteration of the loop for longer. False: there may be more later.
static bool rings_left_take(struct worker_rings *l)
{
	const uint64_t end_us = clock_mono_us() + RINGS_LEFT_US;
	const unsigned first = publisher_resolvers(l->publisher);

	// Checked first: messages from before the activation are then found below.
	if (l->left_at == 0)
		l->left_done = rings_activated(l);
	while (first + l->left_at / l->count < SHM_RESOLVERS_MAX) {
		int rc = left_take(l, l->left_at % l->count, first + l->left_at / l->count);
		if (rc < 0)
			break; // the data plane makes rings resolver by resolver
		l->left_done &= rc == 0;
		l->left_at++;
		if (clock_mono_us() >= end_us)
			return false;
	}
	l->left_at = 0;
	return l->left_done;
}

// Attach, beat, detach.

int worker_rings_new(struct worker_rings **out, struct loop *loop, struct publisher *publisher,
	struct l0_writer *l0, unsigned resolver)
{
	struct worker_rings *l = heap_calloc(1, sizeof(*l));
	if (!l)
		return -ENOMEM;
	l->loop = loop;
	l->publisher = publisher;
	l->l0 = l0;
	l->resolver = resolver;
	rings_watch_loop(l);
	*out = l;
	return 0;
}

void worker_rings_serve(struct worker_rings *l, worker_rings_miss_fn miss, void *arg)
{
	l->miss = miss;
	l->arg = arg;
}

void worker_rings_hear(struct worker_rings *l, worker_rings_heard_fn heard, void *arg)
{
	l->heard = heard;
	l->heard_arg = arg;
}

void worker_rings_on_marks(struct worker_rings *l, worker_rings_marks_fn marked, void *arg)
{
	l->marked = marked;
	l->marked_arg = arg;
}

uint64_t worker_rings_live(const struct worker_rings *l, uint64_t now_ms, unsigned dead_ms)
{
	uint64_t live = 0;
	struct publish_status now;

	publish_status(l->publisher, &now);
	for (unsigned i = 0; i < l->count; i++) {
		const struct rings *rings = &l->rings[i];
		const struct rings_dp_page *page =
			rings_dp(l->resolver ? &rings->first : &rings->region);
		// The rings may be left from when there were as many resolvers before: nobody
		// reads them until the worker has activated the cache that says so.
		if (l->resolver
			&& atomic_load_explicit(&page->activated_l0, memory_order_acquire)
				   != now.l0_generation)
			continue;
		const uint64_t beat_ms =
			atomic_load_explicit(&page->heartbeat_ms, memory_order_relaxed);
		// A heartbeat may be later than now_ms: another thread has read the clock.
		if (rings->region.base && now_ms < beat_ms + dead_ms
			&& atomic_load_explicit(&page->activated_hops, memory_order_relaxed))
			live |= UINT64_C(1) << i;
	}
	return live;
}

void worker_rings_set_log(struct worker_rings *l, struct querylog *q)
{
	l->log = q;
}

enum { MISSING_TOLD_BEATS = 10 };

// Logs once that rings are still missing, or cannot be used, after the workers have activated the
// cache.
static void missing_tell(struct worker_rings *l, unsigned worker, const char *why)
{
	if (!rings_activated(l) || ++l->missing_beats != MISSING_TOLD_BEATS)
		return;
	l->anomalies_before++;
	log_error("resolver %u: no rings of worker %u: %s; names of this resolver are not cached "
		  "or not answered; weir tries again",
		l->resolver, worker, why);
}

// Maps what the data plane makes only once it has activated a cache: marks, and the rings of all
// resolvers except the first.
static void attach_missing(struct worker_rings *l)
{
	char why[SHM_WHY_MAX];
	bool is_told = false, is_marked = false;
	const uint64_t end_us = clock_mono_us() + RINGS_MARKS_US;

	if (!l->missing)
		return;
	l->missing = false;
	for (unsigned i = 0; i < l->count; i++) {
		struct rings *rings = &l->rings[i];
		if (!rings->region.base && rings_map_own(rings, l->incarnation, why) < 0) {
			l->missing = true;
			if (!is_told)
				missing_tell(l, i, why);
			is_told = true;
		}
		if (rings->marks.base)
			continue;
		if (clock_mono_us() < end_us && rings_map_marks(rings))
			is_marked = true;
		else
			l->missing = true;
	}
	if (is_marked && l->marked)
		l->marked(l->marked_arg);
}

static int attach_all(struct worker_rings *l, const struct link_hello *hello, const int *bells,
	int gong, char why[SHM_WHY_MAX])
{
	for (unsigned i = 0; i < hello->workers; i++) {
		l->rings[i] = (struct rings){.owner = l, .index = i, .bell_fd = bells[i]};
		int rc = rings_map(&l->rings[i], hello->dp_incarnation, why);
		if (rc < 0)
			return rc;
	}
	int rc = rings_listen(l, gong);
	if (rc < 0)
		snprintf(why, SHM_WHY_MAX, "no memory for the events of the worker rings");
	return rc;
}

// Allows evictions: the first resolver's rings have the word that tells a worker that it is
// evicted.
static void let_evict(const struct worker_rings *l)
{
	_Atomic uint64_t *evicted[SHM_WORKERS_MAX];
	uint64_t answers[SHM_WORKERS_MAX];

	for (unsigned i = 0; i < l->count; i++) {
		evicted[i] = &rings_cp(&l->rings[i].answers)->evicted;
		answers[i] = region_header_of(&l->rings[i].answers)->incarnation;
	}
	publisher_evicts(l->publisher, evicted, answers, l->count);
}

int worker_rings_attach(struct worker_rings *l, const struct link_hello *hello, const int *bells,
	int gong, char why[SHM_WHY_MAX])
{
	const struct rings_dp_page *pages[SHM_WORKERS_MAX];

	worker_rings_detach(l);
	int rc = attach_all(l, hello, bells, gong, why);
	if (rc < 0) {
		rings_deafen(l);
		for (unsigned i = 0; i < hello->workers; i++)
			rings_unmap(&l->rings[i]);
		return rc;
	}
	l->count = hello->workers;
	l->incarnation = hello->dp_incarnation;
	for (unsigned i = 0; i < l->count; i++)
		pages[i] = rings_dp(l->resolver ? &l->rings[i].first : &l->rings[i].region);
	publisher_rings(l->publisher, l->resolver, l->incarnation, pages, l->count);
	if (l->resolver == 0) {
		let_evict(l);
		rings_sweep(l, l->count, SHM_RESOLVERS_MAX);
	}
	l->missing = true;
	l->missing_beats = 0;
	attach_missing(l);
	l->left_at = 0;
	l->left = l->resolver == 0 && !rings_left_take(l);
	for (unsigned i = 0; l->resolver == 0 && i < l->count; i++)
		if (rings_map_log(&l->rings[i], why) < 0)
			log_warning("queries of a worker not logged: %s", why);
	return 0;
}

void worker_rings_beat(struct worker_rings *l)
{
	attach_missing(l);
	rings_release_marks(l, false);
	if (l->left && rings_left_take(l)) {
		l->left = false;
		rings_sweep(l, l->count, publisher_resolvers(l->publisher));
	}
	rings_drain_all(l);
}

void worker_rings_detach(struct worker_rings *l)
{
	if (l->count == 0)
		return;
	publisher_no_rings(l->publisher, l->resolver);
	if (l->log)
		querylog_end_rings(l->log);
	rings_deafen(l);
	for (unsigned i = 0; i < l->count; i++) {
		l->anomalies_before +=
			l->rings[i].misses.anomalies + l->rings[i].answer_ring.anomalies;
		rings_end_marks(&l->rings[i]);
		rings_unmap(&l->rings[i]);
	}
	l->count = 0;
	l->incarnation = 0;
	l->missing = l->left = false;
}

void worker_rings_free(struct worker_rings *l)
{
	if (!l)
		return;
	worker_rings_detach(l);
	rings_release_marks(l, true);
	loop_set_watch(l->loop, &(struct loop_watch){0});
	heap_free(l);
}

unsigned worker_rings_count(const struct worker_rings *l)
{
	return l->count;
}

uint64_t worker_rings_incarnation(const struct worker_rings *l)
{
	return l->incarnation;
}

void worker_rings_stats(const struct worker_rings *l, struct worker_rings_stats *out)
{
	*out = l->stats;
	out->ring_anomalies = l->anomalies_before;
	for (unsigned i = 0; i < l->count; i++)
		out->ring_anomalies +=
			l->rings[i].misses.anomalies + l->rings[i].answer_ring.anomalies;
}
