// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// Answers of `weirctl setup`: the default of each question, and what an answer changes in the text.
// weir's own parser reads the text after each answer, so the question comes again after an answer
// that it refuses. `keep` leaves the keys of a question as they are.

#include "setup.h"

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
