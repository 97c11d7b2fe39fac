// SPDX-License-Identifier: BSD-3-Clause

// The cache: the child is a control plane, several lives of it, whose two writers put, replace,
// restamp, judge, delete, flush, sweep and evict, each in its share, while a worker reads. After
// its death the worker reads on, then a successor recovers the table. Every answer follows from its
// key and a serial number; the ledger, in memory that outlives the child, says which serial numbers
// are right.

#include "controlplane/shm/publish.h"
#include "fault_run.h"
#include "tests/unit/core/l0/l0_audit.h"
#include "tests/unit/core/l0/l0_fixture.h"

#include <errno.h>
#include <stdio.h>
#include <unistd.h>

enum {
	LIFE = 1, // the worker's incarnation
	LIVES = 4,
	WRITERS = 2,
	IDS = 9000,
	FLEETING = 100, // ids below this live for a second
	UNITS = 32768,  // at most
	HELD = 8,
	LOST_IN_HAND = 2 * 64 + 1, // evictions of one put
	HARD_MS = 1 << 30,
};

struct held {
	uint32_t number, id, serial;
};

struct ledger {
	struct rings_dp_page rings;
	_Atomic uint8_t marks[UNITS];
	uint32_t done[IDS], trying[IDS]; // serial numbers, 0: none
	bool gone[IDS];                  // may be absent
	uint32_t serial;
	bool opened;            // a table is current
	bool crowded;           // evictions may happen
	uint64_t evicted;       // by lives that have counted
	struct held held[HELD]; // that the worker reads since its last quiescent state
	unsigned held_count;
};

static const struct shm_paths *paths;
static struct ledger *ledger;
static struct config config;
static int dataplane_lock = -1;

struct life {
	struct publisher *p;
	struct box box; // of which only the writers are used
	uint64_t now_ms, evicted_before;
	uint64_t seed;
};

static void life_open(struct life *l, uint64_t now_ms)
{
	char why[SHM_WHY_MAX];
	struct region region;
	bool fresh;
	*l = (struct life){.now_ms = now_ms, .evicted_before = ledger->evicted, .seed = now_ms};
	FAULT_CHECK(publisher_open(&l->p, paths, &config, why) == 0);
	publisher_l0(l->p, &region, &fresh);
	l->box.writers = publisher_resolvers(l->p);
	for (unsigned i = 0; i < WRITERS; i++)
		FAULT_CHECK(l0_writer_open(&l->box.all[i], region.base, region.size, i, fresh,
				    publisher_epoch(l->p, i), now_ms)
			    == 0);
	l->box.w = l->box.all[0];
	publish_l0(l->p);
	ledger->opened = true;
}

// As the worker's process does before it reads.
static void announce(const struct life *l)
{
	char why[SHM_WHY_MAX];
	struct region r;
	const struct region_spec spec = {.name = "reader",
		.kind = REGION_READER,
		.generation = 1,
		.incarnation = LIFE,
		.data_size = sizeof(struct reader_page)};
	int rc = region_attach(paths, SHM_IN_MEM, "reader", REGION_READER, true, &r, why);
	if (rc < 0) {
		rc = region_create(paths, &spec, &r, why);
		FAULT_CHECK(rc == 0);
		region_publish(&r);
	}
	atomic_store(&((struct reader_page *)region_data(&r))->life, LIFE);
	region_unmap(&r);
	publisher_reader_look(l->p);
}

static void life_attach(struct life *l)
{
	const struct rings_dp_page *page = &ledger->rings;
	announce(l);
	FAULT_CHECK(l0_writer_reader(l->box.w)->unit_count <= UNITS);
	for (unsigned i = 0; i < WRITERS; i++) {
		publisher_rings(l->p, i, LIFE, &page, 1);
		l0_writer_set_marks(l->box.all[i], 0, ledger->marks);
	}
}

static void life_close(struct life *l)
{
	box_writers_close(&l->box);
	publisher_close(l->p);
}

static void count_evicted(const struct life *l)
{
	ledger->evicted = l->evicted_before;
	for (unsigned i = 0; i < WRITERS; i++) {
		struct l0_writer_stats s;
		l0_writer_stats(l->box.all[i], &s);
		ledger->evicted += s.evicted_space + s.evicted_bucket;
	}
}

static void reclaim(const struct life *l)
{
	for (unsigned i = 0; i < WRITERS; i++)
		l0_writer_reclaim(l->box.all[i]);
}

static int put(struct life *l, uint32_t id, uint16_t len)
{
	uint32_t serial = ++ledger->serial;
	ledger->trying[id] = serial;
	int rc = box_put(&l->box, id, serial, len, l->now_ms, id < FLEETING ? 1000 : HARD_MS);
	if (rc == 0) {
		ledger->done[id] = serial;
		ledger->gone[id] = id < FLEETING;
	}
	ledger->trying[id] = ledger->done[id];
	count_evicted(l);
	return rc;
}

