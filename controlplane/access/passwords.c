// SPDX-License-Identifier: BSD-3-Clause
#include "passwords.h"

#include "access_text.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

enum { FIELDS = 4 };

static const char file_head[] = "weir-passwords 1\n";

// A line of NAME ROLE SALT DIGEST.
static bool line_read(const char *line, size_t len, struct password *out)
{
	char field[FIELDS][ACCESS_FIELD_MAX];
	if (!access_fields(line, len, field, FIELDS))
		return false;
	*out = (struct password){.role = control_role_find(field[1])};
	if (!token_name_is_good(field[0]) || out->role == CONTROL_NONE
		|| !access_hex_read(field[2], out->salt, sizeof(out->salt))
		|| !access_hex_read(field[3], out->digest, sizeof(out->digest)))
		return false;
	memcpy(out->name, field[0], strlen(field[0]) + 1);
	return true;
}

static bool line_take(void *table, const char *line, size_t len)
{
	struct passwords *p = table;
	if (p->count == PASSWORDS_MAX || !line_read(line, len, &p->user[p->count]))
		return false;
	p->count++;
	return true;
}

int passwords_read(struct passwords *p, const char *text, size_t len, char why[TOKENS_WHY_MAX])
{
	static const struct access_file file = {file_head, "passwords", line_take};
	*p = (struct passwords){0};
	const int rc = access_file_read(&file, p, text, len, why);
	if (rc < 0)
		*p = (struct passwords){0};
	return rc;
}

size_t passwords_write(const struct passwords *p, char out[PASSWORDS_FILE_MAX])
{
	size_t len = (size_t)snprintf(out, PASSWORDS_FILE_MAX, "%s", file_head);
	for (unsigned i = 0; i < p->count; i++) {
		const struct password *u = &p->user[i];
		char salt[2 * sizeof(u->salt) + 1], digest[2 * sizeof(u->digest) + 1];
		access_hex_write(u->salt, sizeof(u->salt), salt);
		access_hex_write(u->digest, sizeof(u->digest), digest);
		len += (size_t)snprintf(out + len, PASSWORDS_FILE_MAX - len, "%s %s %s %s\n",
			u->name, control_role_names[u->role], salt, digest);
	}
	return len;
}

const struct password *passwords_find(const struct passwords *p, const char *name)
{
	for (unsigned i = 0; i < p->count; i++)
		if (strcmp(p->user[i].name, name) == 0)
			return &p->user[i];
	return NULL;
}

int passwords_put(struct passwords *p, const struct password *user)
{
	const struct password *old = passwords_find(p, user->name);
	if (!old && p->count == PASSWORDS_MAX)
		return -ENOSPC;
	p->user[old ? old - p->user : p->count++] = *user;
	return 0;
}

int passwords_remove(struct passwords *p, const char *name)
{
	const struct password *old = passwords_find(p, name);
	if (!old)
		return -ENOENT;
	p->user[old - p->user] = p->user[--p->count];
	return 0;
}

bool password_make(struct password *user, const char *password)
{
	return tls_secret_make(user->salt, sizeof(user->salt))
	       && tls_scrypt(password, user->salt, user->digest);
}

bool password_is(const struct password *user, const char *password)
{
	uint8_t digest[TLS_SHA256_LEN];
	const bool same = tls_scrypt(password, user->salt, digest)
			  && tls_secret_same(digest, user->digest, sizeof(digest));
	explicit_bzero(digest, sizeof(digest));
	return same;
}
