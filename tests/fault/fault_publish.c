// SPDX-License-Identifier: BSD-3-Clause

// Directory, generations and settings: the child is a control plane, several lives of it, that
// publishes images and settings. In every second life the data plane sees the huge pages, into
// which that life copies the cache of the one before; the others make a cache of another size in
// ordinary memory. After its death a data plane must find what the directory names, whole; a
// successor must go on from there.

#include "controlplane/shm/publish.h"
#include "fault_run.h"
#include "tests/unit/core/l0/l0_fixture.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum { LIVES = 7, ROUNDS = 6, IMAGE_WORDS = 700, ANSWERS = 100, HARD_MS = 1 << 30 };

struct ledger {
	struct rings_dp_page rings;
	uint32_t image_done, image_trying;   // serial numbers, 0: none
	uint32_t config_done, config_trying; // the same of the configuration
	uint64_t names_seen;                 // highest generation that was ever current
	uint64_t epoch_seen, config_seen;
	bool opened;   // a publisher was open once
	bool switched; // a cache was current once
	bool answers;  // the cache has all of them
	uint32_t l0_mb;
	unsigned lives;
};

static struct shm_paths paths;
static struct region dp_reader;
static struct ledger *ledger;

struct life {
	struct publisher *p;
	struct box box; // of which only the writer is used
};

static void note(struct life *l)
{
	const struct directory *d = publisher_directory(l->p);
	uint64_t names = atomic_load(&d->current[REGION_RULE_IMAGE]) >> 1;
	if (names > ledger->names_seen)
		ledger->names_seen = names;
	ledger->config_seen = atomic_load(&d->config_generation);
	ledger->epoch_seen = atomic_load(&d->epoch);
}

static void check_answers(const struct l0_reader *r)
{
	for (uint32_t id = 0; id < ANSWERS && ledger->answers; id++) {
		struct l0_view v;
		uint32_t number, serial;
		FAULT_CHECK(box_get(r, id, &v, &number) && box_is_answer(&v, id, &serial));
	}
}

static void answers_put(struct life *l)
{
	check_answers(l0_writer_reader(l->box.w));
	for (uint32_t id = 0; id < ANSWERS && !ledger->answers; id++)
		FAULT_CHECK(box_put(&l->box, id, 1, 40, 1000, HARD_MS) == 0);
	ledger->answers = true;
}

static void life_open(struct life *l, uint32_t l0_mb, bool sees_huge)
{
	char why[SHM_WHY_MAX];
	struct config config = {.cache.l0_mb = l0_mb};
	struct region region;
	const struct rings_dp_page *page = &ledger->rings;
	bool fresh;
	*l = (struct life){.box.writers = 1};
	ledger->answers &= l0_mb == ledger->l0_mb && sees_huge;
	struct reader_page *seen = region_data(&dp_reader);
	atomic_store(&seen->huge, sees_huge ? shm_huge_place(&paths) : SHM_HUGE_NONE);
	FAULT_CHECK(publisher_open(&l->p, &paths, &config, why) == 0);
	ledger->opened = true;
	publisher_l0(l->p, &region, &fresh);
	FAULT_CHECK(region.where == (sees_huge ? SHM_IN_HUGE : SHM_IN_MEM));
	FAULT_CHECK(l0_writer_open(&l->box.w, region.base, region.size, 0, fresh,
			    publisher_epoch(l->p, 0), 1000)
		    == 0);
	publish_l0(l->p);
	ledger->switched = true;
	ledger->l0_mb = l0_mb;
	answers_put(l);
	publisher_rings(l->p, 0, 1, &page, 1);
	ledger->lives++;
}

static void life_close(struct life *l)
{
	l0_writer_close(l->box.w);
	publisher_close(l->p);
}

static uint64_t image_word(uint32_t serial, unsigned i)
{
	return ((uint64_t)serial << 32 | i) * UINT64_C(0x9e3779b97f4a7c15);
}

static void image_publish(struct life *l)
{
	char why[SHM_WHY_MAX];
	uint64_t image[IMAGE_WORDS];
	struct rule_image_region *r;
	uint32_t serial = ++ledger->image_trying;
	image[0] = serial;
	for (unsigned i = 1; i < IMAGE_WORDS; i++)
		image[i] = image_word(serial, i);
	FAULT_CHECK(publish_rules_prepare(l->p,
			    &(struct region_fill){.len = sizeof(image), .from = image}, &r, why)
		    == 0);
	FAULT_CHECK(publish_rules_publish(l->p, r) == 0);
	ledger->image_done = serial;
	note(l);
}

