// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// Versions of the configuration in <runtime.state_directory>/config/, and which one a start uses.
//
// A version is a file `N.version`: a number, who made it, when, by what and why, its result,
// and a bundle of the texts: the main file, each included file, the shared part (config/shared.h),
// the managed part. It may hold secrets: only the control plane's user reads it. Beside each
// version there is `N.blotted` for the data plane, in the same format, with other words in place of
// the secrets unless the texts load with their secrets alone. The file `current` has the number of
// the version in force. `stopped` is there from a clean stop of the control plane until the next
// control plane serves, or starts on a version whose health was being watched. Only the control
// plane writes to the folder (controlplane/versions/), each file by a rename; both processes read
// by these functions.
//
// Whatever the files hold, a reader ends with an error that names the file: a file is read only
// if it is plain, of the folder's owner or root, not writable by others, at most
// CONFIG_VERSION_BYTES_MAX long, and whole by its checksum. Blocks as reads of small files do. Any
// thread; no globals. A bundle owns its texts.

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <weir/attr.h>
#include <weir/config.h>
#include <weir/config_tools.h>

enum {
	CONFIG_VERSIONS_KEPT = 20,
	CONFIG_VERSION_BYTES_MAX = (4 << 20) + (256 << 10), // texts, their paths, and the head
	CONFIG_VERSION_WHO_MAX = 80,
	CONFIG_VERSION_WHAT_MAX = 80,
	CONFIG_VERSION_WHY_MAX = 512,
	CONFIG_VERSION_FOLDER_MAX = 256,
};

struct config_text {
	char *path;  // absolute
	char *shown; // name in errors of the file that was read; NULL: `path`
	char *bytes; // a zero follows
	size_t len;
};

struct config_bundle {
	struct config_text main;
	unsigned included_count;
	struct config_text *included; // ordered by `include`
	struct config_text shared;    // after the included files; bytes NULL: no such part
	struct config_text managed;   // the last part; bytes NULL: no such part
	unsigned folder_count;
	char **folders; // that patterns of `include` search
};

void config_bundle_free(struct config_bundle *b); // a bundle of zeros is fine; leaves zeros
// Digest of the main file and the included files, for comparison with the files on disk.
uint64_t config_bundle_disk_digest(const struct config_bundle *b);
uint64_t config_bundle_digest(const struct config_bundle *b); // covers all its texts
// Makes a copy; -ENOMEM: `out` is all zero.
ATTR_MUST_CHECK int config_bundle_copy(const struct config_bundle *b, struct config_bundle *out);
// Replaces one of the bundle's texts by `text` under the name `path`; NULL or "": removes it.
// -ENOMEM: unchanged.
ATTR_MUST_CHECK int config_text_replace(struct config_text *t, const char *path, const char *text);
// Replaces the managed part by `text` under the name `path`; NULL or "": removes it. -ENOMEM:
// unchanged.
ATTR_MUST_CHECK int config_bundle_manage(
	struct config_bundle *b, const char *path, const char *text);

// Loads a configuration from the texts. Relative paths, places of errors and all checks are as in
// config_load. -EINVAL with all errors, -ENOMEM.
ATTR_MUST_CHECK int config_bundle_load(const struct config_bundle *b,
	enum config_secrets_kind secrets, struct config **out, struct config_errors *errors);
// Reads the files on disk, adds the shared and the managed part of `kept` (NULL: neither), and
// loads them. `out` and `config` are set together. -errno as config_load.
ATTR_MUST_CHECK int config_bundle_read(const char *path, const struct config_bundle *kept,
	enum config_secrets_kind secrets, struct config_bundle *out, struct config **config,
	struct config_errors *errors);

// The result of a version. Files hold its number: append a new result at the end.
#define CONFIG_VERSION_RESULTS(X)                                                           \
	X(pending, "it is being activated, or its health is being watched")                 \
	X(watched_again, "a control plane died while its health was watched")               \
	X(applied, "it is or was in force")                                                 \
	X(taken_back, "its health fell, and weir went back to the version before")          \
	X(not_taken, "it was never in force: the processes refused it, or one died before") \
	X(fallen, "its health fell, and weir could not go back")
enum config_version_result {
#define X(name, text) CONFIG_VERSION_##name,
	CONFIG_VERSION_RESULTS(X)
#undef X
		CONFIG_VERSION_RESULT_COUNT
};
extern const char *const config_version_results[CONFIG_VERSION_RESULT_COUNT]; // names

struct config_version {
	unsigned number, before; // before: the version in force at that time, or 0
	int64_t unix_s;          // when it was stored
	char who[CONFIG_VERSION_WHO_MAX], what[CONFIG_VERSION_WHAT_MAX];
	char why[CONFIG_VERSION_WHY_MAX];    // the operator's reason
	char reason[CONFIG_VERSION_WHY_MAX]; // why it has this result
	char needs_restart[CONFIG_VERSION_WHY_MAX];
	enum config_version_result result;
	uint64_t digest, disk_digest; // digests of its bundle
	bool is_blotted;              // read from the file without secrets
};

