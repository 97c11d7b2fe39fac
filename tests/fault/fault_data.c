// SPDX-License-Identifier: BSD-3-Clause

// The data plane's own regions, its activation of what is published, its epochs and its end of the
// link: the child is a data plane, several lives of it, each under two control planes that it plays
// as well, with caches of different sizes. What its death leaves must be refused or sound, hold no
// one up once the process is known to be dead, and be swept by the next life.

#include "controlplane/shm/publish.h"
#include "dataplane/state/activate.h"
#include "dataplane/state/link.h"
#include "dataplane/state/worker_rings.h"
#include "fault_run.h"
#include "tests/unit/core/l0/l0_fixture.h"
#include "tests/unit/cp/rule_image/rule_fixture.h"
#include "tests/unit/dp/welcome_send.h"

#include <dirent.h>
#include <sys/un.h>

static void half_make(
	const struct shm_paths *paths, unsigned worker, unsigned resolver, uint64_t incarnation)
{
	char name[SHM_NAME_MAX], why[SHM_WHY_MAX];
	struct region r;
	shm_name_answers(name, worker, resolver);
	const struct region_spec spec = {.name = name,
		.kind = REGION_ANSWERS,
		.generation = 1,
		.incarnation = incarnation_new(),
		.index = worker,
		.data_size = ANSWERS_SIZE - SHM_PAGE,
		.geometry = {0, RINGS_ANSWER_UNITS, 0, resolver, incarnation}};
	FAULT_CHECK(region_create(paths, &spec, &r, why) == 0);
	region_publish(&r);
	region_unmap(&r);
}

// Makes the control plane's half of all rings, in new files, as a control plane does that attaches
// to them, and has the data plane map them.
static void fault_answers_make(const struct shm_paths *paths, struct worker_rings *l)
{
	for (unsigned i = 0; i < l->count * l->resolvers; i++)
		half_make(paths, i / l->resolvers, i % l->resolvers, l->incarnation);
	worker_rings_link(l, paths);
}

enum { WORKERS = 2, LIVES = 4, REIGNS = 2, IDS = 200 };

static const struct shm_paths *paths;
static struct rule_arena image;

struct plane { // the data plane
	uint64_t incarnation, now_ms;
	int lock, bells[LINK_BELLS_MAX];
	struct worker_rings worker_rings;
	struct worker worker[WORKERS];
	struct worker *list[WORKERS];
	struct activate activate;
	struct link_client link;
};

struct reign { // the control plane
	struct publisher *p;
	struct box box; // of which only the writer is used
	int listener, peer;
};

static void plane_open(struct plane *d)
{
	char why[SHM_WHY_MAX], path[SHM_PATH_MAX + 32];
	*d = (struct plane){.incarnation = incarnation_new(), .now_ms = 1000};
	snprintf(path, sizeof(path), "%s/dataplane.lock", paths->run);
	d->lock = process_lock(path);
	FAULT_CHECK(d->lock >= 0);
	const struct rings_spec_all spec = {.workers = WORKERS,
		.incarnation = d->incarnation,
		.port_count = 1,
		.port_name = {"net_tap0"},
		.group = "",
		.stats_group = ""};
	FAULT_CHECK(worker_rings_create(&d->worker_rings, paths, &spec, why) == 0);
	for (unsigned i = 0; i < WORKERS; i++) {
		d->worker[i].index = i;
		d->list[i] = &d->worker[i];
		worker_rings_bind(&d->worker_rings, &d->worker[i]);
	}
	worker_rings_bells(&d->worker_rings, d->bells);
	const struct dp_config defaults = {.udp_limit = 1232};
	FAULT_CHECK(activate_init(&d->activate, paths, d->list, &d->worker_rings, &defaults,
			    worker_rings_stats(&d->worker_rings))
		    == 0);
	FAULT_CHECK(link_init(&d->link, paths->run, d->bells, WORKERS, d->incarnation) == 0);
}

