// SPDX-License-Identifier: BSD-3-Clause
#include "client_file.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>
#include <weir/heap_site.h>

static int file_load(const char *path, char **text, size_t *len)
{
	struct stat st;
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY), rc = 0;
	if (fd < 0)
		return -errno;
	if (fstat(fd, &st) < 0)
		rc = -errno;
	else if (!S_ISREG(st.st_mode))
		rc = -EINVAL;
	else if (st.st_size > CLIENT_FILE_BYTES_MAX)
		rc = -EFBIG;
	const size_t cap = rc == 0 ? (size_t)st.st_size : 0;
	*text = rc == 0 ? heap_malloc(cap + 1) : NULL;
	if (rc == 0 && !*text)
		rc = -ENOMEM;
	*len = 0;
	while (rc == 0 && *len < cap) {
		ssize_t n = read(fd, *text + *len, cap - *len);
		if (n < 0 && errno != EINTR)
			rc = -errno;
		if (n == 0)
			break; // the file became shorter
		*len += n > 0 ? (size_t)n : 0;
	}
	close(fd);
	if (rc < 0)
		FREE_AND_NULL(*text);
	return rc;
}

int client_file_read(struct client_book *b, enum client_file_kind kind, const char *path,
	uint32_t pass, int64_t now_s, struct client_file_counts *out)
{
	char *text = NULL;
	size_t len = 0;
	*out = (struct client_file_counts){0};
	int rc = file_load(path, &text, &len);
	if (rc < 0)
		return rc;
	client_lines_parse(b, kind, text, len, pass, now_s, out);
	heap_free(text);
	return 0;
}
