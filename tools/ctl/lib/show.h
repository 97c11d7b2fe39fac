// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// How a command shows a reply: with --json as it came, else as `print` words it (NULL:
// without a word).

#include "http_get.h"

// Frees the document. CTL_OK; CTL_FAILED without one; the caller has printed the reason.
ATTR_MUST_CHECK int show_doc(
	const struct ctl *c, struct json_doc *doc, void (*print)(const struct json_node *root));

enum { SHOW_WARNING_MAX = 2048 };
// The reply's "warning" on stderr: what of a change is not in force. Returns whether there is one.
bool show_warning(const struct json_node *root);

// The texts of a list, such as lists that could not be fetched: a line each.
void show_texts(const struct json_node *texts, const char *before);

// The whole of a command that is one call: ctl_open(), http_call_or_fail(), show_doc().
ATTR_MUST_CHECK int show_call(struct ctl *c, bool post, const char *path,
	const struct http_param *params, unsigned timeout_ms,
	void (*print)(const struct json_node *root));

// The same of a change of the configuration: POST, and the reply's "warning" on stderr.
ATTR_MUST_CHECK int show_change(struct ctl *c, const char *path, const struct http_param *params,
	void (*print)(const struct json_node *root));
