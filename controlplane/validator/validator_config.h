// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// What every context of libunbound has, as text of unbound.conf: the validator's, and the
// recursor's, which validates to use NSEC records that it has (RFC 8198).

#include "validator.h"

#include <stdio.h>

// The first of all: no log, no files of its own, and no names that the library answers by itself.
// Errors stay in `f`.
void validator_common_write(FILE *f);
// Trust anchors and negative trust anchors. Errors stay in `f`.
void validator_anchors_write(FILE *f, const struct validator_settings *s);
