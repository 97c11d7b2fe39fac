// SPDX-License-Identifier: BSD-3-Clause
#include "worker_rings.h"

#include "querylog/querylog.h"
#include "querylog/querylog_source.h"

#include <event2/event.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <weir/bell.h>
#include <weir/log.h>
#include <weir/shm_ring.h>

enum {
	MISS_MAX = sizeof(struct msg_miss) + DNS_NAME_MAX + 4 + DNS_COOKIE_LEN + MSG_WHOLE_MAX,
	RING_UNITS_MAX = 1 << 22,
	PUBLICATIONS_A_RING = 8 // while resting
};

struct rings {
	struct worker_rings *owner;
	unsigned index;
	struct region region, marks;
	struct rings_cp_page *cp;
	struct ring_consumer misses;
	struct ring_producer answers;
	int bell_fd;
	struct event *bell, *more; // `more`: goes on in the next turn
	bool dirty;                // answers reserved, not published
	unsigned unrung;           // publications for which its worker was not rung yet
};

struct worker_rings {
	struct loop *loop;
	struct publisher *publisher;
	struct l0_writer *l0;
	worker_rings_miss_fn miss;
	void *arg;
	uint64_t incarnation; // of the data plane, 0: none
	unsigned count;
	bool marks_missing;
	bool resting;              // in a turn of a loop that rests
	bool awake;                // some worker would not ring for us
	struct querylog *log;      // NULL: none
	uint64_t anomalies_before; // of worker rings that are gone
	struct worker_rings_stats stats;
	struct rings rings[SHM_WORKERS_MAX];
};

