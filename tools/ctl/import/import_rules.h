// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// Single rules in the forms of filter lists, as users write them by hand in AdGuard Home and
// blocky, made into entries of allow and deny:
//
//   ||name^  name^  *.name  name, which is that name alone  |name|  /pattern/  0.0.0.0 name  @@ in
//   front

#include "import_model.h"

// Each line of a text; comments and empty lines are nothing. `is_allow`: the text is one of names
// to allow. An address other than 0.0.0.0 and the like makes a local record.
void import_rules_text(struct import_model *m, struct import_items *allow,
	struct import_items *deny, const char *text, bool is_allow);
// Where the source lets what is allowed win at all events: in weir an entry of `deny` by name beats
// patterns that allow, and names above it that are allowed. As a pattern it beats neither, so each
// such entry becomes one. For everyone and for all groups, at the end.
void import_rules_settle(struct import_model *m);
