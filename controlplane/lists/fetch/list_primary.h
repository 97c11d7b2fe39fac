// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// A list as the primary of this box has it (sync/sync.h), so that boxes with one configuration
// fetch each list from its server once: GET /v1/sync/list. The reply is a line of JSON, the head,
// and the bytes of the stored list behind it. The primary replies 404 unless its copy was confirmed
// later than that of the
// box that asks.
//
// The bytes are untrusted: the caller checks them as it checks those of the list's own server.
// Bounds: those of the request, as list_fetch has them, and LIST_HEAD_MAX for the head. Blocks: for
// helper threads; thread-safe.

#include "list_update.h"

enum { LIST_HEAD_MAX = 2048 };

struct list_primary {
	char *url; // "https://HOST[:PORT]"; NULL: this box takes no lists from a primary
	char *token;
	char *ca_file; // "": the system's authorities
};

// The head, with its end of line, for free(); NULL: no memory. `has_body`: the list follows.
char *list_head_write(const struct list_stored *s, bool has_body);

// Fetches the list of request->url into request->fd, if the primary's copy was confirmed later than
// `before`. 0: it is there whole, with the hash that `got` says, or out->not_modified; -ENOENT: the
// primary has no such copy; else an error of list_fetch, with out->why, and the contents of the
// file are undefined.
ATTR_MUST_CHECK int list_primary_fetch(const struct list_primary *p,
	const struct list_fetch_request *request, const struct list_stored *before,
	struct list_stored *got, struct list_fetch_result *out);
