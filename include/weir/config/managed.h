// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// The managed part of the configuration as a model: the text that verbs such as `weirctl allow`
// edit (config/versions.h), parsed, changed item by item, and printed again. It holds whatever keys
// the text has; each list that verbs do not know stays as it is.
//
// A change is checked here only against other items of the managed part; all else is checked when
// the printed text is applied. Names of items are compared byte by byte: the caller gives domain
// names in lower case. Any thread; the caller owns the model. A model takes some times the memory
// of its text, which has at most CONFIG_MANAGED_MAX bytes.

#include <stdbool.h>
#include <stdint.h>
#include <weir/attr.h>
#include <weir/config.h>

struct config_managed;

enum { CONFIG_MANAGED_MAX = 1 << 20, CONFIG_UNSET_MAX = 1024 };

// Makes a model from a text, which may be empty. -EINVAL, -EFBIG, -ENOMEM, with `why`.
ATTR_MUST_CHECK int config_managed_parse(
	const char *text, struct config_managed **out, char why[CONFIG_WHY_MAX]);
void config_managed_free(struct config_managed *m); // NULL is fine
// Prints `head` and all items, by the order of the schema and then of their creation; "" if there
// are no items. For free(); NULL: no memory.
char *config_managed_text(const struct config_managed *m, const char *head);

// The first key that no function below makes; NULL: no such key.
const char *config_managed_other(const struct config_managed *m);

// An item that a verb adds or removes; NULL: not given.
struct managed_entry { // item of `entries`
	const char *name, *verdict, *group, *until, *why;
	const char *types; // several by commas
	const char *reply;
	bool inverts;
};
struct managed_list { // item of blocking.lists
	const char *name, *path, *url, *format;
	bool allow;
};
struct managed_record { // item of local.records
	const char *name, *type, *value, *ttl;
	const char *usual_ttl; // for an addition: of a record without one
};

// Functions that change the model return 0, or an error that leaves it as it was: -ENOMEM; -E2BIG:
// too many items; -EEXIST: such an item is there; -ENOENT: no such item.

// Adds `e`, at the place of an entry with its name and group, whatever the verdict. Returns 1 if an
// entry was replaced, 2 if the replaced entry had no end.
ATTR_MUST_CHECK int config_managed_entry_set(
	struct config_managed *m, const struct managed_entry *e);
// `verdict` NULL: removes an entry of any verdict.
ATTR_MUST_CHECK int config_managed_entry_remove(
	struct config_managed *m, const struct managed_entry *e);
// How many items of `entries` and of local.records the managed part has: the last ones of these
// lists in the `struct config` that it is part of.
unsigned config_managed_entry_count(const struct config_managed *m);
unsigned config_managed_record_count(const struct config_managed *m);
// Removes the entries that have ended at `now`. Returns their number.
unsigned config_managed_entries_end(struct config_managed *m, int64_t now);

// Both remove the list's name from the managed part's disabled lists.
ATTR_MUST_CHECK int config_managed_list_add(struct config_managed *m, const struct managed_list *l);
ATTR_MUST_CHECK int config_managed_list_remove(struct config_managed *m, const char *name);
// -EEXIST: the list is disabled; -ENOENT: the managed part does not disable it.
ATTR_MUST_CHECK int config_managed_list_disable(struct config_managed *m, const char *name);
ATTR_MUST_CHECK int config_managed_list_enable(struct config_managed *m, const char *name);

// Two values are equal if their RDATA is. Returns 1 if the record is there, -EEXIST if it is there
// with another TTL than the one given. A removal returns the number of removed records: `type` or
// `value` NULL stands for any, and `value` may also be `\# LEN HEX` (RFC 3597).
ATTR_MUST_CHECK int config_managed_record_add(
	struct config_managed *m, const struct managed_record *r);
ATTR_MUST_CHECK int config_managed_record_remove(
	struct config_managed *m, const struct managed_record *r);

// -EEXIST: the client is in a group. A removal with `group` NULL: from any group.
ATTR_MUST_CHECK int config_managed_member_add(
	struct config_managed *m, const char *group, const char *client);
ATTR_MUST_CHECK int config_managed_member_remove(
	struct config_managed *m, const char *group, const char *client);
// The group that the managed part adds the client to; NULL: it adds it to no group.
const char *config_managed_member_group(const struct config_managed *m, const char *client);
// The group whose overridden `clients` have the client, in canonical text; NULL: no group.
const char *config_managed_override_group(const struct config_managed *m, const char *client);

// Servers of upstreams.servers. `name`: in the certificate; NULL: not given. Returns 1 if the
// server is there, -EEXIST if it is there without that name.
ATTR_MUST_CHECK int config_managed_server_add(
	struct config_managed *m, const char *address, const char *name);
ATTR_MUST_CHECK int config_managed_server_remove(struct config_managed *m, const char *address);

// Overrides: values of any other keys, which count in place of those of the operator's files. A
// path names a key, and an item by its name or value: "groups[kids].services[tiktok]".

