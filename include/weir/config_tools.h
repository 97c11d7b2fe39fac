// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// What is read from a configuration file that may be wrong: where a running weir keeps its
// socket and its regions, and all errors.
//
// weirctl must reach the service also while somebody edits its configuration. So config_places_find
// reads the section `runtime` on its own, whatever the rest of the file says, and line by line when
// that section is wrong itself. A process that serves must use config_load(). Any thread.

#include "attr.h"
#include "config.h"

enum { CONFIG_PLACE_MAX = 201 };

struct config_places {
	char directory[CONFIG_PLACE_MAX];
	char hugepages[CONFIG_PLACE_MAX];
	char state_directory[CONFIG_PLACE_MAX];
};

// A value that is missing or cannot be used has its default. -errno, with `out` all defaults and
// `why` filled in, when the file cannot be read.
ATTR_MUST_CHECK int config_places_find(
	const char *path, struct config_places *out, char why[CONFIG_WHY_MAX]);

// The path with the working directory in front if it is relative, for free(). -errno.
ATTR_MUST_CHECK int config_path_absolute(const char *path, char **out);

// All errors, for `weirctl config check`: config_load() reports the first one and the number of the
// others.
enum { CONFIG_ERRORS_MAX = 16 };

struct config_errors {
	unsigned count; // also of those beyond the last text
	char text[CONFIG_ERRORS_MAX][CONFIG_WHY_MAX];
};

// Adds one; those beyond CONFIG_ERRORS_MAX are counted alone.
void config_errors_add(struct config_errors *errors, const char *fmt, ...) ATTR_PRINTF(2, 3);
// The first of the errors, and how many more there are.
void config_errors_tell(const struct config_errors *errors, char why[CONFIG_WHY_MAX]);

// As config_load(), but a systemd credential or a variable of the environment that this process
// lacks counts as an empty one: only the control plane's are meant. Errors that only follow from
// another one are not reported, such as a group's use of a list that is refused itself.
ATTR_MUST_CHECK int config_load_all(
	const char *path, struct config **out, struct config_errors *errors);

// config_load() without opening files of passwords and secrets, for the data plane and weirctl:
// they are not in its memory then, and its user need not be able to read them.
ATTR_MUST_CHECK static inline int config_load_public(
	const char *file_path, struct config **out_config, char out_why[CONFIG_WHY_MAX])
{
	return config_load_kind(file_path, CONFIG_SECRETS_NONE, out_config, out_why);
}

// Would a start accept the file? Does not open files of secrets, which a reader of the
// configuration may often not read. Returns and fills in the same as config_load().
ATTR_MUST_CHECK int config_file_check(const char *path, char why[CONFIG_WHY_MAX]);

// A proof that this machine has what a configuration wants, and where its errors go.
struct config_bundle; // weir/config/versions.h
struct config_proof {
	const struct config_bundle *texts; // of the configuration; NULL: errors name no place
	const struct config_errors *known; // without places: not added again; NULL: none
	struct config_errors *errors;
};
// Adds the error "config: key: reason (FILE:LINE:COL)", as the checks of a document do.
void config_proof_refuse(const struct config_proof *p, const char *key, const char *fmt, ...)
	ATTR_PRINTF(3, 4);

// What a configuration wants of the machine and can be proven without starting anything: the Unix
// group, the cores, the devices. Adds an error for each that is missing here. Reads the group
// database and sysfs, below `root` ("": /).
void config_machine_prove(
	const struct config *c, const char *root, const struct config_proof *proof);
// The same, without what `running` lacks as well: a change is not to blame for that. `texts` are
// those of `c`.
void config_machine_prove_change(const struct config *running, const struct config *c,
	const struct config_bundle *texts, const char *root, struct config_errors *errors);

// Names of settings that differ and need a restart of a process ("dataplane.ports", ...), separated
// by ", " in `out`, then "and 3 more" for those that do not fit; the number of all of them. All
// other settings take effect live.
unsigned config_needs_restart(
	const struct config *running, const struct config *loaded, char *out, size_t cap);

// What `loaded` changes, as such names: at once, by what is in force, and with a restart of a
// process, by what the processes run with since their start. `before`, `after`: the texts of
// `in_force` and `loaded`; NULL: they are the same.
enum { CONFIG_CHANGE_MAX = 512 };

struct config_change {
	char live[CONFIG_CHANGE_MAX];
	char controlplane[CONFIG_CHANGE_MAX], dataplane[CONFIG_CHANGE_MAX]; // to be restarted
};

void config_change_find(const struct config *running, const struct config *in_force,
	const struct config *loaded, const struct config_bundle *before,
	const struct config_bundle *after, struct config_change *out);

// The scalars of any YAML text, in order, with the bytes that each stands in, quotes too: to hide
// some of them. -EINVAL: not YAML, or with anchors, aliases, tags, keys that are no text, another
// encoding, or deeper than CONFIG_SCALARS_DEPTH_MAX; some scalars may have been given. -ENOMEM.
enum { CONFIG_SCALARS_DEPTH_MAX = 32 };

struct config_scalar {
	const char *value; // until the call ends
	size_t begin, end;
	unsigned marks; // of all keys that it is below
};

struct config_scalars_to {
	unsigned (*marks)(const char *key); // bits, for what is below it
	void (*each)(void *arg, const struct config_scalar *scalar);
	void *arg;
};

ATTR_MUST_CHECK int config_scalars(
	const char *text, size_t len, const struct config_scalars_to *to);
