// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// From rings to batches. On the log thread.

#include "querylog_state.h"

// One look at all rings. The records read.
unsigned querylog_drain(struct querylog *q, uint64_t now_ms);
// Passes the batch to the sinks, if it is old enough or `now`.
void querylog_flush(struct querylog *q, uint64_t now_ms, bool now);
// Makes a row for weight that no record has carried. False: no batch is free.
bool querylog_carry(struct querylog *q, uint64_t now_ms);
