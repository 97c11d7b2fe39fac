// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// The managed part of the configuration as a model: the text that verbs such as `weirctl allow`
// edit (config/versions.h), parsed, changed item by item, and printed again. It holds whatever keys
// the text has; each list that verbs do not know stays as it is.
//
// A change is checked here only as far as another item of the managed part matters; all else is
// checked when the printed text is applied. Names of items are compared byte by byte: the caller
// gives domain names in lower case. Any thread; the caller owns the model. Costs memory for some
// times the text, which has at most CONFIG_MANAGED_MAX bytes.

#include <stdbool.h>
#include <stdint.h>
#include <weir/attr.h>
#include <weir/config.h>

struct config_managed;

enum { CONFIG_MANAGED_MAX = 1 << 20 };

// Of a text, which may be empty. -EINVAL, -EFBIG, -ENOMEM, with `why`.
ATTR_MUST_CHECK int config_managed_parse(
	const char *text, struct config_managed **out, char why[CONFIG_WHY_MAX]);
void config_managed_free(struct config_managed *m); // NULL is fine
// `head` and all items, in the order of the schema and then of their making; "" where there is
// none. For free(); NULL: no memory.
char *config_managed_text(const struct config_managed *m, const char *head);

// An item that a verb adds or removes; NULL: not given.
struct managed_entry { // of `entries`
	const char *name, *verdict, *group, *until, *why;
};
struct managed_list { // of blocking.lists
	const char *name, *path, *url, *format;
	bool allow;
};
struct managed_record { // of local.records
	const char *name, *type, *value, *ttl;
};

// All that change something return 0, or -ENOMEM, or -E2BIG: too many items; else the model is as
// it was. -EEXIST: such an item is there; -ENOENT: no such item.

// In place of one with that name and group, whatever its verdict: 1 if there was one, 2 if that
// had no end.
ATTR_MUST_CHECK int config_managed_entry_set(
	struct config_managed *m, const struct managed_entry *e);
// -ENOENT. `verdict` NULL: any.
ATTR_MUST_CHECK int config_managed_entry_remove(
	struct config_managed *m, const struct managed_entry *e);
// Removes those that have ended at `now`; how many.
unsigned config_managed_entries_end(struct config_managed *m, int64_t now);

// -EEXIST, -ENOENT. The list's name is removed from the disabled ones, too.
ATTR_MUST_CHECK int config_managed_list_add(struct config_managed *m, const struct managed_list *l);
ATTR_MUST_CHECK int config_managed_list_remove(struct config_managed *m, const char *name);
// -EEXIST: it is disabled; -ENOENT: not by the managed part.
ATTR_MUST_CHECK int config_managed_list_disable(struct config_managed *m, const char *name);
ATTR_MUST_CHECK int config_managed_list_enable(struct config_managed *m, const char *name);

// -EEXIST: the same record; -ENOENT. `type` and `value` NULL: all records of the name; 0 or more is
// how many were removed. Values are the same if their data is, however they are written; that of a
// removal may also be `\# LEN HEX` (RFC 3597).
ATTR_MUST_CHECK int config_managed_record_add(
	struct config_managed *m, const struct managed_record *r);
ATTR_MUST_CHECK int config_managed_record_remove(
	struct config_managed *m, const struct managed_record *r);

// -EEXIST: the client is in a group. `group` of the removal NULL: any.
ATTR_MUST_CHECK int config_managed_member_add(
	struct config_managed *m, const char *group, const char *client);
ATTR_MUST_CHECK int config_managed_member_remove(
	struct config_managed *m, const char *group, const char *client);
// Which group the managed part adds the client to; NULL: none.
const char *config_managed_member_group(const struct config_managed *m, const char *client);

// upstreams.servers. `name`: of its certificate, NULL: none.
ATTR_MUST_CHECK int config_managed_server_add(
	struct config_managed *m, const char *address, const char *name);
ATTR_MUST_CHECK int config_managed_server_remove(struct config_managed *m, const char *address);

// Items of files that verbs do not edit.

// An entry goes by its name, its group and its verdict (NULL: any), whatever key it stands in; a
// record by its name and its type (NULL: any); all else by its name.
enum config_item_kind {
	CONFIG_ITEM_ENTRY,
	CONFIG_ITEM_LIST,
	CONFIG_ITEM_DISABLED, // a name in blocking.disabled_lists
	CONFIG_ITEM_RECORD,
	CONFIG_ITEM_MEMBER, // a client
	CONFIG_ITEM_SERVER, // its name is its address
};

struct config_item {
	enum config_item_kind kind;
	const char *name, *group, *verdict, *type;
};

enum { CONFIG_ITEM_PLACE_MAX = 320, CONFIG_ITEM_GROUP_MAX = 64 };

struct config_item_place {
	char text[CONFIG_ITEM_PLACE_MAX]; // "/etc/weir/weir.yaml:12:5"
};

// Where the main file or an included one has that item; false: neither has, or no memory. Domain
// names and addresses are compared as such. Parses the texts: some milliseconds.
struct config_bundle;
bool config_item_find(const struct config_bundle *b, const struct config_item *item,
	struct config_item_place *out);
// The canonical text of a client of a group: an address, a prefix, a MAC address; else as it is. Of
// two texts for one client both are the same. Returns `out`.
char *config_client_text(const char *text, char out[CONFIG_ITEM_GROUP_MAX]);
