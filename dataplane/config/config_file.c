// SPDX-License-Identifier: BSD-3-Clause
#include "config_file.h"

#include "config_doc.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { SECRETS_MAX = 1024 }; // bytes of a file of secrets

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

int config_secrets_read(const struct config_secrets *s, const char *path)
{
	char text[SECRETS_MAX + 2];
	unsigned count = 0;
	if (path[0] != '/')
		return config_refuse(s->doc, s->key, "must be an absolute path");
	if (s->doc->leaves_secrets)
		return 0;
	int len = config_file_read(path, text, SECRETS_MAX + 1);
	int rc = 0;
	if (len < 0)
		return config_refuse(s->doc, s->key, "cannot be read: %s", strerror(-len));
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
