// SPDX-License-Identifier: BSD-3-Clause

// Eviction of a worker that is stuck, and its return (include/weir/shm_epoch.h). A writer replaces
// a record behind one slot, WRITES times, and reuses what it replaced; one worker takes TURNS turns
// and may be held up for any time between two of its steps; the publisher, another thread of the
// writer's process, evicts the worker at any moment, EVICTIONS times, and takes note of its return.
// Every label names the function whose line the step is:
//
//   evict            (controlplane/shm/publish.c) store of evicted, release store of out
//   look             the same file: acquire load of returned, store of out 0
//   epoch_passed     acquire load of seen; else acquire load of out, then of returned
//   l0_writer        the record; release store of the slot; epoch_advance: release, fence
//   take_eviction    (dataplane/worker_loop.c) load of evicted; epoch_return: store of returned,
//                    fence
//   l0_find          acquire load of the slot, then the record
//   drop_replies     (dataplane/stage/stage_tx.c) fence, load of evicted
//
// Records are not plain memory here: a worker that was evicted may read one that is being written,
// and takes it for hostile. A release fence before a relaxed store is a release store here, and a
// relaxed load before an acquire fence an acquire load.
//
// Promised: no reply of a record that was reused since its slot was loaded is sent; and the writer
// can go on without a worker that is evicted and takes no step, and needs no publisher for one that
// is back.

#define WEAK_LOCATIONS 8
#include "explore.h"
#include "weak.h"

#include <stdalign.h>
#include <weir/attr.h>

enum { WRITES = 3, RECORDS = 2, TURNS = 3, EVICTIONS = 2 };
enum { WRITER, PUBLISHER, WORKER };
enum { EPOCH, SLOT, SEEN, RECORD, EVICTED = RECORD + RECORDS, OUT, RETURNED };

enum broken {
	SOUND,
	NO_CHECK,
	RECORD_LOAD,
	RECORD_STORE,
	OUT_LOAD,
	OUT_STORE,
	OUT_FIRST,
	NO_RETURN_FENCE,
	NO_ADVANCE_FENCE,
	LATE_NUMBER,
	EQUAL_NUMBER,
	NEVER_OUT,
};
static const struct mutation mutations[] = {
	{"no-check", "stage_tx sends without a look at evicted"},
	{"record-load-relaxed", "epoch_is_evicted without its fence"},
	{"record-store-relaxed", "reader_is_out without its fence"},
	{"out-load-relaxed", "reader_is_out loads out relaxed"},
	{"out-store-relaxed", "evict stores out relaxed"},
	{"out-before-evicted", "evict stores out before evicted"},
	{"no-return-fence", "epoch_return without its fence"},
	{"no-advance-fence", "epoch_advance without its fence"},
	{"late-number", "epoch_is_evicted compares with no number of the turn"},
	{"equal-number", "reader_is_out asks whether returned equals out"},
	{"never-out", "reader_is_out waits for evicted workers as for others"},
};

enum writer_at { W_WAIT, W_OUT, W_RETURNED, W_WRITE, W_PUBLISH, W_ADVANCE, W_FENCE, W_DONE };
enum publisher_at { P_IDLE, P_OUT };
enum worker_at {
	K_TOP,
	K_BACK_RETURNED,
	K_BACK_FENCE,
	K_EPOCH,
	K_STORE,
	K_SLOT,
	K_READ,
	K_SEND,
	K_DONE,
};

struct evict_state {
	alignas(8) struct weak w;
	uint8_t retired[RECORDS]; // the epoch that frees it; 0: free
	uint8_t writer, writes, record, out;
	uint8_t publisher, evictions;
	uint8_t worker, turns, last, number, slot, got;
};

static unsigned broken;

static enum weak_order order(enum broken which, enum weak_order sound)
{
	return broken == which ? RELAXED : sound;
}

static void evict_init(void *state)
{
	struct evict_state *e = state;
	memset(e, 0, sizeof(*e));
	// One bit for each thread that loads or stores it.
	weak_init(&e->w, (uint8_t[WEAK_LOCATIONS]){5, 5, 5, 5, 5, 6, 3, 7});
	e->w.store[EPOCH][0].value = e->w.store[SEEN][0].value = e->last = 1;
	e->record = 1;
	e->writer = W_WRITE;
}

static void next_record(struct evict_state *e)
{
	e->record ^= 1;
	e->writer = e->writes == WRITES ? W_DONE : e->retired[e->record] ? W_WAIT : W_WRITE;
}

