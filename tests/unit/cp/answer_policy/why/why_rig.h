// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include "controlplane/answer_policy/why/why.h"
#include "tests/unit/unit.h"

UNIT_END_OF(why_free, struct why)

// Until the end of the case.
static inline struct why *why_begin(const struct dns_name *name, uint16_t qtype)
{
	struct why *w;
	assert_int_equal(why_new(name, qtype, &w), 0);
	unit_at_end(why_free_at_end, w);
	return w;
}
