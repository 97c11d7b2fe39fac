// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// The age of cached records when the wall clock steps ahead. Resolver loop's thread.

#include "resolver_internal.h"

ATTR_MUST_CHECK int resolver_step_open(struct resolver *r);
void resolver_step_close(struct resolver *r);
void resolver_step_beat(struct resolver *r); // each 100 ms
