// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// The difference of two bundles as a unified diff, without secrets (config_mask): a secret that
// changed shows as a line that did not. Myers' greedy algorithm up to VERSION_DIFF_STEPS edits a
// file, which bounds its time and memory (3 MiB); beyond that, and beyond VERSION_DIFF_LINES lines,
// the whole part that differs is shown as replaced. A helper thread.

#include <weir/config/versions.h>

enum { VERSION_DIFF_STEPS = 800, VERSION_DIFF_LINES = 200000, VERSION_DIFF_BYTES_MAX = 1 << 20 };

// For free(); "": no difference but in secrets; NULL: no memory. `from`, `to`: names for the heads.
// Cut with a line that says so at VERSION_DIFF_BYTES_MAX.
char *version_diff(const struct config_bundle *a, const struct config_bundle *b, const char *from,
	const char *to);