static void config_publish(struct life *l)
{
	uint32_t n = ++ledger->config_trying;
	struct config config = {.cache.client_ttl_cap_s = n,
		.cache.stale_ttl_s = n,
		.blocking.ttl_s = n,
		.limits.udp_reply_size = 1232};
	const uint64_t lists[4] = {n, n, n, n};
	publish_config(l->p, &config, lists, true, 0, 0);
	ledger->config_done = n;
	note(l);
}

// The worker takes what is there; old images go.
static void activate(struct life *l)
{
	const struct directory *d = publisher_directory(l->p);
	atomic_store(
		&ledger->rings.activated_rules, atomic_load(&d->current[REGION_RULE_IMAGE]) >> 1);
	atomic_store(&ledger->rings.seen_epoch, atomic_load(&d->epoch));
	publisher_heartbeat(l->p, 4321);
}

// Beside the worker another one hangs, and is evicted.
static void evict(struct life *l)
{
	static struct rings_dp_page silent = {
		.heartbeat_ms = 1, .seen_epoch = EPOCH_OFFLINE, .answers = 7};
	static const uint64_t files[2] = {0, 7};
	static struct rings_cp_page own;
	const struct rings_dp_page *pages[2] = {&ledger->rings, &silent};
	_Atomic uint64_t *evicted[2] = {NULL, &own.evicted};
	uint64_t now_ms = 4321;

	publisher_rings(l->p, 0, 1, pages, 2);
	publisher_evicts(l->p, evicted, files, 2);
	for (unsigned i = 0; i < PUBLISH_EVICT_BEATS + 2; i++) {
		now_ms += PUBLISH_BEAT_MS;
		atomic_store(&ledger->rings.heartbeat_ms, now_ms);
		publisher_heartbeat(l->p, now_ms);
	}
	FAULT_CHECK(publisher_is_out(l->p, 1) && !publisher_is_out(l->p, 0));
	publisher_rings(l->p, 0, 1, pages, 1);
}

static void live(struct life *l)
{
	for (unsigned i = 0; i < ROUNDS; i++) {
		image_publish(l);
		config_publish(l);
		(void)epoch_advance(publisher_epoch(l->p, 0));
		note(l);
		if (i % 2)
			activate(l);
	}
	evict(l);
}

static void work(void)
{
	for (unsigned i = 0; i < LIVES; i++) {
		struct life l;
		life_open(&l, 1 + i / 2 % 2, i % 2);
		live(&l);
		life_close(&l);
	}
}

static void prepare(void)
{
	char why[SHM_WHY_MAX];
	memset(ledger, 0, sizeof(*ledger));
	atomic_store(&ledger->rings.seen_epoch, EPOCH_OFFLINE);
	paths = *fault_folders();
	snprintf(paths.huge, sizeof(paths.huge), "%.100s/huge", paths.run);
	FAULT_CHECK(mkdir(paths.huge, 0700) == 0);
	snprintf(paths.huge, sizeof(paths.huge), "%.100s/huge/folder", paths.run);
	FAULT_CHECK(mkdir(paths.huge, 0700) == 0);
	region_unmap(&dp_reader);
	const struct region_spec spec = {.name = "reader",
		.kind = REGION_READER,
		.generation = 1,
		.incarnation = 1,
		.data_size = sizeof(struct reader_page)};
	FAULT_CHECK(region_create(&paths, &spec, &dp_reader, why) == 0);
	region_publish(&dp_reader);
}

static bool image_is(const uint64_t *words, uint32_t serial)
{
	if (words[0] != serial)
		return false;
	for (unsigned i = 1; i < IMAGE_WORDS; i++)
		if (words[i] != image_word(serial, i))
			return false;
	return true;
}

static void attach_current(
	const struct directory *d, enum region_kind kind, const char *stem, struct region *out)
{
	char name[SHM_NAME_MAX], why[SHM_WHY_MAX];
	uint64_t word = atomic_load(&d->current[kind]);
	shm_name_generation(name, stem, word >> 1);
	int rc = region_attach(&paths, (enum shm_where)(word & 1), name, kind, false, out, why);
	if (rc < 0)
		fault_fail(__FILE__, __LINE__, why);
	FAULT_CHECK(region_header_of(out)->generation == word >> 1);
}

