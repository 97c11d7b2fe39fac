// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// Finds the lines of the hits of an explanation: reads their sources again, with the parser of the
// image. Blocking file I/O and up to WHY_FIND_MS in all, so for a helper thread.
//
// A source that changed since the image was built may have other lines: its note says so, also when
// it cannot be read or the time was up.

#include "rule_image/rule_compile.h"
#include "why.h"

enum { WHY_FIND_MS = 3000 };

// `source`: [count], those of the configuration; the hits select which to read. Of a checked struct
// why. 0 or -ECANCELED when *stop.
ATTR_MUST_CHECK int why_find(
	struct why *w, const struct rule_source *source, unsigned count, const _Atomic bool *stop);
