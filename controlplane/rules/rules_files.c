// SPDX-License-Identifier: BSD-3-Clause
#include "rules_files.h"

#include "list_kept.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include <weir/log.h>

enum { SPARE_IMAGES = 2 }; // one that is written, which may have grown

uint64_t rules_files_keep_lists(
	const struct rules_sources *s, const struct rule_source_result *result, uint64_t image_size)
{
	list_kept_prune(s->state_directory, s->source, s->count);
	for (unsigned i = 0; i < s->count; i++) {
		const struct rule_source *list = &s->source[i];
		int err = !list->path || !list->kept || result[i].error
				  ? 0
				  : list_kept_take(s->state_directory, list, result[i].content_hash,
					  SPARE_IMAGES * image_size);
		if (err && err != -ESTALE)
			log_warning("list \"%s\": could not store a copy: %s", list->title,
				strerror(-err));
	}
	return list_kept_bytes(s->state_directory);
}

// An image that was stored and not published is no rollback target.
static bool file_is(const char *path, const struct rule_image_head *current)
{
	struct rule_image_head head;
	int fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	bool is = fd >= 0 && pread(fd, &head, sizeof(head), 0) == (ssize_t)sizeof(head)
		  && memcmp(&head, current, sizeof(head)) == 0;
	if (fd >= 0)
		close(fd);
	return is;
}

void rules_files_keep_previous(
	const char *image, const char *previous, const struct rule_image_head *current)
{
	char second[PATH_MAX + 8];
	if (!file_is(image, current))
		return;
	snprintf(second, sizeof(second), "%s.tmp", previous);
	(void)unlink(second);
	if ((link(image, second) || rename(second, previous)) && errno != ENOENT)
		log_warning("rules: previous image %s not kept for a rollback: %s", image,
			strerror(errno));
}

int rules_files_swap(const char *image, const char *previous)
{
	if (renameat2(AT_FDCWD, image, AT_FDCWD, previous, RENAME_EXCHANGE) == 0)
		return 0;
	// A file system that cannot exchange: the way back is lost, the image is not.
	if (errno != EINVAL && errno != ENOSYS && errno != ENOENT)
		return -errno;
	return rename(previous, image) ? -errno : 0;
}
