// SPDX-License-Identifier: BSD-3-Clause

#include "file_tree.h"

#include <errno.h>
#include <ftw.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { FDS = 16 };

// nftw() has no argument for its callback.
static struct walk {
	int (*each)(void *arg, const char *relative);
	void *arg;
	size_t skip; // bytes of the folder and its slash
	unsigned count;
	int err;
} walk;

static int entry_remove(const char *path, const struct stat *, int, struct FTW *)
{
	(void)remove(path);
	return 0;
}

void file_tree_remove(const char *folder)
{
	(void)nftw(folder, entry_remove, FDS, FTW_DEPTH | FTW_PHYS);
}

static int entry_take(const char *path, const struct stat *st, int type, struct FTW *)
{
	if (type == FTW_D)
		return 0;
	if (type != FTW_F || !S_ISREG(st->st_mode))
		walk.err = -ELOOP;
	else if (++walk.count > FILE_TREE_MAX)
		walk.err = -E2BIG;
	else
		walk.err = walk.each(walk.arg, path + walk.skip);
	return walk.err ? 1 : 0;
}

int file_tree_walk(const char *folder, int (*each)(void *arg, const char *relative), void *arg)
{
	walk = (struct walk){.each = each, .arg = arg, .skip = strlen(folder) + 1};
	if (nftw(folder, entry_take, FDS, FTW_PHYS) < 0)
		return -errno;
	return walk.err;
}
