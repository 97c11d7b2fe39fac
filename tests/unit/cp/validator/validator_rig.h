// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// Validators on a loop of the test, whose upstream is a server of a signed root.

#include "controlplane/base/loop.h"
#include "controlplane/validator/validator_internal.h"
#include "signed_root.h"
#include "tests/unit/unit.h"

enum { QUESTIONS = VALIDATOR_CONTEXTS + 1, VIEW = 7, PATIENCE_MS = 20000 };

extern struct validator_rig {
	struct loop *loop;
	struct signed_root root;
	struct upstreams *up;
	struct validators *v;
	struct validator_settings set;
	char folder[FOLDER_MAX], anchors[FOLDER_MAX + 16];
	unsigned held; // servers that were not released
	bool has_view;
	bool leads_on; // replies with records do, but those for keys
	unsigned life_ms;
	const char *next; // to ask for within the next verdict; NULL: nothing
	struct validation *next_slot;
	// The last verdict.
	unsigned verdicts;
	enum validator_end end;
	int ede;
	char why[512];
	uint8_t msg[4096];
	size_t len;
} fx;
// With that key of fx.set.
#define VALIDATORS_CONFIGURE(key, value) \
	((void)(fx.set.key = (value)), validators_configure(fx.v, &fx.set))

int rig_setup(void **state);
int rig_teardown(void **state);
int ask(const char *name, struct validation **slot);
struct validators_status status(void);
void turn(void); // of the loop
void verdicts_wait(unsigned count);
// Asks, and waits for that verdict.
void expect(const char *name, enum validator_end end, int ede);
