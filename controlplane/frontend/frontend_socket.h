// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// A socket of the kernel on a service address. The address need not be there yet: the data plane
// puts it on the exception port.

#include <stdbool.h>
#include <sys/socket.h>
#include <weir/attr.h>
#include <weir/config.h>

// SOCK_STREAM or SOCK_DGRAM; non-blocking and bound; the descriptor, or -errno. `shares`: with
// sockets of the other frontends on the same address (SO_REUSEPORT).
ATTR_MUST_CHECK int frontend_socket(const struct socket_address *at, int type, bool shares);
// An option that a kernel may lack.
void frontend_socket_prefer(int fd, int level, int option, int value);