static void check_names(const struct directory *d)
{
	struct region r;
	if (!atomic_load(&d->current[REGION_RULE_IMAGE])) {
		FAULT_CHECK(ledger->image_done == 0);
		return;
	}
	attach_current(d, REGION_RULE_IMAGE, "rule_image", &r);
	FAULT_CHECK(region_header_of(&r)->geometry[0] == IMAGE_WORDS * sizeof(uint64_t));
	FAULT_CHECK(image_is(region_data(&r), ledger->image_done)
		    || image_is(region_data(&r), ledger->image_trying));
	region_unmap(&r);
}

static void check_l0(const struct directory *d)
{
	struct region r;
	struct l0_reader reader;
	if (!atomic_load(&d->current[REGION_L0])) {
		FAULT_CHECK(!ledger->switched);
		return;
	}
	attach_current(d, REGION_L0, "l0", &r);
	FAULT_CHECK(l0_reader_init(&reader, r.base, r.size) == 0);
	check_answers(&reader);
	region_unmap(&r);
}

static void check_config(const struct directory *d)
{
	uint64_t generation = atomic_load(&d->config_generation);
	FAULT_CHECK(generation >= ledger->config_seen);
	if (generation == 0) {
		FAULT_CHECK(ledger->config_done == 0);
		return;
	}
	const struct dp_config *c = &d->config[generation % DIRECTORY_CONFIG_SLOTS];
	uint32_t n = c->client_ttl_cap_s;
	FAULT_CHECK(n == ledger->config_done || n == ledger->config_trying);
	FAULT_CHECK(c->stale_ttl_s == n && c->block.ttl_s == n && c->udp_limit == 1232);
	for (unsigned i = 0; i < 4; i++)
		FAULT_CHECK(c->group_lists[i] == n);
}

// As a data plane that starts while no control plane lives.
static void audit_orphan(void)
{
	char why[SHM_WHY_MAX];
	struct region r;
	int rc = region_attach(&paths, SHM_IN_MEM, "directory", REGION_DIRECTORY, false, &r, why);
	FAULT_CHECK(rc == 0 || !ledger->opened);
	if (rc < 0)
		return;
	const struct directory *d = region_data(&r);
	FAULT_CHECK(atomic_load(&d->epoch) >= 1 && atomic_load(&d->epoch) >= ledger->epoch_seen);
	check_names(d);
	check_l0(d);
	check_config(d);
	region_unmap(&r);
}

// Files of generations that are not current do not pile up.
static void check_files(const struct directory *d, const char *path)
{
	uint64_t keep[] = {atomic_load(&d->current[REGION_L0]) >> 1,
		atomic_load(&d->current[REGION_RULE_IMAGE]) >> 1};
	static const char *const stem[] = {"l0.", "rule_image."};
	DIR *folder = opendir(path);
	FAULT_CHECK(folder != NULL);
	for (const struct dirent *e = readdir(folder); e; e = readdir(folder)) {
		for (unsigned i = 0; i < 2; i++) {
			size_t n = strlen(stem[i]);
			if (strncmp(e->d_name, stem[i], n) == 0)
				FAULT_CHECK(strtoull(e->d_name + n, NULL, 10) == keep[i]);
		}
	}
	closedir(folder);
}

static void audit_successor(uint32_t l0_mb)
{
	struct life l;
	life_open(&l, l0_mb, true);
	const struct directory *d = publisher_directory(l.p);
	FAULT_CHECK(atomic_load(&d->incarnation) == publisher_incarnation(l.p));
	check_files(d, paths.mem);
	check_files(d, paths.huge);
	audit_orphan();
	uint64_t seen = ledger->names_seen;
	image_publish(&l);
	FAULT_CHECK(ledger->names_seen > seen); // no number comes twice
	activate(&l);
	live(&l);
	struct publish_status s;
	publish_status(l.p, &s);
	FAULT_CHECK(s.refused_busy == 0 && s.retired_waiting <= 1);
	audit_orphan();
	life_close(&l);
}

static void audit(enum fault_site)
{
	audit_orphan();
	audit_successor(1);
	audit_orphan();
	audit_successor(2);
}

FAULT_MAIN("publish", 1u << FAULT_GROUP_PUBLISH | 1u << FAULT_GROUP_REGION,
	ledger = fault_shared(sizeof(*ledger)))
