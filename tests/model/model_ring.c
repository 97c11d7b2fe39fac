// SPDX-License-Identifier: BSD-3-Clause

// The byte ring and its doorbell (dataplane/core/shm/shm_ring.c), one producer and one consumer,
// each of which may die at any step and be started again. Ring of 4 units, messages of 1, 2, 2, 1
// units, so that the third needs a pad and the ring is lapped; 2 messages at most to a publish and
// to a burst; CRASHES deaths. Every label names the function whose line the step is:
//
//   ring_reserve, "look"     producer_look: acquire load of head; waits here while full, where the
//                            product refuses and counts, so that every lap is walked
//   ring_reserve, "write"    headers, pad and payload, one unit a step, as plain memory
//   ring_publish             release store of tail
//   ring_wants_wake          fence; relaxed load of sleeping; then the eventfd is written
//   rings_drain               (controlplane/shm/worker_rings.c) ring_awake, ring_read until the
//   burst is full
//                            or nothing is left, ring_release, ring_prepare_sleep
//   ring_read                acquire load of tail; header; payload, one unit a step
//   ring_release             release store of head, if it moved
//   ring_prepare_sleep       relaxed store of sleeping, fence, relaxed load of tail
//   worker_rings_attach             event `more`: a new life on either side drains without a bell
//
// Promised: no unit is read that was not published, none is overwritten that may still be read (no
// data race, and each unit holds what the message at that place should); messages whole, in order,
// none twice but those of one burst that a dead consumer had not given back; and once nobody
// can go on, all is sent, all that was published was read, and the consumer sleeps beside an empty
// ring.

#include "explore.h"
#include "weak.h"

#include <stdalign.h>

enum { UNITS = 4, MESSAGES = 4, BATCH = 2, BURST = 2, CRASHES = 1, PLACES = 16 };
enum { PRODUCER, CONSUMER };
enum { TAIL, HEAD, SLEEPING };
enum { PAD = 0xe0, NOTHING = 0xff };

enum broken {
	SOUND,
	TAIL_STORE,
	TAIL_LOAD,
	HEAD_STORE,
	HEAD_LOAD,
	WAKE_FENCE,
	SLEEP_FENCE,
	NO_SECOND_LOOK,
	WAKE_FIRST,
	PUBLISH_FIRST,
	RELEASE_FIRST,
	PAD_FREE,
	NO_DRAIN,
	RESUME_AT_TAIL,
	RESUME_UNPUBLISHED,
};

static unsigned broken;

static const struct mutation mutations[] = {
	{"tail-store-relaxed", "ring_publish stores tail relaxed"},
	{"tail-load-relaxed", "ring_read loads tail relaxed"},
	{"head-store-relaxed", "ring_release stores head relaxed"},
	{"head-load-relaxed", "producer_look loads head relaxed"},
	{"no-wake-fence", "ring_wants_wake without its fence"},
	{"no-sleep-fence", "ring_prepare_sleep without its fence"},
	{"no-second-look", "ring_prepare_sleep does not look at tail again"},
	{"wake-before-publish", "ring_wants_wake before ring_publish"},
	{"publish-before-write", "tail is stored before the message is written"},
	{"release-before-copy", "head is stored before the message is copied"},
	{"pad-not-counted", "ring_reserve asks for no room for the pad"},
	{"no-drain-on-attach", "worker_rings_attach trusts in the bell"},
	{"resume-at-tail", "a new consumer begins at tail"},
	{"resume-unpublished", "a new producer begins behind what was reserved"},
};

enum producer_at { P_PLAN, P_LOOK, P_WRITE, P_PUBLISH, P_FENCE, P_ASK, P_BELL, P_DONE, P_DEAD };
enum consumer_at {
	C_IDLE,
	C_AWAKE,
	C_LOOK,
	C_HEADER,
	C_COPY,
	C_RELEASE,
	C_SLEEPING,
	C_FENCE,
	C_RECHECK,
	C_UNSLEEP,
	C_DEAD,
};

