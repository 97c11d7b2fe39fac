// SPDX-License-Identifier: BSD-3-Clause
#include "heap.h"

#include <jemalloc/jemalloc.h>

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <malloc.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>
#include <weir/heap_site.h>

struct heap_meter heap_meter_begin(void)
{
	return (struct heap_meter){heap_thread_read(), heap_own_here};
}

// Allocated and freed in this section, without what sites counted. It is added to the sites' count,
// so that a section around this one does not count it again.
static struct heap_own rest(const struct heap_meter *m)
{
	const struct heap_thread now = heap_thread_read();
	struct heap_own *own = &heap_own_here;
	if (now.got == 0)
		return (struct heap_own){0}; // there is no jemalloc
	const struct heap_own out = {.made = now.got - m->thread.got - (own->made - m->own.made),
		.freed = now.given - m->thread.given - (own->freed - m->own.freed)};
	own->made += out.made;
	own->freed += out.freed;
	return out;
}

int64_t heap_meter_end(const struct heap_meter *m, enum heap_library library)
{
	const struct heap_own of = rest(m);
	struct heap_site *site = heap_site_library(library);

	atomic_fetch_add_explicit(&site->made, of.made > 0, memory_order_relaxed);
	atomic_fetch_add_explicit(&site->made_bytes, of.made, memory_order_relaxed);
	atomic_fetch_add_explicit(&site->bytes, of.made - of.freed, memory_order_relaxed);
	return (int64_t)(of.made - of.freed);
}

void heap_meter_skip(const struct heap_meter *m)
{
	(void)rest(m);
}

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

static uint64_t *counter(const char *name)
{
	uint64_t *at = NULL;
	size_t len = sizeof(at);
	return is_there() && mallctl(name, &at, &len, NULL, 0) == 0 ? at : NULL;
}

struct heap_thread heap_thread_read(void)
{
	static __thread const uint64_t *got, *given;

