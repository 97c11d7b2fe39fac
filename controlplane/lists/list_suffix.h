// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// Public suffixes (publicsuffix.org): names under which anybody registers names, so that blocking
// one of them blocks strangers. By libpsl, from the system's list or, without it, libpsl's own.
//
// The list is read once per process, at the first question (5 ms, 1.7 MB), and stays: it is the
// only way to ask for a million names, and the answer depends on nothing that a caller has. Any
// thread may ask.
//
// libpsl takes 100 to 300 ns a name. So a bitmap of hashes of all suffixes is asked before: 3 ns,
// and 1 name in 100 goes on to libpsl.

#include <weir/dns_name.h>

void list_suffix_load(void); // before the first question, for who must not be held up by it
bool list_suffix_is_public(const struct dns_name *name);
