// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// `weirctl doctor --report`: describes the machine for a public bug report. It has no text that an
// owner chose: no address, no name of a host, an interface, a user, a client or a domain, no URL
// and no path. Each text is a word of this program, or passes public_version(), public_word() or
// public_model().

#include "doctor.h"

// Adds programs, system, processor, memory, libraries, network cards and ports to the document.
void doctor_report_make(struct doctor *d, struct json_node *root);
// Adds the findings of a check as the counts in `d`. Texts of findings have names, so they stay
// out.
void doctor_report_check(const struct doctor *d, struct json_node *list);
// Prints the document as a text.
void doctor_report_print(const struct json_node *root);
