// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// What `weirctl wait` waits for: its words, and whether a reply of the control API has it. Pure.
//
//   generations             all workers use what the control plane has published
//   lists | list NAME       read or fetched, and no build goes on
//   upstream SERVER STATE   the server has that state in each set that has it
//   ready | drained         as /ready says
//   counter PATH OP VALUE   PATH: a command, and keys of its JSON: tcp.open,
//   stats.dataplane.ports[0].mtu,
//                           upstreams.upstreams[address=192.0.2.1:53].sent. OP: >= > == <= < !=
//   event KIND              the first one in the reply

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
	WAIT_EVENT,
};

enum wait_source {
	WAIT_STATUS,
	WAIT_STATS,
	WAIT_UPSTREAMS,
	WAIT_BLOCKLIST,
	WAIT_TCP,
	WAIT_OF_READY,
	WAIT_EVENTS
};

enum wait_op { WAIT_GE, WAIT_GT, WAIT_EQ, WAIT_LE, WAIT_LT, WAIT_NE };

// Its texts are of the words it was made of, which must outlive it.
struct wait_condition {
	enum wait_kind kind;
	enum wait_source source; // the reply that it is looked for in
	const char *name;  // of a list, server or event; of a counter the keys behind the command
	const char *state; // of a server
	enum wait_op op;
	double value;
};

// False: `why` says which word is wrong.
bool wait_parse(
	struct wait_condition *w, const char *const *word, unsigned words, char why[WAIT_TEXT_MAX]);
// --for: 500ms, 60s, 5m, 1h, at most a day. False: it is none of these.
bool wait_for_parse(const char *text, uint64_t *ms);

// Whether the reply, of the condition's source, has it. `seen` is what it has in place of that, in
// words: the value, or what is not there.
bool wait_is_met(
	const struct wait_condition *w, const struct json_node *root, char seen[WAIT_TEXT_MAX]);
