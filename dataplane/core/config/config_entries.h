// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// The items of lists in the configuration: their keys for messages, their texts, and the allow and
// deny entries (names, which stand for all names below them, and /patterns/) of everyone and
// groups.

#include "config_doc.h"

#include <weir/config.h>

// `list`: the key, for messages. -EINVAL by config_refuse, -ENOMEM. `out` may then be half filled.
ATTR_MUST_CHECK int config_entries_apply(const struct config_doc *doc, const char *list,
	const struct config_node *items, struct config_entries *out);
void config_entries_free(struct config_entries *e);

// Reads a name that stands for all names below it, too. -EINVAL by config_refuse.
ATTR_MUST_CHECK int config_entry_name(
	const struct config_doc *doc, const char *key, const char *text, struct dns_name *out);
// Copies the text between the slashes of "/pattern/", for free(). The control plane checks the
// expression.
// -EINVAL by config_refuse, -ENOMEM.
ATTR_MUST_CHECK int config_entry_pattern(
	const struct config_doc *doc, const char *key, const char *text, char **out);

// Refuses prefixes that no client can have. -EINVAL by config_refuse.
ATTR_MUST_CHECK int config_prefix_check(
	const struct config_doc *doc, const char *key, const struct ip_address *a);

// Reads a list of names or prefixes, each checked by config_entry_name or config_prefix_check.
// -EINVAL by config_refuse, -ENOMEM. `*out` is for free() in any case; for an empty list `*out` and
// `*count` stay as they are.
ATTR_MUST_CHECK int config_names_apply(const struct config_doc *doc, const char *list,
	const struct config_node *items, struct dns_name **out, unsigned *count);
ATTR_MUST_CHECK int config_prefixes_apply(const struct config_doc *doc, const char *list,
	const struct config_node *items, struct ip_address **out, unsigned *count);

// Reads query types, RULE_TYPES_MAX at most, which the schema has checked; where `may_except`, "~A"
// and so on for all but these. -EINVAL by config_refuse.
ATTR_MUST_CHECK int config_types_apply(const struct config_doc *doc, const char *list,
	const struct config_node *items, bool may_except, struct rule_types *out);

enum { CONFIG_TITLE_MAX = 63 };
// The name of a list that has no key `name`: the last part of its path, or of that of its URL, or
// the URL's host. NULL: it has neither. Either may be NULL.
const char *config_list_name(
	const char *list_path, const char *list_url, char found[CONFIG_TITLE_MAX + 1]);

// Writes "blocking.lists[3].name"; `of` may be NULL. Returns `key`.
const char *config_item_key(
	char key[CONFIG_PATH_MAX], const char *list, unsigned i, const char *of);

// Copies a required text of 1 to `max` bytes of printable ASCII. -EINVAL, -ENOMEM.
ATTR_MUST_CHECK int config_text_take(
	const struct config_doc *doc, const char *key, const char *text, size_t max, char **out);
// Writes "groups[3].safe_search". Returns `key`.
const char *config_sub_key(char key[CONFIG_PATH_MAX], const char *owner, const char *of);

// Reads the server of a webhook: item `i` of `list`, query_log.webhooks or events.webhooks. -EINVAL
// by config_refuse, -ENOMEM; config_webhook_free frees what `w` has in any case.
ATTR_MUST_CHECK int config_webhook_take(const struct config_doc *doc, const char *list, unsigned i,
	const struct config_node *node, struct config_webhook_to *w);
void config_webhook_free(struct config_webhook_to *w);
bool config_webhook_differs(const struct config_webhook_to *a, const struct config_webhook_to *b);