static void plane_close(struct plane *d)
{
	for (unsigned i = 0; i < WORKERS; i++)
		epoch_offline(&d->worker[i].epoch);
	link_close(&d->link);
	activate_close(&d->activate);
	worker_rings_close(&d->worker_rings);
	close(d->lock);
}

// What worker_main does at the top of its loop, and a lookup or two.
static void worker_step(struct worker *w)
{
	const _Atomic uint64_t *epoch = atomic_load(&w->next_epoch);
	if (epoch != w->epoch.epoch) {
		if (w->epoch.epoch)
			epoch_offline(&w->epoch);
		w->epoch.epoch = epoch;
		if (epoch)
			epoch_online(&w->epoch);
		atomic_store(&w->epoch_in_use, epoch);
	}
	w->tables = atomic_load(&w->next_tables);
	atomic_store(&w->tables_in_use, w->tables);
	if (w->epoch.epoch)
		epoch_quiescent(&w->epoch);
	for (uint32_t id = 0; w->tables->has_l0 && id < IDS; id += 20) {
		struct l0_view v;
		uint32_t number, serial;
		if (!box_get(&w->tables->l0, id, &v, &number))
			continue;
		FAULT_CHECK(box_is_answer(&v, id, &serial));
		atomic_store(&w->tables->marks[w->index][number], MARK_VISITED);
	}
}

static void settle(struct plane *d)
{
	for (unsigned i = 0; i < 12; i++) {
		activate_poll(&d->activate, d->now_ms += 20);
		for (unsigned k = 0; k < WORKERS; k++)
			worker_step(&d->worker[k]);
	}
	activate_poll(&d->activate, d->now_ms);
}

// Reign number k has a cache of k MiB, which k resolvers share.
static void reign_open(struct reign *r, unsigned number)
{
	char why[SHM_WHY_MAX];
	struct config config = {.cache.l0_mb = number, .controlplane.resolvers = number};
	struct region region;
	bool fresh;
	*r = (struct reign){.listener = -1, .peer = -1};
	FAULT_CHECK(publisher_open(&r->p, paths, &config, why) == 0);
	publisher_l0(r->p, &region, &fresh);
	r->box.writers = number;
	for (unsigned i = 0; i < number; i++)
		FAULT_CHECK(l0_writer_open(&r->box.all[i], region.base, region.size, i, fresh,
				    publisher_epoch(r->p, i), 1000)
			    == 0);
	r->box.w = r->box.all[0];
	publish_l0(r->p);
	struct sockaddr_un sun = {.sun_family = AF_UNIX};
	snprintf(sun.sun_path, sizeof(sun.sun_path), "%.80s/" SHM_NAME_LINK, paths->run);
	(void)unlink(sun.sun_path);
	r->listener = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	FAULT_CHECK(bind(r->listener, (struct sockaddr *)&sun, sizeof(sun)) == 0);
	FAULT_CHECK(listen(r->listener, 4) == 0);
}

static void reign_close(struct reign *r, struct plane *d)
{
	box_writers_close(&r->box);
	publisher_close(r->p);
	close(r->listener);
	close(r->peer);
	FAULT_CHECK(link_poll(&d->link, d->now_ms) == LINK_WENT_DOWN);
	activate_link(&d->activate, false);
	d->now_ms += LINK_RETRY_MS;
}

// Hello, welcome.
static void greet(struct reign *r, struct plane *d)
{
	struct link_hello hello = {0};
	const struct link_welcome welcome = {.magic = SHM_MAGIC,
		.abi_version = SHM_ABI_VERSION,
		.cp_incarnation = publisher_incarnation(r->p),
		.workers = WORKERS,
		.resolvers = r->box.writers};
	while (d->link.fd < 0) // until its closer is done
		FAULT_CHECK(link_poll(&d->link, d->now_ms) == LINK_NOTHING);
	r->peer = accept(r->listener, NULL, NULL);
	FAULT_CHECK(r->peer >= 0);
	FAULT_CHECK(recv(r->peer, &hello, sizeof(hello), 0) == sizeof(hello));
	FAULT_CHECK(hello.magic == SHM_MAGIC && hello.workers == WORKERS);
	FAULT_CHECK(hello.dp_incarnation == d->incarnation);
	FAULT_CHECK(welcome_send(r->peer, &welcome));
	FAULT_CHECK(link_poll(&d->link, d->now_ms) == LINK_CAME_UP);
	activate_link(&d->activate, true);
	const struct rings_dp_page *pages[WORKERS];
	for (unsigned i = 0; i < WORKERS; i++)
		pages[i] = d->worker[i].rings;
	fault_answers_make(paths, &d->worker_rings);
	for (unsigned i = 0; i < r->box.writers; i++)
		publisher_rings(r->p, i, d->incarnation, pages, WORKERS);
}

