// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// The small signed file that names the newest version (docs/how-to/updates.md has the commands that
// make one). It has five lines in this order, each ended by a line feed, and nothing else:
//
//	weir-update 1
//	version 0.2.0
//	issued 2026-11-27T12:00:00Z
//	expires 2027-02-25T12:00:00Z
//	signature BASE64
//
// The signature is Ed25519's over all bytes before its line. weir reads the other lines only if the
// signature is valid. The bytes are not trusted: weir reads nothing beyond UPDATE_FILE_MAX, each
// value has a bound and is printable ASCII. Pure; no allocation but OpenSSL's.

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <weir/attr.h>
#include <weir/config.h>

// Versions of Semantic Versioning 2.0.0: 1.2.3, 1.2.3-rc.1, and build metadata behind a +, which is
// ignored in comparisons: 0.1.0+git20261127.f766dca3 is as new as 0.1.0. Pure.

enum {
	UPDATE_VERSION_MAX = 63,          // bytes of a text
	UPDATE_NUMBER_MAX = 999 * 1000000 // most of major, minor and patch
};

struct update_version {
	uint32_t number[3];
	char pre[UPDATE_VERSION_MAX + 1]; // "rc.1"; "": a release
};

// False: the text is no version, or too long, or has a number that is too large or has a leading
// zero.
ATTR_MUST_CHECK bool update_version_read(const char *text, struct update_version *out);
// Below 0: `a` is older than `b`; 0: as new; above 0: newer.
int update_version_compare(const struct update_version *a, const struct update_version *b);

enum { UPDATE_FILE_MAX = 1024, UPDATE_WHY_MAX = 200, UPDATE_LIFE_MAX_S = 366 * 86400 };

enum update_fault {
	UPDATE_GOOD,
	UPDATE_FAILED, // no file came: the server, the network, or the HTTP status
	UPDATE_TOO_LONG,
	UPDATE_UNSIGNED,  // no signature, or one of another key or for other bytes
	UPDATE_MALFORMED, // signed, but not in this format
	UPDATE_STALE,     // the file has expired, or was issued in the future
	UPDATE_OLDER,     // older than a file that was accepted before
	UPDATE_FAULTS
};
extern const char *const update_fault_names[UPDATE_FAULTS]; // "too_long", ...

struct update_file {
	char text[UPDATE_VERSION_MAX + 1]; // the version as text
	struct update_version version;
	int64_t issued_unix_s, expires_unix_s;
};

// Checks the signature and reads the lines. `why`: a sentence without its subject; not set with
// UPDATE_GOOD.
enum update_fault update_file_read(const void *bytes, size_t len,
	const uint8_t key[CONFIG_UPDATE_KEY_LEN], struct update_file *out,
	char why[UPDATE_WHY_MAX]);
// Checks the times of a file, and that it is no replay: neither its version nor its time of issue
// may be older than that of `former`, the last good file (NULL: no such file).
enum update_fault update_file_judge(const struct update_file *f, const struct update_file *former,
	int64_t now_unix_s, char why[UPDATE_WHY_MAX]);
