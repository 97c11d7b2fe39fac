// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// Housekeeping over a real packet pool, without ports: one worker whose loop the test plays, with a
// clock of its own. For test_housekeep.c and test_housekeep_buffers.c.

#include "dataplane/housekeep.h"
#include "dataplane/port/mbuf_pool.h"
#include "tests/unit/clock_shift.h"
#include "tests/unit/unit.h"

#include <rte_eal.h>

#include <weir/log_recent.h>

enum { MBUFS = 1023 };

static char dir[64];
static char why[SHM_WHY_MAX];
static struct shm_paths paths;
static struct worker_rings worker_rings;
static int bells[LINK_BELLS_MAX];
static struct worker worker;
static struct worker *const workers[1] = {&worker};
static struct ports no_ports;
static struct housekeep h;
static struct rte_mbuf *posted[64];
static uint64_t now_ms;
static bool is_held_up; // the worker gets no CPU

static inline int start_eal(void **)
{
	static char program[] = "test_housekeep", lcore[] = "-l", zero[] = "0",
		    no_huge[] = "--no-huge", no_shconf[] = "--no-shconf", no_pci[] = "--no-pci",
		    memory[] = "-m64", quiet[] = "--log-level=error",
		    no_telemetry[] = "--no-telemetry", prefix[] = "--file-prefix=weir-test-hk";
	char *argv[] = {program, lcore, zero, no_huge, no_shconf, no_pci, memory, quiet,
		no_telemetry, prefix, NULL};
	log_init("test_housekeep", (enum log_level)0);
	return rte_eal_init(ARRAY_LEN(argv) - 1, argv) < 0
		       ? -1
		       : mbuf_pool_create(&worker.pool, 0, 0, MBUFS, 1232, MBUF_POOL_DENSE, why);
}

static inline int stop_eal(void **)
{
	rte_mempool_free(worker.pool);
	return rte_eal_cleanup();
}

static inline int setup(void **)
{
	const struct rings_spec_all spec = {
		.workers = 1, .incarnation = 7, .group = "", .stats_group = ""};
	const struct dp_config defaults = {.udp_limit = 1232};
	if (folder_make(dir, "housekeep") || shm_paths_init(&paths, dir, "off", why)
		|| worker_rings_create(&worker_rings, &paths, &spec, why))
		return -1;
	worker = (struct worker){.pool = worker.pool};
	worker_rings_bind(&worker_rings, &worker);
	// What RX rings would hold.
	if (rte_pktmbuf_alloc_bulk(worker.pool, posted, ARRAY_LEN(posted)) != 0)
		return -1;
	mbuf_pool_settle(worker.pool);
	h = (struct housekeep){.workers = workers,
		.worker_count = 1,
		.ports = &no_ports,
		.stats = worker_rings_stats(&worker_rings),
		.worker_rings = &worker_rings};
	now_ms = 1000;
	is_held_up = false;
	worker_rings_bells(&worker_rings, bells);
	if (link_init(&h.link, dir, bells, 1, 7)
		|| activate_init(&h.activate, &paths, workers, &worker_rings, &defaults, h.stats))
		return -1;
	housekeep_init(&h, now_ms);
	return 0;
}

static inline int teardown(void **)
{
	rte_pktmbuf_free_bulk(posted, ARRAY_LEN(posted));
	link_close(&h.link);
	activate_close(&h.activate);
	worker_rings_close(&worker_rings);
	shm_paths_close(&paths);
	return folder_remove(paths.mem, dir);
}

static inline void pass_ms(unsigned ms)
{
	for (unsigned i = 0; i < ms; i += HOUSEKEEP_TURN_MS) {
		now_ms += HOUSEKEEP_TURN_MS;
		housekeep_turn(&h, now_ms);
		if (!is_held_up)
			worker_tell_pool(&worker);
		atomic_store(&worker.tables_in_use, atomic_load(&worker.next_tables));
		atomic_store(&worker.epoch_in_use, atomic_load(&worker.next_epoch));
	}
}

// The newest message of the log.
static inline const char *newest(void)
{
	static struct log_recent kind;
	return log_recent_copy(&kind, 1, NULL) == 1 ? kind.text : "";
}
