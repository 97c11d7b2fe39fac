// SPDX-License-Identifier: BSD-3-Clause
#include <errno.h>
#include <linux/magic.h>
#include <stdint.h>
#include <sys/eventfd.h>
#include <sys/vfs.h>
#include <unistd.h>
#include <weir/gong.h>

int gong_open(void)
{
	int gong = eventfd(1, EFD_NONBLOCK | EFD_CLOEXEC);
	return gong < 0 ? -errno : gong;
}

void gong_strike(int gong)
{
	static const uint64_t nothing = 0;
	if (gong >= 0)
		(void)!write(gong, &nothing, sizeof(nothing));
}

// The others of this kind of file refuse such a write at once.
bool gong_is(int fd)
{
	struct statfs s;
	return fstatfs(fd, &s) == 0 && s.f_type == ANON_INODE_FS_MAGIC;
}
