// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// Loads the text of a configuration file into the structs of config_schema.h, with libcyaml, and
// says what libcyaml refuses in an operator's words, at its place. Allocates (libcyaml's functions,
// freed by config_raw_free). Any thread.

#include "config_schema.h"

// The key `version`: what the keys of a file mean. A key that is added does not change it, as a
// file without that key means the same. Only a change that gives keys of an older file another
// meaning makes it one more. It then comes with a step that turns what a file of the version before
// says (config_schema.h) into this one, so that each older version is accepted. There is one
// version, so there is no step.
enum { CONFIG_VERSION = 1 };

// config_doc_check with the keys and the version that there are.
ATTR_MUST_CHECK int config_raw_check(const struct config_doc *doc);

// -EINVAL by config_refuse, -ENOMEM. The document must have passed config_raw_check; keys that it
// reported are skipped.
ATTR_MUST_CHECK int config_raw_load(const struct config_doc *doc, struct config_raw **out);

// Adds what `part` loaded as `from` to `to`, which `doc` loaded with the parts before: mappings are
// merged, lists appended. -EINVAL by config_refuse: both have a key with one value, or a list
// becomes too long; -ENOMEM. Moves values out of `from`, which the caller still frees.
ATTR_MUST_CHECK int config_raw_merge(const struct config_doc *doc, struct config_raw *to,
	const struct config_doc *part, struct config_raw *from);
void config_raw_free(struct config_raw *raw);

// What the texts of a bundle say, which were loaded before, for `use` alone. -EINVAL, -ENOMEM.
struct config_bundle;
typedef void config_raw_use(void *arg, const struct config_raw *raw);
ATTR_MUST_CHECK int config_bundle_raw(
	const struct config_bundle *b, config_raw_use *use, void *arg);

// For the schema, behind <cyaml/cyaml.h>.
// A section or list whose entries are all commented out is as good as absent.
#define RAW_OPTIONAL     (CYAML_FLAG_POINTER | CYAML_FLAG_OPTIONAL)
#define RAW_MAY_BE_EMPTY (CYAML_FLAG_POINTER_NULL | CYAML_FLAG_OPTIONAL)

#define RAW_TEXT(struct_, key_) \
	CYAML_FIELD_STRING_PTR(#key_, RAW_OPTIONAL, struct struct_, key_, 0, CYAML_UNLIMITED)
#define RAW_SEQUENCE(struct_, key_, entry_, max_) \
	CYAML_FIELD_SEQUENCE(#key_, RAW_MAY_BE_EMPTY, struct struct_, key_, entry_, 0, max_)
#define RAW_MAPPING(struct_, key_, member_, fields_) \
	CYAML_FIELD_MAPPING_PTR(#key_, RAW_MAY_BE_EMPTY, struct struct_, member_, fields_)
#define RAW_KEY(section, key, ...) RAW_TEXT(config_raw_##section, key),
// A section of keys with one value each.
#define RAW_PLAIN(section, KEYS)                                       \
	static const cyaml_schema_field_t raw_##section##_fields[] = { \
		KEYS(RAW_KEY) CYAML_FIELD_END,                         \
	};
// An entry of a list, with the fields above it.
#define RAW_ENTRY(name)                                                      \
	static const cyaml_schema_value_t raw_##name = {CYAML_VALUE_MAPPING( \
		CYAML_FLAG_DEFAULT, struct config_raw_##name, raw_##name##_fields)};
