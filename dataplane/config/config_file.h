// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// Small files that the configuration names, such as secrets.

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <weir/attr.h>

// The first `max` bytes of the file at `path`, in an `out` of one more, as a zero comes behind
// them. Of a plain file only (-EINVAL), as anything else could block the open or the read. Returns
// how many they are or -errno; the caller wipes them.
ATTR_MUST_CHECK int config_file_read(const char *path, char *out, size_t max);

// `len` bytes from twice as many hexadecimal digits, of either case. False: one is none.
bool config_hex_read(const char *text, uint8_t *out, size_t len);
