// SPDX-License-Identifier: BSD-3-Clause
#include "setup_file.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { FILE_MAX = 4 << 20 };

static void signals(int how)
{
	sigset_t set;
	sigemptyset(&set);
	sigaddset(&set, SIGHUP);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGPIPE);
	(void)sigprocmask(how, &set, NULL);
}

char *setup_file_path(const struct setup *s, const char *ending, char out[SETUP_PATH_MAX])
{
	snprintf(out, SETUP_PATH_MAX, "%s%s", s->c->config_path, ending);
	return out;
}

static bool why_errno(char why[SETUP_WHY_MAX], const char *path)
{
	snprintf(why, SETUP_WHY_MAX, "%.800s: %s", path, strerror(errno));
	return false;
}

int setup_file_read(struct setup *s)
{
	if (!realpath(s->c->config_path, s->path))
		return ctl_fail(s->c, "%s: %s", s->c->config_path, strerror(errno));
	s->c->config_path = s->path;
	snprintf(s->folder, sizeof(s->folder), "%.*s", (int)(strrchr(s->path, '/') - s->path),
		s->path);
	FILE *f = fopen(s->c->config_path, "re");
	if (!f)
		return ctl_fail(s->c, "%s: %s", s->c->config_path, strerror(errno));
	s->text = calloc(1, FILE_MAX + 1);
	const size_t len = s->text ? fread(s->text, 1, FILE_MAX + 1, f) : 0;
	const bool failed = !s->text || ferror(f) || len > FILE_MAX || strlen(s->text) != len;
	fclose(f);
	s->before = failed ? NULL : strdup(s->text);
	return s->before ? CTL_OK
			 : ctl_fail(s->c, "%s cannot be read as a text of at most 4 MiB",
				 s->c->config_path);
}

// Gives it the owner and the mode of the file that it replaces.
static bool owner_set(const struct setup *s, int fd)
{
	struct stat st;
	return stat(s->c->config_path, &st) == 0 && fchown(fd, st.st_uid, st.st_gid) == 0
	       && fchmod(fd, st.st_mode & ALLPERMS) == 0;
}

bool setup_file_make(struct setup *s, const char *text, char why[SETUP_WHY_MAX])
{
	char path[SETUP_PATH_MAX];
	signals(SIG_BLOCK);
	setup_file_path(s, ".setup", path);
	(void)unlink(path);
	int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0)
		return why_errno(why, path);
	const size_t len = strlen(text);
	size_t done = 0;
	bool is_good = true;
	while (is_good && done < len) {
		const ssize_t put = write(fd, text + done, len - done);
		is_good = put >= 0 || errno == EINTR;
		done += put > 0 ? (size_t)put : 0;
	}
	is_good = is_good && owner_set(s, fd) && fsync(fd) == 0;
	if (!is_good)
		(void)why_errno(why, path);
	close(fd);
	return is_good;
}

void setup_file_end(struct setup *s)
{
	char path[SETUP_PATH_MAX];
	(void)unlink(setup_file_path(s, ".setup", path));
	signals(SIG_UNBLOCK);
}

static bool folder_sync(const struct setup *s, char why[SETUP_WHY_MAX])
{
	int fd = open(*s->folder ? s->folder : "/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	const bool is_good = fd >= 0 && fsync(fd) == 0;
	if (!is_good)
		(void)why_errno(why, s->folder);
	if (fd >= 0)
		close(fd);
	return is_good;
}

bool setup_file_take(struct setup *s, char why[SETUP_WHY_MAX])
{
	char from[SETUP_PATH_MAX], before[SETUP_PATH_MAX];
	setup_file_path(s, ".setup", from);
	setup_file_path(s, ".before", before);
	if ((unlink(before) < 0 && errno != ENOENT) || link(s->c->config_path, before) < 0)
		return why_errno(why, before);
	if (rename(from, s->c->config_path) < 0)
		return why_errno(why, s->c->config_path);
	if (folder_sync(s, why))
		return true;
	(void)rename(before, s->c->config_path);
	return false;
}

bool setup_file_back(struct setup *s, char why[SETUP_WHY_MAX])
{
	char before[SETUP_PATH_MAX];
	setup_file_path(s, ".before", before);
	const int rc = rename(before, s->c->config_path);
	return rc == 0 ? folder_sync(s, why) : why_errno(why, before);
}
