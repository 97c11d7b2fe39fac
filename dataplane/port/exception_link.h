// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// What the kernel says of a link, for the files that look after exception interfaces. Start-up
// only.

#include "rtnetlink.h"

#include <stdbool.h>

enum { EXCEPTION_ALIAS = 256 + 1 }; // IFALIASZ

struct exception_link {
	char alias[EXCEPTION_ALIAS]; // "" without one
	bool is_tun;                 // a TAP or TUN
	bool has_carrier;            // a process is attached to it
};

struct rtnetlink_request exception_link_request(unsigned index, uint16_t type);
// `sequence`: another one for each request of a socket. False: it cannot be read.
bool exception_link_read(int fd, unsigned index, uint32_t sequence, struct exception_link *out);
