// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// The data plane's part of a picture of memory (mem_doc.h): its heap by account as it tells in its
// statistics, what it has reserved of DPDK, and what the kernel says of its mappings, for which one
// must be root. Nothing of it is there while no data plane runs.

#include "lib/ctl.h"
#include "lib/json_doc.h"

void mem_dataplane_add(const struct ctl *c, struct json_node *root);
void mem_dataplane_print(const struct json_node *root);
