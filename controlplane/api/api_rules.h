// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// The parts of the rules' status that two endpoints share.

#include "api_server.h"

// "failing": a sentence for each list that could not be read or fetched.
void api_rules_failing_out(struct json_out *o, struct json_node *n, const struct rules_status *r);
// "kinds": the number of lists of each kind.
void api_rules_kinds_out(struct json_out *o, struct json_node *n, const struct rules_status *r);
// Array "paused_groups".
void api_rules_pauses_out(struct json_out *o, struct json_node *root, const struct api *a);
// Array "blocked_groups": those in a schedule with block_all, which a pause for everyone does not
// lift; empty without such a pause.
void api_rules_blocked_out(struct json_out *o, struct json_node *root, const struct api *a);
