// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// State of the service for systemd, sd_notify(3): one datagram a message on the socket that
// NOTIFY_SOCKET names, a path or an abstract name ("@..."). Without that variable nothing is sent,
// and each call costs a comparison. A message that the receiver does not take at once is dropped;
// READY=1 and the watchdog's message come again at the next looks.
// One thread.

#include <stdbool.h>
#include <stdint.h>
#include <weir/attr.h>

// Reads NOTIFY_SOCKET, WATCHDOG_USEC and WATCHDOG_PID, and opens a socket. -errno: the variables
// cannot be used, and nothing will be sent.
ATTR_MUST_CHECK int sd_notify_open(void);
void sd_notify_close(void);

// Messages of systemd's protocol, one assignment a line; at most 512 bytes, longer ones are cut.
// False: it was dropped.
bool sd_notify_send(const char *fmt, ...) ATTR_PRINTF(1, 2);

void sd_notify_ready(void); // READY=1
void sd_notify_look(void);  // some times a second: sends a READY=1 that was dropped

// RELOADING=1 with the time that systemd wants with it; sd_notify_ready must follow.
void sd_notify_reloading(void);

// The watchdog's message, if it is wanted and half of its time is over since the last one that was
// taken. The caller has seen that all loops turn.
void sd_notify_alive(uint64_t now_ms);
bool sd_notify_wants_alive(uint64_t now_ms); // whether sd_notify_alive would send
