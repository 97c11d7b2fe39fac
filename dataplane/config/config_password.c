// SPDX-License-Identifier: BSD-3-Clause
#include "config_password.h"

#include "config_file.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

int config_password_read(
	const struct config_doc *doc, const char *key, const char *path, char **out)
{
	char text[CONFIG_PASSWORD_MAX + 2];
	if (path[0] != '/')
		return config_refuse(doc, key, "must be an absolute path");
	if (doc->leaves_secrets)
		return (*out = strdup("")) ? 0 : -ENOMEM;
	int rc = config_file_read(path, text, CONFIG_PASSWORD_MAX + 1);
	if (rc < 0)
		return config_refuse(doc, key, "cannot be read: %s", strerror(-rc));
	size_t len = strcspn(text, "\r\n");
	text[len] = '\0';
	char *password = len > 0 && len <= CONFIG_PASSWORD_MAX ? strdup(text) : NULL;
	explicit_bzero(text, sizeof(text));
	if (len == 0 || len > CONFIG_PASSWORD_MAX)
		return config_refuse(
			doc, key, "its first line must have 1 to %d bytes", CONFIG_PASSWORD_MAX);
	if (!password)
		return -ENOMEM;
	*out = password;
	return 0;
}
