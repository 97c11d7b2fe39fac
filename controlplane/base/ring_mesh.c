// SPDX-License-Identifier: BSD-3-Clause
#include "ring_mesh.h"

#include <event2/event.h>

#include <assert.h>
#include <errno.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>
#include <weir/heap_site.h>
#include <weir/shm_ring.h>

struct mesh_ring {
	struct ring_index tail, head;
	_Atomic uint64_t full; // written by the ring's writer
	uint8_t *data;
};

struct ring_mesh {
	struct ring_mesh_side side[2];
	uint32_t message;
	int bell[2][RING_MESH_MAX];
	struct mesh_ring ring[2][RING_MESH_MAX][RING_MESH_MAX]; // [reader's side][reader][writer]
};

struct ring_mesh_end {
	struct ring_mesh *mesh;
	unsigned side, number, peers;
	ring_mesh_take_fn take;
	void *arg;
	struct event *bell, *more, *flush; // more: drains on in the next turn
	unsigned dirty;                    // peers with messages to be published, one bit each
	struct ring_consumer in[RING_MESH_MAX];
	struct ring_producer out[RING_MESH_MAX];
	alignas(8) uint8_t buf[]; // one message
};

static size_t end_size(const struct ring_mesh *m)
{
	return sizeof(struct ring_mesh_end) + m->message + RING_MESH_TAILROOM;
}

// Bytes of an end besides its rings. End 0 counts the mesh and the ends of the other side, too.
static size_t own_size(const struct ring_mesh_end *e)
{
	return end_size(e->mesh)
	       + (e->number == 0 ? sizeof(*e->mesh) + e->peers * end_size(e->mesh) : 0);
}

static int memory_make(struct ring_mesh *m)
{
	for (unsigned s = 0; s < 2; s++) {
		for (unsigned i = 0; i < m->side[s].threads; i++) {
			m->bell[s][i] = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
			if (m->bell[s][i] < 0)
				return -errno;
			for (unsigned k = 0; k < m->side[!s].threads; k++) {
				m->ring[s][i][k].data = heap_aligned_alloc(
					CACHE_LINE, (size_t)m->side[s].units * RING_UNIT);
				if (!m->ring[s][i][k].data)
					return -ENOMEM;
			}
		}
	}
	return 0;
}

int ring_mesh_new(struct ring_mesh **out, const struct ring_mesh_side side[2], uint32_t message)
{
	struct ring_mesh *m = heap_aligned_alloc(CACHE_LINE, sizeof(*m));
	if (!m)
		return -ENOMEM;
	memset(m, 0, sizeof(*m));
	memset(m->bell, -1, sizeof(m->bell));
	memcpy(m->side, side, sizeof(m->side));
	m->message = message;
	int rc = memory_make(m);
	if (rc < 0) {
		ring_mesh_free(m);
		return rc;
	}
	*out = m;
	return 0;
}

void ring_mesh_free(struct ring_mesh *m)
{
	if (!m)
		return;
	for (unsigned s = 0; s < 2; s++) {
		for (unsigned i = 0; i < RING_MESH_MAX; i++) {
			if (m->bell[s][i] >= 0)
				close(m->bell[s][i]);
			for (unsigned k = 0; k < RING_MESH_MAX; k++)
				FREE_AND_NULL(m->ring[s][i][k].data);
		}
	}
	heap_free(m);
}

// Takes all messages of a peer's ring, then marks this reader as asleep, so that the next writer
// rings the bell.
static void peer_drain(struct ring_mesh_end *e, unsigned peer)
{
	struct ring_consumer *in = &e->in[peer];
	uint16_t type;

	ring_awake(in);
	for (unsigned n = 0; n < RING_MESH_BURST; n++) {
		int len = ring_read(in, e->buf, e->mesh->message, &type);
		if (len > 0) {
			e->take(e->arg, peer, type, e->buf, (uint32_t)len);
			continue;
		}
		ring_release(in);
		if (len == 0 && ring_prepare_sleep(in))
			return;
	}
	ring_release(in);
	event_add(e->more, &(struct timeval){0});
}

static void on_more(evutil_socket_t, short, void *arg)
{
	struct ring_mesh_end *e = arg;
	for (unsigned i = 0; i < e->peers; i++)
		peer_drain(e, i);
}