static void forget(uint32_t id)
{
	ledger->done[id] = ledger->trying[id] = 0;
}

static void delete (struct life *l, uint32_t id)
{
	struct box_name n;
	struct l0_key key = box_key(l0_writer_reader(l->box.w), id, &n);
	ledger->gone[id] = true;
	(void)l0_writer_delete(box_writer(&l->box, key.hash), &key);
	forget(id);
}

static void restamp(struct life *l, uint32_t id)
{
	struct box_name n;
	struct l0_key key = box_key(l0_writer_reader(l->box.w), id, &n);
	int rc = l0_writer_restamp(
		box_writer(&l->box, key.hash), &key, (uint32_t)(l->seed & 0xffff));
	FAULT_CHECK(rc == 0 || rc == -ENOENT || rc == -ENOSPC);
	count_evicted(l);
}

static void judge(struct life *l, uint32_t id)
{
	int rc = box_set_mask(&l->box, id, l->seed % 3);
	FAULT_CHECK(rc == 0 || rc == -ENOENT || rc == -ENOSPC);
	if (rc == -ENOSPC)
		ledger->gone[id] = true;
	count_evicted(l);
}

// Everything below z<letter>.test: every sixteenth id.
static void flush(struct life *l, uint32_t id)
{
	struct box_name n;
	struct dns_name below = {.len = (uint8_t)(box_name_of(id, &n) - 9)};
	memcpy(below.wire, n.wire + 9, below.len);
	for (uint32_t i = id % 16; i < IDS; i += 16)
		ledger->gone[i] = true;
	for (unsigned i = 0; i < WRITERS; i++) {
		uint64_t cursor = 0;
		do
			(void)l0_writer_flush(l->box.all[i], &below, true, &cursor, 64);
		while (cursor);
	}
	for (uint32_t i = id % 16; i < IDS; i += 16)
		forget(i);
}

// The worker's turn: done with what it held, it looks some ids up and holds on to them.
static void worker_turn_at(struct life *l)
{
	const struct directory *d = publisher_directory(l->p);
	ledger->held_count = 0;
	atomic_store(&ledger->rings.seen_epoch, atomic_load(&d->epoch));
	unsigned n = 0;
	for (unsigned i = 0; i < HELD; i++) {
		struct held *h = &ledger->held[n];
		struct l0_view v;
		h->id = rnd_below(&l->seed, IDS);
		if (!box_get(l0_writer_reader(l->box.w), h->id, &v, &h->number))
			continue;
		FAULT_CHECK(box_is_answer(&v, h->id, &h->serial));
		atomic_fetch_or(&ledger->marks[h->number], MARK_VISITED);
		n++;
	}
	ledger->held_count = n;
}

// Mostly short ones, so that there are enough for keys to overflow into their second bucket.
static uint16_t some_length(struct life *l)
{
	uint32_t kind = rnd_below(&l->seed, 100);
	uint32_t span = kind == 0 ? 2000 : kind < 10 ? 90 : 8;
	return (uint16_t)(BOX_ANSWER_MIN + rnd_below(&l->seed, span));
}

static void step(struct life *l, uint32_t span)
{
	uint32_t id = rnd_below(&l->seed, span);
	switch (rnd_below(&l->seed, 16)) {
	case 0:
		delete (l, id);
		break;
	case 1:
		restamp(l, id);
		break;
	case 2:
		judge(l, id);
		break;
	default:
		(void)put(l, id, some_length(l));
	}
	if (rnd_below(&l->seed, 8) == 0)
		worker_turn_at(l);
	reclaim(l);
}

static void live(struct life *l, unsigned steps)
{
	for (uint32_t id = 0; id < FLEETING; id++)
		(void)put(l, id, 40);
	for (unsigned i = 0; i < steps / 8; i++)
		step(l, 300); // nothing is crowded yet, at least in the first life
	flush(l, 7);
	ledger->crowded = true;
	for (unsigned i = 0; i < steps; i++)
		step(l, IDS);
	for (uint32_t id = 0; id < FLEETING; id++)
		ledger->gone[id] = true;
	const struct l0_sweep sweep = {.now_ms = l->now_ms + 5000, .keep_256 = 256};
	for (unsigned i = 0; i < WRITERS; i++)
		while (!l0_writer_sweep(l->box.all[i], &sweep, 32))
			;
	for (uint32_t id = 0; id < FLEETING; id++)
		(void)put(l, id, 40);
}

static void work(void)
{
	for (unsigned i = 0; i < LIVES; i++) {
		struct life l;
		life_open(&l, 10000 * (i + 1));
		life_attach(&l);
		worker_turn_at(&l);
		reclaim(&l);
		worker_turn_at(&l);
		live(&l, i ? 800 : 15000);
		life_close(&l);
	}
}

