// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// Takes a device from one driver and gives it to another, by the files of its bus in sysfs. Takes
// root. Waits for a driver for 2 s at most, for modprobe for 10 s. The kernel blocks a write to
// `unbind` for as long as a program has the device open: nic_use_holder comes first. A bind that
// fails gives the device to the driver of the kernel that knows it.

#include "lib/ctl.h"
#include "nic_device.h"

#define NIC_VFIO "vfio-pci"

struct nic_bind {
	const struct ctl *c; // with --dry-run nothing changes
	struct nic_device device;
	char to[NIC_WORD_MAX]; // the driver that has it in the end
};

// To `driver`. The node of its IOMMU group goes to the user of the data plane as well. CTL_OK, or
// CTL_FAILED (said).
ATTR_MUST_CHECK int nic_bind_to(struct nic_bind *b, const char *driver);
// Back to the kernel: to `driver`, or with NULL to a driver that knows the device.
ATTR_MUST_CHECK int nic_bind_back(struct nic_bind *b, const char *driver);