// Merges `text`, which has the keys of a file as YAML or JSON, into the overrides. -EINVAL with
// `why`: it is malformed, or has a key that cannot be set so.
ATTR_MUST_CHECK int config_managed_override(
	struct config_managed *m, const char *text, char why[CONFIG_WHY_MAX]);
// Sets one key; a list takes the place of all of it that the files have. `value`: its text; for a
// list texts with commas between; "[...]" or "{...}" is YAML.
ATTR_MUST_CHECK int config_managed_set(
	struct config_managed *m, const char *path, const char *value, char why[CONFIG_WHY_MAX]);
// Takes back what is set at and below the path, and that it is unset. -EINVAL with `why`: it is no
// path; -ENOENT.
ATTR_MUST_CHECK int config_managed_override_clear(
	struct config_managed *m, const char *path, char why[CONFIG_WHY_MAX]);
// The key or item of the files counts as absent. -EINVAL with `why`; -EEXIST: it does already.
ATTR_MUST_CHECK int config_managed_unset(
	struct config_managed *m, const char *path, char why[CONFIG_WHY_MAX]);
// Calls `use` with each value that is set, as YAML on one line, and with NULL for each path that is
// unset. -ENOMEM.
typedef void config_override_use(void *arg, const char *path, const char *value);
ATTR_MUST_CHECK int config_managed_overrides(
	const struct config_managed *m, config_override_use *use, void *arg);

struct config_bundle;

// All groups, with the values that each has of its own in the texts, none that it inherits, and the
// clients that verbs have added. Groups have no secrets.

// Calls `group` with each name in the order of the texts; where that returns true, the others with
// each value of the group: `text` with a value, `open` and `close` around a list or a mapping.
// `key` NULL: an item of a list. Parses the texts: some milliseconds. -EINVAL, -ENOMEM.
struct config_own_use {
	bool (*group)(void *arg, const char *name);
	void (*open)(void *arg, const char *key, bool is_list);
	void (*text)(void *arg, const char *key, const char *text);
	void (*close)(void *arg);
};
ATTR_MUST_CHECK int config_groups_own(
	const struct config_bundle *b, const struct config_own_use *use, void *arg);

// Items of a list that is put as a whole. `in_file`: of a file, and not in the list that is put.
struct config_put_counts {
	unsigned added, changed, removed, unchanged, in_file;
};
// Makes the groups those of `text`, which has the key `groups` as a file has it, as YAML or JSON;
// an item with its name alone stays as it is. A group of `b`, the texts in force, that `text` lacks
// is removed unless a file has it. A value of a file that differs is overridden, or unset. -EINVAL
// with `why`; -E2BIG, -ENOMEM: the model is half changed.
ATTR_MUST_CHECK int config_managed_groups_put(struct config_managed *m,
	const struct config_bundle *b, const char *text, struct config_put_counts *out,
	char why[CONFIG_WHY_MAX]);

// Items of files that verbs do not edit.

// Which of the keys and items at these paths have the operator's files; `has_managed`: or the
// managed part. Parses the texts: some milliseconds.
void config_paths_find(const struct config_bundle *b, bool has_managed, const char *const *path,
	unsigned count, bool *found);

// Calls `use` with each server of upstreams.servers as the texts write it, in the order of `struct
// config`. Parses the texts: some milliseconds. -EINVAL, -ENOMEM.
typedef void config_server_use(void *arg, unsigned i, const char *address);
ATTR_MUST_CHECK int config_servers(
	const struct config_bundle *b, config_server_use *use, void *arg);

// What identifies an item: an entry's name, group and verdict (NULL: any), whatever key it stands
// in; a record's name and type (NULL: any); the name of any other item.
enum config_item_kind {
	CONFIG_ITEM_ENTRY,
	CONFIG_ITEM_LIST,
	CONFIG_ITEM_DISABLED, // a name in blocking.disabled_lists
	CONFIG_ITEM_RECORD,
	CONFIG_ITEM_MEMBER, // a client
	CONFIG_ITEM_SERVER, // `name` is its address
};

struct config_item {
	enum config_item_kind kind;
	const char *name, *group, *verdict, *type;
};

enum { CONFIG_ITEM_PLACE_MAX = 320, CONFIG_ITEM_GROUP_MAX = 64 };

struct config_item_place {
	char text[CONFIG_ITEM_PLACE_MAX]; // "/etc/weir/weir.yaml:12:5"
};

// Finds the item in the main file and the included files; false: no file has it, or no memory.
// Compares domain names as names and addresses as addresses, not byte by byte. Parses the texts:
// some milliseconds.
bool config_item_find(const struct config_bundle *b, const struct config_item *item,
	struct config_item_place *out);
// Writes the canonical text of a group's client: of an address, a prefix, a MAC address or a host
// name (lower case, no final dot); any other text is copied. Two texts for one client give one
// canonical text. Returns `out`.
char *config_client_text(const char *text, char out[CONFIG_ITEM_GROUP_MAX]);
