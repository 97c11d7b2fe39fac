// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// The difference of two bundles as a unified diff, without secrets (config_mask): a line whose
// secret alone changed shows as unchanged. Uses Myers' greedy algorithm up to VERSION_DIFF_STEPS
// edits a file, which bounds time and memory (3 MiB); with more edits all lines between the first
// and the last difference are shown as replaced. Of a file over VERSION_DIFF_LINES lines it only
// shows that it differs. Runs on a helper thread.

#include <weir/config/versions.h>

enum { VERSION_DIFF_STEPS = 800, VERSION_DIFF_LINES = 200000, VERSION_DIFF_BYTES_MAX = 1 << 20 };

// Returns a text for free(). "": no difference but in secrets; NULL: no memory. `from`, `to`: names
// for the heads of the diff. The text is cut at VERSION_DIFF_BYTES_MAX, with a line that says so.
char *version_diff(const struct config_bundle *a, const struct config_bundle *b, const char *from,
	const char *to);
