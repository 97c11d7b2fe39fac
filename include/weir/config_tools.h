// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// Readers of a configuration file that may be wrong: where a running weir keeps its socket and its
// regions, and all errors of the file.
//
// weirctl must reach the service also while somebody edits its configuration. So config_places_find
// reads the section `runtime` alone where the rest is malformed, and line by line if that section
// is, too. A process that
// serves must use config_load(). Any thread.

#include "attr.h"
#include "config.h"

enum { CONFIG_PLACE_MAX = 201 };

struct config_places {
	char directory[CONFIG_PLACE_MAX];
	char hugepages[CONFIG_PLACE_MAX];
	char state_directory[CONFIG_PLACE_MAX];
};

// A value that is missing or wrong has its default. -errno, with `out` all defaults and `why`
// filled in: the file cannot be read.
ATTR_MUST_CHECK int config_places_find(
	const char *path, struct config_places *out, char why[CONFIG_WHY_MAX]);

// Puts the working directory in front of a relative path; for free(). -errno.
ATTR_MUST_CHECK int config_path_absolute(const char *path, char **out);

// All errors of a file, for `weirctl config check`; config_load() reports the first error and the
// number of the others.
enum { CONFIG_ERRORS_MAX = 16 };

struct config_errors {
	unsigned count; // number of all errors; the first CONFIG_ERRORS_MAX have a text
	char text[CONFIG_ERRORS_MAX][CONFIG_WHY_MAX];
};

// Adds an error; beyond CONFIG_ERRORS_MAX it only counts it.
void config_errors_add(struct config_errors *errors, const char *fmt, ...) ATTR_PRINTF(2, 3);
// Writes the first error, and how many more there are.
void config_errors_tell(const struct config_errors *errors, char why[CONFIG_WHY_MAX]);

// Loads as config_load() does, but a systemd credential or an environment variable that this
// process lacks counts as empty: the file means the control plane's. An error that only follows
// from another is not reported, such as a group's use of a list that is refused.
ATTR_MUST_CHECK int config_load_all(
	const char *path, struct config **out, struct config_errors *errors);

// Loads without opening files of passwords and secrets, for the data plane and weirctl: the process
// has no secrets in memory, and its user need not be able to read them.
ATTR_MUST_CHECK static inline int config_load_public(
	const char *file_path, struct config **out_config, char out_why[CONFIG_WHY_MAX])
{
	return config_load_kind(file_path, CONFIG_SECRETS_NONE, out_config, out_why);
}

// Would a start accept the file? Does not open files of secrets, which a reader of the
// configuration may often not read. Returns what config_load() would, and fills in `why`.
ATTR_MUST_CHECK int config_file_check(const char *path, char why[CONFIG_WHY_MAX]);

// A check that this machine has what a configuration needs: where errors are placed and added.
struct config_bundle; // weir/config/versions.h
struct config_proof {
	const struct config_bundle *texts; // texts of the configuration; NULL: errors name no place
	const struct config_errors *known; // errors (without places) not to add again; or NULL
	struct config_errors *errors;
};
// Adds the error "config: key: reason (FILE:LINE:COL)", as the checks of a document do.
void config_proof_refuse(const struct config_proof *p, const char *key, const char *fmt, ...)
	ATTR_PRINTF(3, 4);

// Checks what can be checked without starting anything: the Unix groups, the cores, the devices.
// Adds an error for each that this machine lacks. Reads the group database, and sysfs below `root`
// ("": /).
void config_machine_prove(
	const struct config *c, const char *root, const struct config_proof *proof);
// Checks as config_machine_prove does, but adds no error that `running` has as well: the change is
// not to blame for it. `texts` are the texts of `c`.
void config_machine_prove_change(const struct config *running, const struct config *c,
	const struct config_bundle *texts, const char *root, struct config_errors *errors);

// Finds the settings that differ and need a restart of a process. `out` gets their names
// ("dataplane.ports", ...), separated by ", ", then "and 3 more" if some do not fit. Returns the
// number of all. All other settings take effect live.
unsigned config_needs_restart(
	const struct config *running, const struct config *loaded, char *out, size_t cap);

// The names of settings that `loaded` changes: live ones against `in_force`, and those that need a
// restart against `running`, which the processes started with. `before` and `after`: the texts of
// `in_force` and of `loaded`; NULL: the texts are equal.
enum { CONFIG_CHANGE_MAX = 512 };

struct config_change {
	char live[CONFIG_CHANGE_MAX];
	char controlplane[CONFIG_CHANGE_MAX], dataplane[CONFIG_CHANGE_MAX]; // need a restart
};

void config_change_find(const struct config *running, const struct config *in_force,
	const struct config *loaded, const struct config_bundle *before,
	const struct config_bundle *after, struct config_change *out);

// The value of a key, in the unit of its documentation. Texts have none here, as some are secrets.
enum { CONFIG_WORDS_MAX = 10 };

struct config_value {
	const char *path; // "cache.min_ttl"
	char text[24];
	unsigned word_count; // words that it can be; 0: a number from `min` to `max`
	const char *word[CONFIG_WORDS_MAX];
	int64_t min, max;
	bool is_live; // a change needs no restart
};

// Calls `use` with each key that has a number, a word, or true or false.
typedef void config_value_use(void *arg, const struct config_value *v);
void config_values(const struct config *c, config_value_use *use, void *arg);

// The values of the keys that name a file of which a change makes a reload load the configuration
// again: the texts of `c`, in the order of the keys. NULL or "": there is no such file.
enum { CONFIG_KEY_FILES = 10 };
void config_key_files(const struct config *c, const char *out[CONFIG_KEY_FILES]);

// Calls `each` with every scalar of a YAML text, in order, and with the bytes that it stands in,
// quotes too: a caller can hide some of them. -EINVAL: not YAML, or it has anchors, aliases, tags,
// keys that are no text, another encoding, or more depth than CONFIG_SCALARS_DEPTH_MAX; `each` may
// have been called. -ENOMEM.
enum { CONFIG_SCALARS_DEPTH_MAX = 32 };

struct config_scalar {
	const char *value; // valid until the call ends
	size_t begin, end;
	unsigned marks; // marks of all keys above the scalar
};

struct config_scalars_to {
	unsigned (*marks)(const char *key); // bits for all scalars below the key
	void (*each)(void *arg, const struct config_scalar *scalar);
	void *arg;
};

ATTR_MUST_CHECK int config_scalars(
	const char *text, size_t len, const struct config_scalars_to *to);
