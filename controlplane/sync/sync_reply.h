// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// The two messages between a secondary and its primary: the form that a secondary posts to
// /v1/sync, and the line of JSON that the primary replies with. Both sides treat the other's bytes
// as untrusted, and ignore fields that they do not know: at most URL_FIELDS_MAX in a form, at most
// SYNC_LINE_MAX bytes in a reply. So a new field needs no new protocol, as long as both sides do
// well without it, and a weir of this version and of the next one talk. Raise SYNC_PROTOCOL only if
// a field gets another meaning: boxes with different numbers take nothing from each other. Pure;
// any thread.

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <weir/attr.h>
#include <weir/config/shared.h>

enum {
	SYNC_PROTOCOL = 2,
	SYNC_NAME_MAX = 63,          // bytes of a box's name
	SYNC_DIGEST_LEN = 64,        // hexadecimal digits of a SHA-256
	SYNC_SIGNATURE_LEN = 128,    // hexadecimal digits of an Ed25519 signature
	SYNC_AUTHOR_MAX = 170,       // bytes of who made a version, and by what
	SYNC_REASON_MAX = 256,       // bytes of the reason for a refusal
	SYNC_SOFTWARE_MAX = 63,      // bytes of a version of weir
	SYNC_WAIT_S = 30,            // how long a primary may hold a poll
	SYNC_SEND_S = 50,            // how long it may then send; both in SYNC_BOX_AWAY_MS
	SYNC_BACKOFF_MS = 1000,      // how long a secondary waits after a poll that failed
	SYNC_BACKOFF_MAX_MS = 60000, // after many
	SYNC_FORM_MAX = 2048,        // bytes of the form
	SYNC_WHY_MAX = 512,
	SYNC_EPOCH_MAX = 1 << 30,
	// A JSON text has at most six bytes for each byte; a text of YAML has few that need more
	// than two.
	SYNC_LINE_MAX = 2 * CONFIG_SHARED_MAX + 4096,
};

// How far a box has got with the primary's version. X(name)
#define SYNC_RESULTS(X) \
	X(none)         \
	X(pending)      \
	X(held)         \
	X(refused)      \
	X(taken_back)

enum sync_result {
#define X(name) SYNC_##name,
	SYNC_RESULTS(X)
#undef X
		SYNC_RESULTS
};
extern const char *const sync_result_names[SYNC_RESULTS];

// What a secondary reports about itself with each poll.
struct sync_report {
	char box[SYNC_NAME_MAX + 1];
	uint64_t epoch;                   // the highest that this box has seen
	char primary[SYNC_NAME_MAX + 1];  // the box that had it; "": no primary
	char digest[SYNC_DIGEST_LEN + 1]; // digest of the shared part in force; "": no such part
	unsigned version; // the primary's version that `result` is about; 0: no version
	enum sync_result result;
	char reason[SYNC_REASON_MAX + 1]; // why `version` was refused or taken back
	bool is_ready;
	int64_t unix_ms;
	char software[SYNC_SOFTWARE_MAX + 1];
};

// Writes the form. False: it does not fit.
ATTR_MUST_CHECK bool sync_form_write(const struct sync_report *r, char out[SYNC_FORM_MAX]);
// Reads it; `field` returns the value of a field, NULL if the form lacks it. -EPROTO: another
// protocol; -EINVAL; `why`: a sentence.
ATTR_MUST_CHECK int sync_form_read(const char *(*field)(const void *arg, const char *name),
	const void *arg, struct sync_report *out, char why[SYNC_WHY_MAX]);

// A version as the primary hands it out.
struct sync_offer {
	char box[SYNC_NAME_MAX + 1]; // the primary's name
	uint64_t epoch;
	unsigned version;                       // the primary's number of it
	char digest[SYNC_DIGEST_LEN + 1];       // SHA-256 of `text`
	char signature[SYNC_SIGNATURE_LEN + 1]; // sync_sign.h; "": not signed
	bool is_unchanged;                      // the secondary has it: no text
	char *text;                             // for free(); NULL with is_unchanged
	size_t len;
	// Who made the version there, by what: printable ASCII; "": not known.
	char author[SYNC_AUTHOR_MAX + 1];
	char text_why[CONFIG_WHY_MAX]; // why the text is no shared part; "": it is one
};

// The reply, a line with its end, for free(); NULL: no memory. With `o->text` NULL it says that the
// secondary has the version.
char *sync_line_write(const struct sync_offer *o);
// Reads the reply, checks its protocol, its digest and its text. -EPROTO: another protocol;
// -EINVAL; -ENOMEM. `why`: a sentence, without text of the reply that is not printable.
ATTR_MUST_CHECK int sync_line_read(
	const char *line, size_t len, struct sync_offer *out, char why[SYNC_WHY_MAX]);
void sync_offer_free(struct sync_offer *o); // it is empty afterwards

// Sets the author by the two texts of a version, whose other bytes become "?".
void sync_author_set(struct sync_offer *o, const char *who, const char *what);

// The SHA-256 of a text as hexadecimal digits. False: OpenSSL has no memory.
ATTR_MUST_CHECK bool sync_digest(const char *text, size_t len, char out[SYNC_DIGEST_LEN + 1]);
// Is it a name that sync.name may have (config_is_box_name)?
bool sync_name_is_good(const char *name);
