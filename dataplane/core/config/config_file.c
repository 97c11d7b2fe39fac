// SPDX-License-Identifier: BSD-3-Clause
#include "config_file.h"

#include "config_doc.h"
#include "config_keys.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <weir/heap_site.h>

enum {
	SECRETS_MAX = 1024, // bytes of a file of secrets
	SECRET_NAME_MAX = 64
};

int config_file_read(const char *path, char *out, size_t max)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	if (fd < 0)
		return -errno;
	struct stat st;
	ssize_t n = -EINVAL;
	if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode)) {
		n = read(fd, out, max);
		if (n < 0)
			n = -errno;
	}
	close(fd);
	if (n >= 0)
		out[n] = '\0';
	return (int)n;
}

// The rest of `text` after a prefix; NULL: `text` does not begin with it.
static const char *behind(const char *text, const char *prefix)
{
	size_t len = strlen(prefix);
	return strncmp(text, prefix, len) == 0 ? text + len : NULL;
}

// Is it the name of a credential's file or of a variable, and no path?
static bool is_name(const char *text)
{
	static const char allowed[] =
		"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-.";
	size_t len = strlen(text);
	return len > 0 && len <= SECRET_NAME_MAX && text[0] != '.' && strspn(text, allowed) == len;
}

static int variable_read(const char *name, char *out, size_t max)
{
	const char *text = getenv(name);
	if (!text)
		return -ENOENT;
	size_t len = strnlen(text, max);
	memcpy(out, text, len);
	out[len] = '\0';
	return (int)len;
}

static int credential_read(const char *name, char *out, size_t max)
{
	char path[PATH_MAX];
	const char *folder = getenv("CREDENTIALS_DIRECTORY");
	if (!folder || folder[0] != '/')
		return -ENOENT;
	int len = snprintf(path, sizeof(path), "%s/%s", folder, name);
	if (len < 0 || (size_t)len >= sizeof(path))
		return -ENAMETOOLONG;
	return config_file_read(path, out, max);
}

// Reads the secret that `value` names into `out`, which has `max` + 1 bytes. Returns its length, or
// -EINVAL by config_refuse. *is_left: this load must not, or cannot, read it.
static int secret_read(const struct config_doc *doc, const char *key, const char *value, char *out,
	size_t max, bool *is_left)
{
	const char *variable = behind(value, "env:"), *credential = behind(value, "credential:");
	const char *name = variable ? variable : credential;
	// A reload looks for changes in files of such keys alone.
	assert(!config_key_find(key) || config_key_find(key)->kind == CONFIG_FILE);
	if (name && !is_name(name))
		return config_refuse(doc, key,
			"needs a name of 1 to %d letters, digits, '_', '-', '.' behind the colon",
			SECRET_NAME_MAX);
	if (!name && value[0] != '/')
		return config_refuse(
			doc, key, "must be an absolute path, credential:NAME or env:NAME");
	*is_left = doc->leaves_secrets;
	if (*is_left)
		return 0;
	int rc = variable     ? variable_read(name, out, max)
		 : credential ? credential_read(name, out, max)
			      : config_file_read(value, out, max);
	*is_left = rc == -ENOENT && name && doc->leaves_absent;
	if (rc >= 0 || *is_left)
		return rc < 0 ? 0 : rc;
	if (rc == -ENOENT && name)
		return config_refuse(doc, key, "this process was started without that %s",
			variable ? "variable of the environment" : "systemd credential");
	return config_refuse(doc, key, "cannot be read: %s", strerror(-rc));
}

int config_secrets_read(const struct config_secrets *s, const char *value)
{
	char text[SECRETS_MAX + 2];
	unsigned count = 0;
	bool is_left;
	int len = secret_read(s->doc, s->key, value, text, SECRETS_MAX + 1, &is_left);
	int rc = 0;
	if (len < 0 || is_left)
		return len;
	if (len > SECRETS_MAX)
		rc = config_refuse(s->doc, s->key, "has more than %d bytes", SECRETS_MAX);
	for (const char *p = text; rc == 0 && *p;) {
		size_t n = strcspn(p, " \t\r\n");
		if (n) {
			rc = s->add(s, p, n);
			count++;
		}
		p += n;
		p += strspn(p, " \t\r\n");
	}
	explicit_bzero(text, sizeof(text));
	return rc == 0 && count == 0 ? config_refuse(s->doc, s->key, "has no secret") : rc;
}

int config_password_read(
	const struct config_doc *doc, const char *key, const char *value, char **out)
{
	char text[CONFIG_PASSWORD_MAX + 2];
	bool is_left;
	int rc = secret_read(doc, key, value, text, CONFIG_PASSWORD_MAX + 1, &is_left);
	if (rc < 0)
		return rc;
	if (is_left)
		return (*out = heap_strdup("")) ? 0 : -ENOMEM;
	size_t len = strcspn(text, "\r\n");
	text[len] = '\0';
	char *password = len > 0 && len <= CONFIG_PASSWORD_MAX ? heap_strdup(text) : NULL;
	explicit_bzero(text, sizeof(text));
	if (len == 0 || len > CONFIG_PASSWORD_MAX)
		return config_refuse(
			doc, key, "its first line must have 1 to %d bytes", CONFIG_PASSWORD_MAX);
	if (!password)
		return -ENOMEM;
	*out = password;
	return 0;
}

static int digit(char c)
{
	static const char digits[] = "0123456789abcdef";
	const char *at = c ? strchr(digits, c >= 'A' && c <= 'F' ? c + ('a' - 'A') : c) : NULL;
	return at ? (int)(at - digits) : -1;
}

bool config_hex_read(const char *text, uint8_t *out, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		int high = digit(text[2 * i]), low = digit(text[2 * i + 1]);
		if (high < 0 || low < 0)
			return false;
		out[i] = (uint8_t)(high << 4 | low);
	}
	return true;
}
