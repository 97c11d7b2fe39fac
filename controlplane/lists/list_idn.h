// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// UTF-8 names to A-labels (IDNA2008 by way of UTS 46, non-transitional), by libidn2.

#include "list_text.h"

enum { LIST_IDN_TEXT_MAX = 256 };

// The name in ASCII, NUL-terminated; false: it is none. Input over LIST_IDN_TEXT_MAX * 4 bytes is
// none.
bool list_idn_to_ascii(struct list_text text, char out[LIST_IDN_TEXT_MAX]);
