// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// A try of a server that no set of the configuration has, such as one that an operator is about to
// add. Resolver loop's thread only.
//
// The try makes a set of its own with this server alone, asks it what a check asks, with DNSSEC
// records wished for (DO), by UDP and then over TCP, or over TLS or HTTPS, and frees the set before
// it reports. So it shares no state, counter, session or connection with the servers of questions,
// and leaves nothing behind. It sends one query by each transport, from the kernel's sockets.
//
// Bounds: one try at a time, UPSTREAM_CANDIDATE_BURST at once and then one a second. A try ends
// within UPSTREAM_TRY_MS for each transport, over TLS and HTTPS with UPSTREAM_STREAM_HANDSHAKE_MS
// more. A set takes some 300 KiB meanwhile.

#include "base/allowance.h"
#include "upstream.h"

enum { UPSTREAM_CANDIDATE_BURST = 8 };

// What a try needs of the configuration, copied: the configuration may change meanwhile.
struct upstream_wish {
	struct config_upstreams config; // refers to `ca_file`
	char ca_file[CONFIG_CA_FILE_MAX + 1];
};
// `server`: has an address (config_server_parse). Any thread; `w` must stay where it is.
void upstream_wish_fill(struct upstream_wish *w, const struct config_upstreams *config,
	const struct config_upstream *server);

// All zero at first. All fields are upstream_candidate.c's.
struct upstream_candidate {
	struct upstreams *set; // NULL: no try runs
	struct wheel_timer end;
	struct allowance tries;
	bool has_tried; // `tries` counts
	int err;
	struct upstream_tried tried[UPSTREAM_TRANSPORTS];
	upstream_tried_fn done;
	void *arg;
};

// `done` comes once, after this has returned and the set is gone; `err` is -ECANCELED after
// upstream_candidate_stop. -EBUSY: a try runs; -EAGAIN: there were too many; -ENOMEM and other
// -errno: no set; `done` does not come then.
ATTR_MUST_CHECK int upstream_candidate_try(struct upstream_candidate *c, struct loop *loop,
	const struct upstream_wish *wish, upstream_tried_fn done, void *arg);
void upstream_candidate_stop(struct upstream_candidate *c); // fine if no try runs

// Has the answer section of the reply an RRSIG record? False where the reply is malformed.
bool upstream_answer_is_signed(const uint8_t *msg, size_t len);