struct ring_state {
	alignas(8) struct weak w;
	uint8_t cell[UNITS];   // message << 2 | unit of it, or PAD
	uint8_t place[PLACES]; // what begins at each unit ever published or reserved, for the judge
	uint8_t bell, more, crashes;
	uint8_t p_at, p_next, p_published, p_head_seen, p_id, p_batch, p_unit, p_pad, p_told;
	uint8_t c_at, c_next, c_tail_seen, c_burst, c_done; // c_done: the turn ends after release
	uint8_t sent, got, again; // messages: published, read, may be read once more
};

static unsigned units_of(unsigned id)
{
	return id == 1 || id == 2 ? 2 : 1;
}

static void ring_init(void *state)
{
	struct ring_state *r = state;
	memset(r, 0, sizeof(*r));
	weak_init(&r->w, (uint8_t[WEAK_LOCATIONS]){3, 3, 3});
	memset(r->place, NOTHING, sizeof(r->place));
	memset(r->cell, NOTHING, sizeof(r->cell));
	r->p_head_seen = (uint8_t)-UNITS;
	r->more = 1;
}

static bool has_room(const struct ring_state *r, uint8_t head)
{
	unsigned pad = broken == PAD_FREE ? 0 : r->p_pad;
	return UNITS - (uint8_t)(r->p_next - head) >= (int)(pad + units_of(r->p_id));
}

static void publish(struct ring_state *r, uint8_t upto)
{
	for (unsigned i = r->p_published; i < upto; i++)
		if (r->place[i] < MESSAGES)
			r->sent |= (uint8_t)(1 << r->place[i]);
	r->p_published = upto;
	weak_store(&r->w, PRODUCER, TAIL, upto, broken == TAIL_STORE ? RELAXED : RELEASE);
}

// Room was found: what will stand where.
static void reserve(struct ring_state *r)
{
	uint8_t at = r->p_next;
	if (r->p_pad)
		r->place[at] = PAD;
	at += r->p_pad;
	r->place[at] = r->p_id;
	r->p_unit = 0;
	r->p_at = P_WRITE;
	if (broken == PUBLISH_FIRST)
		publish(r, (uint8_t)(at + units_of(r->p_id)));
}

static enum step_result producer_plan(struct ring_state *r, struct step *s)
{
	s->label = "producer: ring_reserve";
	unsigned n = units_of(r->p_id), pos = r->p_next % UNITS;
	r->p_pad = (uint8_t)(n > UNITS - pos ? UNITS - pos : 0);
	if (has_room(r, r->p_head_seen))
		reserve(r);
	else
		r->p_at = P_LOOK;
	return STEP_DONE;
}

static enum step_result producer_look(struct ring_state *r, unsigned option, struct step *s)
{
	if (option == WEAK_HISTORY - 1 && r->p_next != r->p_published) {
		s->label = "producer: ring_reserve: full, ends the batch";
		r->p_at = P_PUBLISH;
		return STEP_DONE;
	}
	s->label = "producer: ring_reserve: look at head";
	if (option >= weak_options(&r->w, PRODUCER, HEAD)
		|| !has_room(r, (uint8_t)weak_peek(&r->w, HEAD, option)))
		return STEP_DISABLED;
	r->p_head_seen = (uint8_t)weak_load(
		&r->w, PRODUCER, HEAD, option, broken == HEAD_LOAD ? RELAXED : ACQUIRE);
	reserve(r);
	return STEP_DONE;
}

// Choice 1 at the last unit: another message before the next publish.
static enum step_result producer_write(struct ring_state *r, unsigned option, struct step *s)
{
	s->label = "producer: ring_reserve: write a unit";
	unsigned n = r->p_pad ? 1 + units_of(r->p_id) : units_of(r->p_id);
	bool is_last = r->p_unit + 1u == n, is_pad = r->p_pad && r->p_unit == 0;
	if (option > 1
		|| (option == 1
			&& (!is_last || r->p_batch + 1 == BATCH || r->p_id + 1 == MESSAGES)))
		return STEP_DISABLED;
	unsigned unit = r->p_unit - (r->p_pad && !is_pad);
	unsigned cell = (r->p_next + (is_pad ? 0 : r->p_pad) + unit) % UNITS;
	if (!weak_cell_write(&r->w, PRODUCER, cell))
		return bad(s, "a unit is overwritten that may still be read");
	r->cell[cell] = is_pad ? PAD : (uint8_t)(r->p_id << 2 | unit);
	r->p_unit++;
	if (!is_last)
		return STEP_DONE;
	r->p_next += r->p_pad + (uint8_t)units_of(r->p_id);
	r->p_id++;
	r->p_batch++;
	r->p_pad = r->p_unit = 0;
	r->p_at = option ? P_PLAN : broken == WAKE_FIRST ? P_FENCE : P_PUBLISH;
	return STEP_DONE;
}

