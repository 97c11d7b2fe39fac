// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// An EAL without huge pages, with the virtual devices that a test of ports names, and the pools of
// its workers. It starts once a program.

#include "dataplane/port/mbuf_pool.h"
#include "dataplane/port/port.h"
#include "tests/unit/unit.h"

#include <rte_eal.h>

enum { PORT_RIG_WORKERS = 3, PORT_RIG_DEVICES_MAX = 4, PORT_RIG_MBUFS = 2047 };

struct port_rig {
	struct rte_mempool *pool[PORT_RIG_WORKERS];
	char why[PORT_WHY_MAX];
};

// `vdevs`: "--vdev=net_null0" and the like.
static inline int port_rig_start(
	struct port_rig *r, const char *program, char *const vdevs[], unsigned count)
{
	static char args[][20] = {"dp", "--no-huge", "--no-shconf", "--no-pci", "-m128",
		"--no-telemetry", "--log-level=4", "-l0"};
	char *argv[ARRAY_LEN(args) + PORT_RIG_DEVICES_MAX + 1] = {NULL};
	int argc = 0;
	assert_in_range(count, 1, PORT_RIG_DEVICES_MAX);
	for (unsigned i = 0; i < ARRAY_LEN(args); i++)
		argv[argc++] = args[i];
	for (unsigned i = 0; i < count; i++)
		argv[argc++] = vdevs[i];
	log_init(program, LOG_LEVEL_ERROR);
	if (rte_eal_init(argc, argv) < 0)
		return -1;
	for (unsigned i = 0; i < PORT_RIG_WORKERS; i++) {
		if (mbuf_pool_create(
			    &r->pool[i], i, 0, PORT_RIG_MBUFS, 1232, MBUF_POOL_DENSE, r->why))
			return -1;
	}
	return 0;
}

// One port, `device`, which the caller keeps, without an exception interface.
static inline struct config port_rig_config(char *device, unsigned workers)
{
	static char nothing[] = "";
	return (struct config){
		.dataplane = {.worker_count = workers,
			.port_count = 1,
			.ports = {{.device = device, .exception = nothing}},
			.rx_descriptors = 128,
			.tx_descriptors = 128},
		.limits = {.udp_reply_size = 1232},
	};
}

static inline int port_rig_stop(void **)
{
	return rte_eal_cleanup();
}
