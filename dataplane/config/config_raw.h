// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// Loads the text of a configuration file into the structs of config_schema.h, with libcyaml, and
// says what libcyaml refuses in an operator's words, at its place. Allocates (libcyaml's functions,
// freed by config_raw_free). Any thread.

#include "config_schema.h"

// config_doc_check with the keys that there are.
ATTR_MUST_CHECK int config_raw_check(const struct config_doc *doc);

// -EINVAL by config_refuse, -ENOMEM. The document must have passed config_raw_check; keys that it
// reported are skipped.
ATTR_MUST_CHECK int config_raw_load(const struct config_doc *doc, struct config_raw **out);
void config_raw_free(struct config_raw *raw);
