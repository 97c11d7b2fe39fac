// SPDX-License-Identifier: BSD-3-Clause
// Secrets that stand in a file of the configuration itself. The data plane starts with that file
// where there is no version yet, so its user must be able to read it.
#include "doctor_checks.h"
#include "doctor_files.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <weir/config_tools.h>
#include <weir/url.h>

enum { OF_REDIS = 1, IS_PASSWORD = 2, IS_SENTINEL = 4 };

struct found {
	bool password, sentinel;
	unsigned urls;
};

static unsigned marks_of(const char *key)
{
	return strcmp(key, "redis") == 0               ? OF_REDIS
	       : strcmp(key, "password") == 0          ? IS_PASSWORD
	       : strcmp(key, "sentinel_password") == 0 ? IS_SENTINEL
						       : 0;
}

static void on_scalar(void *arg, const struct config_scalar *s)
{
	struct found *f = arg;
	struct url url;
	if (!*s->value)
		return;
	f->password |= s->marks == (OF_REDIS | IS_PASSWORD);
	f->sentinel |= s->marks == (OF_REDIS | IS_SENTINEL);
	f->urls += url_parse(s->value, &url) == 0 && url.userinfo_len;
}

// False: it cannot be read, or is no YAML; other checks say so.
static bool file_look(const char *path, struct found *out)
{
	const struct config_scalars_to to = {marks_of, on_scalar, out};
	char *text = NULL;
	size_t cap = 0;
	FILE *f = fopen(path, "re");
	const ssize_t len = f ? getdelim(&text, &cap, '\0', f) : -1;
	const bool ok = len > 0 && config_scalars(text, (size_t)len, &to) == 0;
	free(text);
	if (f)
		fclose(f);
	return ok;
}

static void password_report(struct doctor *d, const char *path, const char *key)
{
	doctor_add(d, DOCTOR_WARNING, "configuration: the user %s may read redis.%s in %s",
		d->dp.name, key, path);
	doctor_do(d, "install -o %s -m 0400 /dev/stdin /etc/weir/redis.%s # then redis.%s_file",
		d->cp.name, key, key);
}

void doctor_secrets_check(struct doctor *d, const char *path)
{
	struct found f = {0};
	struct doctor_block b;
	if (d->dp.uid == d->cp.uid || doctor_file_may(&d->dp, path, 4, &b) != 1
		|| !file_look(path, &f))
		return;
	if (f.password)
		password_report(d, path, "password");
	if (f.sentinel)
		password_report(d, path, "sentinel_password");
	if (!f.urls)
		return;
	doctor_add(d, DOCTOR_WARNING,
		"configuration: the user %s may read a user or password of %u URLs in %s",
		d->dp.name, f.urls, path);
	doctor_do(d, "grep -n '://[^/]*@' %s", SHELL_QUOTE(path));
}
