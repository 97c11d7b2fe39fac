// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// Calls of the control API over its unix socket, or over HTTPS to another box (ctl.h). Of weirctl
// only http_get.c includes libcurl.

#include "ctl.h"
#include "json_doc.h"

#include <stdio.h>

enum {
	HTTP_REPLY_MAX = 8 << 20,
	HTTP_LOOK_MS = 1500, // status and stats: without an answer in that time it counts as hung
	HTTP_SHORT_MS = 4000,
	HTTP_FLUSH_MS = 12000,
	HTTP_CACHE_FLUSH_MS = 17000,
	HTTP_BUILD_MS = 125000,
	HTTP_WHY_MAX = 256,
};

enum http_outcome {
	HTTP_OK,        // 200
	HTTP_REFUSED,   // answered with another status; `why` has its "error"
	HTTP_MISSING,   // answered with 404: no such thing, or no such path; as HTTP_REFUSED
	HTTP_NOBODY,    // no process listens: the control plane is down
	HTTP_SILENT,    // it listens, but does not answer in time, or returns 504
	HTTP_DENIED,    // no permission on the socket
	HTTP_FORBIDDEN, // answered with 401 or 403; as HTTP_REFUSED
	HTTP_UNTRUSTED, // an untrusted certificate, or an untrusted user at the control socket
	HTTP_BROKEN,    // anything else
};

#define HTTP_DENIED_TEXT "no permission (root, or a member of runtime.group)"

// What clients get while the data plane is up.
#define HTTP_SERVED_TEXT \
	"the data plane is up: it answers cache hits and blocked names; cache misses fail"
// What clients get while the control plane is down.
const char *http_served_text(const struct ctl *c);

// A name and value for the query of a URL; the value is encoded. A NULL value is left out.
// HTTP_FORM before the name puts both into a form in the body, for a secret, which no URL may have.
#define HTTP_FORM "form:"
struct http_param {
	const char *name, *value;
};

// May this user not do that, or is the peer not trusted? Another try cannot help, and ten that are
// 401 lock the sender's address out.
bool http_is_denied(enum http_outcome outcome);

// Makes a call. `doc` is set with HTTP_OK, and with HTTP_REFUSED, HTTP_FORBIDDEN and HTTP_MISSING
// if the reply has a body; else NULL. `params` ends with a NULL name, or is NULL.
ATTR_MUST_CHECK enum http_outcome http_call(const struct ctl *c, bool post, const char *path,
	const struct http_param *params, unsigned timeout_ms, struct json_doc **doc,
	char why[HTTP_WHY_MAX]);

// Makes a call for a command that needs its result: on any outcome but HTTP_OK it prints why (for
// example which process is down) and returns NULL.
struct json_doc *http_call_or_fail(const struct ctl *c, bool post, const char *path,
	const struct http_param *params, unsigned timeout_ms);

// Reports a failed call: which process is down, and what clients get meanwhile.
void http_fail(const struct ctl *c, enum http_outcome outcome, const char *why);

// Writes a reply that is text to `file`. CTL_OK, or CTL_FAILED after an error message.
ATTR_MUST_CHECK int http_save(
	const struct ctl *c, const char *path, unsigned timeout_ms, FILE *file);

// Calls `line` with each JSON object of a reply of lines or server-sent events, as it arrives,
// until `line` returns false or the reply ends. The reply must begin within HTTP_SHORT_MS; once it
// has, a time of `silence_ms` in which nothing arrives ends it, too; 0: as long as the connection
// lives. CTL_OK: `line` returned false; CTL_FAILED after an error message.
ATTR_MUST_CHECK int http_stream(const struct ctl *c, const char *path,
	const struct http_param *params, unsigned silence_ms,
	bool (*line)(void *arg, const struct json_node *root), void *arg);
