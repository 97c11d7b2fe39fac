// SPDX-License-Identifier: BSD-3-Clause

// Flips random bits in all that one of two running processes may write, as if it had gone wild, for
// the other to bear: scribble --run DIR --victim dataplane|controlplane [--flips N] [--rate N]
// [--seed N]. A flip is taken back after some hundred others, so that half-broken states last no
// longer than it takes to get into the next ones, and service goes on between them. Prints what was
// flipped where.

#include "watch.h"

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>
#include <weir/clock.h>
#include <weir/l0_table.h>
#include <weir/shm_msg.h>
#include <weir/shm_region.h>

enum {
	FILES_MAX = 1024,   // mappings: kept to the end, since flips in them are to be taken back
	ALIVE = 128,        // flips that are not taken back yet
	RESCAN_FLIPS = 100, // 10 ms: a new file has flips before its reader is through with it
	BATCH_US = 1000,
	DEDUP_BITS = 7, // up to 64 units back, mostly less
};

enum target {
	AT_DIRECTORY,
	AT_L0,
	AT_L0_RECORD,
	AT_NAMES,
	AT_HOPS,
	AT_RINGS_CP,
	AT_ANSWERS,
	AT_MARKS,
	AT_RINGS_DP,
	AT_MISSES,
	AT_READER,
	AT_STATS,
	AT_HEADER,
	TARGETS
};
static const char *const target_names[TARGETS] = {"directory", "l0", "l0 records", "rule_image",
	"hops", "ring indices", "answer ring", "marks", "ring words", "miss ring", "reader",
	"stats", "headers"};
// In 64ths. Marks are written by both sides.
static const uint8_t share[2][TARGETS] = {
	[0] = {[AT_DIRECTORY] = 2,
		[AT_L0] = 8,
		[AT_L0_RECORD] = 22,
		[AT_NAMES] = 7,
		[AT_HOPS] = 1,
		[AT_RINGS_CP] = 3,
		[AT_ANSWERS] = 16,
		[AT_MARKS] = 4,
		[AT_HEADER] = 1},
	[1] = {[AT_MARKS] = 8,
		[AT_RINGS_DP] = 6,
		[AT_MISSES] = 43,
		[AT_READER] = 1,
		[AT_STATS] = 5,
		[AT_HEADER] = 1},
};

struct file {
	char path[SHM_PATH_MAX + SHM_NAME_MAX];
	ino_t inode;
	uint8_t *base;
	size_t size;
	bool current, huge;
};

struct flip {
	uint8_t *at;
	uint8_t bit;
};

static struct {
	struct shm_paths paths;
	bool controlplane_is_victim;
	uint64_t flips, rate, seed;
	struct file file[FILES_MAX];
	unsigned files;
	struct flip alive[ALIVE];
	uint64_t flipped[TARGETS], missed;
} s = {.flips = 20000, .rate = 10000, .seed = 1};

static uint64_t next(uint64_t below)
{
	s.seed ^= s.seed << 13;
	s.seed ^= s.seed >> 7;
	s.seed ^= s.seed << 17;
	return (s.seed >> 20) % below;
}

static void fail(const char *what)
{
	fprintf(stderr, "scribble: %s: %s\n", what, strerror(errno));
	exit(2);
}

// Not by region_attach: what is damaged already gets its flips too.
static void file_see(const char *path, bool huge)
{
	struct stat st;
	int fd = open(path, O_RDWR | O_CLOEXEC | O_NOFOLLOW);
	if (fd < 0)
		return; // gone since it was listed
	if (fstat(fd, &st) < 0 || st.st_size <= SHM_PAGE) {
		close(fd);
		return;
	}
	for (unsigned i = 0; i < s.files; i++) {
		if (s.file[i].inode == st.st_ino && strcmp(s.file[i].path, path) == 0) {
			s.file[i].current = true;
			close(fd);
			return;
		}
	}
	void *base = s.files < FILES_MAX ? mmap(
			     NULL, (size_t)st.st_size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0)
					 : MAP_FAILED;
	close(fd);
	if (base == MAP_FAILED)
		fail(path);
	struct file *f = &s.file[s.files++];
	*f = (struct file){.inode = st.st_ino,
		.base = base,
		.size = (size_t)st.st_size,
		.current = true,
		.huge = huge};
	snprintf(f->path, sizeof(f->path), "%s", path);
}

