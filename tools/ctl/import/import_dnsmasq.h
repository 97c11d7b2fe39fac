// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// dnsmasq's options, which Pi-hole has too.

#include "import_sources.h"

// One line of a file, or of Pi-hole's misc.dnsmasq_lines. The text is changed.
void import_dnsmasq_line(struct import_model *m, const char *path, char *line);
// A line of a hosts file: an address, and names. The text is changed.
void import_dnsmasq_hosts_line(struct import_model *m, char *line);
