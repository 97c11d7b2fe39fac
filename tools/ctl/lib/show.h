// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// How a command shows a reply: with --json the reply itself, else what `print` prints (NULL:
// nothing).

#include "http_get.h"

// Shows and frees the document. CTL_OK; CTL_FAILED: `doc` is NULL, and the caller has printed why.
ATTR_MUST_CHECK int show_doc(
	const struct ctl *c, struct json_doc *doc, void (*print)(const struct json_node *root));

enum { SHOW_WARNING_MAX = 2048 };
// Prints the reply's "warning" on stderr: what part of a change is not in force. Is there one?
bool show_warning(const struct json_node *root);

// Prints the texts of a list, a line each, such as lists that could not be fetched.
void show_texts(const struct json_node *texts, const char *before);

// Runs a command that is one call: ctl_open(), http_call_or_fail(), show_doc().
ATTR_MUST_CHECK int show_call(struct ctl *c, bool post, const char *path,
	const struct http_param *params, unsigned timeout_ms,
	void (*print)(const struct json_node *root));

// Runs a command that changes the configuration: a POST, whose reply's "warning" goes to stderr.
// Prints a line in place of `print` if the reply says that nothing changed.
ATTR_MUST_CHECK int show_change(struct ctl *c, const char *path, const struct http_param *params,
	void (*print)(const struct json_node *root));