static void scan(void)
{
	static const char *const kinds[] = {"directory", "l0.*", "rule_image.*", "hops.*",
		"rings.*", "answers.*", "marks.*", "stats", "reader"};
	for (unsigned i = 0; i < s.files; i++)
		s.file[i].current = false;
	for (unsigned k = 0; k < 2 * ARRAY_LEN(kinds); k++) {
		bool huge = k & 1;
		char pattern[SHM_PATH_MAX + SHM_NAME_MAX];
		glob_t found;
		if (huge && !s.paths.huge[0])
			continue;
		snprintf(pattern, sizeof(pattern), "%s/%s", huge ? s.paths.huge : s.paths.mem,
			kinds[k / 2]);
		if (glob(pattern, 0, NULL, &found) != 0)
			continue;
		for (size_t i = 0; i < found.gl_pathc; i++)
			file_see(found.gl_pathv[i], huge);
		globfree(&found);
	}
}

// One of the files whose name begins so; NULL: none.
static const struct file *file_of(const char *stem)
{
	unsigned found[FILES_MAX], count = 0;
	for (unsigned i = 0; i < s.files; i++) {
		const char *name = strrchr(s.file[i].path, '/') + 1;
		if (s.file[i].current && strncmp(name, stem, strlen(stem)) == 0)
			found[count++] = i;
	}
	return count ? &s.file[found[next(count)]] : NULL;
}

static uint8_t *within(const struct file *f, size_t from, size_t bytes)
{
	size_t at = from + next(bytes);
	return f && at < f->size ? f->base + at : NULL;
}

// In a record that can be found, mostly in its head.
static uint8_t *in_record(const struct file *f)
{
	const struct region_header *h = (const struct region_header *)(const void *)f->base;
	uint64_t buckets = h->geometry[0], buckets_at = h->geometry[2], units_at = h->geometry[3];
	if (buckets < 2 || buckets > f->size / CACHE_LINE || buckets_at > f->size / 2
		|| buckets_at % CACHE_LINE || units_at > f->size)
		return NULL; // flipped a moment ago
	for (unsigned tries = 0; tries < 1024; tries++) {
		const struct l0_bucket *b =
			(const struct l0_bucket *)(const void *)(f->base + buckets_at)
			+ next(buckets);
		if ((const uint8_t *)(b + 1) > f->base + f->size)
			continue;
		unsigned slot = (unsigned)next(L0_BUCKET_SLOTS);
		if (!b->tag[slot])
			continue;
		if (next(8) == 0) // the slot itself
			return (uint8_t *)(uintptr_t)b + next(sizeof(*b));
		return within(f, units_at + (size_t)b->record[slot] * L0_UNIT,
			next(2) ? sizeof(struct l0_record) : 192);
	}
	return NULL;
}

// Just behind the producer, where the reader is.
static uint8_t *in_ring(const struct file *f, size_t ring, const struct ring_index *tail)
{
	uint64_t units = RINGS_MISS_UNITS;
	uint64_t end = atomic_load(&tail->units) * RING_UNIT;
	if (next(8) == 0)
		return within(f, ring, units * RING_UNIT);
	uint64_t back = next((uint64_t)RING_UNIT << next(DEDUP_BITS));
	return f->base + ring + ((end - back) & (units * RING_UNIT - 1));
}

static uint8_t *place_in_lane(enum target t, const struct file *f)
{
	static_assert(RINGS_MISS_RING == ANSWERS_RING && RINGS_MISS_UNITS == RINGS_ANSWER_UNITS);
	if (f->size < ANSWERS_SIZE)
		return NULL;
	const struct rings_dp_page *dp = (const void *)(f->base + RINGS_DP_PAGE);
	const struct rings_cp_page *cp = (const void *)(f->base + ANSWERS_CP_PAGE);
	switch (t) {
	case AT_RINGS_CP:
		return within(f, ANSWERS_CP_PAGE, sizeof(*cp));
	case AT_RINGS_DP:
		return within(f, RINGS_DP_PAGE, sizeof(*dp));
	case AT_ANSWERS:
		return in_ring(f, ANSWERS_RING, &cp->answer_tail);
	default:
		return in_ring(f, RINGS_MISS_RING, &dp->miss_tail);
	}
}

