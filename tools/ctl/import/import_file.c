// SPDX-License-Identifier: BSD-3-Clause

#include "import_file.h"

#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static int refuse(char why[IMPORT_WHY_MAX], const char *path, const char *text, int err)
{
	snprintf(why, IMPORT_WHY_MAX, "%.250s: %s", path, text);
	return err;
}

static int fd_read(int fd, size_t size, char *out, size_t *len)
{
	*len = 0;
	while (*len < size) {
		ssize_t n = read(fd, out + *len, size - *len);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (n == 0)
			break;
		*len += (size_t)n;
	}
	out[*len] = '\0';
	return 0;
}

int import_file_read(const char *path, char **out, size_t *len, char why[IMPORT_WHY_MAX])
{
	struct stat st;
	size_t got = 0;
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	if (fd < 0 || fstat(fd, &st) < 0) {
		const int err = errno;
		if (fd >= 0)
			close(fd);
		return refuse(why, path, strerror(err), -err);
	}
	int rc = S_ISREG(st.st_mode) ? 0 : -EINVAL;
	if (rc < 0)
		refuse(why, path, S_ISDIR(st.st_mode) ? "is a folder" : "is no regular file", rc);
	else if (st.st_size > IMPORT_FILE_MAX)
		rc = refuse(why, path, "is larger than 64 MiB", -EFBIG);
	if (rc == 0) {
		*out = malloc((size_t)st.st_size + 1);
		rc = *out ? fd_read(fd, (size_t)st.st_size, *out, &got) : -ENOMEM;
		if (rc < 0) {
			free(*out);
			refuse(why, path, strerror(-rc), rc);
		}
	}
	close(fd);
	if (len)
		*len = got;
	return rc;
}

char *import_file_line(char **rest)
{
	char *line = *rest, *end;
	if (!line || !*line)
		return NULL;
	end = line + strcspn(line, "\n");
	*rest = *end ? end + 1 : end;
	while (end > line && strchr(" \t\r\n", end[-1]))
		end--;
	*end = '\0';
	return line + strspn(line, " \t\r");
}

int import_file_lines(
	const char *path, void (*each)(void *arg, char *line), void *arg, char why[IMPORT_WHY_MAX])
{
	char *text, *rest, *line;
	int rc = import_file_read(path, &text, NULL, why);
	if (rc < 0)
		return rc;
	rest = text;
	while ((line = import_file_line(&rest)))
		each(arg, line);
	free(text);
	return 0;
}

char *import_file_word(char **rest)
{
	char *word = *rest + strspn(*rest, " \t"), *end;
	if (!*word)
		return NULL;
	if (*word == '"' || *word == '\'') {
		end = strchr(word + 1, *word);
		word++;
		end = end ? end : word + strlen(word);
	} else {
		end = word + strcspn(word, " \t");
	}
	*rest = *end ? end + 1 : end;
	*end = '\0';
	return word;
}

char *import_file_join(const char *folder, const char *name)
{
	char *path;
	return asprintf(&path, "%s/%s", folder, name) < 0 ? NULL : path;
}

bool import_file_is_folder(const char *path)
{
	struct stat st;
	return stat(path, &st) == 0 && S_ISDIR(st.st_mode);
}

bool import_file_exists(const char *path)
{
	return access(path, F_OK) == 0;
}

static size_t matches_give(struct import_model *m, const char *pattern,
	void (*each)(void *arg, const char *path), void *arg)
{
	glob_t found = {0};
	const size_t count = glob(pattern, 0, NULL, &found) == 0 ? found.gl_pathc : 0;
	if (count > IMPORT_FILES_MAX)
		import_miss(m, pattern, "only the first %d of %zu files are read", IMPORT_FILES_MAX,
			count);
	for (size_t i = 0; i < count && i < IMPORT_FILES_MAX; i++)
		each(arg, found.gl_pathv[i]);
	globfree(&found);
	return count;
}

void import_file_each(struct import_model *m, const char *pattern,
	void (*each)(void *arg, const char *path), void *arg)
{
	(void)matches_give(m, pattern, each, arg);
}

void import_file_glob(struct import_model *m, const char *base, const char *pattern,
	const char *key, void (*each)(void *arg, const char *path), void *arg)
{
	const char *slash = base ? strrchr(base, '/') : NULL;
	char *whole = NULL;
	if (pattern[0] == '/' || !slash)
		whole = strdup(pattern);
	else if (asprintf(&whole, "%.*s/%s", (int)(slash - base), base, pattern) < 0)
		whole = NULL;
	if (!whole)
		m->failed = true;
	else if (matches_give(m, whole, each, arg) == 0)
		import_miss(m, key, "no file is there: `%.200s`", whole);
	free(whole);
}
