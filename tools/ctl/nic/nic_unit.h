// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// Binds that outlive a reboot: the unit weir-nic@DEVICE.service, which systemd starts at boot ahead
// of the network. Enabling takes root.

#include "nic_device.h"

// "0000:03:00.0" is a name that systemd does not escape.
bool nic_unit_is_enabled(const char *pci);
// Does systemd manage this machine (sd_booted(3))?
bool nic_unit_is_possible(void);
// False, with `why`.
ATTR_MUST_CHECK bool nic_unit_enable(const char *pci, bool enable, char why[NIC_WHY_MAX]);
