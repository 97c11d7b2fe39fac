// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// EAL loads only the drivers that the ports need.
//
// EAL loads every driver in its folder, before those of `-d`, and offers no setting against it
// (eal_plugins_init in lib/eal/common/eal_common_options.c, DPDK 22.11). The development package
// has 128: a third of a start, most of the memory that prefault_lock locks, and time at the end to
// unmap them. So the program defines readdir64 itself, which EAL's library then calls: between
// eal_drivers_begin and eal_drivers_end it leaves out the drivers that no port needs, for the
// calling thread alone. If a port is not one of DPDK's virtual devices that weir knows (a NIC
// needs its bus, and shared parts of its vendor), it leaves out none.

#include <weir/config.h>

// Borrows `dp` until eal_drivers_end. Main lcore, at start.
void eal_drivers_begin(const struct config_dataplane *dp);
void eal_drivers_end(void);
