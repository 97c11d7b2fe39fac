// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// blocky's groups: lists have groups ("ads"), blocking.clientGroupsBlock gives them to clients, and
// upstreams.groups gives servers to clients. Each client that one of the two names becomes a group.

#include "import_yaml.h"

// -ENOMEM.
int import_blocky_groups(struct import_model *m, const struct yaml_tree *t);