// Is the health of this version being watched, or was it when the process ended?
static inline bool config_version_is_watched(const struct config_version *v)
{
	return v->result == CONFIG_VERSION_pending || v->result == CONFIG_VERSION_watched_again;
}

// A text of the configuration for readers, without secrets. It lacks user, password and query of
// each URL (url.h), the path of a webhook's URL, too, and the value of each key whose name ends in
// `password`, `secret`, `secrets` or `token`. For free(); NULL: no memory.
char *config_mask(const char *text, size_t len);
// The value of the key at a path (config/managed.h), as that. "***" in place of a value whose key
// has a secret or is unknown. Path "": the value is a text with its keys.
char *config_mask_value(const char *path, const char *value);
// Copies the texts without comments and with words in place of secrets; the words pass every check
// that the secrets pass. The secrets of cookies stay: the data plane reads them in shared memory
// anyway. Equal texts give equal copies. `blots`: how many secrets were replaced. -ENOMEM.
ATTR_MUST_CHECK int config_bundle_blot(
	const struct config_bundle *b, struct config_bundle *out, unsigned *blots);

// The text of a version's file, for free(); NULL: no memory.
char *config_version_text(
	const struct config_version *v, const struct config_bundle *b, size_t *len);
// Reads such a text, `len` untrusted bytes. -EBADMSG: it is not whole; -ENOMEM.
ATTR_MUST_CHECK int config_version_parse(
	const char *text, size_t len, struct config_version *v, struct config_bundle *b);

// The folder of a state directory, and the file of a version in it. -ENAMETOOLONG.
ATTR_MUST_CHECK int config_versions_folder(
	char out[CONFIG_VERSION_FOLDER_MAX], const char *state_directory);
// Finds the numbers of the stored versions, lowest first, but only the highest
// 2 * CONFIG_VERSIONS_KEPT. Returns how many `out` has, or -errno.
ATTR_MUST_CHECK int config_versions_list(
	const char *folder, unsigned out[2 * CONFIG_VERSIONS_KEPT]);
// Reads version `number`; `b` NULL: without its texts. -errno; `why` names the file.
ATTR_MUST_CHECK int config_version_read(const char *folder, unsigned number,
	struct config_version *v, struct config_bundle *b, char why[CONFIG_WHY_MAX]);
// Like config_version_read, but reads `N.blotted` if this process may not read `N.version`.
ATTR_MUST_CHECK int config_version_read_any(const char *folder, unsigned number,
	struct config_version *v, struct config_bundle *b, char why[CONFIG_WHY_MAX]);
// Reads the number of the version in force; 0: no version is. -errno with `why`.
ATTR_MUST_CHECK int config_version_current(
	const char *folder, unsigned *number, char why[CONFIG_WHY_MAX]);

// Reads the shared and the managed part of the version in force, which an apply of the file at
// `path` would use. All zero: the version has neither, or is of another main file, or `path` is no
// plain file. For config_bundle_free. -errno with `why`: they cannot be read.
ATTR_MUST_CHECK int config_version_kept(
	const char *path, struct config_bundle *out, char why[CONFIG_WHY_MAX]);

// What a start uses.
struct config_start {
	struct config *config;
	struct config_bundle bundle;
	struct config_version version; // number 0: the file on disk, which is no version yet
	bool is_new;                   // the file on disk is to be a new version, by `start`
	bool differs;                  // the file on disk is another text than the version's
	char disk_why[CONFIG_WHY_MAX]; // why the file on disk cannot be used; "": it can
	char skipped[CONFIG_WHY_MAX];  // why a version could not be used; "": no such version
	// Not 0: the file on disk is not used, because weir went back from this version of it.
	unsigned taken_back_as;
	bool was_stopped; // the control plane stopped cleanly
	bool is_held;     // the version of `current` is whole, but did not load: `current` stays
	char folder[CONFIG_VERSION_FOLDER_MAX];
};

// Decides what a start with the configuration file at `path` uses:
//   - the version in force, or an older one if that cannot be used;
//   - the file on disk, if no version can be used, or if the control plane was stopped cleanly and
//     the file is a good new text that was not taken back when it was last in force.
// The decision does not read secrets, so both processes decide alike. If the secrets of its outcome
// cannot be read, the version in force is used, or an older one. With CONFIG_SECRETS_NONE a blotted
// version is enough; a text on disk that differs from it only in secrets and comments counts as
// equal. -errno with `why`: nothing can be used.
ATTR_MUST_CHECK int config_start(const char *path, enum config_secrets_kind secrets,
	struct config_start *out, char why[CONFIG_WHY_MAX]);
// Logs which version a process starts with, and a warning if the file on disk differs or is
// broken, a version could not be used, or the shared part replaces sections. `c`: the configuration
// that the start found.
void config_start_log(const struct config_start *s, const char *path, const struct config *c);
void config_start_free(struct config_start *s); // the caller frees `config`
