// SPDX-License-Identifier: BSD-3-Clause

// Quiescence (dataplane/core/shm/shm_epoch.c): a writer that replaces a record behind one slot,
// WRITES times, and reuses what it replaced; two readers in one process. Either process may die at
// any step and be started again, once each. Every label names the function whose line the step is:
//
//   epoch_online             acquire load of epoch, release store of seen, fence
//   epoch_quiescent          acquire load of epoch, release store of seen if it moved
//   epoch_offline            release store of seen
//   l0_candidate, l0_find    acquire load of the slot, then the record, as plain memory
//   epoch_advance            release addition to epoch, here by one writer, so a store; fence
//   epoch_passed             acquire load of each attached reader's seen; waits here, a reader at a
//                            time, where the product polls: that only reuses earlier
//   l0_writer                the record, as plain memory; release store of the slot
//   l0_recover               after a restart: what the slot does not lead to is free, one grace
//                            period later
//   announce                 (dataplane/state/activate.c) release store of the life that will read,
//   before
//                            any worker is given the epoch
//   readers_known            acquire load of that life: nothing has passed unless its worker rings
//   are
//                            attached or its death is known
//   worker_rings_attach             (controlplane/shm/worker_rings.c) seen words of a new life are
//   looked at. Words
//                            of a dead one that are still attached may say anything here
//   publisher_probe_readers  (controlplane/shm/publish.c) load of the life, then a look whether the
//                            lock is free: that life is dead, its worker rings are no longer looked
//                            at. Deaths, starts and a stopped writer lie anywhere between all these
//
// Promised: no record is written while a reader may hold it (no data race, and none between its
// load of the slot and its read); and a writer that waits can go on as soon as each reader has
// been quiescent once more.

#include "explore.h"
#include "weak.h"

#include <stdalign.h>

// A state of model_epoch.c, and the orders and steps that it can go without.

enum { WRITES = 2, RECORDS = 2, READERS = 2, OFFLINE = UINT16_MAX, FREE = UINT8_MAX };
enum { WRITER, READER };
enum { EPOCH, SLOT, LIFE, SEEN };
enum { NOT_RETIRED = 0, RETIRING = UINT8_MAX };

enum broken {
	SOUND,
	SLOT_STORE,
	SLOT_LOAD,
	QUIESCENT_STORE,
	QUIESCENT_LOAD,
	SEEN_LOAD,
	EPOCH_STORE,
	ONLINE_LOAD,
	ONLINE_STORE,
	ONLINE_FENCE,
	ADVANCE_FENCE,
	OFFLINE_STORE,
	ADVANCE_FIRST,
	NO_GRACE,
	NO_LIFE,
	DETACH_ALIVE,
	READ_UNANNOUNCED,
	LOCK_FIRST,
	NO_DETACH,
};

static const struct mutation mutations[] = {
	{"slot-store-relaxed", "the slot is stored relaxed"},
	{"slot-load-relaxed", "the slot is loaded relaxed"},
	{"quiescent-relaxed", "epoch_quiescent stores seen relaxed"},
	{"quiescent-load-relaxed", "epoch_quiescent loads epoch relaxed"},
	{"seen-load-relaxed", "epoch_passed loads seen relaxed"},
	{"epoch-store-relaxed", "epoch_advance stores epoch relaxed"},
	{"online-load-relaxed", "epoch_online loads epoch relaxed"},
	{"online-store-relaxed", "epoch_online stores seen relaxed"},
	{"no-online-fence", "epoch_online without its fence"},
	{"no-advance-fence", "epoch_advance without its fence"},
	{"offline-relaxed", "epoch_offline stores seen relaxed"},
	{"advance-before-unlink", "epoch_advance before the slot is changed"},
	{"no-grace-at-restart", "a new writer frees the unreachable at once"},
	{"no-life", "the writer does not ask which life reads"},
	{"detach-the-living", "lanes of a living process are detached"},
	{"read-before-announce", "a new life says that it reads when it may have read already"},
	{"lock-before-life", "the life is loaded behind the look at the lock"},
	{"never-detach", "lanes of a dead process stay attached"},
};

enum writer_at {
	W_PICK,
	W_LIFE,
	W_WAIT,
	W_WRITE,
	W_PUBLISH,
	W_ADVANCE,
	W_FENCE,
	W_DONE,
	W_DEAD,
};
enum reader_at { R_NEW, R_OFF, R_ON_STORE, R_ON_FENCE, R_SLOT, R_READ, R_TURN, R_STORE, R_DEAD };

struct reader {
	uint8_t at, last, record, cycles;
};

