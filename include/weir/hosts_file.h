// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// Files of the form of /etc/hosts: `ADDRESS NAME...` with `#` comments; the first name of a line is
// the host's own, the others are further names of it. Other lines are counted and skipped, and
// those of a loopback address by which a machine names itself, such as 127.0.1.1: it is of no use
// to the network. Blocking file I/O: for a helper thread.

#include "config.h"
#include "dns_name.h"

enum { HOSTS_BYTES_MAX = 64 << 20 };

struct hosts_counts {
	uint64_t lines, names, rejected; // rejected: names, or addresses with all their names
	uint64_t not_ascii;              // names, of the rejected
	uint32_t rejected_line, not_ascii_line; // the first such line, or 0
};

// `own`: it is the line's first. Not 0 stops, and is returned.
typedef int (*hosts_take)(void *arg, const struct ip_address *address, const struct dns_name *name,
	bool own, uint32_t line);

// -errno of reading, -EFBIG, -EISDIR.
ATTR_MUST_CHECK int hosts_file_read(
	const char *path, hosts_take take, void *arg, struct hosts_counts *counts);

// Is it 127.0.0.1 or ::1, by which hosts files block a name?
bool hosts_is_localhost(const struct ip_address *address);
// The reverse name, such as "4.3.2.1.in-addr.arpa".
void hosts_reverse_name(const struct ip_address *address, struct dns_name *out);