static void prepare(void)
{
	char path[SHM_PATH_MAX + 32];
	memset(ledger, 0, sizeof(*ledger));
	atomic_store(&ledger->rings.seen_epoch, EPOCH_OFFLINE);
	if (dataplane_lock >= 0)
		close(dataplane_lock);
	paths = fault_folders();
	snprintf(path, sizeof(path), "%s/dataplane.lock", paths->run);
	dataplane_lock = process_lock(path); // the worker's process is alive all the time
	FAULT_CHECK(dataplane_lock >= 0);
}

// Whatever can be read is right, and what was stored can be read unless it may have been evicted.
static void check_answers(const struct l0_reader *r)
{
	uint64_t lost = 0;
	for (uint32_t id = 0; id < IDS; id++) {
		struct l0_view v;
		uint32_t number, serial;
		if (box_get(r, id, &v, &number)) {
			FAULT_CHECK(box_is_answer(&v, id, &serial));
			FAULT_CHECK(serial == ledger->done[id] || serial == ledger->trying[id]);
			FAULT_CHECK(serial != 0);
		} else {
			lost += ledger->done[id] && !ledger->gone[id];
		}
	}
	FAULT_CHECK(lost <= ledger->evicted + (ledger->crowded ? LOST_IN_HAND : 0));
}

static void check_held(const struct l0_reader *r)
{
	for (unsigned i = 0; i < ledger->held_count; i++) {
		const struct held *h = &ledger->held[i];
		struct l0_view v;
		uint32_t serial;
		FAULT_CHECK(l0_record_read(r, h->number, &v));
		FAULT_CHECK(box_is_answer(&v, h->id, &serial) && serial == h->serial);
	}
}

// What a worker finds while no control plane lives.
static void audit_orphan(void)
{
	char name[SHM_NAME_MAX], why[SHM_WHY_MAX];
	struct region directory, l0;
	struct l0_reader reader;
	int rc = region_attach(
		paths, SHM_IN_MEM, "directory", REGION_DIRECTORY, false, &directory, why);
	FAULT_CHECK(rc == 0 || !ledger->opened);
	if (rc < 0)
		return;
	const struct directory *d = region_data(&directory);
	uint64_t word = atomic_load(&d->current[REGION_L0]);
	FAULT_CHECK(word || !ledger->opened);
	region_unmap(&directory);
	if (!word)
		return;
	shm_name_generation(name, "l0", word >> 1);
	FAULT_CHECK(region_attach(paths, SHM_IN_MEM, name, REGION_L0, false, &l0, why) == 0);
	FAULT_CHECK(l0_reader_init(&reader, l0.base, l0.size) == 0);
	check_answers(&reader);
	check_held(&reader);
	region_unmap(&l0);
}

static void check_books(const struct life *l)
{
	char why[128];
	for (unsigned i = 0; i < WRITERS; i++)
		if (l0_audit(l->box.all[i], why) != 0)
			fault_fail(__FILE__, __LINE__, why);
	check_answers(l0_writer_reader(l->box.w));
}

// A successor: nothing is reused under the worker's eyes, and all is once it has moved on.
static void audit_successor(uint64_t now_ms)
{
	struct life l;
	life_open(&l, now_ms);
	check_books(&l);
	check_held(l0_writer_reader(l.box.w));
	for (unsigned i = 0; i < 50; i++) {
		(void)put(&l, FLEETING + i, 40);
		reclaim(&l);
	}
	check_held(l0_writer_reader(l.box.w));
	life_attach(&l);
	for (unsigned i = 0; i < 4; i++) {
		reclaim(&l);
		check_held(l0_writer_reader(l.box.w));
		(void)put(&l, FLEETING + i, 40);
	}
	check_held(l0_writer_reader(l.box.w));
	worker_turn_at(&l);
	reclaim(&l);
	worker_turn_at(&l);
	reclaim(&l);
	for (unsigned i = 0; i < WRITERS; i++) {
		struct l0_writer_stats s;
		l0_writer_stats(l.box.all[i], &s);
		FAULT_CHECK(s.units_retired == 0);
	}
	for (unsigned i = 0; i < 50; i++)
		FAULT_CHECK(put(&l, FLEETING + i, 40) == 0);
	for (unsigned i = 0; i < 300; i++)
		step(&l, IDS);
	check_books(&l);
	life_close(&l);
}

static void audit(enum fault_site)
{
	audit_orphan();
	audit_successor(60000);
	audit_orphan();
	audit_successor(60001);
}

static void settings_make(void)
{
	ledger = fault_shared(sizeof(*ledger));
	config.cache.l0_mb = 1;
	config.controlplane.resolvers = WRITERS;
}

FAULT_MAIN("l0", 1u << FAULT_GROUP_L0, settings_make())