struct epoch_state {
	alignas(8) struct weak w;
	uint8_t retired[RECORDS]; // the epoch that frees it
	uint8_t at, writes, record, waits_for;
	uint8_t attached, dead, probed; // lives that the writer knows of; 0: none
	uint8_t life, alive;            // of the readers' process
	uint8_t deaths;
	struct reader reader[READERS];
};

#define READER_LABEL(i, step) ((i) ? "reader 2: " step : "reader 1: " step)

static unsigned broken;
// How large the search is: how often each reader comes online in its first life (the first once
// in its second as well), and how many deaths there are.
static uint8_t cycles[READERS], deaths;

static enum weak_order order(enum broken which, enum weak_order sound)
{
	return broken == which ? RELAXED : sound;
}

static void epoch_init(void *state)
{
	struct epoch_state *e = state;
	memset(e, 0, sizeof(*e));
	weak_init(&e->w, (uint8_t[WEAK_LOCATIONS]){7, 7, 3, 3, 5});
	e->w.store[EPOCH][0].value = 1;
	e->w.store[SEEN][0].value = e->w.store[SEEN + 1][0].value = OFFLINE;
	e->w.store[LIFE][0].value = 1;
	e->attached = e->life = e->alive = 1;
	for (unsigned i = 0; i < READERS; i++)
		e->reader[i].at = R_OFF;
}

// What the slot does not lead to, nor waits already, is free.
static void writer_pick(struct epoch_state *e)
{
	unsigned slot = weak_peek(&e->w, SLOT, 0), oldest = RECORDS;
	e->waits_for = 0;
	for (unsigned i = 0; i < RECORDS; i++) {
		if (i == slot)
			continue;
		if (oldest == RECORDS || e->retired[i] < e->retired[oldest])
			oldest = i;
	}
	e->record = (uint8_t)oldest;
	e->at = e->writes == WRITES ? W_DONE : e->retired[oldest] == NOT_RETIRED ? W_WRITE : W_LIFE;
}

static enum step_result writer_life(struct epoch_state *e, unsigned option, struct step *s)
{
	s->label = "writer: readers_known: load life";
	if (option >= weak_options(&e->w, WRITER, LIFE))
		return STEP_DISABLED;
	uint32_t life = weak_peek(&e->w, LIFE, option);
	if (life != e->attached && life != e->dead && broken != NO_LIFE)
		return STEP_DISABLED;
	(void)weak_load(&e->w, WRITER, LIFE, option, ACQUIRE);
	e->at = W_WAIT;
	return STEP_DONE;
}

static enum step_result writer_wait(struct epoch_state *e, unsigned option, struct step *s)
{
	unsigned i = e->waits_for;
	s->label = i ? "writer: epoch_passed: second reader" : "writer: epoch_passed: first reader";
	if (e->attached == e->life) {
		if (option >= weak_options(&e->w, WRITER, SEEN + i))
			return STEP_DISABLED;
		uint32_t seen = weak_peek(&e->w, SEEN + i, option);
		if (seen != OFFLINE && seen < e->retired[e->record])
			return STEP_DISABLED;
		(void)weak_load(&e->w, WRITER, SEEN + i, option, order(SEEN_LOAD, ACQUIRE));
	} else if (option) {
		return STEP_DISABLED;
	}
	if (++e->waits_for == READERS) {
		e->waits_for = 0;
		e->retired[e->record] = NOT_RETIRED;
		e->at = W_WRITE;
	}
	return STEP_DONE;
}

static enum step_result writer_write(struct epoch_state *e, struct step *s)
{
	s->label = "writer: writes a record";
	for (unsigned i = 0; i < READERS; i++)
		if (e->reader[i].at == R_READ && e->reader[i].record == e->record)
			return bad(s, "a record is reused while a reader holds it");
	if (!weak_cell_write(&e->w, WRITER, e->record))
		return bad(s, "a record is reused while a read may be under way");
	e->at = broken == ADVANCE_FIRST ? W_ADVANCE : W_PUBLISH;
	return STEP_DONE;
}

static void writer_publish(struct epoch_state *e)
{
	uint8_t old = (uint8_t)weak_peek(&e->w, SLOT, 0);
	weak_store(&e->w, WRITER, SLOT, e->record, order(SLOT_STORE, RELEASE));
	e->retired[old] = RETIRING;
	e->writes++;
	if (broken == ADVANCE_FIRST) {
		e->retired[old] = (uint8_t)weak_peek(&e->w, EPOCH, 0);
		writer_pick(e);
	} else {
		e->at = W_ADVANCE;
	}
}

