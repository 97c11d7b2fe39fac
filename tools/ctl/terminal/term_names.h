// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// Internationalised domain names for a person. Of weirctl only term_names.c includes libidn2.

#include <stddef.h>
#include <weir/attr.h>

// Escapes like term_text(). A terminal with UTF-8 gets the U-labels of each name before its
// A-labels: "bücher.example (xn--bcher-kva.example)". Both, as letters of two scripts may look the
// same. A name stays as it is if libidn2 refuses it, if its U-labels do not come back to the same
// A-labels, or if the terminal may not show them; so do names inside a URL or a path.
char *term_names(const char *text, char *out, size_t cap) ATTR_NONNULL;
