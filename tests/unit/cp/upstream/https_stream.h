// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// stream_rig.h with a server over HTTPS, which is a process of its own (doh_server.py). The clock
// stands still, as stream_rig.h says.

#include "stream_rig.h"
#include "tests/unit/cp/http/fake_https.h"

extern struct fake_https https_server;

int https_stream_start(void **state); // of all tests
// A server for dns.example with the path /dns-query; afterwards: nothing left in clear text.
int https_stream_setup(void **state);
int https_stream_teardown(void **state);

void https_is(const char *name, const char *path); // in the configuration
struct upstream_https_stats https(void);
void asks_replied(unsigned count); // so many at once
void ask_fails(void);
