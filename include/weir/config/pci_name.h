// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// The address of a PCI device as text.

#include <stdbool.h>

enum { PCI_NAME_MAX = 24 };

// Reads "0000:03:00.0" or "03:00.0"; `out` is the name in sysfs: with domain, in lower case. False:
// it is no PCI address.
bool pci_name_parse(const char *text, char out[PCI_NAME_MAX]);
