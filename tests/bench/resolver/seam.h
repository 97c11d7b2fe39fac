// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// An upstream server inside the resolver's own thread: it takes the place of the kernel's sockets.
//
// A program that links seam.c with --wrap (meson.build) opens, binds, connects and registers UDP
// sockets as usual. A message on one that is connected to 127.0.0.1, SEAM_PORT, is answered within
// the call, and the next epoll_wait of that thread reports the socket. So the kernel's send,
// delivery, wake-up and receive are left out, and the upstream's time is that of a copy.

enum { SEAM_PORT = 5309 };
