// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// All that an API of a box with everything knows, around the resolver's box (resolver_box.h): a
// configuration with groups, schedules and services, toggles, a ClickHouse sink without a server,
// an output, a query store with rows, metrics over loopback, and the statistics of a data plane
// that lives and may say anything. One in a program, until its end.

#include "controlplane/api/api.h"

// After box_open: fills what is there, all but sockets and doubles.
void api_box_open(struct api_deps *deps);

enum api_box_outcome { API_BOX_FINE, API_BOX_LATER, API_BOX_BAD, API_BOX_BUSY };
// Before each input: toggles as usual, the control API's `off` or not; what a reload comes to; the
// data plane's statistics with `changes`, each its place (two bytes), its length (one) and its
// bytes.
void api_box_reset(
	bool is_off, enum api_box_outcome outcome, const uint8_t *changes, size_t changes_len);
int api_box_connect(void); // to `metrics.listen`
