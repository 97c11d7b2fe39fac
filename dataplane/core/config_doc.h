// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// The text of a configuration file, and where in it each key stands.
//
// libcyaml fills structs but loses positions. So the document is walked with libyaml's events, once
// before it is loaded, for everything that we refuse whatever the schema says (duplicate keys,
// aliases, tags, several documents, nesting), and again only when a value is refused, to find its
// line and column by its path ("upstreams.servers[1].address"), or is an empty list. The only
// includer of yaml.h.

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <weir/attr.h>

enum { CONFIG_FILE_MAX = 4 << 20, CONFIG_PATH_MAX = 256 };

struct config_doc {
	const char *path; // as the caller named it
	char *absolute;   // the same, with the working directory in front if it was relative
	uint8_t *text;
	size_t len;
	char *why; // CONFIG_WHY_MAX octets of the caller of config_load
};

// -ENOENT and other -errno, -EFBIG over CONFIG_FILE_MAX; `why` filled in.
ATTR_MUST_CHECK int config_doc_read(struct config_doc *doc);
void config_doc_free(struct config_doc *doc);

// -EINVAL with `why` filled in, -ENOMEM, or 0.
ATTR_MUST_CHECK int config_doc_check(const struct config_doc *doc);

// Does `key` have a list, be it an empty one? libcyaml tells that apart from no key in no way that
// it documents. Parses the whole text. -ENOMEM.
ATTR_MUST_CHECK int config_doc_has_list(const struct config_doc *doc, const char *key, bool *out);

// Fills `why` with "FILE:LINE:COL: key: reason", with the position of the key, or of its nearest
// parent that is in the document. Returns -EINVAL, so that a check can end with it.
int config_refuse(const struct config_doc *doc, const char *key, const char *fmt, ...)
	ATTR_PRINTF(3, 4);