static void publish_all(struct reign *r, uint16_t udp_limit)
{
	char why[SHM_WHY_MAX];
	struct rule_image_region *names;
	struct config config = {.limits.udp_reply_size = udp_limit};
	const uint64_t lists[4] = {2};
	const struct region_fill fill = {.len = image.size, .from = image.base};
	FAULT_CHECK(publish_rules_prepare(r->p, &fill, &names, why) == 0);
	FAULT_CHECK(publish_rules_publish(r->p, names) == 0);
	publish_config(r->p, &config, lists, true, 0, 0);
}

// Workers stand on what is current, and said so.
static void check_activated(
	const struct plane *d, struct publisher *p, unsigned resolvers, uint16_t udp_limit)
{
	const struct directory *dir = publisher_directory(p);
	for (unsigned i = 0; i < WORKERS; i++) {
		const struct worker_tables *t = d->worker[i].tables;
		const struct rings_dp_page *rings = d->worker[i].rings;
		FAULT_CHECK(t->has_l0 && t->has_rules && t->config.udp_limit == udp_limit);
		FAULT_CHECK(t->l0.resolvers == resolvers);
		FAULT_CHECK(d->worker[i].miss[resolvers - 1].units == RINGS_MISS_UNITS);
		FAULT_CHECK(rings->activated_l0 == atomic_load(&dir->current[REGION_L0]) >> 1);
		FAULT_CHECK(rings->activated_rules
			    == atomic_load(&dir->current[REGION_RULE_IMAGE]) >> 1);
		FAULT_CHECK(rings->activated_config == atomic_load(&dir->config_generation));
	}
}

static void reclaim(const struct reign *r)
{
	for (unsigned i = 0; i < r->box.writers; i++)
		l0_writer_reclaim(r->box.all[i]);
}

static void rule(struct plane *d, unsigned number)
{
	struct reign r;
	reign_open(&r, number);
	greet(&r, d);
	for (uint16_t round = 0; round < 3; round++) {
		publish_all(&r, 1000 + round);
		for (uint32_t id = 0; id < IDS; id++) {
			int rc = box_put(&r.box, id, round, 60, d->now_ms, 1 << 30);
			FAULT_CHECK(rc == 0 || rc == -ENOSPC); // until the first grace period
			reclaim(&r);
		}
		settle(d);
		reclaim(&r);
	}
	check_activated(d, r.p, number, 1002);
	FAULT_CHECK(box_put(&r.box, 1, 9, 60, d->now_ms, 1 << 30) == 0); // no epoch is stuck
	for (unsigned i = 0; i < WORKERS; i++) { // a sleep, and the return of one that was evicted
		epoch_offline(&d->worker[i].epoch);
		epoch_online(&d->worker[i].epoch);
		epoch_return(&d->worker[i].epoch);
	}
	reign_close(&r, d);
}

static void live(void)
{
	struct plane d;
	(void)region_unlink(paths, SHM_IN_MEM, "reader"); // each life makes its own
	plane_open(&d);
	for (unsigned k = 0; k < REIGNS; k++)
		rule(&d, 1 + k);
	settle(&d); // orphaned, it serves on
	plane_close(&d);
}

static void work(void)
{
	for (unsigned i = 0; i < LIVES; i++)
		live();
}

static void prepare(void)
{
	paths = fault_folders();
}

