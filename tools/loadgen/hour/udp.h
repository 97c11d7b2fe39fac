// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// How queries over UDP leave the load of hour.c, and replies come back: by the kernel's sockets
// (udp_sockets.c) or by a DPDK port of its own (udp_port.c). Each program has one of these. One
// thread; what cannot be opened ends the program.

#include <netinet/in.h>
#include <poll.h>
#include <stddef.h>
#include <stdint.h>

enum { UDP_FDS_MAX = 16, UDP_PAYLOAD_MAX = 1472 };

typedef void udp_reply(const uint8_t *message, size_t len);

extern const char udp_usage[];       // its own arguments, which precede the others
extern const unsigned udp_arguments; // their number
extern const int64_t udp_wait_ns;    // how long the load may sleep when no reply came

void udp_open(char **arguments, const struct sockaddr_in *to);
// Descriptors that are readable when a reply waits; a port has none.
unsigned udp_fds(struct pollfd out[UDP_FDS_MAX]);
// `any`: whatever number; with sockets it chooses one, with a port the client's port.
void udp_send(const uint8_t *query, size_t len, uint64_t any);
// Sends what waits for a full burst, and hands over the replies that came; their number. `ready`:
// those of udp_fds with the result of poll.
unsigned udp_take(const struct pollfd *ready, udp_reply *reply);
