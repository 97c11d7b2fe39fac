// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// A NIC's rule engine: rte_flow_validate, _create and _destroy in place of ethdev's, as no driver
// that has rules runs without hardware here (TAP needs the kernel's multiq). What it was given is
// understood and applied to frames, so that a test sees where a frame would go.

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { FAKE_FLOW_DEFAULT = -1, FAKE_FLOW_DROP = -2 };

struct fake_flow {
	bool absent;         // no rules at all
	bool one_priority;   // refuses any but 0, as some NICs do
	bool no_vlan;        // refuses a VLAN item
	unsigned rules_most; // 0: as many as one likes
	unsigned count;      // in force
};
extern struct fake_flow fake_flow;

// The queue of a frame, or FAKE_FLOW_*; of several queues, one by its UDP source port.
int fake_flow_where(const uint8_t *frame, size_t len);
