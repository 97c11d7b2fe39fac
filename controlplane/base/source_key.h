// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// What clients are counted by: an IPv4 address, or the /64 of an IPv6 address. Any thread.

#include <stdint.h>
#include <sys/socket.h>

enum { SOURCE_KEY_LEN = 9 };

struct source_key {
	uint8_t bytes[SOURCE_KEY_LEN]; // the family, then the address; all 0: of no such family
};
struct source_key source_key_of(const struct sockaddr_storage *a);
