// SPDX-License-Identifier: BSD-3-Clause

// What a turn of the loop does with the rings: takes misses, puts answers, rings and hears bells.
#include "worker_rings_internal.h"

#include <event2/event.h>

#include <errno.h>
#include <string.h>
#include <weir/bell.h>
#include <weir/csum.h>

enum {
	MISS_MAX = sizeof(struct msg_miss) + DNS_NAME_MAX + 4 + DNS_COOKIE_LEN + MSG_WHOLE_MAX,
	MESSAGE_MAX = sizeof(struct msg_heard) + MSG_DNS_MAX,
	PUBLICATIONS_A_RING = 8 // while resting
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

// True: nothing is left. False: a message has come since, for which no bell rings.
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

// True: there was something.
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
	if (rings->owner->resting) // the next turn begins with a look; `more` would come in this
				   // one
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

bool rings_take(struct rings *rings)
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

// Those that may have something: one that sleeps and is empty costs a look at its tail, where a
// look into it costs two stores and a fence.
static void drain_some(struct worker_rings *l)
{
	for (unsigned i = 0; i < l->count; i++) {
		struct rings *rings = &l->rings[i];
		if (!rings->asleep || ring_consumer_used(&rings->misses) > 0)
			(void)rings_drain(rings);
	}
}

void rings_drain_all(struct worker_rings *l)
{
	(void)drain_all(l);
}

// All workers strike this gong, so it does not say which of them has asked. Edge-triggered: each
// strike is an event.
static void on_gong(evutil_socket_t, short, void *arg)
{
	drain_some(arg);
}

int rings_listen(struct worker_rings *l, int gong)
{
	struct event_base *base = loop_base(l->loop);

	l->gong = event_new(base, gong, EV_READ | EV_PERSIST | EV_ET, on_gong, l);
	l->more = event_new(base, -1, 0, on_gong, l);
	if (!l->gong || !l->more || event_add(l->gong, NULL) < 0)
		return -ENOMEM;
	// For messages that are already there nobody strikes it.
	event_add(l->more, &(struct timeval){0});
	return 0;
}

void rings_deafen(struct worker_rings *l)
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

void rings_watch_loop(struct worker_rings *l)
{
	loop_set_watch(l->loop,
		&(struct loop_watch){
			.begin = turn_begin, .look = turn_look, .end = turn_end, .arg = l});
}

// Room for a message to the worker; NULL: none. A worker that reads in a former half of its rings
// (rings_map.c) has no room, and that is no anomaly.
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
