// SPDX-License-Identifier: BSD-3-Clause

#include <assert.h>
#include <errno.h>
#include <string.h>
#include <weir/fault.h>
#include <weir/shm_msg.h>
#include <weir/shm_ring.h>

// Order: payload and headers are plain memory. The producer's release store of `tail` puts them
// before it, the consumer's acquire load of `tail` puts its copies after it; in the other direction
// the release store of `head` ends the copies before the producer, having loaded `head` with
// acquire, overwrites the units. The doorbell needs more, see ring_wants_wake.

enum { RING_UNITS_MIN = 8, RING_MSG_UNITS_MAX = UINT16_MAX };

// A quarter of the ring, so that a message and the pad before it always fit an empty ring.
static uint64_t msg_units_limit(uint64_t units)
{
	return units / 4 < RING_MSG_UNITS_MAX ? units / 4 : RING_MSG_UNITS_MAX;
}

static struct ring_unit header_load(const uint8_t *unit)
{
	uint64_t word = __atomic_load_n((const uint64_t *)(const void *)unit, __ATOMIC_RELAXED);
	struct ring_unit h;
	memcpy(&h, &word, sizeof(h));
	return h;
}

void ring_producer_init(struct ring_producer *p, struct ring_index *tail,
	const struct ring_index *head, void *data, uint64_t units)
{
	assert(units >= RING_UNITS_MIN && (units & (units - 1)) == 0);
	uint64_t at = atomic_load_explicit(&tail->units, memory_order_relaxed);
	*p = (struct ring_producer){.tail = tail,
		.head = head,
		.data = data,
		.units = units,
		.next = at,
		.published = at,
		.head_seen = at - units}; // full until the consumer's index was read and checked
}

// Loads the consumer's index; false: it is nonsense.
static bool producer_look(struct ring_producer *p)
{
	uint64_t head = atomic_load_explicit(&p->head->units, memory_order_acquire);
	if (p->next - head > p->units) {
		p->anomalies++;
		return false;
	}
	p->head_seen = head;
	return true;
}

// This side's own index was overwritten: the consumer lost its place by it and finds it again by
// this.
static void producer_heal(struct ring_producer *p)
{
	if (atomic_load_explicit(&p->tail->units, memory_order_relaxed) != p->published) {
		p->anomalies++;
		atomic_store_explicit(&p->tail->units, p->published, memory_order_release);
	}
}

void *ring_reserve(struct ring_producer *p, uint16_t type, uint32_t len)
{
	assert(type != MSG_PAD);
	uint64_t n = ring_units_of(len);
	if (len == 0 || n > msg_units_limit(p->units))
		return NULL;
	uint64_t pos = p->next & (p->units - 1);
	uint64_t pad = n > p->units - pos ? p->units - pos : 0;
	if (p->units - (p->next - p->head_seen) < pad + n
		&& (!producer_look(p) || p->units - (p->next - p->head_seen) < pad + n)) {
		producer_heal(p);
		return NULL;
	}
	if (pad) {
		ring_header_put(p->data + pos * RING_UNIT,
			(struct ring_unit){.units = (uint16_t)pad, .type = MSG_PAD});
		FAULT_POINT(ring_pad_written);
		pos = 0;
	}
	uint8_t *unit = p->data + pos * RING_UNIT;
	ring_header_put(unit, (struct ring_unit){.len = len, .units = (uint16_t)n, .type = type});
	FAULT_POINT(ring_header_written);
	p->next += pad + n;
	return unit + sizeof(struct ring_unit);
}

uint8_t *ring_span(struct ring_producer *p, uint64_t units)
{
	uint64_t pos = p->next & (p->units - 1);
	if (units > p->units - pos
		|| (p->units - (p->next - p->head_seen) < units
			&& (!producer_look(p) || p->units - (p->next - p->head_seen) < units)))
		return NULL;
	return p->data + pos * RING_UNIT;
}

bool ring_is_fuller(struct ring_producer *p, uint64_t units)
{
	return p->next - p->head_seen > units
	       && (!producer_look(p) || p->next - p->head_seen > units);
}

void ring_publish(struct ring_producer *p)
{
	if (p->next == p->published)
		return;
	FAULT_POINT(ring_before_tail);
	p->published = p->next;
	atomic_store_explicit(&p->tail->units, p->next, memory_order_release);
	FAULT_POINT(ring_after_tail);
}

