// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// What libunbound trusts, as text of unbound.conf: for the validator's contexts, and for the
// recursor's, which validates to use NSEC records that it has (RFC 8198).

#include "validator.h"

#include <stdio.h>

// Trust anchors and negative trust anchors. Errors stay in `f`.
void validator_anchors_write(FILE *f, const struct validator_settings *s);
