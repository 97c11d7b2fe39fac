// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// The text of a configuration file, and where in it each key stands.
//
// libcyaml fills structs but loses positions. So the document is walked with libyaml's events, once
// before it is loaded, for everything that we refuse whatever the schema says (duplicate keys,
// aliases, tags, several documents, nesting), and again only when a value is refused, to find its
// line and column by its path ("upstreams.servers[1].address"), or is an empty list
// (config_walk.h).

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <weir/attr.h>
#include <weir/config_tools.h>

enum { CONFIG_FILE_MAX = 4 << 20, CONFIG_PATH_MAX = 256 };

struct config_doc {
	const char *path; // as the caller named it
	char *absolute;   // the same, with the working directory in front if it was relative
	uint8_t *text;
	size_t len;
	struct config_errors *errors;
	bool leaves_secrets; // files of passwords and secrets are not opened, as if they were fine
};

// -ENOENT and other -errno, -EFBIG over CONFIG_FILE_MAX; an error is added.
ATTR_MUST_CHECK int config_doc_read(struct config_doc *doc);
void config_doc_free(struct config_doc *doc);

// Adds an error to the document's; beyond CONFIG_ERRORS_MAX it is only counted.
void config_doc_error(const struct config_doc *doc, const char *fmt, ...) ATTR_PRINTF(2, 3);

// Is there a key of that name in the mapping at `parent` ("" for the document's)? If not, *nearest
// is the key with the nearest spelling, or NULL.
typedef bool config_doc_has_key(const char *parent, const char *key, const char **nearest);

// -EINVAL when the text is malformed; -ENOMEM; or 0, also with unknown keys. Adds an error for each
// of these and skips the values below them.
ATTR_MUST_CHECK int config_doc_check(const struct config_doc *doc, config_doc_has_key *has_key);

// Does `key` have a list, be it an empty one? libcyaml has no documented way to distinguish that
// from a missing key. Parses the whole text. -ENOMEM.
ATTR_MUST_CHECK int config_doc_has_list(const struct config_doc *doc, const char *key, bool *out);

// Adds the error "config: key: reason (FILE:LINE:COL)", with the position of the key, or of its
// nearest parent that is in the document. Items of lists go by their names where they have one:
// groups "kids": upstreams[1].address. Returns -EINVAL, so that a check can end with it.
int config_refuse(const struct config_doc *doc, const char *key, const char *fmt, ...)
	ATTR_PRINTF(3, 4);
// The same, with `; did you mean "nearest"?` behind it unless that is NULL.
int config_refuse_near(const struct config_doc *doc, const char *key, const char *nearest,
	const char *fmt, ...) ATTR_PRINTF(4, 5);

// What to return after two checks that both were made: no memory before refused before fine.
static inline int config_worse(int a, int b)
{
	bool is_fatal = a < 0 && a != -EINVAL;
	return is_fatal || b == 0 ? a : b;
}
