// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// What `weirctl wait` waits for: parses its words, and checks replies of the control API. Pure.
//
//   generations             all workers use what the control plane has published
//   lists | list NAME       read or fetched, and no build is in progress
//   upstream SERVER STATE   the server has that state in each set that has the server
//   ready | drained         the state that /ready reports
//   counter PATH OP VALUE   PATH: a command, and keys of its JSON: tcp.open,
//   stats.dataplane.ports[0].mtu,
//                           upstreams.upstreams[address=192.0.2.1:53].sent. OP: >= > == <= < !=
//   fleet NAME,...          the boxes poll this primary, and are ready
//   event KIND              the reply has an event of that kind

#include "json_doc.h"

#include <stdbool.h>
#include <stdint.h>

enum { WAIT_TEXT_MAX = 512, WAIT_FOR_MAX_MS = 86400000 };

enum wait_kind {
	WAIT_GENERATIONS,
	WAIT_LISTS,
	WAIT_LIST,
	WAIT_UPSTREAM,
	WAIT_READY,
	WAIT_DRAINED,
	WAIT_COUNTER,
	WAIT_FLEET,
	WAIT_EVENT,
};

enum wait_source {
	WAIT_STATUS,
	WAIT_STATS,
	WAIT_UPSTREAMS,
	WAIT_BLOCKLIST,
	WAIT_TCP,
	WAIT_OF_READY,
	WAIT_OF_FLEET,
	WAIT_EVENTS
};

enum wait_op { WAIT_GE, WAIT_GT, WAIT_EQ, WAIT_LE, WAIT_LT, WAIT_NE };

// A condition. Its texts point into the words, which must outlive it.
struct wait_condition {
	enum wait_kind kind;
	enum wait_source source; // the reply to search
	const char *name;  // name of a list, server or event; names of boxes; keys of a counter
			   // after the command
	const char *state; // state of a server
	enum wait_op op;
	double value;
};

// False: `why` says which word is wrong.
bool wait_parse(
	struct wait_condition *w, const char *const *word, unsigned words, char why[WAIT_TEXT_MAX]);
// Reads --for: 500ms, 60s, 5m, 1h, at most a day. False: it is no such time.
bool wait_for_parse(const char *text, uint64_t *ms);

// Does the reply of the condition's source meet the condition? `seen` is the present state in
// words: the value, or what is missing.
bool wait_is_met(
	const struct wait_condition *w, const struct json_node *root, char seen[WAIT_TEXT_MAX]);
