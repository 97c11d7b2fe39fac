// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// A fetch of the zone rpz.test from fake_axfr.h by list_update.h, and what came of it.

#include "controlplane/lists/fetch/list_update.h"
#include "fake_axfr.h"

enum { AXFR_RIG_BODY = 8192 };

extern struct fake_axfr primary;
extern struct list_fetch_request request;
extern struct list_fetch_result result;
extern char body[AXFR_RIG_BODY];
extern const char whole[]; // the zone as a file

int axfr_rig_start(void **state); // of each test
int axfr_rig_stop(void **state);

extern bool by_ixfr; // by ixfr:// or ixfr+tls://; false at first

// list_fetch of the zone, over TLS where the request says whom the server must be.
int fetch_at(const char *host, unsigned port);
int fetch(enum fake_axfr_how how);                  // from the fake
void key_set(enum config_tsig_algorithm algorithm); // of the request and of the fake