// Dekker with ring_prepare_sleep: here `tail` is stored and `sleeping` loaded, there `sleeping` is
// stored and `tail` loaded. The fences make it impossible that both miss the other's store, which
// would leave a message lying beside a sleeping consumer.
bool ring_wants_wake(struct ring_producer *p)
{
	atomic_thread_fence(memory_order_seq_cst);
	return atomic_load_explicit(&p->head->sleeping, memory_order_relaxed) != 0;
}

void ring_consumer_init(struct ring_consumer *c, const struct ring_index *tail,
	struct ring_index *head, const void *data, uint64_t units)
{
	assert(units >= RING_UNITS_MIN && (units & (units - 1)) == 0);
	uint64_t at = atomic_load_explicit(&head->units, memory_order_relaxed);
	*c = (struct ring_consumer){.tail = tail,
		.head = head,
		.data = data,
		.units = units,
		.next = at,
		.tail_seen = at};
}

// Nothing between here and the producer's index can be trusted: go on from there.
static int consumer_reset(struct ring_consumer *c)
{
	c->tail_seen = atomic_load_explicit(&c->tail->units, memory_order_acquire);
	c->next = c->tail_seen;
	c->anomalies++;
	return -EPROTO;
}

// Does a message with this header, at this place, fit what was published? `left` is the units up
// to the published end.
static bool header_fits(
	const struct ring_consumer *c, struct ring_unit h, uint64_t pos, uint64_t left)
{
	uint64_t to_end = c->units - pos;
	if (h.units == 0 || h.units > left || h.units > to_end
		|| h.units > msg_units_limit(c->units))
		return false;
	if (h.type == MSG_PAD) // fills the end, and the message that it made room for follows
		return h.len == 0 && h.units == to_end && h.units < left;
	return h.len != 0 && ring_units_of(h.len) == h.units;
}

int ring_read(struct ring_consumer *c, void *buf, uint32_t cap, uint16_t *type)
{
	// The index is loaded once a call at most: a producer that publishes nothing but pads and
	// overlong messages cannot keep us here beyond one lap.
	if (c->next == c->tail_seen) {
		c->tail_seen = atomic_load_explicit(&c->tail->units, memory_order_acquire);
		if (c->tail_seen - c->next > c->units)
			return consumer_reset(c);
	}
	while (c->next != c->tail_seen) {
		uint64_t pos = c->next & (c->units - 1);
		const uint8_t *unit = c->data + pos * RING_UNIT;
		struct ring_unit h = header_load(unit);
		if (!header_fits(c, h, pos, c->tail_seen - c->next))
			return consumer_reset(c);
		c->next += h.units;
		if (h.type == MSG_PAD)
			continue;
		if (h.len > cap) {
			c->anomalies++;
			continue;
		}
		memcpy(buf, unit + sizeof(struct ring_unit), h.len);
		FAULT_POINT(ring_message_copied);
		*type = h.type;
		return (int)h.len;
	}
	return 0;
}

void ring_release(struct ring_consumer *c)
{
	// Compared with the shared word and not with a private copy, so that a scribbled index,
	// which would leave the producer "full" for ever, is corrected at the next poll. This side
	// owns the line; when nothing was read it only loads it.
	if (atomic_load_explicit(&c->head->units, memory_order_relaxed) == c->next)
		return;
	FAULT_POINT(ring_before_head);
	atomic_store_explicit(&c->head->units, c->next, memory_order_release);
	FAULT_POINT(ring_after_head);
}

bool ring_prepare_sleep(struct ring_consumer *c)
{
	atomic_store_explicit(&c->head->sleeping, 1, memory_order_relaxed);
	FAULT_POINT(ring_sleep_stored);
	atomic_thread_fence(memory_order_seq_cst); // see ring_wants_wake
	if (atomic_load_explicit(&c->tail->units, memory_order_relaxed) == c->next)
		return true;
	ring_awake(c);
	return false;
}

void ring_awake(struct ring_consumer *c)
{
	atomic_store_explicit(&c->head->sleeping, 0, memory_order_relaxed);
	FAULT_POINT(ring_awake_stored);
}

uint64_t ring_consumer_used(const struct ring_consumer *c)
{
	uint64_t used = atomic_load_explicit(&c->tail->units, memory_order_relaxed) - c->next;
	return used <= c->units ? used : c->units;
}
