// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// What stands in the way of a bind: an interface in use, an IOMMU group that is shared, no IOMMU.
// Reads sysfs, the addresses of this network namespace (getifaddrs) and its routes (/proc/net).
// What cannot be read stands in the way as well. Any user.

#include "nic_device.h"

enum { NIC_USE_MAX = 512 };

// Why the interface of the device is in use, in words; "": it is not.
void nic_use_find(const struct nic_device *d, char out[NIC_USE_MAX]);
// What of its IOMMU group stands in the way, at boots too; "": nothing.
void nic_use_group(const struct nic_device *d, char out[NIC_USE_MAX]);
// The program that drives the device by vfio, in words; "": none that this process may look into.
// Reads the descriptors of all processes.
void nic_use_holder(const struct nic_device *d, char out[NIC_USE_MAX]);
// All that stands in the way of a bind to vfio-pci, in words; "": nothing.
void nic_use_obstacles(const struct nic_device *d, char out[NIC_USE_MAX]);
