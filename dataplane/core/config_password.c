// SPDX-License-Identifier: BSD-3-Clause
#include "config_password.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

// Anything but a plain file that a path may name could block the open or the read.
static int line_read(const char *path, char out[CONFIG_PASSWORD_MAX + 2])
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	if (fd < 0)
		return -errno;
	struct stat st;
	ssize_t n = -EINVAL;
	if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode)) {
		n = read(fd, out, CONFIG_PASSWORD_MAX + 1);
		if (n < 0)
			n = -errno;
	}
	close(fd);
	if (n < 0)
		return (int)n;
	out[n] = '\0';
	out[strcspn(out, "\r\n")] = '\0';
	return 0;
}

int config_password_read(
	const struct config_doc *doc, const char *key, const char *path, char **out)
{
	char text[CONFIG_PASSWORD_MAX + 2];
	if (path[0] != '/')
		return config_refuse(doc, key, "must be an absolute path");
	int ret = line_read(path, text);
	if (ret < 0)
		return config_refuse(doc, key, "cannot be read: %s", strerror(-ret));
	size_t len = strlen(text);
	char *password = len > 0 && len <= CONFIG_PASSWORD_MAX ? strdup(text) : NULL;
	explicit_bzero(text, sizeof text);
	if (len == 0 || len > CONFIG_PASSWORD_MAX)
		return config_refuse(
			doc, key, "its first line must have 1 to %d octets", CONFIG_PASSWORD_MAX);
	if (!password)
		return -ENOMEM;
	*out = password;
	return 0;
}
