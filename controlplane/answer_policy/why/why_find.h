// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// The lines behind the hits of an explanation: their sources are read again, with the parser that
// read them for the image. Blocking file I/O and up to WHY_FIND_MS in all, so for a helper thread.
//
// A source that is not what it was when the image was built may have other lines now: its note says
// so, as it does when it cannot be read or when the time was up.

#include "lists/rule_compile.h"
#include "why.h"

enum { WHY_FIND_MS = 3000 };

// `source`: [count], those of the configuration; which ones are looked into say the hits. Of a
// checked struct why. 0 or -ECANCELED when *stop.
ATTR_MUST_CHECK int why_find(
	struct why *w, const struct rule_source *source, unsigned count, const _Atomic bool *stop);
