// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// A port whose device goes away while weir runs, or that works no more until it is set up again.
//
// Noticed are: a PCI device that the kernel takes back (hot unplug, unbind: vfio asks for it and
// waits until the process lets go), a device that its driver misses (RTE_ETH_EVENT_INTR_RMV), a
// virtual function whose physical one was reset (INTR_RESET), a TAP or a shared interface that was
// deleted. The data plane then ends with a message and status 1, within two turns of housekeeping
// (the interfaces: within a second), and without a further call for this port: the kernel takes the
// device at the end of the process. The service manager starts it again, and it serves when the
// device is back. Callbacks run on EAL's interrupt thread and raise a flag; all else is the main
// lcore's.

#include <stdbool.h>
#include <stdint.h>

enum port_gone_reason { PORT_GONE_NOT, PORT_GONE_REMOVED, PORT_GONE_RESET };

struct port_gone {
	_Atomic uint32_t reason; // the first that was reported
	bool watched;
};

// After start, until before stop. A refusal is logged: then such an end is not noticed.
void port_gone_watch(struct port_gone *g, uint16_t port_id, const char *name);
void port_gone_unwatch(struct port_gone *g, uint16_t port_id);
void port_gone_report(struct port_gone *g, enum port_gone_reason reason);
// What happened, for a message; NULL: nothing.
const char *port_gone_text(const struct port_gone *g);
