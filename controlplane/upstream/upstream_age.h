// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// TTLs of a message that a cache has kept for a while (RFC 8484 5.1). Pure.

#include <stddef.h>
#include <stdint.h>

// Makes each TTL less by `age_s`, at least 0. What cannot be read ends it: the rest stays as it is,
// for the reader of the message to refuse. An OPT has no TTL.
void upstream_age_apply(uint8_t *msg, size_t len, uint32_t age_s);
