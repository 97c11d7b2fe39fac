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

static int base64_digit(char c)
{
	static const char digits[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	const char *at = c ? strchr(digits, c) : NULL;
	return at ? (int)(at - digits) : -1;
}

int config_base64_read(const char *text, size_t len, uint8_t *out, size_t max)
{
	uint32_t bits = 0;
	unsigned have = 0, padding = 0;
	size_t n = 0;

	if (len == 0 || len % 4 != 0)
		return -EINVAL;
	while (padding < 2 && text[len - 1 - padding] == '=')
		padding++;
	for (size_t i = 0; i < len - padding; i++) {
		int digit = base64_digit(text[i]);
		if (digit < 0)
			return -EINVAL;
		bits = bits << 6 | (unsigned)digit;
		have += 6;
		if (have < 8)
			continue;
		have -= 8;
		if (n == max)
			return -EINVAL;
		out[n++] = (uint8_t)(bits >> have);
	}
	// The last digit may have bits too many, which are zero.
	return bits & ((1u << have) - 1) ? -EINVAL : (int)n;
}