static uint8_t *place(enum target t)
{
	static const char *const headers[2][3] = {
		{"directory", "l0.", "answers."}, {"rings.", "reader", "stats"}};
	static const char *const stem[TARGETS] = {"directory", "l0.", "l0.", "rule_image.", "hops.",
		"answers.", "answers.", "marks.", "rings.", "rings.", "reader", "stats", ""};
	const char *wanted = t == AT_HEADER ? headers[s.controlplane_is_victim][next(3)] : stem[t];
	const struct file *f = file_of(wanted);
	if (!f)
		return NULL;
	switch (t) {
	case AT_HEADER:
		return within(f, 0, sizeof(struct region_header));
	case AT_DIRECTORY:
		return within(f, SHM_PAGE, sizeof(struct directory));
	case AT_L0_RECORD:
		return in_record(f);
	case AT_NAMES: // its own header, or anywhere
		return within(f, SHM_PAGE, next(2) ? 256 : f->size - SHM_PAGE);
	case AT_L0:
	case AT_MARKS:
	case AT_READER:
	case AT_STATS:
	case AT_HOPS:
		return within(f, SHM_PAGE, f->size - SHM_PAGE);
	default:
		return place_in_lane(t, f);
	}
}

static void xor_bit(const struct flip *f)
{
	if (f->at)
		__atomic_fetch_xor(f->at, f->bit, __ATOMIC_RELAXED);
}

// False: that place is not there now.
static bool flip(void)
{
	const uint8_t *shares = share[s.controlplane_is_victim];
	unsigned t = 0, of = (unsigned)next(64);
	while (of >= shares[t])
		of -= shares[t++];
	uint8_t *at = place((enum target)t);
	if (!at) {
		s.missed++;
		return false;
	}
	struct flip *f = &s.alive[next(ALIVE)];
	xor_bit(f);
	*f = (struct flip){.at = at, .bit = (uint8_t)(1 << next(8))};
	xor_bit(f);
	s.flipped[t]++;
	return true;
}

static void scribble(void)
{
	uint64_t done = 0, tries = 0, start_us = clock_mono_us();
	while (done < s.flips && s.missed < s.flips + 1000) {
		uint64_t due = (clock_mono_us() - start_us) * s.rate / 1000000 + 1;
		for (; tries < due && done < s.flips; tries++) {
			if (tries % RESCAN_FLIPS == 0)
				scan();
			done += flip();
		}
		watch_look();
		usleep(BATCH_US);
	}
	for (unsigned i = 0; i < ALIVE; i++)
		xor_bit(&s.alive[i]);
	printf("{\"flips\": %llu, \"ms\": %llu, \"places\": {", (unsigned long long)done,
		(unsigned long long)(clock_mono_us() - start_us) / 1000);
	for (unsigned t = 0, n = 0; t < TARGETS; t++)
		if (s.flipped[t])
			printf("%s\"%s\": %llu", n++ ? ", " : "", target_names[t],
				(unsigned long long)s.flipped[t]);
	printf("}");
	if (done < s.flips)
		fail("no such places");
}

int main(int argc, char **argv)
{
	static const struct option options[] = {{"run", required_argument, NULL, 'r'},
		{"victim", required_argument, NULL, 'v'}, {"flips", required_argument, NULL, 'f'},
		{"rate", required_argument, NULL, 'a'}, {"seed", required_argument, NULL, 's'},
		{0}};
	const char *run = NULL, *victim = "dataplane";
	char why[SHM_WHY_MAX];
	for (int c; (c = getopt_long(argc, argv, "", options, NULL)) != -1;) {
		switch (c) {
		case 'r':
			run = optarg;
			break;
		case 'v':
			victim = optarg;
			break;
		case 'f':
			s.flips = strtoull(optarg, NULL, 10);
			break;
		case 'a':
			s.rate = strtoull(optarg, NULL, 10);
			break;
		case 's':
			s.seed = strtoull(optarg, NULL, 10) * 2 + 1;
			break;
		default:
			return 2;
		}
	}
	s.controlplane_is_victim = strcmp(victim, "controlplane") == 0;
	if (!run || !s.rate || shm_paths_find(&s.paths, run, "auto", why) < 0) {
		fprintf(stderr, "usage: scribble --run DIR --victim dataplane|controlplane "
				"[--flips N] [--rate N a second] [--seed N]\n");
		return 2;
	}
	if (!s.controlplane_is_victim && watch_open(&s.paths, why) < 0) {
		fprintf(stderr, "scribble: %s\n", why);
		return 2;
	}
	scribble();
	watch_print();
	printf("}\n");
	return 0;
}
