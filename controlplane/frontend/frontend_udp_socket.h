// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// A UDP socket of the kernel on a service address, set up for frontend_udp.c.

#include <stdint.h>
#include <sys/socket.h>
#include <weir/attr.h>
#include <weir/config.h>

// Non-blocking and bound; the descriptor, or -errno.
ATTR_MUST_CHECK int frontend_udp_socket(const struct ip_address *address, uint16_t port);
// Datagrams that its queue had no room for.
uint64_t frontend_udp_socket_drops(int fd);
