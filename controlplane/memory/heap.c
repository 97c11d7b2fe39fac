// SPDX-License-Identifier: BSD-3-Clause
#include "heap.h"

// clang-format off
// The header declares these; so this file is no site of heap_site.h.
#undef malloc
#undef calloc
#undef realloc
#undef aligned_alloc
#undef free
#include <jemalloc/jemalloc.h>
// clang-format on

#include <errno.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

// Absent where the program is not linked with jemalloc.
#pragma weak mallctl

static bool is_there(void)
{
	return mallctl != NULL;
}

static uint64_t number(const char *name)
{
	size_t n = 0, len = sizeof(n);
	return mallctl(name, &n, &len, NULL, 0) == 0 ? n : 0;
}

static uint64_t number_64(const char *name)
{
	uint64_t n = 0;
	size_t len = sizeof(n);
	return mallctl(name, &n, &len, NULL, 0) == 0 ? n : 0;
}

static bool flag(const char *name)
{
	bool b = false;
	size_t len = sizeof(b);
	return mallctl(name, &b, &len, NULL, 0) == 0 && b;
}

static void libc_read(struct heap_stats *out)
{
	struct mallinfo2 i = mallinfo2();
	*out = (struct heap_stats){.allocated = i.uordblks + i.hblkhd,
		.active = i.arena + i.hblkhd,
		.resident = i.arena + i.hblkhd};
}

// The numbers of all arenas together stand under this index.
#define ALL_ARENAS "stats.arenas.4096."
static_assert(MALLCTL_ARENAS_ALL == 4096);

void heap_read(struct heap_stats *out)
{
	if (!is_there()) {
		libc_read(out);
		return;
	}
	uint64_t epoch = 1;
	size_t len = sizeof(epoch);
	(void)mallctl("epoch", &epoch, &len, &epoch, len);
	*out = (struct heap_stats){
		.allocated = number("stats.allocated"),
		.active = number("stats.active"),
		.resident = number("stats.resident"),
		.retained = number("stats.retained"),
		.metadata = number("stats.metadata"),
		.allocations = number_64(ALL_ARENAS "small.nmalloc")
			       + number_64(ALL_ARENAS "large.nmalloc"),
		.frees = number_64(ALL_ARENAS "small.ndalloc")
			 + number_64(ALL_ARENAS "large.ndalloc"),
		.threads_cached = number(ALL_ARENAS "tcache_bytes"),
		.jemalloc = true,
		.can_profile = flag("opt.prof"),
		.profiles = flag("prof.active"),
		.sample = (uint64_t)1 << number("prof.lg_sample"),
	};
}

int heap_profile(bool on, unsigned sample_lg)
{
	if (!is_there() || !flag("opt.prof"))
		return -ENOTSUP;
	size_t lg = sample_lg;
	if (on && (sample_lg < HEAP_SAMPLE_LG_MIN || sample_lg > HEAP_SAMPLE_LG_MAX))
		return -EINVAL;
	int rc = on ? mallctl("prof.reset", NULL, NULL, &lg, sizeof(lg)) : 0;
	if (rc == 0)
		rc = mallctl("prof.active", NULL, NULL, &on, sizeof(on));
	return -rc;
}

// jemalloc writes to a named file: this one is in memory and private.
static int dump_to(int fd)
{
	char path[32];
	const char *name = path;
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	return -mallctl("prof.dump", NULL, NULL, &name, sizeof(name));
}

static int text_read(int fd, char **out, size_t *len)
{
	struct stat st;
	if (fstat(fd, &st) < 0)
		return -errno;
	if (st.st_size > HEAP_DUMP_MAX)
		return -EFBIG;
	char *text = malloc((size_t)st.st_size + 1);
	if (!text)
		return -ENOMEM;
	ssize_t n = pread(fd, text, (size_t)st.st_size, 0);
	if (n != st.st_size) {
		free(text);
		return n < 0 ? -errno : -EIO;
	}
	text[n] = '\0';
	*out = text;
	*len = (size_t)n;
	return 0;
}

int heap_dump(char **out, size_t *len)
{
	if (!is_there() || !flag("opt.prof"))
		return -ENOTSUP;
	int fd = memfd_create("heap", MFD_CLOEXEC);
	if (fd < 0)
		return -errno;
	int rc = dump_to(fd);
	if (rc == 0)
		rc = text_read(fd, out, len);
	close(fd);
	return rc;
}