static enum step_result writer_wait(struct evict_state *e, unsigned option, struct step *s)
{
	unsigned from = e->writer == W_WAIT ? SEEN : e->writer == W_OUT ? OUT : RETURNED;
	static const char *const labels[] = {"writer: epoch_passed: load seen",
		"writer: reader_is_out: load out", "writer: reader_is_out: load returned"};
	s->label = labels[e->writer - W_WAIT];
	if (option >= weak_options(&e->w, WRITER, from))
		return STEP_DISABLED;
	uint32_t got = weak_load(
		&e->w, WRITER, from, option, from == OUT ? order(OUT_LOAD, ACQUIRE) : ACQUIRE);
	if (e->writer == W_WAIT) {
		e->writer = got >= e->retired[e->record] ? W_WRITE : W_OUT;
	} else if (e->writer == W_OUT) {
		e->out = (uint8_t)got;
		e->writer = got && broken != NEVER_OUT ? W_RETURNED : W_WAIT;
	} else {
		bool is_back = broken == EQUAL_NUMBER ? got == e->out : got >= e->out;
		e->writer = is_back ? W_WAIT : W_WRITE;
		e->out = 0;
	}
	return STEP_DONE;
}

static enum step_result writer_step(struct evict_state *e, unsigned option, struct step *s)
{
	if (e->writer <= W_RETURNED)
		return writer_wait(e, option, s);
	if (option)
		return STEP_DISABLED;
	switch (e->writer) {
	case W_WRITE:
		s->label = "writer: writes the record";
		e->writes++;
		e->retired[e->record] = 0;
		weak_store(
			&e->w, WRITER, RECORD + e->record, e->writes, order(RECORD_STORE, RELEASE));
		e->writer = W_PUBLISH;
		return STEP_DONE;
	case W_PUBLISH: // the slot: which record, and what must be in it
		s->label = "writer: stores the slot";
		weak_store(&e->w, WRITER, SLOT, e->writes << 1 | e->record, RELEASE);
		e->writer = W_ADVANCE;
		return STEP_DONE;
	case W_ADVANCE:
		s->label = "writer: epoch_advance: store epoch";
		weak_store(&e->w, WRITER, EPOCH, weak_peek(&e->w, EPOCH, 0) + 1, RELEASE);
		e->writer = W_FENCE;
		return STEP_DONE;
	case W_FENCE:
		s->label = "writer: epoch_advance: fence";
		if (broken != NO_ADVANCE_FENCE)
			weak_fence(&e->w, WRITER);
		e->retired[e->record ^ 1] = (uint8_t)weak_peek(&e->w, EPOCH, 0);
		next_record(e);
		return STEP_DONE;
	default:
		return STEP_DISABLED;
	}
}

static enum step_result publisher_note(struct evict_state *e, unsigned option, struct step *s)
{
	uint32_t out = weak_peek(&e->w, OUT, 0);
	s->label = "publisher: look: the worker is back";
	if (e->publisher != P_IDLE || !out || option >= weak_options(&e->w, PUBLISHER, RETURNED)
		|| weak_peek(&e->w, RETURNED, option) != out)
		return STEP_DISABLED;
	(void)weak_load(&e->w, PUBLISHER, RETURNED, option, ACQUIRE);
	weak_store(&e->w, PUBLISHER, OUT, 0, RELEASE);
	return STEP_DONE;
}

static enum step_result publisher_step(struct evict_state *e, unsigned option, struct step *s)
{
	if (option)
		return publisher_note(e, option - 1, s);
	bool is_first = e->publisher == P_IDLE;
	if (is_first && (e->evictions == EVICTIONS || weak_peek(&e->w, OUT, 0)))
		return STEP_DISABLED;
	e->evictions += is_first;
	e->publisher = is_first ? P_OUT : P_IDLE;
	if (is_first == (broken != OUT_FIRST)) {
		s->label = "publisher: evict: store evicted";
		weak_store(&e->w, PUBLISHER, EVICTED, e->evictions, RELAXED);
	} else {
		s->label = "publisher: evict: store out";
		weak_store(&e->w, PUBLISHER, OUT, e->evictions, order(OUT_STORE, RELEASE));
	}
	return STEP_DONE;
}

static enum step_result worker_send(struct evict_state *e, uint32_t evicted, struct step *s)
{
	bool is_sent = evicted == e->number || broken == NO_CHECK || broken == LATE_NUMBER;
	s->label = "worker: stage_tx: load evicted";
	if (is_sent && e->got != e->slot >> 1)
		return bad(s, "a reply of a record that was reused is sent");
	if (broken == LATE_NUMBER)
		e->number = (uint8_t)evicted;
	e->slot = e->got = 0;
	e->worker = ++e->turns == TURNS ? K_DONE : K_TOP;
	return STEP_DONE;
}