static void producer_next(struct ring_state *r)
{
	r->p_batch = r->p_told = 0;
	r->p_at = r->p_id < MESSAGES ? P_PLAN : P_DONE;
}

static void producer_told(struct ring_state *r)
{
	r->p_told = 1;
	if (broken == WAKE_FIRST)
		r->p_at = P_PUBLISH;
	else
		producer_next(r);
}

// Of equal values the oldest leaves the most open, so the others need no look.
static bool is_dominated(const struct ring_state *r, unsigned option)
{
	for (unsigned i = option + 1; i < weak_options(&r->w, PRODUCER, SLEEPING); i++)
		if (weak_peek(&r->w, SLEEPING, i) == weak_peek(&r->w, SLEEPING, option))
			return true;
	return false;
}

static enum step_result producer_ask(struct ring_state *r, unsigned option, struct step *s)
{
	s->label = "producer: ring_wants_wake: load sleeping";
	if (option >= weak_options(&r->w, PRODUCER, SLEEPING))
		return STEP_DISABLED;
	if (is_dominated(r, option))
		return STEP_DISABLED;
	if (weak_load(&r->w, PRODUCER, SLEEPING, option, RELAXED))
		r->p_at = P_BELL;
	else
		producer_told(r);
	return STEP_DONE;
}

static enum step_result producer_restart(struct ring_state *r, struct step *s)
{
	s->label = "producer: starts again";
	uint8_t at = (uint8_t)weak_peek(&r->w, TAIL, 0);
	if (broken == RESUME_UNPUBLISHED)
		at = r->p_next;
	for (unsigned i = at; i < PLACES; i++)
		r->place[i] = NOTHING;
	r->p_next = r->p_published = at;
	r->p_head_seen = (uint8_t)(at - UNITS);
	r->p_pad = r->p_unit = 0;
	r->more |= broken != NO_DRAIN;
	weak_join(&r->w.kernel, &r->w.thread[PRODUCER]);
	producer_next(r);
	return STEP_DONE;
}

static enum step_result producer_step(struct ring_state *r, unsigned option, struct step *s)
{
	if (r->p_at == P_LOOK)
		return producer_look(r, option, s);
	if (r->p_at == P_WRITE)
		return producer_write(r, option, s);
	if (r->p_at == P_ASK)
		return producer_ask(r, option, s);
	if (option)
		return STEP_DISABLED;
	switch (r->p_at) {
	case P_PLAN:
		return producer_plan(r, s);
	case P_PUBLISH:
		s->label = "producer: ring_publish";
		if (r->p_next != r->p_published)
			publish(r, r->p_next);
		r->p_at = P_FENCE;
		if (r->p_told)
			producer_next(r);
		return STEP_DONE;
	case P_FENCE:
		s->label = "producer: ring_wants_wake: fence";
		if (broken != WAKE_FENCE)
			weak_fence(&r->w, PRODUCER);
		r->p_at = P_ASK;
		return STEP_DONE;
	case P_BELL:
		s->label = "producer: writes the doorbell";
		r->bell = 1;
		weak_join(&r->w.kernel, &r->w.thread[PRODUCER]);
		producer_told(r);
		return STEP_DONE;
	case P_DEAD:
		return producer_restart(r, s);
	default:
		return STEP_DISABLED;
	}
}

