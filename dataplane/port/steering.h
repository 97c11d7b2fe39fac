// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// AF_XDP ports (`xdp: eth0`): shares an interface with the kernel, around DPDK's driver.
//
// The steering program decides what workers get (dataplane/xdp/steer.bpf.c). Before EAL starts, it
// claims the interface, detaches a program of a killed data plane, and writes the object file for
// the driver. When the ports have started, the service addresses go into the program's map, and
// onto the interface if no interface has them. Then the gate: it stays closed until the workers
// have tables (or two seconds have passed without a control plane), and is opened for a second or
// two at a time while every worker runs; when one does not, it closes at once. So a data plane that
// hangs, is stopped or dies gives the queries back to the kernel, where the control plane's socket
// answers.
//
// Replies of upstream servers pass the same gate. Workers send no query through such a port while
// it is shut, nor through one with more queues than workers, on which replies would be lost.
//
// Main lcore only; each beat is one system call per port.

#include "state/worker.h"

#include <stdint.h>
#include <weir/config.h>
#include <weir/shm_region.h>
#include <weir/steer_abi.h>
#include <weir/xdp_steer.h>

enum {
	STEERING_WHY_MAX = 256,
	STEERING_OPEN_MS = 2000,        // the gate's span, renewed each beat
	STEERING_WORKER_HUNG_MS = 1000, // no beat of a worker
	STEERING_DRAIN_MS = 100,        // longer than most answers to misses take
};

struct steering_port {
	unsigned index; // number of the port in the configuration and in the statistics
	unsigned ifindex;
	char interface[16];
	int claim;
	bool open; // `maps` is
	struct xdp_steer maps;
	bool spare_queues;            // the kernel receives on some, so replies of upstreams too
	struct steer_asked *asked;    // a map of `maps`
	uint64_t mac[STEER_MACS_MAX]; // addresses whose frames are steered (steering_tags.c)
};

struct steering {
	unsigned count;
	struct steering_port port[CONFIG_PORTS_MAX];
	unsigned socket_count;
	int socket[SHM_WORKERS_MAX * CONFIG_PORTS_MAX]; // the driver's, of all ports
	uint64_t start_ms;
	uint64_t beat_ms;          // when the last beat was
	bool was_spared;           // that beat came late, and left the gates as they were
	_Atomic uint64_t until_ms; // the gates are open until then; 0: shut. Workers read it
};

// Writes the path for the driver to `out`; the file exists after steering_prepare.
void steering_object_path(const char *run, char *out, size_t cap);

// -ENODEV (no such interface), -EBUSY (another data plane has it, or a foreign XDP program), ...
// With `worker_lcores: [auto]` fewer workers may be left: the driver gets their number.
ATTR_MUST_CHECK int steering_prepare(struct steering *s, struct config_dataplane *dp,
	const char *run, char why[STEERING_WHY_MAX]);
// After the ports have started.
ATTR_MUST_CHECK int steering_start(struct steering *s, const struct config_dataplane *dp,
	uint64_t now_ms, char why[STEERING_WHY_MAX]);

// The worker's ports: whether queries to upstream servers may leave by them, and where it notes
// that. Before it is launched.
void steering_bind(const struct steering *s, struct worker *w);
// `steering`: replies of these servers are for workers too from now on. An activation's on_hops.
void steering_servers(void *steering, const struct hops_reader *hops);

// Each HOUSEKEEP_BEAT_MS: opens the gates or lets them fall shut. A beat that comes late leaves
// them as they were, but not twice in a row: the machine was suspended, and workers need as long.
void steering_beat(struct steering *s, struct stats_region *stats, struct worker *const *workers,
	unsigned worker_count, uint64_t now_ms);
// Each HOUSEKEEP_REPORT_MS, after the ports' statistics: the programs' counters into these.
void steering_report(struct steering *s, struct stats_region *stats);

// The index in the configuration of a port whose interface was deleted, or -1. Each second.
int steering_gone(const struct steering *s);

// Shuts the gates; before the workers stop. If they were open it waits STEERING_DRAIN_MS, in which
// the workers answer what lies in their rings and what the control plane resolves for them, while
// the kernel has the new queries.
void steering_stop(struct steering *s);
void steering_close(struct steering *s); // gives all back; after the ports are closed

// VLAN tags on AF_XDP ports. A NIC that strips tags (ethtool: rx-vlan-offload) hands the XDP
// program frames without them, and the tag beside the frame does not reach an AF_XDP socket.

// Main lcore, at start. -EINVAL with `why` if the port cannot see its `vlans`.
ATTR_MUST_CHECK int steering_tags_check(const struct config_port *port, char *why, size_t cap);
// Warns if groups[].vlans finds no tags on a port.
void steering_tags_warn(const struct config *config);

// The MAC addresses whose frames the steering program of an interface takes: the interface's own,
// which may change while it is up (a bond, `ip link set address`), and those of `ports[].macs`.
// Main lcore only; a look is three system calls.

// Fills in the addresses of the configuration, behind the place of the interface's own.
void steering_mac_init(uint64_t mac[STEER_MACS_MAX], const struct config_port *port);
// Reads the interface's present address. If the kernel does not report it, the stored one stays.
void steering_mac_look(uint64_t mac[STEER_MACS_MAX], const char *interface);
