// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// A kernel with larger pages than this one's: sysconf says so, mappings begin and end at multiples,
// and calls for an address that is none are refused with EINVAL, as that kernel refuses them.

#include <stddef.h>

void page_fake(size_t size);       // a multiple of the real size; 0: the real one
unsigned page_fake_refusals(void); // since the last page_fake