static void worker_loaded(struct evict_state *e, uint32_t got, struct step *s)
{
	switch (e->worker) {
	case K_TOP:
		s->label = "worker: take_eviction: load evicted";
		e->worker = got == e->number ? K_EPOCH : K_BACK_RETURNED;
		e->number = (uint8_t)got;
		break;
	case K_EPOCH:
		s->label = "worker: epoch_quiescent: load epoch";
		e->worker = got == e->last ? K_SLOT : K_STORE;
		e->last = (uint8_t)got;
		break;
	case K_SLOT:
		s->label = "worker: l0_find: load the slot";
		e->slot = (uint8_t)got;
		e->worker = K_READ;
		break;
	default:
		s->label = "worker: l0_find: reads the record";
		e->got = (uint8_t)got;
		e->worker = K_SEND;
	}
}

static enum step_result worker_load(struct evict_state *e, unsigned option, struct step *s)
{
	unsigned from = e->worker == K_TOP || e->worker == K_SEND ? EVICTED
			: e->worker == K_SLOT                     ? SLOT
			: e->worker == K_READ                     ? RECORD + (e->slot & 1u)
								  : EPOCH;
	enum weak_order how = e->worker == K_READ   ? order(RECORD_LOAD, ACQUIRE)
			      : e->worker == K_SEND ? RELAXED
						    : ACQUIRE;
	if (option >= weak_options(&e->w, WORKER, from))
		return STEP_DISABLED;
	uint32_t got = weak_load(&e->w, WORKER, from, option, how);
	if (e->worker == K_SEND)
		return worker_send(e, got, s);
	worker_loaded(e, got, s);
	return STEP_DONE;
}

static enum step_result worker_step(struct evict_state *e, unsigned option, struct step *s)
{
	switch (e->worker) {
	case K_STORE:
		s->label = "worker: epoch_quiescent: store seen";
		if (option)
			return STEP_DISABLED;
		weak_store(&e->w, WORKER, SEEN, e->last, RELEASE);
		e->worker = K_SLOT;
		return STEP_DONE;
	case K_BACK_RETURNED:
		s->label = "worker: epoch_return: store returned";
		if (option)
			return STEP_DISABLED;
		weak_store(&e->w, WORKER, RETURNED, e->number, RELEASE);
		e->worker = K_BACK_FENCE;
		return STEP_DONE;
	case K_BACK_FENCE:
		s->label = "worker: epoch_return: fence";
		if (option)
			return STEP_DISABLED;
		if (broken != NO_RETURN_FENCE)
			weak_fence(&e->w, WORKER);
		e->worker = K_EPOCH;
		return STEP_DONE;
	case K_DONE:
		return STEP_DISABLED;
	default:
		return worker_load(e, option, s);
	}
}

static enum step_result evict_step(void *state, unsigned choice, struct step *s)
{
	struct evict_state *e = state;
	unsigned who = choice / WEAK_HISTORY, option = choice % WEAK_HISTORY;
	enum step_result result = who == WRITER      ? writer_step(e, option, s)
				  : who == PUBLISHER ? publisher_step(e, option, s)
						     : worker_step(e, option, s);
	weak_trim(&e->w);
	return result;
}

// With all stores seen: the writer, evict, and no step of the worker.
static const char *evict_holds(const void *state)
{
	struct evict_state e = *(const struct evict_state *)state;
	struct step s;
	if (e.writer > W_RETURNED || e.publisher != P_IDLE || e.worker >= K_DONE)
		return NULL;
	uint32_t out = weak_peek(&e.w, OUT, 0);
	if (out == 0 || weak_peek(&e.w, RETURNED, 0) == out)
		return NULL;
	for (unsigned i = 0; i < 6 && e.writer <= W_RETURNED; i++)
		(void)writer_wait(&e, 0, &s);
	return e.writer == W_WRITE ? NULL : "the writer waits for a worker that is evicted";
}

static const char *evict_stopped(const void *)
{
	return NULL;
}

int main(int argc, char **argv)
{
	static const struct model m = {.size = sizeof(struct evict_state),
		.choices = 3 * WEAK_HISTORY,
		.init = evict_init,
		.step = evict_step,
		.stopped = evict_stopped,
		.holds = evict_holds};
	return explore_main(argc, argv, "eviction", &m, mutations, ARRAY_LEN(mutations), &broken);
}