static void writer_fence(struct epoch_state *e)
{
	if (broken != ADVANCE_FENCE)
		weak_fence(&e->w, WRITER);
	bool is_any = false;
	for (unsigned i = 0; i < RECORDS; i++) {
		if (e->retired[i] != RETIRING)
			continue;
		e->retired[i] = (uint8_t)weak_peek(&e->w, EPOCH, 0);
		is_any = true;
	}
	if (broken == ADVANCE_FIRST && !is_any)
		e->at = W_PUBLISH;
	else
		writer_pick(e);
}

// The readers' process is dead: all that it read it has read, and the writer was told so.
static void writer_learns_of_death(struct epoch_state *e)
{
	for (unsigned i = 0; i < READERS; i++)
		for (unsigned c = 0; c < RECORDS; c++)
			e->w.thread[WRITER].knows |= UINT32_C(2) << (4 * c + READER + i);
}

static void writer_restart(struct epoch_state *e)
{
	unsigned slot = weak_peek(&e->w, SLOT, 0);
	for (unsigned i = 0; i < RECORDS; i++)
		e->retired[i] = i == slot || broken == NO_GRACE ? NOT_RETIRED : RETIRING;
	e->attached = e->dead = e->probed = 0;
	e->at = W_ADVANCE;
	if (!e->alive)
		writer_learns_of_death(e);
}

static enum step_result writer_step(struct epoch_state *e, unsigned option, struct step *s)
{
	if (e->at == W_LIFE)
		return writer_life(e, option, s);
	if (e->at == W_WAIT)
		return writer_wait(e, option, s);
	if (option)
		return STEP_DISABLED;
	switch (e->at) {
	case W_PICK:
		s->label = "writer: looks for a free record";
		writer_pick(e);
		return STEP_DONE;
	case W_WRITE:
		return writer_write(e, s);
	case W_PUBLISH:
		s->label = "writer: stores the slot";
		writer_publish(e);
		return STEP_DONE;
	case W_ADVANCE:
		s->label = "writer: epoch_advance: store epoch";
		weak_store(&e->w, WRITER, EPOCH, weak_peek(&e->w, EPOCH, 0) + 1,
			order(EPOCH_STORE, RELEASE));
		e->at = W_FENCE;
		return STEP_DONE;
	case W_FENCE:
		s->label = "writer: epoch_advance: fence";
		writer_fence(e);
		return STEP_DONE;
	case W_DEAD:
		s->label = "writer: starts again";
		writer_restart(e);
		return STEP_DONE;
	default:
		return STEP_DISABLED;
	}
}

static enum step_result reader_load(
	struct epoch_state *e, unsigned i, unsigned option, struct step *s)
{
	struct reader *r = &e->reader[i];
	unsigned from = r->at == R_SLOT ? SLOT : EPOCH;
	if (r->at == R_OFF && r->cycles == cycles[i])
		return STEP_DISABLED;
	if (option >= weak_options(&e->w, READER + i, from))
		return STEP_DISABLED;
	enum broken which = r->at == R_SLOT  ? SLOT_LOAD
			    : r->at == R_OFF ? ONLINE_LOAD
					     : QUIESCENT_LOAD;
	uint32_t got = weak_load(&e->w, READER + i, from, option, order(which, ACQUIRE));
	if (r->at == R_SLOT) {
		s->label = READER_LABEL(i, "loads the slot");
		r->record = (uint8_t)got;
		r->at = R_READ;
		return STEP_DONE;
	}
	if (r->at == R_OFF) {
		s->label = READER_LABEL(i, "epoch_online: load epoch");
		r->cycles++;
		r->at = R_ON_STORE;
	} else {
		s->label = READER_LABEL(i, "epoch_quiescent: load epoch");
		r->at = got == r->last ? R_SLOT : R_STORE;
	}
	r->last = (uint8_t)got;
	return STEP_DONE;
}

static enum step_result reader_store(struct epoch_state *e, unsigned i, struct step *s)
{
	struct reader *r = &e->reader[i];
	bool is_online = r->at == R_ON_STORE;
	if (is_online)
		s->label = READER_LABEL(i, "epoch_online: store seen");
	else
		s->label = READER_LABEL(i, "epoch_quiescent: store seen");
	weak_store(&e->w, READER + i, SEEN + i, r->last,
		order(is_online ? ONLINE_STORE : QUIESCENT_STORE, RELEASE));
	r->at = is_online ? R_ON_FENCE : R_SLOT;
	return STEP_DONE;
}

