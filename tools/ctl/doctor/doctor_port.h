// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// The ports of the configuration.

#include "nic/nic_device.h"

#include <weir/config.h>

// The text of a device up to its driver's arguments. Returns `out`.
char *doctor_port_name(const char *device, char out[NIC_WORD_MAX]);
// Is it a PCI device that DPDK drives? Then `pci` is its address.
bool doctor_port_is_pci(const struct config_port *p, char pci[PCI_NAME_MAX]);