// A worker's rings as a control plane that lives on finds it: refused or sound. A worker that died
// in the middle of its work holds the epoch up only while its process counts as alive.
static void check_rings(unsigned i, const struct directory *dir)
{
	char name[SHM_NAME_MAX], why[SHM_WHY_MAX];
	struct region r;
	shm_name_rings(name, i, 0);
	int rc = region_attach(paths, SHM_IN_MEM, name, REGION_RINGS, true, &r, why);
	FAULT_CHECK(rc == 0 || rc == -ENOENT || rc == -EPROTO);
	if (rc < 0)
		return;
	const struct rings_dp_page *rings = (void *)(r.base + RINGS_DP_PAGE);
	const struct region_header *h = region_header_of(&r);
	uint64_t seen = atomic_load(&rings->seen_epoch);
	_Atomic uint64_t epoch = dir ? atomic_load(&dir->epoch) : 1;
	FAULT_CHECK(h->index == i && h->geometry[0] == RINGS_MISS_UNITS);
	FAULT_CHECK(seen == EPOCH_OFFLINE || (seen >= 1 && seen <= epoch));
	FAULT_CHECK(atomic_load(&rings->activated_l0)
		    <= (dir ? atomic_load(&dir->current[REGION_L0]) >> 1 : 0));
	FAULT_CHECK(atomic_load(&rings->activated_rules)
		    <= (dir ? atomic_load(&dir->current[REGION_RULE_IMAGE]) >> 1 : 0));
	FAULT_CHECK(atomic_load(&rings->activated_config)
		    <= (dir ? atomic_load(&dir->config_generation) : 0));
	struct epoch_writer writer = {.epoch = &epoch, .seen = {&rings->seen_epoch}};
	uint64_t waits = epoch_advance(&writer);
	FAULT_CHECK(epoch_passed(&writer, waits) == (seen == EPOCH_OFFLINE));
	writer.seen[0] = NULL;
	FAULT_CHECK(epoch_passed(&writer, waits));
	region_unmap(&r);
}

static void check_left(void)
{
	char why[SHM_WHY_MAX];
	struct region directory = {0}, stats;
	const struct directory *dir = NULL;
	if (region_attach(paths, SHM_IN_MEM, "directory", REGION_DIRECTORY, false, &directory, why)
		== 0)
		dir = region_data(&directory);
	for (unsigned i = 0; i < WORKERS; i++)
		check_rings(i, dir);
	int rc = region_attach(paths, SHM_IN_MEM, "stats", REGION_STATS, false, &stats, why);
	FAULT_CHECK(rc == 0 || rc == -ENOENT || rc == -EPROTO);
	if (rc == 0) {
		const struct stats_region *s = region_data(&stats);
		FAULT_CHECK(s->pid != 0 && s->heartbeat_ms != 0);
		FAULT_CHECK(strcmp(s->port[0].name, "net_tap0") == 0);
		region_unmap(&stats);
	}
	region_unmap(&directory);
}

// Of this run alone: marks per worker, and rings for as many resolvers as any reign had.
static void check_files(void)
{
	unsigned worker_rings = 0, marks = 0;
	DIR *folder = opendir(paths->mem);
	FAULT_CHECK(folder != NULL);
	for (const struct dirent *e = readdir(folder); e; e = readdir(folder)) {
		worker_rings += strncmp(e->d_name, "rings.", 5) == 0;
		marks += strncmp(e->d_name, "marks.", 6) == 0;
	}
	closedir(folder);
	FAULT_CHECK(worker_rings == WORKERS * REIGNS && marks == WORKERS);
}

static void audit(enum fault_site)
{
	check_left();
	for (unsigned i = 0; i < 2; i++) {
		live();
		check_files();
		check_left();
	}
}

static void tables_make(void)
{
	static const char *const lists[] = {"", "one.example"};
	(void)fixture_image(lists, 2, &image);
}

FAULT_MAIN("data", 1u << FAULT_GROUP_DATAPLANE | 1u << FAULT_GROUP_REGION, tables_make())
