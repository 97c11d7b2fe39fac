// SPDX-License-Identifier: BSD-3-Clause

#include "xdp_place.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <weir/own_file.h>
#include <weir/xdp_steer.h>

enum { CLAIM_TRIES = 4, FOLDER_MODE = 0750, CLAIM_MODE = 0600 };

static bool is_at(const char *path, int fd)
{
	struct stat mine, there;
	return fstat(fd, &mine) == 0 && lstat(path, &there) == 0 && mine.st_ino == there.st_ino
	       && mine.st_dev == there.st_dev;
}

// -ESTALE: the file was made or removed meanwhile. Opens an existing file without O_CREAT, which
// fails with fs.protected_regular in a sticky folder for a file of another user, even for root.
static int claim_once(const char *path)
{
	struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
	int fd = own_file_open(path, O_RDWR, 0);
	if (fd == -ENOENT)
		fd = own_file_open(path, O_RDWR | O_CREAT | O_EXCL, CLAIM_MODE);
	if (fd < 0)
		return fd == -EEXIST ? -ESTALE : fd;
	int rc = fcntl(fd, F_OFD_SETLK, &lock) == 0   ? 0
		 : errno == EAGAIN || errno == EACCES ? -EBUSY
						      : -errno;
	if (rc == 0 && is_at(path, fd))
		return fd;
	close(fd);
	return rc ? rc : -ESTALE;
}

int xdp_claim(const char *folder, unsigned ifindex)
{
	char path[XDP_PLACE_MAX];
	(void)mkdir(folder, FOLDER_MODE);
	xdp_place(folder, ifindex, path);
	int fd = claim_once(path);
	for (unsigned i = 1; fd == -ESTALE && i < CLAIM_TRIES; i++)
		fd = claim_once(path);
	return fd == -ESTALE ? -EBUSY : fd;
}

int xdp_claimed(const char *folder, unsigned ifindex)
{
	char path[XDP_PLACE_MAX];
	struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
	int fd = own_file_open(xdp_place(folder, ifindex, path), O_RDONLY, 0);
	if (fd < 0)
		return fd == -ENOENT ? 0 : fd;
	int rc = fcntl(fd, F_OFD_GETLK, &lock) < 0 ? -errno : lock.l_type != F_UNLCK;
	close(fd);
	return rc;
}

void xdp_claim_end(const char *folder, unsigned ifindex, int fd)
{
	char path[XDP_PLACE_MAX];
	if (is_at(xdp_place(folder, ifindex, path), fd))
		(void)unlink(path);
	close(fd);
}

const char *xdp_claim_text(int rc)
{
	if (rc == -EBUSY)
		return "another data plane has this interface";
	if (rc == -EACCES || rc == -EPERM)
		return "another user's claim is in " XDP_CLAIMS " (weirctl xdp detach, as root)";
	return strerror(-rc);
}
