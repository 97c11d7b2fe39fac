// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// cmocka and the headers that it wants before it, in its order. Each unit test includes this.

// clang-format off
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
// clang-format on

// For work that a sanitizer makes many times slower: it is done in the trees without one.
#ifdef __SANITIZE_ADDRESS__
enum { UNIT_IS_SANITIZED = 1 };
#else
enum { UNIT_IS_SANITIZED = 0 };
#endif
