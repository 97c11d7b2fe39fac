// SPDX-License-Identifier: BSD-3-Clause

#include "tests/unit/unit.h"

#include <sys/vfs.h>
#include <sys/wait.h>
#include <weir/keyhash.h>
#include <weir/page.h>
#include <weir/shm_region.h>

static struct shm_paths paths;
static char run_dir[64];
static char why[SHM_WHY_MAX];

static int setup(void **)
{
	assert_int_equal(folder_make(run_dir, "region"), 0);
	return shm_paths_init(&paths, run_dir, "auto", why);
}

static int teardown(void **)
{
	shm_paths_remove(&paths);
	return rmdir(paths.run) || access(paths.mem, F_OK) == 0
	       || (paths.huge[0] && access(paths.huge, F_OK) == 0);
}

static const char *mem_path(const char *name)
{
	static char path[2 * SHM_PATH_MAX];
	snprintf(path, sizeof(path), "%s/%s", paths.mem, name);
	return path;
}

static struct region_spec rings_spec(void)
{
	return (struct region_spec){.name = "rings.3",
		.kind = REGION_RINGS,
		.generation = 5,
		.incarnation = 0x1234,
		.index = 3,
		.data_size = 3 * SHM_PAGE + 1,
		.geometry = {64, 32}};
}

static struct region create_rings(void)
{
	struct region r;
	struct region_spec spec = rings_spec();
	assert_int_equal(region_create(&paths, &spec, &r, why), 0);
	return r;
}

static int attach_rings(struct region *out, bool writable)
{
	return region_attach(&paths, SHM_IN_MEM, "rings.3", REGION_RINGS, writable, out, why);
}

static void expect_refused(int err, const char *text)
{
	struct region r = {.base = NULL};
	assert_int_equal(attach_rings(&r, false), err);
	assert_null(r.base);
	assert_non_null(strstr(why, text));
	assert_non_null(strstr(why, mem_path("rings.3")));
}

static void remove_rings(struct region *r)
{
	region_unmap(r);
	region_unmap(r); // harmless twice
	assert_int_equal(region_unlink(&paths, SHM_IN_MEM, "rings.3"), 0);
	assert_int_equal(region_unlink(&paths, SHM_IN_MEM, "rings.3"), -ENOENT);
}

