// SPDX-License-Identifier: BSD-3-Clause
#include "config_file.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

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
