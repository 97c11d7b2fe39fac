// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// A PCI network device as sysfs shows it (Documentation/ABI/testing/sysfs-bus-pci). Any user.

#include <net/if.h>
#include <stdbool.h>
#include <weir/attr.h>
#include <weir/config/pci_name.h>

#define NIC_DEVICES "/sys/bus/pci/devices"
#define NIC_DRIVERS "/sys/bus/pci/drivers"

enum { NIC_WORD_MAX = 64, NIC_WHY_MAX = 256, NIC_DEVICES_MAX = 256 };

struct nic_device {
	char pci[PCI_NAME_MAX];
	char driver[NIC_WORD_MAX];   // "": no driver
	char interface[IF_NAMESIZE]; // the first one; "": the kernel has no interface
	char group[NIC_WORD_MAX];    // IOMMU group; "": no group
	char numa[NIC_WORD_MAX];     // NUMA node; "-1": unknown
};

// Finds a device by its PCI address or the name of its interface. False, with `why`: there is no
// such device, or it is no network device.
ATTR_MUST_CHECK bool nic_device_find(
	const char *text, struct nic_device *out, char why[NIC_WHY_MAX]);
// Lists the network devices, ordered by address, at most `cap`. Returns their number.
unsigned nic_device_list(struct nic_device *out, unsigned cap);

bool nic_device_is_user_driver(const char *driver);

// The unit weir-nic@DEVICE.service, which systemd starts at boot before the network, repeats a bind
// after a reboot. systemd does not escape "0000:03:00.0".
bool nic_unit_is_enabled(const char *pci);
// Does systemd manage this machine (sd_booted(3))?
bool nic_unit_is_possible(void);
