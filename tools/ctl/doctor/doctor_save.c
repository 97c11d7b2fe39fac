// SPDX-License-Identifier: BSD-3-Clause
#include "doctor_save.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include <weir/build.h>
#include <weir/doctor_file.h>
#include <weir/own_file.h>

// Appends findings until the list has `most`: those that are ok, or the others.
static void findings_copy(
	struct json_node *list, const struct json_node *from, bool is_ok, size_t most)
{
	for (size_t i = 0; i < json_length(from) && json_length(list) < most; i++) {
		const struct json_node *f = json_at(from, i);
		if ((strcmp(json_text(f, "verdict"), "ok") == 0) == is_ok)
			json_put_copy(list, f);
	}
}

static char *report_text(const struct json_node *report, size_t most)
{
	static const char *const counts[] = {"ok", "warnings", "wrong", "not_checked"};
	const struct json_node *from = json_get(report, "findings");
	struct json_doc *doc = json_doc_new();
	struct json_node *root = json_doc_root(doc);
	json_put_count(root, "format", DOCTOR_FORMAT);
	json_put_count(root, "checked_unix_s", (uint64_t)time(NULL));
	json_put_text(root, "version", build_this()->version);
	for (unsigned i = 0; i < ARRAY_LEN(counts); i++)
		json_put_count(root, counts[i], json_count(report, counts[i]));
	struct json_node *list = json_put_array(root, "findings");
	findings_copy(list, from, false, most);
	findings_copy(list, from, true, most);
	json_put_count(root, "left_out", json_length(from) - json_length(list));
	char *text = json_doc_text(doc);
	json_doc_free(doc);
	return text;
}

// Writes the file for the group of the folder, to which the control plane belongs.
static int file_fill(int fd, const char *folder, const char *text)
{
	struct stat st;
	if (stat(folder, &st) < 0 || fchown(fd, (uid_t)-1, st.st_gid) < 0 || fchmod(fd, 0640) < 0)
		return -errno;
	for (size_t left = strlen(text); left;) {
		const ssize_t n = write(fd, text, left);
		if (n < 0 && errno != EINTR)
			return -errno;
		text += n > 0 ? n : 0;
		left -= n > 0 ? (size_t)n : 0;
	}
	return fsync(fd) < 0 ? -errno : 0;
}

static int file_replace(const char *folder, const char *path, const char *text)
{
	char temporary[PATH_MAX];
	if (snprintf(temporary, sizeof(temporary), "%s.tmp", path) >= (int)sizeof(temporary))
		return -ENAMETOOLONG;
	const int fd = own_file_make(temporary, 0600);
	if (fd < 0)
		return fd;
	int err = file_fill(fd, folder, text);
	if (close(fd) < 0 && !err)
		err = -errno;
	if (!err && rename(temporary, path) < 0)
		err = -errno;
	if (err)
		(void)unlink(temporary);
	return err;
}

void doctor_request_take(const char *folder)
{
	char path[PATH_MAX];
	snprintf(path, sizeof(path), "%s/" DOCTOR_REQUEST_NAME, folder);
	(void)unlink(path);
}

int doctor_save(const char *folder, const struct json_node *report, char why[DOCTOR_SAVE_WHY_MAX])
{
	char path[PATH_MAX];
	size_t most = DOCTOR_FINDINGS_MAX;
	char *text = report_text(report, most);
	while (text && strlen(text) > DOCTOR_REPORT_MAX) {
		free(text);
		text = report_text(report, most /= 2);
	}
	int err = text ? -ENAMETOOLONG : -ENOMEM;
	if (text && snprintf(path, sizeof(path), "%s/" DOCTOR_REPORT_NAME, folder) < PATH_MAX)
		err = file_replace(folder, path, text);
	free(text);
	if (err)
		snprintf(why, DOCTOR_SAVE_WHY_MAX, "%.150s/" DOCTOR_REPORT_NAME ": %s", folder,
			strerror(-err));
	return err;
}
