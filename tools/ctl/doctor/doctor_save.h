// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// The report of `weirctl doctor --save` (weir/doctor_file.h). One thread, blocking file I/O.

#include "lib/json_doc.h"

#include <weir/attr.h>

enum { DOCTOR_SAVE_WHY_MAX = 256 };

// Takes the request of the control plane, if there is one, so that systemd runs one check for it.
void doctor_request_take(const char *folder);
// Replaces the report in `folder` at once; its group may read the file. `report`: the counts, and
// the findings, of which those that are not ok come first and the last ones are left out if there
// is no room. -errno with `why`: the old report is still there.
ATTR_MUST_CHECK int doctor_save(
	const char *folder, const struct json_node *report, char why[DOCTOR_SAVE_WHY_MAX]);
