// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// Local users of the control API with a password, for browsers. The table and its file have salt
// and scrypt (tls_crypto.h) of each password alone.
//
// A value; the service loop's thread, but for password_make and password_is, which compute for some
// 150 ms and are for the helper thread. At most PASSWORDS_MAX users.

#include "tls/tls_crypto.h"
#include "tokens.h"

enum {
	PASSWORDS_MAX = 16,
	PASSWORD_MIN = 10,
	PASSWORD_MAX = 256,
	PASSWORDS_FILE_MAX = PASSWORDS_MAX * 192 + 64,
};

struct password {
	char name[TOKEN_NAME_MAX + 1];
	enum control_role role;
	uint8_t salt[TLS_SALT_LEN], digest[TLS_SHA256_LEN];
};

struct passwords {
	unsigned count;
	struct password user[PASSWORDS_MAX];
};

// See tokens_read and tokens_write.
ATTR_MUST_CHECK int passwords_read(
	struct passwords *p, const char *text, size_t len, char why[TOKENS_WHY_MAX]);
size_t passwords_write(const struct passwords *p, char out[PASSWORDS_FILE_MAX]);
const struct password *passwords_find(const struct passwords *p, const char *name); // or NULL
// Adds the user, or replaces the one of that name. -ENOSPC.
ATTR_MUST_CHECK int passwords_put(struct passwords *p, const struct password *user);
ATTR_MUST_CHECK int passwords_remove(struct passwords *p, const char *name); // -ENOENT

// Salt and digest of `user`. False: no randomness or memory.
ATTR_MUST_CHECK bool password_make(struct password *user, const char *password);
bool password_is(const struct password *user, const char *password);