static enum step_result reader_offline(struct epoch_state *e, unsigned i, struct step *s)
{
	s->label = READER_LABEL(i, "epoch_offline");
	weak_store(&e->w, READER + i, SEEN + i, OFFLINE, order(OFFLINE_STORE, RELEASE));
	e->reader[i].at = R_OFF;
	e->reader[i].last = e->reader[i].record = 0;
	return STEP_DONE;
}

static enum step_result reader_step(
	struct epoch_state *e, unsigned i, unsigned option, struct step *s)
{
	struct reader *r = &e->reader[i];
	if (r->at == R_TURN && option == WEAK_HISTORY - 1)
		return reader_offline(e, i, s);
	if (r->at == R_OFF || r->at == R_SLOT || r->at == R_TURN)
		return reader_load(e, i, option, s);
	if (option || r->at == R_DEAD || r->at == R_NEW)
		return STEP_DISABLED;
	if (r->at == R_ON_STORE || r->at == R_STORE)
		return reader_store(e, i, s);
	if (r->at == R_ON_FENCE) {
		s->label = READER_LABEL(i, "epoch_online: fence");
		if (broken != ONLINE_FENCE)
			weak_fence(&e->w, READER + i);
		r->at = R_SLOT;
		return STEP_DONE;
	}
	s->label = READER_LABEL(i, "reads the record");
	if (!weak_cell_read(&e->w, READER + i, r->record))
		return bad(s, "a record is read while it may be written");
	r->record = 0;
	r->at = R_TURN;
	return STEP_DONE;
}

static void rings_new(struct weak *w, unsigned location)
{
	memset(w->store[location], 0, sizeof(w->store[location]));
	w->count[location] = 1;
	w->store[location][0].value = OFFLINE;
	for (unsigned i = 0; i < WEAK_LOCATIONS; i++)
		for (unsigned k = 0; k < w->count[i]; k++)
			w->store[i][k].view.at[location] = 0;
	for (unsigned t = 0; t < WEAK_THREADS; t++)
		w->thread[t].at[location] = 0;
	w->fence.at[location] = 0;
}

static enum step_result readers_start(struct epoch_state *e, struct step *s)
{
	s->label = "readers: start again";
	if (e->alive)
		return STEP_DISABLED;
	e->alive = 1;
	e->life++;
	for (unsigned i = 0; i < READERS; i++) {
		e->reader[i] = (struct reader){
			.at = broken == READ_UNANNOUNCED ? R_OFF : R_NEW, .cycles = cycles[i] - !i};
		rings_new(&e->w, SEEN + i);
	}
	writer_learns_of_death(e);
	return STEP_DONE;
}

// The main lcore stores it and hands the epoch to the workers.
static enum step_result readers_announce(struct epoch_state *e, struct step *s)
{
	s->label = "readers: announce: store life";
	if (!e->alive || weak_peek(&e->w, LIFE, 0) == e->life)
		return STEP_DISABLED;
	weak_store(&e->w, READER, LIFE, e->life, RELEASE);
	for (unsigned i = 0; i < READERS; i++) {
		weak_join(&e->w.thread[READER + i], &e->w.thread[READER]);
		if (e->reader[i].at == R_NEW)
			e->reader[i].at = R_OFF;
	}
	return STEP_DONE;
}

static enum step_result readers_die(struct epoch_state *e, struct step *s)
{
	s->label = "readers: die";
	s->is_crash = true;
	if (!e->alive || e->deaths == deaths)
		return STEP_DISABLED;
	e->alive = 0;
	e->deaths++;
	for (unsigned i = 0; i < READERS; i++)
		e->reader[i] = (struct reader){.at = R_DEAD};
	return STEP_DONE;
}

// The writer's next poll begins with the life.
static void writer_polls_anew(struct epoch_state *e)
{
	if (e->at != W_WAIT)
		return;
	e->at = W_LIFE;
	e->waits_for = 0;
}

static enum step_result writer_probe_life(struct epoch_state *e, unsigned option, struct step *s)
{
	s->label = "writer: publisher_probe_readers: load life";
	if (e->at == W_DEAD || option >= weak_options(&e->w, WRITER, LIFE)
		|| e->probed != (broken == LOCK_FIRST ? FREE : 0))
		return STEP_DISABLED;
	e->probed = (uint8_t)weak_load(&e->w, WRITER, LIFE, option, ACQUIRE);
	if (broken == LOCK_FIRST) {
		e->dead = e->probed;
		e->probed = 0;
	}
	return STEP_DONE;
}

