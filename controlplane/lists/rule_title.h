// SPDX-License-Identifier: BSD-3-Clause
#pragma once

#include <weir/rule_image.h>

// A list's title as the image keeps it: printable ASCII, the rest as \DDD, cut to fit, NUL-padded.
void rule_title_make(char out[RULE_TITLE_MAX], const char *text);