static void on_bell(evutil_socket_t fd, short what, void *arg)
{
	eventfd_t rung;
	(void)eventfd_read(fd, &rung);
	on_more(fd, what, arg);
}

// Publishes the messages of the turn. A write that fails finds a full eventfd, which wakes the
// peer.
static void on_flush(evutil_socket_t, short, void *arg)
{
	struct ring_mesh_end *e = arg;
	unsigned dirty = e->dirty;

	e->dirty = 0;
	for (; dirty; dirty &= dirty - 1) {
		unsigned peer = (unsigned)__builtin_ctz(dirty);
		ring_publish(&e->out[peer]);
		if (ring_wants_wake(&e->out[peer]))
			(void)eventfd_write(e->mesh->bell[!e->side][peer], 1);
	}
}

static int events_open(struct ring_mesh_end *e, struct loop *loop)
{
	struct event_base *base = loop_base(loop);
	const int fd = e->mesh->bell[e->side][e->number];

	e->bell = event_new(base, fd, EV_READ | EV_PERSIST, on_bell, e);
	e->more = event_new(base, -1, 0, on_more, e);
	e->flush = event_new(base, -1, 0, on_flush, e);
	if (!e->bell || !e->more || !e->flush || event_add(e->bell, NULL) < 0
		|| event_add(e->more, &(struct timeval){0}) < 0) // earlier messages rang no bell
		return -ENOMEM;
	return 0;
}

int ring_mesh_open(struct ring_mesh_end **out, struct ring_mesh *m, unsigned side, unsigned number,
	struct loop *loop, ring_mesh_take_fn take, void *arg)
{
	assert(side < 2 && number < m->side[side].threads);
	struct ring_mesh_end *e = heap_calloc(1, end_size(m));
	if (!e)
		return -ENOMEM;
	e->mesh = m;
	e->side = side;
	e->number = number;
	e->peers = m->side[!side].threads;
	e->take = take;
	e->arg = arg;
	for (unsigned i = 0; i < e->peers; i++) {
		struct mesh_ring *in = &m->ring[side][number][i];
		struct mesh_ring *to = &m->ring[!side][i][number];
		ring_consumer_init(&e->in[i], &in->tail, &in->head, in->data, m->side[side].units);
		ring_producer_init(
			&e->out[i], &to->tail, &to->head, to->data, m->side[!side].units);
	}
	int rc = events_open(e, loop);
	if (rc < 0) {
		ring_mesh_close(e);
		return rc;
	}
	*out = e;
	return 0;
}

static void event_end(struct event *event)
{
	if (event)
		event_free(event);
}

void ring_mesh_close(struct ring_mesh_end *e)
{
	if (!e)
		return;
	event_end(e->bell);
	event_end(e->more);
	event_end(e->flush);
	heap_free(e);
}

void *ring_mesh_reserve(struct ring_mesh_end *e, unsigned peer, uint16_t type, uint32_t len)
{
	assert(peer < e->peers && len <= e->mesh->message);
	void *room = ring_reserve(&e->out[peer], type, len);
	if (!room) {
		atomic_fetch_add_explicit(
			&e->mesh->ring[!e->side][peer][e->number].full, 1, memory_order_relaxed);
		return NULL;
	}
	if (!e->dirty)
		event_active(e->flush, EV_TIMEOUT, 0);
	e->dirty |= 1u << peer;
	return room;
}

bool ring_mesh_is_half_full(struct ring_mesh_end *e, unsigned peer)
{
	return ring_is_fuller(&e->out[peer], e->mesh->side[!e->side].units / 2);
}

void ring_mesh_status(const struct ring_mesh_end *e, struct ring_mesh_status *out)
{
	const struct ring_mesh_side *own = &e->mesh->side[e->side], *far = &e->mesh->side[!e->side];

	*out = (struct ring_mesh_status){.units = (uint64_t)e->peers * own->units,
		.bytes = (uint64_t)e->peers * (own->units + far->units) * RING_UNIT + own_size(e)};
	for (unsigned i = 0; i < e->peers; i++) {
		out->anomalies += e->in[i].anomalies + e->out[i].anomalies;
		out->used += ring_consumer_used(&e->in[i]);
		out->full += atomic_load_explicit(&e->mesh->ring[e->side][e->number][i].full,
				     memory_order_relaxed)
			     + atomic_load_explicit(&e->mesh->ring[!e->side][i][e->number].full,
				     memory_order_relaxed);
	}
}