static void miss_take(struct rings *rings, const uint8_t *buf, uint32_t len, uint16_t type)
{
	struct worker_rings *l = rings->owner;
	struct msg_miss m;

	if (type != MSG_MISS || len < sizeof(m)) {
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

// True: nothing is left. False: a message has come since, for which no bell rings.
static bool rings_empty(struct rings *rings)
{
	ring_release(&rings->misses);
	if (!rings->owner->resting)
		return ring_prepare_sleep(&rings->misses);
	rings->owner->awake = true;
	return true;
}

// True: there was something.
static bool rings_drain(struct rings *rings)
{
	uint8_t buf[MISS_MAX];
	uint16_t type;

	ring_awake(&rings->misses);
	for (unsigned i = 0; i < WORKER_RINGS_BURST; i++) {
		int len = ring_read(&rings->misses, buf, sizeof(buf), &type);
		if (len > 0)
			miss_take(rings, buf, (uint32_t)len, type);
		else if (len == 0 && rings_empty(rings))
			return i > 0;
	}
	ring_release(&rings->misses);
	if (rings->owner->resting) // the next turn begins with a look; `more` would come in this
				   // one
		rings->owner->awake = true;
	else
		event_add(rings->more, &(struct timeval){0});
	return true;
}

// Edge-triggered: each ring is an event, even with unread ones before it. But worker rings with
// each burst until this loop is awake, and a full socket gives no event at all, so it is emptied
// each time. A bell that was shut down gives no further event.
static void on_bell(evutil_socket_t fd, short, void *arg)
{
	struct rings *rings = arg;
	(void)bell_clear(fd);
	rings_drain(rings);
}

static void on_more(evutil_socket_t, short, void *arg)
{
	rings_drain(arg);
}

static bool drain_all(struct worker_rings *l)
{
	bool any = false;

	for (unsigned i = 0; i < l->count; i++)
		any |= rings_drain(&l->rings[i]);
	return any;
}

static void turn_look(void *arg)
{
	(void)drain_all(arg);
}

// Before the loop may wait, all worker rings are asleep.
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

// A worker that sleeps on its ports.
static void worker_ring(struct rings *rings)
{
	rings->unrung = 0;
	if (ring_wants_wake(&rings->answers))
		bell_ring(rings->bell_fd);
}

static void turn_end(void *arg)
{
	struct worker_rings *l = arg;

	l->resting = false;
	for (unsigned i = 0; i < l->count; i++)
		if (l->rings[i].unrung > 0)
			worker_ring(&l->rings[i]);
}

int worker_rings_new(struct worker_rings **out, struct loop *loop, struct publisher *publisher,
	struct l0_writer *l0)
{
	struct worker_rings *l = calloc(1, sizeof(*l));
	if (!l)
		return -ENOMEM;
	l->loop = loop;
	l->publisher = publisher;
	l->l0 = l0;
	loop_set_watch(
		loop, &(struct loop_watch){
			      .begin = turn_begin, .look = turn_look, .end = turn_end, .arg = l});
	*out = l;
	return 0;
}

void worker_rings_serve(struct worker_rings *l, worker_rings_miss_fn miss, void *arg)
{
	l->miss = miss;
	l->arg = arg;
}

static void rings_close(struct rings *rings)
{
	if (rings->bell)
		event_free(rings->bell);
	if (rings->more)
		event_free(rings->more);
	if (rings->bell_fd >= 0)
		close(rings->bell_fd);
	region_unmap(&rings->marks);
	region_unmap(&rings->region);
	memset(rings, 0, sizeof(*rings));
	rings->bell_fd = -1;
}

static bool units_ok(uint64_t units)
{
	return units >= 64 && units <= RING_UNITS_MAX && (units & (units - 1)) == 0;
}

// Read once: it can change under us.
static uint64_t geometry_of(const struct region *rings, unsigned which)
{
	return *(const volatile uint64_t *)&region_header_of(rings)->geometry[which];
}

static int rings_map(
	struct rings *rings, struct worker_rings *l, uint64_t incarnation, char why[SHM_WHY_MAX])
{
	char name[SHM_NAME_MAX];

	shm_name_rings(name, rings->index);
	int rc = region_attach(publisher_paths(l->publisher), SHM_IN_MEM, name, REGION_RINGS, true,
		&rings->region, why);
	if (rc < 0)
		return rc;
	const struct region_header *h = region_header_of(&rings->region);
	uint64_t miss = geometry_of(&rings->region, 0), answer = geometry_of(&rings->region, 1);
	if (h->incarnation != incarnation || h->index != rings->index || !units_ok(miss)
		|| !units_ok(answer)
		|| RINGS_MISS_RING + (miss + answer) * RING_UNIT > rings->region.size) {
		snprintf(why, SHM_WHY_MAX, "%s: of another process or shape", name);
		return -EPROTO;
	}
	uint8_t *base = rings->region.base;
	struct rings_dp_page *dp = (struct rings_dp_page *)(void *)(base + RINGS_DP_PAGE);
	rings->cp = (struct rings_cp_page *)(void *)(base + RINGS_CP_PAGE);
	ring_consumer_init(&rings->misses, &dp->miss_tail, &rings->cp->miss_head,
		base + RINGS_MISS_RING, miss);
	ring_producer_init(&rings->answers, &rings->cp->answer_tail, &dp->answer_head,
		base + RINGS_MISS_RING + miss * RING_UNIT, answer);
	rc = region_protect(&rings->region, RINGS_DP_PAGE, SHM_PAGE);
	if (rc == 0)
		rc = region_protect(&rings->region, RINGS_MISS_RING, miss * RING_UNIT);
	if (rc < 0)
		snprintf(why, SHM_WHY_MAX, "%s: cannot be protected: %s", name, strerror(-rc));
	return rc;
}

void worker_rings_set_log(struct worker_rings *l, struct querylog *q)
{
	l->log = q;
}

// The log ring lies behind the other two. It is mapped once more for the log thread, which reads
// the rest of a dead worker's ring after the worker rings are detached here.
static int rings_log(const struct rings *rings, struct worker_rings *l, char why[SHM_WHY_MAX])
{
	// Reads only the fields of the header that were not checked before: their owner may have
	// changed the others since.
	uint64_t before = rings->misses.units + rings->answers.units;
	uint64_t units = geometry_of(&rings->region, 2);
	struct querylog_source s = {0};
	char name[SHM_NAME_MAX];

	if (!l->log || units == 0)
		return 0;
	shm_name_rings(name, rings->index);
	if (!units_ok(units)
		|| RINGS_MISS_RING + (before + units) * RING_UNIT > rings->region.size) {
		snprintf(why, SHM_WHY_MAX, "%s: log ring of another shape", name);
		return -EPROTO;
	}
	int rc = region_attach(publisher_paths(l->publisher), SHM_IN_MEM, name, REGION_RINGS, true,
		&s.region, why);
	if (rc < 0)
		return rc;
	uint8_t *base = s.region.base;
	struct rings_dp_page *dp = (struct rings_dp_page *)(void *)(base + RINGS_DP_PAGE);
	struct rings_cp_page *cp = (struct rings_cp_page *)(void *)(base + RINGS_CP_PAGE);
	s.owed = &dp->log_owed;
	ring_consumer_init(&s.ring, &dp->log_tail, &cp->log_head,
		base + RINGS_MISS_RING + before * RING_UNIT, units);
	if (s.region.size == rings->region.size)
		rc = region_protect(&s.region, RINGS_DP_PAGE, SHM_PAGE);
	else
		rc = -EPROTO;
	if (rc == 0)
		rc = region_protect(&s.region, RINGS_MISS_RING, (before + units) * RING_UNIT);
	if (rc == 0)
		rc = querylog_add_source(l->log, &s);
	if (rc < 0) {
		region_unmap(&s.region);
		snprintf(why, SHM_WHY_MAX, "%s: log ring: %s", name, strerror(-rc));
	}
	return rc;
}

static int rings_open(struct worker_rings *l, unsigned i, const struct link_hello *hello, int bell,
	char why[SHM_WHY_MAX])
{
	struct rings *rings = &l->rings[i];

	*rings = (struct rings){.owner = l, .index = i, .bell_fd = -1};
	int rc = rings_map(rings, l, hello->dp_incarnation, why);
	if (rc < 0)
		return rc;
	struct event_base *base = loop_base(l->loop);
	rings->bell = event_new(base, bell, EV_READ | EV_PERSIST | EV_ET, on_bell, rings);
	rings->more = event_new(base, -1, 0, on_more, rings);
	if (!rings->bell || !rings->more || event_add(rings->bell, NULL) < 0) {
		snprintf(why, SHM_WHY_MAX, "worker %u: no memory for the events of its rings", i);
		return -ENOMEM;
	}
	return 0;
}

// A renewal requested from an earlier run of this process ended with it, and its mark keeps the
// worker from requesting it again.
static void marks_forget_refresh(const struct region *marks, uint32_t units)
{
	_Atomic uint8_t *mark = (_Atomic uint8_t *)region_data(marks);
	for (uint32_t i = 0; i < units; i++) {
		uint8_t now = atomic_load_explicit(&mark[i], memory_order_relaxed);
		if (now & MARK_REFRESH)
			atomic_store_explicit(
				&mark[i], now & (uint8_t)~MARK_REFRESH, memory_order_relaxed);
	}
}

// The data plane puts marks where it found room, so both places are tried.
static bool marks_map(struct worker_rings *l, struct rings *rings)
{
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
	marks_forget_refresh(&rings->marks, units);
	l0_writer_set_marks(l->l0, rings->index, region_data(&rings->marks));
	return true;
}

static void marks_attach(struct worker_rings *l)
{
	if (!l->marks_missing)
		return;
	bool missing = false;
	for (unsigned i = 0; i < l->count; i++)
		if (!l->rings[i].marks.base && !marks_map(l, &l->rings[i]))
			missing = true;
	l->marks_missing = missing;
}

int worker_rings_attach(struct worker_rings *l, const struct link_hello *hello, const int *bells,
	char why[SHM_WHY_MAX])
{
	const struct rings_dp_page *pages[SHM_WORKERS_MAX];
	unsigned opened = 0;
	int rc = 0;

	worker_rings_detach(l);
	for (; opened < hello->workers && rc == 0; opened++)
		rc = rings_open(l, opened, hello, bells[opened], why);
	if (rc < 0) {
		while (opened-- > 0)
			rings_close(&l->rings[opened]);
		return rc;
	}
	l->count = hello->workers;
	l->incarnation = hello->dp_incarnation;
	l->marks_missing = true;
	for (unsigned i = 0; i < l->count; i++) {
		struct rings *rings = &l->rings[i];
		rings->bell_fd = bells[i];
		pages[i] = (const struct rings_dp_page *)(const void *)(rings->region.base
									+ RINGS_DP_PAGE);
		// For messages that are already there no bell rings.
		event_add(rings->more, &(struct timeval){0});
	}
	publisher_rings(l->publisher, l->incarnation, pages, l->count);
	marks_attach(l);
	for (unsigned i = 0; i < l->count; i++)
		if (rings_log(&l->rings[i], l, why) < 0)
			log_warning("queries of a worker not logged: %s", why);
	return 0;
}

void worker_rings_beat(struct worker_rings *l)
{
	marks_attach(l);
	(void)drain_all(l);
}

void worker_rings_detach(struct worker_rings *l)
{
	if (l->count == 0)
		return;
	publisher_no_rings(l->publisher);
	if (l->log)
		querylog_end_rings(l->log);
	for (unsigned i = 0; i < l->count; i++) {
		l->anomalies_before += l->rings[i].misses.anomalies + l->rings[i].answers.anomalies;
		l0_writer_set_marks(l->l0, i, NULL);
		rings_close(&l->rings[i]);
	}
	l->count = 0;
	l->incarnation = 0;
}

void worker_rings_free(struct worker_rings *l)
{
	if (!l)
		return;
	worker_rings_detach(l);
	loop_set_watch(l->loop, &(struct loop_watch){0});
	free(l);
}

unsigned worker_rings_count(const struct worker_rings *l)
{
	return l->count;
}

uint64_t worker_rings_incarnation(const struct worker_rings *l)
{
	return l->incarnation;
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

bool worker_rings_answer(struct worker_rings *l, const struct msg_answer *head, const uint8_t *dns)
{
	if (head->dp_incarnation != l->incarnation || head->path.worker >= l->count) {
		l->stats.answer_foreign++;
		return false;
	}
	struct rings *rings = &l->rings[head->path.worker];
	uint8_t *p = ring_reserve(
		&rings->answers, MSG_ANSWER, (uint32_t)(sizeof(*head) + head->dns_len));
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

void worker_rings_publish(struct worker_rings *l)
{
	for (unsigned i = 0; i < l->count; i++) {
		if (!l->rings[i].dirty)
			continue;
		ring_publish(&l->rings[i].answers);
		l->rings[i].dirty = false;
		if (!l->resting || ++l->rings[i].unrung >= PUBLICATIONS_A_RING)
			worker_ring(&l->rings[i]);
	}
}

void worker_rings_stats(const struct worker_rings *l, struct worker_rings_stats *out)
{
	*out = l->stats;
	out->ring_anomalies = l->anomalies_before;
	for (unsigned i = 0; i < l->count; i++)
		out->ring_anomalies += l->rings[i].misses.anomalies + l->rings[i].answers.anomalies;
}