static enum step_result consumer_idle(struct ring_state *r, unsigned option, struct step *s)
{
	s->label = option ? "consumer: the doorbell rang" : "consumer: drains without a bell";
	if (option > 1 || !(option ? r->bell : r->more))
		return STEP_DISABLED;
	if (option)
		r->bell = 0;
	else
		r->more = 0;
	weak_join(&r->w.thread[CONSUMER], &r->w.kernel);
	memset(&r->w.kernel, 0, sizeof(r->w.kernel));
	r->c_at = C_AWAKE;
	return STEP_DONE;
}

// One turn of rings_drain's loop is over.
static void consumer_turn(struct ring_state *r)
{
	r->c_done = ++r->c_burst == BURST;
	r->c_at = r->c_done ? C_RELEASE : C_LOOK;
}

static enum step_result consumer_look(struct ring_state *r, unsigned option, struct step *s)
{
	s->label = "consumer: ring_read: load tail";
	if (r->c_next != r->c_tail_seen) {
		r->c_at = C_HEADER;
		return option ? STEP_DISABLED : STEP_DONE;
	}
	if (option >= weak_options(&r->w, CONSUMER, TAIL))
		return STEP_DISABLED;
	r->c_tail_seen = (uint8_t)weak_load(
		&r->w, CONSUMER, TAIL, option, broken == TAIL_LOAD ? RELAXED : ACQUIRE);
	r->c_at = r->c_next == r->c_tail_seen ? C_RELEASE : C_HEADER;
	return STEP_DONE;
}

static enum step_result consumer_got(struct ring_state *r, unsigned id, struct step *s)
{
	uint8_t bit = (uint8_t)(1 << id);
	if (r->got & bit && !(r->again & bit))
		return bad(s, "a message is read twice");
	if (!(r->again & bit) && r->got & ~(bit - 1u))
		return bad(s, "a message is read out of order");
	r->got |= bit;
	r->again &= (uint8_t)~bit;
	r->c_next += (uint8_t)units_of(id);
	consumer_turn(r);
	return STEP_DONE;
}

static void release(struct ring_state *r, uint8_t upto)
{
	weak_store(&r->w, CONSUMER, HEAD, upto, broken == HEAD_STORE ? RELAXED : RELEASE);
}

static enum step_result consumer_unit(struct ring_state *r, struct step *s)
{
	unsigned unit = r->c_at == C_COPY, cell = (r->c_next + unit) % UNITS;
	uint8_t what = r->place[r->c_next];
	s->label = unit ? "consumer: ring_read: copy" : "consumer: ring_read: header";
	if (r->c_next >= r->p_published)
		return bad(s, "a unit is read that was not published");
	if (!weak_cell_read(&r->w, CONSUMER, cell))
		return bad(s, "a unit is read while it may be written");
	if (r->cell[cell] != (what == PAD ? PAD : what << 2 | unit))
		return bad(s, "a unit holds something else");
	if (what == PAD) {
		r->c_next += UNITS - r->c_next % UNITS;
		return STEP_DONE;
	}
	if (unit + 1 == units_of(what))
		return consumer_got(r, what, s);
	if (broken == RELEASE_FIRST)
		release(r, (uint8_t)(r->c_next + units_of(what)));
	r->c_at = C_COPY;
	return STEP_DONE;
}

static enum step_result consumer_release(struct ring_state *r, struct step *s)
{
	s->label = "consumer: ring_release";
	if (weak_peek(&r->w, HEAD, 0) != r->c_next)
		release(r, r->c_next);
	r->c_at = r->c_done ? C_IDLE : C_SLEEPING;
	r->more |= r->c_done;
	r->c_burst = r->c_done ? 0 : r->c_burst;
	r->c_done = 0;
	return STEP_DONE;
}

static enum step_result consumer_recheck(struct ring_state *r, unsigned option, struct step *s)
{
	s->label = "consumer: ring_prepare_sleep: look at tail again";
	if (option >= weak_options(&r->w, CONSUMER, TAIL))
		return STEP_DISABLED;
	bool empty = weak_load(&r->w, CONSUMER, TAIL, option, RELAXED) == r->c_next;
	r->c_at = empty || broken == NO_SECOND_LOOK ? C_IDLE : C_UNSLEEP;
	r->c_burst = r->c_at == C_IDLE ? 0 : r->c_burst;
	return STEP_DONE;
}

