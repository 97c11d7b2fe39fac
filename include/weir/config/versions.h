// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// Versions of the configuration in <runtime.state_directory>/config/, and which one a start uses.
//
// Those files may hold secrets: the control plane's user alone reads them. Of each there is one
// `N.blotted` beside it, for the data plane, with other words in place of the secrets, in the same
// format.
//
// A version is a file `N.version`: a number, who made it, when, by what and why, its result,
// and a bundle of the texts: the main file, each included file, the managed part. The file
// `current` has the number of the version in force. `stopped` is there after a clean stop of the
// control plane until the next one serves. The control plane alone writes there
// (controlplane/versions/), each file by a rename; both processes read by these functions.
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
	char *shown; // as errors name the file that was read; NULL: as `path`
	char *bytes; // with a zero behind them
	size_t len;
};

struct config_bundle {
	struct config_text main;
	unsigned included_count;
	struct config_text *included; // in their order
	struct config_text managed;   // the last part; bytes NULL: no such part
	unsigned folder_count;
	char **folders; // that patterns of `include` search
};

void config_bundle_free(struct config_bundle *b); // all zero is fine, and is what it leaves
// Of the main file and the included files: what a file on disk is compared by.
uint64_t config_bundle_disk_digest(const struct config_bundle *b);
uint64_t config_bundle_digest(const struct config_bundle *b); // of all
// -ENOMEM, and `out` is all zero.
ATTR_MUST_CHECK int config_bundle_copy(const struct config_bundle *b, struct config_bundle *out);
// Replaces the managed part, by a text of `path`; NULL or "": none. -ENOMEM: unchanged.
ATTR_MUST_CHECK int config_bundle_manage(
	struct config_bundle *b, const char *path, const char *text);

// The texts as they are: relative paths, places of errors and all checks are those of config_load.
// -EINVAL with all errors, -ENOMEM.
ATTR_MUST_CHECK int config_bundle_load(const struct config_bundle *b,
	enum config_secrets_kind secrets, struct config **out, struct config_errors *errors);
// Reads the files that are on disk, with the managed part of `managed` (NULL: none), and loads
// them. `out` and `config` are set together. -errno as config_load.
ATTR_MUST_CHECK int config_bundle_read(const char *path, const struct config_text *managed,
	enum config_secrets_kind secrets, struct config_bundle *out, struct config **config,
	struct config_errors *errors);

// The result of a version. Files have the number of one: a new one is the last.
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
	unsigned number, before; // before: what was in force then; 0: nothing
	int64_t unix_s;          // when it was stored
	char who[CONFIG_VERSION_WHO_MAX], what[CONFIG_VERSION_WHAT_MAX];
	char why[CONFIG_VERSION_WHY_MAX];    // of the operator
	char reason[CONFIG_VERSION_WHY_MAX]; // of the result
	char needs_restart[CONFIG_VERSION_WHY_MAX];
	enum config_version_result result;
	uint64_t digest, disk_digest; // of its bundle
	bool is_blotted;              // read from the file without secrets
};

// Its health is being watched, or was when the process ended.
static inline bool config_version_is_watched(const struct config_version *v)
{
	return v->result == CONFIG_VERSION_pending || v->result == CONFIG_VERSION_watched_again;
}

// A text of the configuration without the secrets that it may hold: of each URL the user, the
// password and the query (url.h), of a webhook's the path, too, and the value of each key with
// `password`, `secret`, `secrets` or `token` at the end of its name. References (a path,
// `credential:`, `env:`) stay. For readers. For free(); NULL: no memory.
char *config_mask(const char *text, size_t len);
// The texts with words in place of their secrets that load as the secrets do, and without comments.
// The secrets of cookies stay: shared memory has them for the data plane. The same texts become the
// same. -ENOMEM.
ATTR_MUST_CHECK int config_bundle_blot(
	const struct config_bundle *b, struct config_bundle *out, unsigned *blots);

// The text of a version's file, for free(); NULL: no memory.
char *config_version_text(
	const struct config_version *v, const struct config_bundle *b, size_t *len);
// The opposite, of `len` untrusted bytes. -EBADMSG: it is not whole; -ENOMEM.
ATTR_MUST_CHECK int config_version_parse(
	const char *text, size_t len, struct config_version *v, struct config_bundle *b);

// The folder of a state directory, and the file of a version in it. -ENAMETOOLONG.
ATTR_MUST_CHECK int config_versions_folder(
	char out[CONFIG_VERSION_FOLDER_MAX], const char *state_directory);
// The numbers that there are files of, lowest first; how many, the highest
// 2 * CONFIG_VERSIONS_KEPT at most, or -errno.
ATTR_MUST_CHECK int config_versions_list(
	const char *folder, unsigned out[2 * CONFIG_VERSIONS_KEPT]);
// `b` NULL: it is left out. -errno; `why` names the file.
ATTR_MUST_CHECK int config_version_read(const char *folder, unsigned number,
	struct config_version *v, struct config_bundle *b, char why[CONFIG_WHY_MAX]);
// The same, of the blotted file where this process may not read the other one.
ATTR_MUST_CHECK int config_version_read_any(const char *folder, unsigned number,
	struct config_version *v, struct config_bundle *b, char why[CONFIG_WHY_MAX]);
// Number 0: no version is in force. -errno with `why`.
ATTR_MUST_CHECK int config_version_current(
	const char *folder, unsigned *number, char why[CONFIG_WHY_MAX]);

// The managed part of the version in force, where that is of the main file at `path`, as an apply
// of this file would take it. All zero: without such a part or a plain file. The caller frees
// its path and bytes. -errno with `why`: it cannot be read.
ATTR_MUST_CHECK int config_version_managed(
	const char *path, struct config_text *out, char why[CONFIG_WHY_MAX]);

// What a start uses.
struct config_start {
	struct config *config;
	struct config_bundle bundle;
	struct config_version version; // number 0: the file on disk, which is no version yet
	bool is_new;                   // the file on disk is to be a new version, by `start`
	bool differs;                  // the file on disk is another text than the version's
	char disk_why[CONFIG_WHY_MAX]; // why the file on disk cannot be used; "": it can
	char skipped[CONFIG_WHY_MAX];  // a version that could not be used; "": none
	unsigned taken_back_as; // the version that the file on disk was, which kept it from use; 0
	bool was_stopped;       // the control plane was, cleanly
	bool is_held;           // `current` is whole, but did not load: it is to stay
	char folder[CONFIG_VERSION_FOLDER_MAX];
};

// Decides for the configuration file at `path`: the version in force; or the file on disk, if
// there is no history or nothing usable in it, or if the control plane was stopped cleanly and
// the file is a good new text that was not taken back when it was last in force. It is decided
// without secrets, the same in each process. Then, if the secrets of that choice cannot be read:
// the version in force, or an older one. With CONFIG_SECRETS_NONE blotted versions will do; a text
// on disk that differs from such a one by secrets and comments alone is the same. -errno with
// `why`: nothing can be used.
ATTR_MUST_CHECK int config_start(const char *path, enum config_secrets_kind secrets,
	struct config_start *out, char why[CONFIG_WHY_MAX]);
// Logs which version a process starts with, and a warning if the file on disk differs or is
// broken, or a version could not be used.
void config_start_log(const struct config_start *s, const char *path);
void config_start_free(struct config_start *s); // without `config`, which is the caller's
