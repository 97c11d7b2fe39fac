// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// The MAC addresses whose frames the steering program of an interface takes: the interface's own,
// which may change while it is up (a bond, `ip link set address`), and those of `ports[].macs`.
// Main lcore only; a look is three system calls.

#include <stdint.h>
#include <weir/config.h>
#include <weir/steer_abi.h>

// Those of the configuration, behind the place of the interface's own.
void steering_mac_init(uint64_t mac[STEER_MACS_MAX], const struct config_port *port);
// Reads the interface's present address. If the kernel does not report it, the stored one stays.
void steering_mac_look(uint64_t mac[STEER_MACS_MAX], const char *interface);
