// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// Answers of `weirctl setup`: the default of each question, and what an answer changes in the text.
// weir's own parser reads the text after each answer, so the question comes again after an answer
// that it refuses. `keep` leaves the keys of a question as they are.

#include "setup.h"

#include <stdbool.h>
#include <stddef.h>
#include <weir/config.h>

// What `weirctl setup` finds on the machine: interfaces, their addresses, name servers. It reads
// /proc, /etc and /run (lib/sysroot.h) and asks the kernel for addresses. A default that cannot be
// found is "".

// Weir can share an Ethernet interface that is not one of its `own`: their names, with a blank
// before and after each. The one of the default route, else the first with an address.
void setup_machine_interface(const char *own, char *out, size_t cap);
// Is there such an interface, and may it serve? False with a sentence.
bool setup_machine_has_interface(const char *own, const char *name, char *why, size_t cap);
bool setup_machine_is_ipv6_only(void);

// The addresses of the interface with their prefix lengths, IPv4 first, configured ones of IPv6
// before others; no link-local, temporary (RFC 8981), deprecated or tentative ones.
unsigned setup_machine_addresses(const char *interface, struct ip_address *out, unsigned cap);

// Reads the present configuration. `keep` is the default of each question whose keys differ from
// the shipped file. False with a sentence: it cannot be used.
ATTR_MUST_CHECK bool setup_answer_begin(struct setup *s, char why[SETUP_WHY_MAX]);

struct setup_question {
	const char *title;
	void (*choices)(char *out, size_t cap); // more of the title, or NULL
	void (*offer)(const struct setup *s, char *out, size_t cap);
	// False with a sentence, and nothing is changed.
	bool (*accept)(struct setup *s, const char *answer, char why[SETUP_WHY_MAX]);
};

enum { SETUP_QUESTIONS = 4 }; // interface, address, lists, upstream servers
extern const struct setup_question setup_questions[SETUP_QUESTIONS];

// The page for browsers, with the certificate that cmd_setup.c makes; where control.listen is
// set, with what the control API has.
ATTR_MUST_CHECK bool setup_answer_page(struct setup *s, char why[SETUP_WHY_MAX]);
// The network of an address: its bits behind the prefix are 0 then.
void setup_answer_network(struct ip_address *a);
// The lists and servers that have a name, a line of each: "list NAME URL", "servers NAME
// ADDRESS...".
void setup_known_print(bool is_ipv6);
