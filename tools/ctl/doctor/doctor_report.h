// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// `weirctl doctor --report`: which machine this is, for a public report of a bug. It has no text
// that an owner chose: no address, no name of a host, an interface, a user, a client or a domain,
// no URL and no path. Each text passes public_version() and its like, or is a word of this program.

#include "doctor.h"

// Programs, system, processor, memory, libraries, network cards and ports, into the document.
void doctor_report_make(struct doctor *d, struct json_node *root);
// What a check found, by the counts of `d`. Its texts have names, so they stay out.
void doctor_report_check(const struct doctor *d, struct json_node *list);
// The document as a text, on stdout.
void doctor_report_print(const struct json_node *root);
