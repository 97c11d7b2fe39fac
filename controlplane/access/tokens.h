// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// The tokens of the control API: random 256 bits, "weir_" and 64 hexadecimal digits. A token is
// shown once, when it is made. The table and its file have its SHA-256 alone, so neither a file
// that leaks nor a core gives a token away.
//
// A value; the service loop's thread. At most TOKENS_MAX with those that are revoked or expired; a
// new one takes the place of the oldest of these when the table is full. A search computes one
// SHA-256 and compares it with all of them in a time that says nothing about which.

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <weir/attr.h>
#include <weir/config.h>

enum {
	TOKENS_MAX = 64,
	TOKEN_NAME_MAX = 32,
	TOKEN_TEXT_LEN = 69,
	TOKEN_DIGEST_LEN = 32,
	TOKENS_FILE_MAX = TOKENS_MAX * 192 + 64,
	TOKENS_WHY_MAX = 96,
};

extern const char *const control_role_names[CONTROL_ADMIN + 1]; // CONTROL_NONE: "none"
// CONTROL_NONE: no such word. `text` may be NULL.
enum control_role control_role_find(const char *text);

struct token {
	char name[TOKEN_NAME_MAX + 1];
	enum control_role role;
	bool is_revoked;
	uint8_t digest[TOKEN_DIGEST_LEN];
	int64_t created_unix_s;
	int64_t expires_unix_s; // 0: never
	int64_t used_unix_s;    // last use in this life of the process; 0: not used
};

struct tokens {
	unsigned count;
	struct token token[TOKENS_MAX];
};

bool token_name_is_good(const char *name); // letters, digits, "-", "_", "."; 1 to TOKEN_NAME_MAX

// The table from the text of its file. -EINVAL with `why`: it is damaged; the table is then empty.
ATTR_MUST_CHECK int tokens_read(
	struct tokens *t, const char *text, size_t len, char why[TOKENS_WHY_MAX]);
// The text of the file; returns its length, less than TOKENS_FILE_MAX.
size_t tokens_write(const struct tokens *t, char out[TOKENS_FILE_MAX]);

// Makes a token and gives its text. -EEXIST: one of this name is valid; -ENOSPC: TOKENS_MAX are;
// -EIO: no randomness.
ATTR_MUST_CHECK int tokens_make(struct tokens *t, const struct token *wanted, int64_t now_unix_s,
	char text[TOKEN_TEXT_LEN + 1]);
const struct token *tokens_find(const struct tokens *t, const char *name); // or NULL
ATTR_MUST_CHECK int tokens_revoke(struct tokens *t, const char *name);     // -ENOENT: no valid one

enum token_verdict { TOKEN_GOOD, TOKEN_UNKNOWN, TOKEN_EXPIRED, TOKEN_REVOKED };
bool token_is_over(const struct token *k, int64_t now_unix_s); // revoked or expired
// `*out`: the token, unless it is unknown.
enum token_verdict tokens_check(
	struct tokens *t, const char *text, int64_t now_unix_s, struct token **out);
