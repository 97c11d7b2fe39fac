// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// libunbound's place (controlplane/validator/validator_library.h): it answers when the test says.

#include "controlplane/validator/validator_library.h"

#include <weir/dns_name.h>

enum { DOUBLE_CALLS = 512, DOUBLE_LIBRARIES = 4 };

struct library_double {
	unsigned opened;              // ever
	unsigned open, calls;         // libraries; questions without an answer, the oldest first
	int ask_error;                // what library_ask says
	int apply_error;              // what library_apply says
	char config[4096];            // of the latest one
	struct library_memory memory; // of each
	library_peer_fn met;          // of the latest one
	void *met_arg;
	struct {
		const struct library *of;
		char name[DNS_NAME_TEXT_MAX];
		uint16_t qtype;
		library_answer_fn done;
		void *arg;
	} call[DOUBLE_CALLS];
};
extern struct library_double library_double;

void library_double_answer(unsigned i, const struct library_answer *answer); // of call[i]