static enum step_result writer_probe_lock(struct epoch_state *e, struct step *s)
{
	s->label = "writer: publisher_probe_readers: is the lock free?";
	if (e->at == W_DEAD || broken == NO_DETACH || (e->alive && broken != DETACH_ALIVE)
		|| (e->probed == 0) != (broken == LOCK_FIRST))
		return STEP_DISABLED;
	if (broken == LOCK_FIRST) {
		e->probed = FREE;
	} else {
		e->dead = e->probed;
		e->probed = 0;
	}
	e->attached = 0;
	if (!e->alive)
		writer_learns_of_death(e);
	writer_polls_anew(e);
	return STEP_DONE;
}

static enum step_result writer_attach(struct epoch_state *e, struct step *s)
{
	s->label = "writer: worker_rings_attach";
	if (e->at == W_DEAD || !e->alive || e->attached == e->life)
		return STEP_DISABLED;
	e->attached = e->life;
	writer_polls_anew(e);
	return STEP_DONE;
}

static enum step_result writer_dies(struct epoch_state *e, struct step *s)
{
	s->label = "writer: dies";
	s->is_crash = true;
	if (e->at == W_DEAD || e->deaths == deaths)
		return STEP_DISABLED;
	e->deaths++;
	e->at = W_DEAD;
	e->attached = e->dead = e->probed = 0;
	return STEP_DONE;
}

enum { READERS_DIE, START, ANNOUNCE, PROBE_LOCK, ATTACH, WRITER_DIES, PROBE_LIFE };

static enum step_result event(struct epoch_state *e, unsigned what, struct step *s)
{
	switch (what) {
	case READERS_DIE:
		return readers_die(e, s);
	case START:
		return readers_start(e, s);
	case ANNOUNCE:
		return readers_announce(e, s);
	case PROBE_LOCK:
		return writer_probe_lock(e, s);
	case ATTACH:
		return writer_attach(e, s);
	case WRITER_DIES:
		return writer_dies(e, s);
	default:
		return writer_probe_life(e, what - PROBE_LIFE, s);
	}
}

static enum step_result epoch_step(void *state, unsigned choice, struct step *s)
{
	struct epoch_state *e = state;
	unsigned who = choice / WEAK_HISTORY, option = choice % WEAK_HISTORY;
	enum step_result result = who == 0         ? writer_step(e, option, s)
				  : who <= READERS ? reader_step(e, who - READER, option, s)
						   : event(e, option, s);
	weak_trim(&e->w);
	return result;
}

// Each reader on to the store of its next quiescent state, all stores seen; then the writer.
static const char *epoch_holds(const void *state)
{
	struct epoch_state e = *(const struct epoch_state *)state;
	struct step s;
	if (e.at != W_WAIT && e.at != W_LIFE)
		return NULL;
	if (e.alive)
		(void)event(&e, ANNOUNCE, &s);
	if (e.alive)
		(void)event(&e, ATTACH, &s);
	if (broken == LOCK_FIRST) // that one is about safety
		return NULL;
	e.probed = 0;
	if (!e.alive
		&& (event(&e, PROBE_LIFE, &s) == STEP_DISABLED
			|| event(&e, PROBE_LOCK, &s) == STEP_DISABLED))
		return "the writer waits for the dead for ever";
	for (unsigned i = 0; i < READERS; i++)
		for (unsigned k = 0; k < 2 * R_DEAD && e.reader[i].at != R_OFF; k++)
			if (reader_step(&e, i, 0, &s) == STEP_BAD)
				return NULL; // found when it is taken
	if (e.at == W_LIFE && writer_life(&e, 0, &s) != STEP_DONE)
		return "the writer does not know who reads";
	for (unsigned i = e.waits_for; i < READERS; i++)
		if (writer_wait(&e, 0, &s) != STEP_DONE)
			return "the writer waits although every reader was quiescent";
	return NULL;
}

static const char *epoch_stopped(const void *state)
{
	const struct epoch_state *e = state;
	return e->at == W_DONE ? NULL : "the writer waits for ever";
}

int main(int argc, char **argv)
{
	static const struct model m = {.size = sizeof(struct epoch_state),
		.choices = (2 + READERS) * WEAK_HISTORY,
		.init = epoch_init,
		.step = epoch_step,
		.stopped = epoch_stopped,
		.holds = epoch_holds};
	cycles[0] = deaths = 2;
	int rc = explore_main(
		argc, argv, "epoch, 1 reader", &m, mutations, ARRAY_LEN(mutations), &broken);
	cycles[0] = cycles[1] = deaths = 1;
	return argc > 1 ? rc
			: rc | explore_main(argc, argv, "epoch, 2 readers", &m, NULL, 0, &broken);
}
