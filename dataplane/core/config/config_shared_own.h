// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// Which shared sections (weir/config/shared.h) a box keeps of its own. Any thread.

#include "config_tree.h"

#include <stdint.h>

// The sections of `sync.own` in a tree, as bits of enum config_shared_section. Skips words that are
// no shared section, which config_sync_step refuses.
uint32_t config_shared_own(const struct config_node *root);
