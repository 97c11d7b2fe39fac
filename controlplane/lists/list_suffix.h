// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// Public suffixes (publicsuffix.org): names under which anybody can register names, so blocking one
// of them blocks unrelated sites. By libpsl, from the system's list or, without it, libpsl's own.
//
// The list is read once per process, at the first call (5 ms, 1.7 MB), and stays in memory: a
// million names must be checked, and the answer depends on nothing of the caller. Any thread.
//
// libpsl takes 100 to 300 ns a name. So a bitmap of hashes of all suffixes comes first: 3 ns, and 1
// name in 100 goes on to libpsl.

#include <weir/dns_name.h>

void list_suffix_load(void); // before the first question, for who must not be held up by it
bool list_suffix_is_public(const struct dns_name *name);
