// SPDX-License-Identifier: BSD-3-Clause
// Reads the folder of versions, and trusts no file in it.

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <weir/config/versions.h>
#include <weir/heap_site.h>

enum { NUMBER_TEXT_MAX = 16 };

int config_versions_folder(char out[CONFIG_VERSION_FOLDER_MAX], const char *state_directory)
{
	int n = snprintf(out, CONFIG_VERSION_FOLDER_MAX, "%s/config", state_directory);
	return n < 0 || n >= CONFIG_VERSION_FOLDER_MAX ? -ENAMETOOLONG : 0;
}

// Reads the number at the beginning of `text`, up to 9 digits without a leading zero; `rest` is the
// text after it.
static unsigned number_read(const char *text, const char **rest)
{
	size_t digits = strspn(text, "0123456789");
	*rest = text + digits;
	return digits == 0 || digits > 9 || text[0] == '0' ? 0 : (unsigned)strtoul(text, NULL, 10);
}

static int number_compare(const void *a, const void *b)
{
	const unsigned x = *(const unsigned *)a, y = *(const unsigned *)b;
	return (x > y) - (x < y);
}

// Adds a number; only the highest are kept.
static void number_add(unsigned *out, unsigned *count, unsigned number)
{
	if (*count < 2 * CONFIG_VERSIONS_KEPT) {
		out[(*count)++] = number;
		return;
	}
	unsigned least = 0;
	for (unsigned i = 1; i < *count; i++)
		least = out[i] < out[least] ? i : least;
	if (number > out[least])
		out[least] = number;
}

int config_versions_list(const char *folder, unsigned out[2 * CONFIG_VERSIONS_KEPT])
{
	const struct dirent *e;
	unsigned count = 0;
	DIR *d = opendir(folder);
	if (!d)
		return -errno;
	while ((e = readdir(d)) != NULL) {
		const char *rest;
		unsigned number = number_read(e->d_name, &rest);
		if (number && strcmp(rest, ".version") == 0)
			number_add(out, &count, number);
	}
	closedir(d);
	qsort(out, count, sizeof(out[0]), number_compare);
	return (int)count;
}

static int refuse(char why[CONFIG_WHY_MAX], const char *path, const char *reason, int err)
{
	snprintf(why, CONFIG_WHY_MAX, "%.250s: %s", path, reason);
	return err;
}

// Refuses a file that someone other than the folder's owner or root could have written.
static int file_check(int fd, const char *folder, size_t most, struct stat *st, const char **bad)
{
	struct stat of;
	if (fstat(fd, st) < 0 || stat(folder, &of) < 0)
		return -errno;
	if (!S_ISREG(st->st_mode))
		*bad = "not a plain file";
	else if (st->st_uid != of.st_uid && st->st_uid != 0)
		*bad = "not of the folder's owner";
	else if (st->st_mode & (S_IWGRP | S_IWOTH))
		*bad = "others may write it";
	else if ((uint64_t)st->st_size > most)
		*bad = "too large";
	return *bad ? -EPERM : 0;
}

static int bytes_read(int fd, size_t size, char **out)
{
	char *bytes = heap_malloc(size + 1);
	size_t have = 0;
	ssize_t n = 1;
	if (!bytes)
		return -ENOMEM;
	while (have < size && n > 0) {
		n = read(fd, bytes + have, size - have);
		if (n > 0)
			have += (size_t)n;
	}
	if (have < size) {
		int err = n < 0 ? -errno : -EBADMSG;
		heap_free(bytes);
		return err;
	}
	bytes[size] = '\0';
	*out = bytes;
	return 0;
}

// Reads a file of the folder, for free(), with a zero at its end.
static int file_read(const char *folder, const char *name, size_t most, char **out, size_t *len,
	char why[CONFIG_WHY_MAX])
{
	char path[PATH_MAX];
	struct stat st = {0};
	const char *bad = NULL;
	snprintf(path, sizeof(path), "%s/%s", folder, name);
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY);
	if (fd < 0)
		return refuse(why, path, strerror(errno), -errno);
	int rc = file_check(fd, folder, most, &st, &bad);
	if (rc == 0)
		rc = bytes_read(fd, (size_t)st.st_size, out);
	close(fd);
	*len = (size_t)st.st_size;
	return rc < 0 ? refuse(why, path, bad ? bad : strerror(-rc), rc) : 0;
}

static int named_read(const char *folder, const char *name, unsigned number,
	struct config_version *v, struct config_bundle *b, char why[CONFIG_WHY_MAX])
{
	struct config_bundle bundle;
	char *text;
	size_t len;
	int rc = file_read(folder, name, CONFIG_VERSION_BYTES_MAX, &text, &len, why);
	if (rc < 0)
		return rc;
	rc = config_version_parse(text, len, v, &bundle);
	heap_free(text);
	if (rc == 0 && v->number != number) {
		config_bundle_free(&bundle);
		rc = -EBADMSG;
	}
	if (rc < 0) {
		snprintf(why, CONFIG_WHY_MAX, "%s/%s: %s", folder, name,
			rc == -EBADMSG ? "damaged" : strerror(-rc));
		return rc;
	}
	if (b)
		*b = bundle;
	else
		config_bundle_free(&bundle);
	return 0;
}

int config_version_read(const char *folder, unsigned number, struct config_version *v,
	struct config_bundle *b, char why[CONFIG_WHY_MAX])
{
	char name[NUMBER_TEXT_MAX + sizeof(".version")];
	snprintf(name, sizeof(name), "%u.version", number);
	return named_read(folder, name, number, v, b, why);
}

int config_version_read_any(const char *folder, unsigned number, struct config_version *v,
	struct config_bundle *b, char why[CONFIG_WHY_MAX])
{
	char name[NUMBER_TEXT_MAX + sizeof(".blotted")];
	int rc = config_version_read(folder, number, v, b, why);
	if (rc != -EACCES)
		return rc;
	snprintf(name, sizeof(name), "%u.blotted", number);
	rc = named_read(folder, name, number, v, b, why);
	v->is_blotted = true;
	return rc == -ENOENT ? -EACCES : rc; // N.version is there, but this process may not read it
}

int config_version_current(const char *folder, unsigned *number, char why[CONFIG_WHY_MAX])
{
	char *text;
	const char *rest;
	size_t len;
	int rc = file_read(folder, "current", NUMBER_TEXT_MAX, &text, &len, why);
	*number = 0;
	if (rc == -ENOENT) {
		why[0] = '\0';
		return 0;
	}
	if (rc < 0)
		return rc;
	*number = number_read(text, &rest);
	bool is_whole = *number && strcmp(rest, "\n") == 0;
	heap_free(text);
	if (is_whole)
		return 0;
	*number = 0;
	snprintf(why, CONFIG_WHY_MAX, "%s/current: damaged", folder);
	return -EBADMSG;
}
