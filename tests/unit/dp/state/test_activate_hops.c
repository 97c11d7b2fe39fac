// SPDX-License-Identifier: BSD-3-Clause

// Activation of hops images: this test is the control plane that publishes them and the worker that
// takes them.

#include "dataplane/state/activate.h"
#include "dataplane/state/worker_rings.h"
#include "directory.h"

static char dir[64], why[SHM_WHY_MAX];
static struct shm_paths paths;
static struct activate activate;
static struct worker worker = {0};
static struct worker *const workers[] = {&worker};
static struct rings_dp_page page;
static struct worker_rings rings = {.count = 1, .resolvers = 1, .incarnation = 0xd0};
static struct stats_region stats;
static struct region directory_region;
static struct directory *directory;
static uint64_t now_ms = 1000;

static int setup(void **)
{
	const struct dp_config defaults = {.udp_limit = 1232};
	log_init("test_activate_hops", (enum log_level)0); // refusals are the point here
	if (folder_make(dir, "activate") || shm_paths_init(&paths, dir, "off", why))
		return -1;
	worker.rings = &page;
	if (worker_rings_reader_open(&rings, &paths, why))
		return -1;
	return activate_init(&activate, &paths, workers, &rings, &defaults, &stats);
}

static int teardown(void **)
{
	activate_close(&activate);
	region_unmap(&directory_region);
	region_unmap(&rings.reader);
	shm_paths_close(&paths);
	return folder_remove(paths.mem, dir);
}

// Polls and turns of the worker until everything has settled.
static void settle(void)
{
	for (unsigned i = 0; i < 12; i++) {
		activate_poll(&activate, now_ms += 10);
		worker.tables = atomic_load(&worker.next_tables);
		atomic_store(&worker.tables_in_use, worker.tables);
		atomic_store(&worker.epoch_in_use, atomic_load(&worker.next_epoch));
	}
}

static void make_directory(void)
{
	directory = directory_make(&directory_region, &paths, 0xc0, &rings.reader);
}

// As `generation`, with so many servers; `damage`: one byte is wrong.
static void serve_hops(uint64_t generation, unsigned servers, bool damage)
{
	struct hops_image image = {.hop_count = 1,
		.server_count = (uint16_t)servers,
		.source_v4 = {198, 18, 0, 53},
		.has_v4 = 1,
		.resolvers = 1,
		.range_count = 1,
		.range = {{1024, 32767}},
		.hop = {{.destination = {2}, .source = {2}, .mtu = 1500}}};
	char name[SHM_NAME_MAX];
	const struct region_spec spec = {.name = name,
		.kind = REGION_HOPS,
		.generation = generation,
		.incarnation = 0xc0,
		.data_size = sizeof(image)};
	struct region r;
	for (unsigned i = 0; i < servers; i++)
		image.server[i] = (struct hops_server){
			.ip = {192, 0, 2, (uint8_t)i}, .port = 53, .ip_version = 4};
	hops_image_seal(&image);
	((uint8_t *)&image)[100] ^= damage;
	shm_name_generation(name, "hops", generation);
	assert_int_equal(region_create(&paths, &spec, &r, why), 0);
	memcpy(region_data(&r), &image, sizeof(image));
	region_publish(&r);
	region_unmap(&r);
	atomic_store(&directory->current[REGION_HOPS], generation << 1 | SHM_IN_MEM);
}

static bool knows_server(uint8_t last)
{
	const uint8_t ip[16] = {192, 0, 2, last};
	return hops_server_find(&worker.tables->hops, 4, ip, 53) != NULL;
}

static unsigned hops_calls;
static bool hops_before; // each call came before the worker had these
static void on_hops(void *, const struct hops_reader *hops)
{
	hops_calls++;
	hops_before &= &atomic_load(&worker.next_tables)->hops != hops;
}

TEST_WITH(hops_are_followed, setup, teardown)
{
	activate.on_hops = on_hops;
	hops_before = true;
	make_directory();
	activate_link(&activate, true);
	settle();
	assert_false(worker.tables->hops.has_servers);
	assert_false(knows_server(0));
	serve_hops(1, 1, false);
	settle();
	assert_true(knows_server(0));
	assert_false(knows_server(1));
	assert_int_equal(page.activated_hops, 1);
	assert_int_equal(stats.hops_generation, 1);
	serve_hops(2, 2, true);
	settle();
	assert_true(knows_server(0));
	assert_false(knows_server(1));
	assert_int_equal(worker.tables->hops_generation, 1);
	assert_int_equal(page.activated_hops, 1);
	// Another control plane finds its predecessor's, and has the workers read them again.
	serve_hops(3, 2, false);
	settle();
	assert_true(knows_server(1));
	activate_link(&activate, false);
	assert_int_equal(page.activated_hops, 0);
	const struct worker_tables *tables = worker.tables;
	activate_link(&activate, true);
	settle();
	assert_ptr_equal(worker.tables, tables);
	assert_int_equal(page.activated_hops, 3);
	serve_hops(4, 0, false);
	settle();
	assert_false(worker.tables->hops.has_servers);
	assert_int_equal(page.activated_hops, 4);
	assert_int_equal(hops_calls, 3); // not for the damaged ones, nor for those it has
	assert_true(hops_before);
}
