// SPDX-License-Identifier: BSD-3-Clause
#include "rule_store.h"

#include "base/file_write.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

int rule_arena_new(struct rule_arena *a, size_t size)
{
	void *base = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (base == MAP_FAILED)
		return -ENOMEM;
	*a = (struct rule_arena){.base = base, .size = size};
	return 0;
}

void rule_arena_free(struct rule_arena *a)
{
	if (a->map)
		munmap(a->map, a->map_size);
	else if (a->base)
		munmap(a->base, a->size);
	*a = (struct rule_arena){0};
}

static int fail(char why[RULE_STORE_WHY_MAX], const char *path, const char *what, int err)
{
	snprintf(why, RULE_STORE_WHY_MAX, "%.150s: %s: %s", path, what, strerror(-err));
	return err;
}

static int read_whole(void *, int fd, size_t size, struct rule_arena *out)
{
	struct rule_arena arena;
	int err = rule_arena_new(&arena, size);
	if (err)
		return err;
	size_t have = 0;
	while (have < size) {
		ssize_t n = read(fd, (uint8_t *)arena.base + have, size - have);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0) {
			err = n < 0 ? -errno : -EIO;
			rule_arena_free(&arena);
			return err;
		}
		have += (size_t)n;
	}
	*out = arena;
	return 0;
}

static int place_file(
	int fd, rule_store_place place, void *arg, struct rule_arena *out, const char **refused)
{
	struct stat st;
	if (fstat(fd, &st))
		return -errno;
	if (!S_ISREG(st.st_mode))
		return -EINVAL;
	if (st.st_size == 0 || (uint64_t)st.st_size > RULE_STORE_SIZE_MAX) {
		*refused = st.st_size == 0 ? "empty" : "too large";
		return -EPROTO;
	}
	return (place ? place : read_whole)(arg, fd, (size_t)st.st_size, out);
}

static int refuse(char why[RULE_STORE_WHY_MAX], const char *path, const char *reason)
{
	snprintf(why, RULE_STORE_WHY_MAX, "%.120s: refused: %s", path, reason);
	return -EPROTO;
}

int rule_store_read(const char *path, rule_store_place place, void *arg, struct rule_arena *out,
	struct rule_reader *reader, char why[RULE_STORE_WHY_MAX])
{
	struct rule_arena arena;
	const char *refused = NULL;
	char reason[128];
	// A FIFO in this place, opened without O_NONBLOCK, would hang the start.
	int fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	if (fd < 0)
		return fail(why, path, "cannot open", -errno);
	int err = place_file(fd, place, arg, &arena, &refused);
	close(fd);
	if (refused)
		return refuse(why, path, refused);
	if (err)
		return fail(why, path, "cannot read", err);
	err = rule_reader_init(reader, arena.base, arena.size, true, reason);
	if (!err && ((struct rule_image_head *)arena.base)->size != arena.size) {
		strcpy(reason, "longer than it says");
		err = -EPROTO;
	}
	if (err) {
		rule_arena_free(&arena);
		return refuse(why, path, reason);
	}
	*out = arena;
	return 0;
}

int rule_store_load(const char *path, rule_store_place place, void *arg, struct rule_arena *out,
	struct rule_reader *reader, char why[RULE_STORE_WHY_MAX])
{
	char bad[PATH_MAX];
	int err = rule_store_read(path, place, arg, out, reader, why);
	if (err != -EPROTO)
		return err;
	bool moved = snprintf(bad, sizeof(bad), "%s.bad", path) < (int)sizeof(bad)
		     && rename(path, bad) == 0;
	size_t len = strlen(why);
	snprintf(why + len, RULE_STORE_WHY_MAX - len, "; %s",
		moved ? "renamed to .bad" : "could not be renamed");
	return err;
}