TEST(test_create_and_attach)
{
	mode_t old = umask(0077);
	struct region w = create_rings(), r;
	umask(old);
	assert_int_equal(w.size, page_up(4 * SHM_PAGE + 1)); // whole pages
	assert_int_equal(region_data_size(&w), w.size - SHM_PAGE);
	const uint8_t *data = region_data(&w);
	for (size_t i = 0; i < region_data_size(&w); i++)
		assert_int_equal(data[i], 0);
	expect_refused(-EPROTO, "still being made");
	memcpy(region_data(&w), "hello", 6);
	region_publish(&w);

	struct stat st;
	assert_int_equal(stat(mem_path("rings.3"), &st), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
	assert_int_equal(st.st_size, w.size);
	assert_true((size_t)st.st_blocks * 512 >= w.size); // all reserved

	assert_int_equal(attach_rings(&r, true), 0);
	const struct region_header *h = region_header_of(&r);
	assert_int_equal(h->generation, 5);
	assert_int_equal(h->incarnation, 0x1234);
	assert_int_equal(h->index, 3);
	assert_int_equal(h->geometry[1], 32);
	assert_int_equal(r.size, w.size);
	assert_string_equal((char *)region_data(&r), "hello");
	*(char *)region_data(&r) = 'j';
	assert_string_equal((char *)region_data(&w), "jello");
	region_unmap(&r);
	remove_rings(&w);
	expect_refused(-ENOENT, "No such file");
}

// A process that has the old file mapped keeps it; the new one is another.
TEST(test_recreate_replaces)
{
	struct region old = create_rings(), new;
	region_publish(&old);
	memcpy(region_data(&old), "old", 4);
	new = create_rings();
	assert_int_equal(*(uint8_t *)region_data(&new), 0);
	assert_string_equal((char *)region_data(&old), "old");
	expect_refused(-EPROTO, "still being made");
	region_unmap(&old);
	remove_rings(&new);
}

TEST(test_mode_beats_umask)
{
	struct region_spec spec = rings_spec();
	spec.kind = REGION_STATS;
	struct region r;
	mode_t old = umask(0077);
	assert_int_equal(region_create(&paths, &spec, &r, why), 0);
	umask(old);
	struct stat st;
	assert_int_equal(stat(mem_path("rings.3"), &st), 0);
	assert_int_equal(st.st_mode & 07777, 0640);
	remove_rings(&r);
}

TEST(test_bad_names)
{
	const char *bad[] = {"", ".", "..", "a/b", "/x", "rtemap_0", "map_", ".hidden"};
	for (unsigned i = 0; i < ARRAY_LEN(bad); i++) {
		struct region_spec spec = rings_spec();
		struct region r;
		spec.name = bad[i];
		assert_int_equal(region_create(&paths, &spec, &r, why), -EINVAL);
		assert_int_equal(
			region_attach(&paths, SHM_IN_MEM, bad[i], REGION_RINGS, false, &r, why),
			-EINVAL);
		assert_int_equal(region_unlink(&paths, SHM_IN_MEM, bad[i]), -EINVAL);
	}
}

// Header writable by us, as a damaged or foreign file would have it.
static struct region_header *header(struct region *r)
{
	return (struct region_header *)(void *)r->base;
}

TEST(test_foreign_and_skewed)
{
	struct region w = create_rings(), r;
	region_publish(&w);
	header(&w)->magic = SHM_MAGIC ^ 1;
	expect_refused(-EPROTO, "not a weir region");
	header(&w)->abi_version++;
	region_publish(&w);
	expect_refused(-EPROTO, "ABI version");
	header(&w)->abi_version--;
	header(&w)->kind = REGION_STATS;
	region_publish(&w);
	expect_refused(-EPROTO, "kind stats");
	header(&w)->kind = 4711;
	region_publish(&w);
	expect_refused(-EPROTO, "kind unknown (4711)");
	header(&w)->kind = REGION_RINGS;
	header(&w)->total_size += SHM_PAGE;
	region_publish(&w);
	expect_refused(-EPROTO, "its header says");
	header(&w)->total_size -= SHM_PAGE;
	region_publish(&w);
	assert_int_equal(attach_rings(&r, false), 0);
	region_unmap(&r);
	remove_rings(&w);
}

// As it lies there where two weirs share a folder.
TEST(test_of_another_weir)
{
	struct region w = create_rings(), r = {.base = NULL};
	struct shm_paths other = paths;
	region_publish(&w);
	other.instance++;
	assert_int_equal(
		region_attach(&other, SHM_IN_MEM, "rings.3", REGION_RINGS, true, &r, why), -EPROTO);
	assert_null(r.base);
	assert_non_null(strstr(why, "another weir"));
	remove_rings(&w);
}

// Every bit of the header that is flipped without its sum is found out.
TEST(test_scribbled_header)
{
	struct region w = create_rings(), r;
	region_publish(&w);
	for (size_t bit = 0; bit < sizeof(struct region_header) * 8; bit++) {
		w.base[bit / 8] ^= (uint8_t)(1 << bit % 8);
		r.base = NULL;
		assert_int_equal(attach_rings(&r, false), -EPROTO);
		assert_null(r.base);
		w.base[bit / 8] ^= (uint8_t)(1 << bit % 8);
	}
	assert_int_equal(attach_rings(&r, false), 0);
	region_unmap(&r);
	remove_rings(&w);
}

TEST(test_truncated_and_grown)
{
	struct region w = create_rings();
	region_publish(&w);
	size_t size = w.size;
	region_unmap(&w);
	assert_int_equal(truncate(mem_path("rings.3"), (off_t)size + SHM_PAGE), 0);
	expect_refused(-EPROTO, "its header says");
	assert_int_equal(truncate(mem_path("rings.3"), (off_t)size - 1), 0);
	expect_refused(-EPROTO, "its header says");
	assert_int_equal(truncate(mem_path("rings.3"), 100), 0);
	expect_refused(-EPROTO, "only 100 bytes");
	assert_int_equal(truncate(mem_path("rings.3"), 0), 0);
	expect_refused(-EPROTO, "only 0 bytes");
	remove_rings(&w);
}

TEST(test_not_a_file)
{
	struct region r = {.base = NULL};
	assert_int_equal(symlink("/dev/zero", mem_path("rings.3")), 0);
	expect_refused(-ELOOP, "");
	// Creating replaces the link and touches nothing behind it.
	r = create_rings();
	struct stat st;
	assert_int_equal(lstat(mem_path("rings.3"), &st), 0);
	assert_true(S_ISREG(st.st_mode));
	remove_rings(&r);
	assert_int_equal(mkfifo(mem_path("rings.3"), 0600), 0);
	expect_refused(-EPROTO, "not a regular file");
	assert_int_equal(unlink(mem_path("rings.3")), 0);
	assert_int_equal(mkdir(mem_path("rings.3"), 0700), 0);
	expect_refused(-EPROTO, "not a regular file");
	assert_int_equal(rmdir(mem_path("rings.3")), 0);
}

TEST(test_foreign_owner)
{
	if (geteuid() != 0)
		skip();
	struct region w = create_rings(), r;
	region_publish(&w);
	assert_int_equal(chown(mem_path("rings.3"), 65534, 65534), 0);
	expect_refused(-EPERM, "uid 65534");
	// Unless the runtime directory is theirs as well.
	assert_int_equal(chown(run_dir, 65534, 65534), 0);
	assert_int_equal(attach_rings(&r, false), 0);
	region_unmap(&r);
	assert_int_equal(chown(run_dir, 0, 0), 0);
	remove_rings(&w);
}

TEST(test_no_room)
{
	struct region_spec spec = rings_spec();
	struct region r = {.base = NULL};
	struct statfs fs;
	assert_int_equal(statfs(paths.mem, &fs), 0);
	spec.data_size = ((size_t)fs.f_blocks + 1) * (size_t)fs.f_bsize;
	uint64_t began = clock_ms_of(CLOCK_THREAD_CPUTIME_ID);
	assert_int_equal(region_create(&paths, &spec, &r, why), -ENOSPC);
	// Nothing was taken first: 24 GiB of huge pages are over a second of CPU.
	assert_in_range(clock_ms_of(CLOCK_THREAD_CPUTIME_ID) - began, 0, 500);
	assert_null(r.base);
	assert_non_null(strstr(why, "cannot reserve"));
	assert_int_equal(access(mem_path("rings.3"), F_OK), -1); // nothing left lying
	spec.data_size = SIZE_MAX - 10;
	assert_int_equal(region_create(&paths, &spec, &r, why), -EINVAL);
}

// Does a store to this address kill with SIGSEGV?
static bool store_faults(uint8_t *p)
{
	pid_t child = fork();
	assert_true(child >= 0);
	if (child == 0) {
		signal(SIGSEGV, SIG_DFL);
		*(volatile uint8_t *)p = *p;
		_exit(0);
	}
	int status;
	assert_int_equal(waitpid(child, &status, 0), child);
	return WIFSIGNALED(status) && WTERMSIG(status) == SIGSEGV;
}

// As the other of two users left it: the owner says who made it, the mode who else may write.
static int left_as(const char *name, enum region_kind kind, uid_t owner, mode_t mode)
{
	struct shm_paths two = paths;
	struct region_spec spec = rings_spec();
	struct region r;
	two.two_users = true;
	spec.name = name;
	spec.kind = kind;
	spec.data_size = SHM_PAGE; // of a directory
	assert_int_equal(region_create(&two, &spec, &r, why), 0);
	region_publish(&r);
	region_unmap(&r);
	assert_int_equal(chown(mem_path(name), owner, (gid_t)-1), 0);
	assert_int_equal(chmod(mem_path(name), mode), 0);
	memcpy(two.run, paths.mem, sizeof(two.run)); // no folder of a stranger
	two.side = SHM_DATAPLANE;
	int rc = region_attach(&two, SHM_IN_MEM, name, kind, false, &r, why);
	if (rc == 0)
		region_unmap(&r);
	assert_int_equal(region_unlink(&paths, SHM_IN_MEM, name), 0);
	return rc;
}

TEST(test_two_users)
{
	enum { OTHER = 64002 };
	struct stat st;
	if (geteuid() != 0)
		skip(); // cannot give files away
	assert_int_equal(left_as("rings.3", REGION_RINGS, 0, 0640), 0);
	assert_int_equal(left_as("rings.3", REGION_RINGS, OTHER, 0640), -EPERM);
	assert_non_null(strstr(why, "belongs to uid 64002, but only this process"));
	assert_int_equal(left_as("directory", REGION_DIRECTORY, OTHER, 0640), 0);
	assert_int_equal(left_as("directory", REGION_DIRECTORY, OTHER, 0660), -EPERM);
	assert_non_null(strstr(why, "others than its owner may write it (mode 0660)"));
	assert_int_equal(left_as("marks.0.1", REGION_MARKS, 0, 0660), 0);
	assert_int_equal(left_as("marks.0.1", REGION_MARKS, 0, 0662), -EPERM);
	assert_int_equal(shm_maker("reader"), SHM_DATAPLANE);
	assert_int_equal(shm_maker("answers.0.1"), SHM_CONTROLPLANE);
	assert_int_equal(stat(paths.run, &st), 0);
	assert_false(shm_dir_has_two_users(&st));
	st.st_mode = S_IFDIR | 03771;
	assert_true(shm_dir_has_two_users(&st));
	st.st_uid = OTHER; // who could delete what others put there
	assert_false(shm_dir_has_two_users(&st));
	st.st_uid = 0;
	st.st_mode = S_IFDIR | 02770;
	assert_false(shm_dir_has_two_users(&st));
}

// Zeros in a place that readers keep, until the file is there; another file of that name replaces
// it.
TEST(test_over_a_place)
{
	const uint64_t other[SHM_GEOMETRY_WORDS] = {64, 33};
	struct region w = create_rings(), at;
	const uint64_t *word;
	assert_int_equal(region_place(w.size, &at, why), 0);
	word = (const void *)(at.base + SHM_PAGE);
	assert_int_equal(*word, 0);
	assert_int_equal(
		region_attach_over(&paths, "rings.3", REGION_RINGS, NULL, &at, why), -EPROTO);
	*(uint64_t *)(void *)(w.base + SHM_PAGE) = 7;
	region_publish(&w);
	assert_int_equal(
		region_attach_over(&paths, "rings.3", REGION_RINGS, other, &at, why), -EAGAIN);
	assert_int_equal(*word, 0);
	assert_int_equal(region_attach_over(&paths, "rings.3", REGION_RINGS, NULL, &at, why), 1);
	assert_int_equal(*word, 7);
	assert_true(store_faults(at.base + SHM_PAGE));
	assert_int_equal(region_attach_over(&paths, "rings.3", REGION_RINGS, NULL, &at, why), 0);
	remove_rings(&w);
	assert_int_equal(
		region_attach_over(&paths, "rings.3", REGION_RINGS, NULL, &at, why), -ENOENT);
	assert_int_equal(*word, 7);
	w = create_rings();
	region_publish(&w);
	assert_int_equal(region_attach_over(&paths, "rings.3", REGION_RINGS, NULL, &at, why), 1);
	assert_int_equal(*word, 0);
	remove_rings(&w);
	region_unmap(&at);
}

TEST(test_read_only)
{
	struct region w = create_rings(), r;
	region_publish(&w);
	assert_int_equal(attach_rings(&r, false), 0);
	assert_true(store_faults(r.base + SHM_PAGE));
	region_unmap(&r);
	remove_rings(&w);
}

// Free huge pages of 2 MiB for our directory. A mount without a limit of its own says nothing.
static uint64_t huge_pages_free(const struct statfs *fs)
{
	if (!paths.huge[0] || fs->f_blocks > 0)
		return paths.huge[0] ? (uint64_t)fs->f_bavail : 0;
	unsigned long pages = 0;
	FILE *f = fopen("/sys/kernel/mm/hugepages/hugepages-2048kB/free_hugepages", "r");
	assert_non_null(f);
	assert_int_equal(fscanf(f, "%lu", &pages), 1);
	fclose(f);
	return pages;
}

// On huge pages where there are some, else in memory; both directions of the choice.
TEST(test_huge_or_fallback)
{
	struct region_spec spec = rings_spec();
	struct region r, a;
	spec.want_huge = true;
	struct statfs fs = {0};
	if (paths.huge[0])
		assert_int_equal(statfs(paths.huge, &fs), 0);
	if (paths.huge[0]) { // the same mount, named by the operator
		struct shm_paths named;
		char mount[SHM_PATH_MAX];
		memcpy(mount, paths.huge, sizeof(mount));
		*strrchr(mount, '/') = 0;
		assert_int_equal(shm_paths_find(&named, run_dir, mount, why), 0);
		assert_string_equal(named.huge, paths.huge);
	}
	uint64_t free_pages = huge_pages_free(&fs);
	assert_int_equal(region_create(&paths, &spec, &r, why), 0);
	enum shm_where where = r.where;
	assert_int_equal(r.where, free_pages ? SHM_IN_HUGE : SHM_IN_MEM);
	assert_int_equal(r.size % (free_pages ? (size_t)fs.f_bsize : SHM_PAGE), 0);
	region_publish(&r);
	assert_int_equal(region_attach(&paths, r.where, "rings.3", REGION_RINGS, true, &a, why), 0);
	region_unmap(&a);
	region_unmap(&r);

	// One page more than are free: memory, and the file of the same name is gone over there.
	if (free_pages && free_pages < 64) {
		spec.data_size = (free_pages + 1) * (size_t)fs.f_bsize;
		assert_int_equal(region_create(&paths, &spec, &r, why), 0);
		assert_int_equal(r.where, SHM_IN_MEM);
		assert_int_equal(region_unlink(&paths, SHM_IN_HUGE, "rings.3"), -ENOENT);
		where = r.where;
		region_unmap(&r);
	}
	assert_int_equal(region_unlink(&paths, where, "rings.3"), 0);
}

TEST(test_huge_absent)
{
	struct shm_paths none = paths;
	struct region r;
	none.huge[0] = 0;
	assert_int_equal(
		region_attach(&none, SHM_IN_HUGE, "l0.1", REGION_L0, false, &r, why), -ENOENT);
	assert_non_null(strstr(why, "it is on hugetlbfs, of which this process sees none"));
}

TEST_GROUP(setup, teardown)