	if (!got) {
		static const uint64_t none;
		got = counter("thread.allocatedp");
		given = counter("thread.deallocatedp");
		if (!got || !given)
			got = given = &none;
	}
	return (struct heap_thread){*got, *given};
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

// jemalloc gives a sampled block that is smaller at least these bytes.
enum { SAMPLED_MIN = 16384 };

// Sampled blocks, by size: what each takes beyond its size. They are counted whatever has become of
// the profile since.
static uint64_t sampled_excess(void)
{
	uint64_t excess = 0;
	unsigned bins = 0;
	size_t len = sizeof(bins);
	if (mallctl("arenas.nbins", &bins, &len, NULL, 0) != 0)
		return 0;
	for (unsigned i = 0; i < bins; i++) {
		struct {
			uint64_t requested, count;
		} live = {0};
		char name[48];
		snprintf(name, sizeof(name), "prof.stats.bins.%u.live", i);
		len = sizeof(live);
		if (mallctl(name, &live, &len, NULL, 0) != 0 || !live.count)
			continue;
		snprintf(name, sizeof(name), "arenas.bin.%u.size", i);
		excess += live.count * (SAMPLED_MIN - number(name));
	}
	return excess;
}

void heap_read(struct heap_stats *out)
{
	if (!is_there()) {
		libc_read(out);
		return;
	}
	uint64_t epoch = 1;
	size_t len = sizeof(epoch);
	(void)mallctl("epoch", &epoch, &len, &epoch, len);
	uint64_t allocated = number("stats.allocated"),
		 profiler = sampled_excess() + number(ALL_ARENAS "internal");
	*out = (struct heap_stats){
		.allocated = allocated - (profiler < allocated ? profiler : allocated),
		.profiler = profiler,
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

static unsigned number_32(const char *name)
{
	unsigned n = 0;
	size_t len = sizeof(n);
	return mallctl(name, &n, &len, NULL, 0) == 0 ? n : 0;
}

static uint64_t arena_number(unsigned arena, const char *figure)
{
	char name[64];
	snprintf(name, sizeof(name), "stats.arenas.%u.%s", arena, figure);
	return number(name);
}

unsigned heap_arenas(struct heap_arena out[HEAP_ARENAS_MAX])
{
	unsigned count = 0, all = is_there() ? number_32("arenas.narenas") : 0;
	const uint64_t page = is_there() ? number("arenas.page") : 0;
	for (unsigned i = 0; i < all && i < HEAP_ARENAS_MAX; i++) {
		char threads[48];
		snprintf(threads, sizeof(threads), "stats.arenas.%u.nthreads", i);
		struct heap_arena a = {.number = i,
			.threads = number_32(threads),
			.allocated = arena_number(i, "small.allocated")
				     + arena_number(i, "large.allocated"),
			.active = page * arena_number(i, "pactive"),
			.resident = arena_number(i, "resident"),
			.dirty = page * arena_number(i, "pdirty")};
		if (a.resident)
			out[count++] = a;
	}
	return count;
}

// A thread's distance to its next sample is more than 24 times the mean with a chance of e^-24.
enum { FARTHEST = 24 };

int heap_background(void)
{
	bool on = true;
	return is_there() ? -mallctl("background_thread", NULL, NULL, &on, sizeof(on)) : -ENOTSUP;
}

// jemalloc changes the rate by a reset alone, which forgets.
static int rate_set(unsigned lg)
{
	static _Atomic size_t farthest; // the farthest of any rate so far
	size_t to = lg, before = (size_t)FARTHEST << number("prof.lg_sample");
	int rc = mallctl("prof.reset", NULL, NULL, &to, sizeof(to));
	if (rc != 0)
		return rc;
	if (before > atomic_load(&farthest))
		atomic_store(&farthest, before);
	heap_sampling_redraw(atomic_load(&farthest));
	return 0;
}

int heap_profile(bool on, unsigned sample_lg)
{
	if (!is_there() || !flag("opt.prof"))
		return -ENOTSUP;
	if (on && (sample_lg < HEAP_SAMPLE_LG_MIN || sample_lg > HEAP_SAMPLE_LG_MAX))
		return -EINVAL;
	int rc = on && number("prof.lg_sample") != sample_lg ? rate_set(sample_lg) : 0;
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

// The exact counts of each site behind it, so that a comparison knows what did not grow.
static int sites_append(int fd)
{
	const struct heap_site *site[HEAP_SITES_MAX];
	unsigned count = heap_sites(site, HEAP_SITES_MAX);
	int own = fcntl(fd, F_DUPFD_CLOEXEC, 0);
	FILE *f = own >= 0 ? fdopen(own, "a") : NULL;
	if (!f) {
		int err = -errno;
		if (own >= 0)
			close(own);
		return err;
	}
	fprintf(f, "\nSITES:\n");
	for (unsigned i = 0; i < count; i++)
		fprintf(f, "%s %" PRIu64 " %" PRIu64 " %s\n",
			site[i]->function ? site[i]->function : "-",
			atomic_load_explicit(&site[i]->bytes, memory_order_relaxed),
			atomic_load_explicit(&site[i]->made_bytes, memory_order_relaxed),
			site[i]->file);
	return fclose(f) == 0 ? 0 : -errno;
}

static int text_read(int fd, char **out, size_t *len)
{
	struct stat st;
	if (fstat(fd, &st) < 0)
		return -errno;
	if (st.st_size > HEAP_DUMP_MAX)
		return -EFBIG;
	char *text = heap_malloc((size_t)st.st_size + 1);
	if (!text)
		return -ENOMEM;
	ssize_t n = pread(fd, text, (size_t)st.st_size, 0);
	if (n != st.st_size) {
		heap_free(text);
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
		rc = sites_append(fd);
	if (rc == 0)
		rc = text_read(fd, out, len);
	close(fd);
	return rc;
}
