// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// The shared part (weir/config/shared.h) as a part of a document: its sections take the place of
// those of the files, except for sections that the files keep with `sync.own`. Any thread.

#include "config_doc.h"

// The sections of `sync.own` in a tree, as bits of enum config_shared_section. Skips words that are
// no shared section, which config_sync_step refuses.
uint32_t config_shared_own(const struct config_node *root);
// Refuses keys of a shared part that are no shared sections. -EINVAL.
ATTR_MUST_CHECK int config_shared_refuse(const struct config_doc *part);
// Removes these sections from a tree. Returns those that had a value.
uint32_t config_shared_drop(struct config_node *root, uint32_t sections);