static enum step_result consumer_restart(struct ring_state *r, struct step *s)
{
	s->label = "consumer: starts again";
	r->c_next = r->c_tail_seen =
		(uint8_t)weak_peek(&r->w, broken == RESUME_AT_TAIL ? TAIL : HEAD, 0);
	r->c_burst = r->c_done = 0;
	r->more |= broken != NO_DRAIN;
	r->c_at = C_IDLE;
	return STEP_DONE;
}

static enum step_result consumer_step(struct ring_state *r, unsigned option, struct step *s)
{
	if (r->c_at == C_IDLE)
		return consumer_idle(r, option, s);
	if (r->c_at == C_LOOK)
		return consumer_look(r, option, s);
	if (r->c_at == C_RECHECK)
		return consumer_recheck(r, option, s);
	if (option)
		return STEP_DISABLED;
	switch (r->c_at) {
	case C_AWAKE:
	case C_UNSLEEP:
		s->label = "consumer: ring_awake";
		weak_store(&r->w, CONSUMER, SLEEPING, 0, RELAXED);
		if (r->c_at == C_UNSLEEP)
			consumer_turn(r);
		else
			r->c_at = C_LOOK;
		return STEP_DONE;
	case C_RELEASE:
		return consumer_release(r, s);
	case C_SLEEPING:
		s->label = "consumer: ring_prepare_sleep: store sleeping";
		weak_store(&r->w, CONSUMER, SLEEPING, 1, RELAXED);
		r->c_at = C_FENCE;
		return STEP_DONE;
	case C_FENCE:
		s->label = "consumer: ring_prepare_sleep: fence";
		if (broken != SLEEP_FENCE)
			weak_fence(&r->w, CONSUMER);
		r->c_at = C_RECHECK;
		return STEP_DONE;
	case C_DEAD:
		return consumer_restart(r, s);
	default:
		return consumer_unit(r, s);
	}
}

static enum step_result crash(struct ring_state *r, unsigned side, struct step *s)
{
	s->is_crash = true;
	s->label = side == PRODUCER ? "producer: dies" : "consumer: dies";
	if (r->crashes == CRASHES || (side == PRODUCER ? r->p_at >= P_DONE : r->c_at == C_DEAD))
		return STEP_DISABLED;
	r->crashes++;
	if (side == PRODUCER) {
		r->p_at = P_DEAD;
		return STEP_DONE;
	}
	r->c_at = C_DEAD;
	unsigned again = 0;
	for (uint32_t i = weak_peek(&r->w, HEAD, 0); i < r->c_next; i++) {
		if (r->place[i] >= MESSAGES)
			continue;
		r->again |= (uint8_t)(1 << r->place[i]);
		again++;
	}
	return again > BURST ? bad(s, "more than one burst will be read again") : STEP_DONE;
}

static enum step_result ring_step(void *state, unsigned choice, struct step *s)
{
	struct ring_state *r = state;
	unsigned side = choice / (WEAK_HISTORY + 1), option = choice % (WEAK_HISTORY + 1);
	enum step_result result = option == WEAK_HISTORY ? crash(r, side, s)
				  : side == PRODUCER     ? producer_step(r, option, s)
							 : consumer_step(r, option, s);
	weak_trim(&r->w);
	return result;
}

static const char *ring_stopped(const void *state)
{
	const struct ring_state *r = state;
	if (r->c_next != r->p_published)
		return "a lost wake-up: the consumer sleeps beside a message";
	if (r->p_at != P_DONE)
		return "the producer waits for room for ever";
	return r->got == r->sent ? NULL : "a published message was not read";
}

int main(int argc, char **argv)
{
	static const struct model m = {.size = sizeof(struct ring_state),
		.choices = 2 * (WEAK_HISTORY + 1),
		.init = ring_init,
		.step = ring_step,
		.stopped = ring_stopped};
	return explore_main(argc, argv, "ring", &m, mutations, ARRAY_LEN(mutations), &broken);
}
