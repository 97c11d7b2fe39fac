// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// One question to a server by plain sockets. Blocks for DOCTOR_PROBE_MS at most, twice that for DNS
// over both transports. Any thread.

#include "doctor_probe.h"

enum { DOCTOR_ASK_QUERY_LEN = 17 };

// `. NS`, recursion desired, with this identity.
void doctor_ask_query(uint8_t out[DOCTOR_ASK_QUERY_LEN], uint16_t id);
// A reply to it: its response code as a word. NULL: it is none.
const char *doctor_ask_reply(const uint8_t *reply, size_t len, uint16_t id);

// -errno of a machine that has no route there, or no address to ask from.
bool doctor_ask_is_routeless(int rc);
void doctor_ask_dns(struct doctor_probe *p);
void doctor_ask_redis(struct doctor_probe *p);
