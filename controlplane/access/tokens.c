// SPDX-License-Identifier: BSD-3-Clause
#include "tokens.h"

#include "access_text.h"
#include "tls/tls_crypto.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SECRET_LEN = 32, FIELDS = 6 };

static const char prefix[] = "weir_", file_head[] = "weir-tokens 1\n";
static_assert(sizeof(prefix) - 1 + 2 * SECRET_LEN == TOKEN_TEXT_LEN);
static_assert((int)TOKEN_DIGEST_LEN == (int)TLS_SHA256_LEN);
static_assert((int)TOKENS_WHY_MAX == (int)ACCESS_FILE_WHY_MAX);

const char *const control_role_names[] = {"none", "sync", "read", "operate", "admin"};

enum control_role control_role_find(const char *text)
{
	for (unsigned i = CONTROL_SYNC; text && i <= CONTROL_ADMIN; i++)
		if (strcmp(text, control_role_names[i]) == 0)
			return (enum control_role)i;
	return CONTROL_NONE;
}

bool token_name_is_good(const char *name)
{
	const size_t len = strlen(name);
	return len > 0 && len <= TOKEN_NAME_MAX
	       && strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.")
			  == len;
}

static bool time_read(const char *text, int64_t *out)
{
	const size_t len = strspn(text, "0123456789");
	if (len == 0 || len > 15 || text[len])
		return false;
	*out = strtoll(text, NULL, 10);
	return true;
}

// A line of NAME ROLE SHA-256 CREATED EXPIRES valid|revoked.
static bool line_read(const char *line, size_t len, struct token *out)
{
	char field[FIELDS][ACCESS_FIELD_MAX];
	if (!access_fields(line, len, field, FIELDS))
		return false;
	*out = (struct token){.role = control_role_find(field[1]),
		.is_revoked = strcmp(field[5], "revoked") == 0};
	if (!token_name_is_good(field[0]) || out->role == CONTROL_NONE
		|| !access_hex_read(field[2], out->digest, TOKEN_DIGEST_LEN)
		|| !time_read(field[3], &out->created_unix_s)
		|| !time_read(field[4], &out->expires_unix_s)
		|| (!out->is_revoked && strcmp(field[5], "valid") != 0))
		return false;
	memcpy(out->name, field[0], strlen(field[0]) + 1);
	return true;
}

static bool line_take(void *table, const char *line, size_t len)
{
	struct tokens *t = table;
	if (t->count == TOKENS_MAX || !line_read(line, len, &t->token[t->count]))
		return false;
	t->count++;
	return true;
}

int tokens_read(struct tokens *t, const char *text, size_t len, char why[TOKENS_WHY_MAX])
{
	static const struct access_file file = {file_head, "tokens", line_take};
	*t = (struct tokens){0};
	const int rc = access_file_read(&file, t, text, len, why);
	if (rc < 0)
		*t = (struct tokens){0};
	return rc;
}

size_t tokens_write(const struct tokens *t, char out[TOKENS_FILE_MAX])
{
	static_assert(TOKEN_NAME_MAX + 2 * TOKEN_DIGEST_LEN + 64 < 192);
	size_t len = (size_t)snprintf(out, TOKENS_FILE_MAX, "%s", file_head);
	for (unsigned i = 0; i < t->count; i++) {
		const struct token *k = &t->token[i];
		char digest[2 * TOKEN_DIGEST_LEN + 1];
		access_hex_write(k->digest, TOKEN_DIGEST_LEN, digest);
		len += (size_t)snprintf(out + len, TOKENS_FILE_MAX - len,
			"%s %s %s %" PRId64 " %" PRId64 " %s\n", k->name,
			control_role_names[k->role], digest, k->created_unix_s, k->expires_unix_s,
			k->is_revoked ? "revoked" : "valid");
	}
	return len;
}

bool token_is_over(const struct token *k, int64_t now_unix_s)
{
	return k->is_revoked || (k->expires_unix_s && now_unix_s >= k->expires_unix_s);
}

// A new token's place: that of an old one of the name, the end, or that of the oldest one that is
// over. NULL with *err.
static struct token *place_find(struct tokens *t, const char *name, int64_t now_unix_s, int *err)
{
	struct token *over = NULL;
	for (unsigned i = 0; i < t->count; i++) {
		struct token *k = &t->token[i];
		const bool is_over = token_is_over(k, now_unix_s);
		if (strcmp(k->name, name) == 0) {
			*err = -EEXIST;
			return is_over ? k : NULL;
		}
		if (is_over && (!over || k->created_unix_s < over->created_unix_s))
			over = k;
	}
	*err = -ENOSPC;
	return t->count < TOKENS_MAX ? &t->token[t->count++] : over;
}

int tokens_make(struct tokens *t, const struct token *wanted, int64_t now_unix_s,
	char text[TOKEN_TEXT_LEN + 1])
{
	uint8_t secret[SECRET_LEN];
	struct token made = *wanted;
	int err;
	if (!tls_secret_make(secret, sizeof(secret)))
		return -EIO;
	memcpy(text, prefix, sizeof(prefix));
	access_hex_write(secret, sizeof(secret), text + sizeof(prefix) - 1);
	explicit_bzero(secret, sizeof(secret));
	if (!tls_sha256(text, TOKEN_TEXT_LEN, made.digest))
		return -EIO;
	made.created_unix_s = now_unix_s;
	made.used_unix_s = 0;
	made.is_revoked = false;
	struct token *place = place_find(t, wanted->name, now_unix_s, &err);
	if (!place)
		return err;
	*place = made;
	return 0;
}

const struct token *tokens_find(const struct tokens *t, const char *name)
{
	for (unsigned i = 0; i < t->count; i++)
		if (strcmp(t->token[i].name, name) == 0)
			return &t->token[i];
	return NULL;
}

int tokens_revoke(struct tokens *t, const char *name)
{
	for (unsigned i = 0; i < t->count; i++) {
		struct token *k = &t->token[i];
		if (strcmp(k->name, name) != 0 || k->is_revoked)
			continue;
		k->is_revoked = true;
		return 0;
	}
	return -ENOENT;
}

enum token_verdict tokens_check(
	struct tokens *t, const char *text, int64_t now_unix_s, struct token **out)
{
	uint8_t digest[TLS_SHA256_LEN];
	*out = NULL;
	// The form of a token is no secret, so another text needs no SHA-256.
	if (strlen(text) != TOKEN_TEXT_LEN || strncmp(text, prefix, sizeof(prefix) - 1) != 0
		|| !tls_sha256(text, TOKEN_TEXT_LEN, digest))
		return TOKEN_UNKNOWN;
	for (unsigned i = 0; i < t->count; i++)
		if (tls_secret_same(digest, t->token[i].digest, sizeof(digest)))
			*out = &t->token[i];
	explicit_bzero(digest, sizeof(digest));
	if (!*out)
		return TOKEN_UNKNOWN;
	if ((*out)->is_revoked)
		return TOKEN_REVOKED;
	if (token_is_over(*out, now_unix_s))
		return TOKEN_EXPIRED;
	(*out)->used_unix_s = now_unix_s;
	return TOKEN_GOOD;
}
