// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// Answers of `weirctl setup`: the default of each question, and the changes of the text by an
// answer. weir's own parser reads the text after each answer; if it refuses the text, the question
// comes again. `keep` leaves the keys of a question as they are.

#include "setup.h"

#include <stdbool.h>
#include <stddef.h>
#include <weir/config.h>

// The functions setup_machine_* find interfaces, their addresses and name servers. They read /proc,
// /etc and /run (lib/sysroot.h), and get addresses from the kernel. A default that cannot be found
// is
// "".

// Finds an Ethernet interface that weir can share: the default route's, else the first with an
// address. Not one of weir's `own`, which has names with a blank before and after each.
void setup_machine_interface(const char *own, char *out, size_t cap);
// Is there an interface of this name that weir can share? False: `why` has a sentence.
bool setup_machine_has_interface(const char *own, const char *name, char *why, size_t cap);
bool setup_machine_is_ipv6_only(void);

// Finds the addresses of the interface with their prefix lengths, IPv4 first, then configured IPv6
// addresses before others; no link-local, temporary (RFC 8981), deprecated or tentative ones.
unsigned setup_machine_addresses(const char *interface, struct ip_address *out, unsigned cap);

// Reads the present configuration. `keep` is the default of each question whose keys differ from
// the shipped file. False: it cannot be used; `why` has a sentence.
ATTR_MUST_CHECK bool setup_answer_begin(struct setup *s, char why[SETUP_WHY_MAX]);
// Goes back to setup_answer_begin(): the text is that of the present configuration. False: `why`
// has a sentence.
ATTR_MUST_CHECK bool setup_answer_restart(struct setup *s, char why[SETUP_WHY_MAX]);

struct setup_question {
	const char *title;
	void (*choices)(char *out, size_t cap); // more of the title, or NULL
	void (*offer)(const struct setup *s, char *out, size_t cap);
	// False: `why` has a sentence, and nothing is changed.
	bool (*accept)(struct setup *s, const char *answer, char why[SETUP_WHY_MAX]);
};

extern const struct setup_question setup_questions[SETUP_QUESTIONS];

// Turns the page for browsers on, with the certificate that cmd_setup.c makes; if control.listen is
// set, with the control API's addresses and certificates.
ATTR_MUST_CHECK bool setup_answer_page(struct setup *s, char why[SETUP_WHY_MAX]);
// Clears the host bits of an address.
void setup_answer_network(struct ip_address *a);
