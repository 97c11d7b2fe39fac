// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// Calls of the control API over its unix socket, or over HTTPS to another box (ctl.h). The one
// includer of libcurl in weirctl.

#include "ctl.h"
#include "json_doc.h"

#include <stdio.h>

enum {
	HTTP_REPLY_MAX = 8 << 20,
	HTTP_LOOK_MS = 1500, // status and stats: who does not answer in that time is called hung
	HTTP_SHORT_MS = 4000,
	HTTP_FLUSH_MS = 12000,
	HTTP_CACHE_FLUSH_MS = 17000,
	HTTP_BUILD_MS = 125000,
	HTTP_WHY_MAX = 256,
};

enum http_outcome {
	HTTP_OK,        // 200
	HTTP_REFUSED,   // answered with another status; `why` has its "error"
	HTTP_NOBODY,    // nobody listens: the control plane is down
	HTTP_SILENT,    // it listens and does not answer in time, or tells 504
	HTTP_DENIED,    // no permission on the socket
	HTTP_UNTRUSTED, // another box, whose certificate is not trusted; a stranger at our socket
	HTTP_BROKEN,    // anything else
};

#define HTTP_DENIED_TEXT "no permission (root, or a member of runtime.group)"

// While the data plane is up.
#define HTTP_SERVED_TEXT \
	"the data plane is up: it answers cache hits and blocked names; cache misses fail"
// What clients get while the control plane is down.
const char *http_served_text(const struct ctl *c);

// A name and value for the query of a URL; the value is encoded. Without a value it is left out.
// With HTTP_FORM before the name it is for a form in the body: a secret, which no URL may have.
#define HTTP_FORM "form:"
struct http_param {
	const char *name, *value;
};

// `doc` is set with HTTP_OK, and with HTTP_REFUSED when there was a body; else NULL.
// `params` ends with a NULL name, or is NULL.
ATTR_MUST_CHECK enum http_outcome http_call(const struct ctl *c, bool post, const char *path,
	const struct http_param *params, unsigned timeout_ms, struct json_doc **doc,
	char why[HTTP_WHY_MAX]);

// The same for a command that cannot go on without: on anything but HTTP_OK it says why (which
// process is down, for one) and returns NULL.
struct json_doc *http_call_or_fail(const struct ctl *c, bool post, const char *path,
	const struct http_param *params, unsigned timeout_ms);

// Reports a failed call: which process is down, and what clients get meanwhile.
void http_fail(const struct ctl *c, enum http_outcome outcome, const char *why);

// A reply that is text, into `file`. CTL_OK; CTL_FAILED (said).
ATTR_MUST_CHECK int http_save(
	const struct ctl *c, const char *path, unsigned timeout_ms, FILE *file);

// A reply of lines, each a JSON object, or of server-sent events with such data, given to `line` as
// they come, for as long as it says true and the other side goes on. CTL_OK: it said false;
// CTL_FAILED (said).
ATTR_MUST_CHECK int http_stream(const struct ctl *c, const char *path,
	const struct http_param *params, bool (*line)(void *arg, const struct json_node *root),
	void *arg);
