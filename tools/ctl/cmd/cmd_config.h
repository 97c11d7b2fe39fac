// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// What `weirctl fleet` shares with `weirctl config`.

#include "lib/ctl.h"
#include "lib/json_doc.h"

// Puts the files on disk in force as a version and waits for the verdict on its health.
int cmd_config_apply(struct ctl *c);
void cmd_config_diff_print(const struct json_node *root); // the reply of /config/diff
