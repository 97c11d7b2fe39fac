// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// The shared part of the configuration: the sections that belong to no machine, as one text. A box
// with the key `sync.primary` takes it from the primary, and keeps it in each version between the
// included files and the managed part (config/versions.h). The sections of the shared part count in
// place of those of the box's own files, but `sync.own` names sections that the box keeps.
// The managed part applies over the shared part.
//
// Any thread; no globals. Parses texts: some milliseconds.

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <weir/attr.h>
#include <weir/config.h>

struct config_bundle;
struct config_managed;

enum { CONFIG_SHARED_MAX = 3 << 20 }; // bytes; leaves room for the box's own files in a version

// The sections of the shared part. All other sections are each box's own. Own bits of
// config_sync.own count from the first one on.
#define CONFIG_SHARED_SECTIONS(X) \
	X(blocking)               \
	X(upstreams)              \
	X(dnssec)                 \
	X(ipv6)                   \
	X(clients)                \
	X(local)                  \
	X(forward_zones)          \
	X(groups)                 \
	X(entries)                \
	X(group_members)
enum config_shared_section {
#define X(name) CONFIG_SHARED_##name,
	CONFIG_SHARED_SECTIONS(X)
#undef X
		CONFIG_SHARED_COUNT
};
extern const char *const config_shared_sections[CONFIG_SHARED_COUNT]; // names
int config_shared_find(const char *key); // number of the section; -1: each box's own

// Letters, digits, "-", "_" and ".", 1 to CONFIG_BOX_NAME_MAX bytes; "-" is not first, so that no
// program takes the name for an option.
bool config_is_box_name(const char *name);

enum { CONFIG_SHARED_NAMES_MAX = 128 };
// Writes the names of the sections of a mask: "blocking, groups".
char *config_shared_names(uint32_t sections, char out[CONFIG_SHARED_NAMES_MAX]);

// Prints the shared sections of the texts as they count: those of the files, the shared part and
// the managed part with its overrides. Equal trees give equal texts, and the text of a bundle that
// has it as its shared part is the same again. Never empty. For free(). -EINVAL: the texts do not
// load; -EFBIG: over CONFIG_SHARED_MAX; -ENOMEM.
ATTR_MUST_CHECK int config_shared_text(const struct config_bundle *b, char **out);
// Checks untrusted text: it parses and has shared sections alone. -EINVAL, -EFBIG, -ENOMEM, with
// `why`.
ATTR_MUST_CHECK int config_shared_check(const char *text, size_t len, char why[CONFIG_WHY_MAX]);
// Makes `text` the shared part under the name `path`, and takes items, overrides and unset paths of
// shared sections, but those of the files' `sync.own`, out of the managed part. NULL or "":
// removes the shared part. -EINVAL, -EFBIG, -ENOMEM, with `why`: unchanged.
ATTR_MUST_CHECK int config_bundle_share(
	struct config_bundle *b, const char *path, const char *text, char why[CONFIG_WHY_MAX]);
// Has the managed part nothing of shared sections, but those of the files' `sync.own`? True without
// memory.
bool config_shared_is_clear(const struct config_bundle *b);

struct config_moved {
	unsigned items;
	char stays[CONFIG_SHARED_NAMES_MAX]; // lists that do not fit: "entries, local.records"; ""
};
// Moves the items that verbs edit out of the shared part of `b` into `m`, a model of its managed
// part, in front of the items there: both parts together give the same configuration. Their names
// get the spelling by which verbs find them. What `m` overrides of such lists becomes their items.
// Sections of the files' `sync.own` stay, and a list with which `m` would have more than
// CONFIG_MANAGED_MAX bytes. `shared`: the new text, for free(); NULL: nothing moves. -EINVAL with
// `why`, -ENOMEM: `m` is half changed.
ATTR_MUST_CHECK int config_shared_move(const struct config_bundle *b, struct config_managed *m,
	char **shared, struct config_moved *out, char why[CONFIG_WHY_MAX]);
// Finds the shared sections that the shared and the managed parts of two bundles do not have
// alike, as bits. Another shared part counts as all sections. -EINVAL, -ENOMEM.
ATTR_MUST_CHECK int config_shared_differ(
	const struct config_bundle *a, const struct config_bundle *b, uint32_t *sections);
