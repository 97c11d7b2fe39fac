// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// The writer of versions of the configuration (weir/config/versions.h). Each file is replaced as a
// whole, so a crash or a full disk at any moment leaves the old file or the new one.
//
// The newest versions are kept, at most CONFIG_VERSIONS_KEPT and VERSION_STORE_BYTES_MAX bytes. At
// most VERSION_STORE_SMALL_MAX of them, with half of the bytes, may be small versions: those of the
// role `operate` (entries, services, lists turned on and off), the timer and weir itself. So enough
// other versions are left to roll back to. The version in force, the one that health goes back to,
// and the one that a roll-out goes back to are always kept. The folder has mode 0750, `N.version`
// 0600, because it may have secrets, and the other files 0640, so that the data plane's user, which
// is in the group, can read them. Blocking file I/O: a helper thread, or before the loops run. One
// caller at a time.

#include "base/file_write.h"

#include <weir/config/versions.h>

enum {
	VERSION_STORE_BYTES_MAX = 32 << 20,
	VERSION_STORE_SMALL_MAX = CONFIG_VERSIONS_KEPT / 2,
	VERSION_STORE_SPARE = 64 << 10, // bytes that version_store_room leaves
};

// Makes missing folders, and repairs modes and blotted files of versions. -errno.
ATTR_MUST_CHECK int version_store_open(
	const char *folder, const char *state_directory, char why[FILE_WRITE_WHY_MAX]);
// The highest number of a version; 0: no version.
unsigned version_store_newest(const char *folder);
// Writes or replaces the files of `v`; of a new version the blotted file first. A text that does
// not load without its secrets keeps them in the blotted file, with a warning in the log. -EFBIG:
// over CONFIG_VERSION_BYTES_MAX; -errno.
ATTR_MUST_CHECK int version_store_put(const char *folder, const struct config_version *v,
	const struct config_bundle *b, char why[FILE_WRITE_WHY_MAX]);
// Has the disk room for `v`, and for what is written once it is in force? -ENOSPC; other -errno.
ATTR_MUST_CHECK int version_store_room(const char *folder, const struct config_version *v,
	const struct config_bundle *b, char why[FILE_WRITE_WHY_MAX]);
// Makes version `number` the one in force.
ATTR_MUST_CHECK int version_store_switch(
	const char *folder, unsigned number, char why[FILE_WRITE_WHY_MAX]);
// Replaces the result of a version, and its reason.
ATTR_MUST_CHECK int version_store_settle(const char *folder, unsigned number,
	enum config_version_result result, const char *reason, char why[CONFIG_WHY_MAX]);
// Replaces the result of all versions between `above` and `below`, both excluded, whose health is
// being watched.
void version_store_settle_pending(const char *folder, unsigned above, unsigned below,
	enum config_version_result result, const char *reason);
// Makes taken back all versions above `above` up to `number` that came into force. -errno of the
// last one that failed.
ATTR_MUST_CHECK int version_store_take_back(const char *folder, unsigned above, unsigned number,
	const char *reason, char why[CONFIG_WHY_MAX]);
// Removes versions beyond the bounds, but never `in_force`, `good` and `base`. 0 is none.
void version_store_prune(const char *folder, unsigned in_force, unsigned good, unsigned base);
// Notes a clean stop, or that a control plane serves again.
ATTR_MUST_CHECK int version_store_stopped(
	const char *folder, bool is_stopped, char why[FILE_WRITE_WHY_MAX]);
