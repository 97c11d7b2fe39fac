// SPDX-License-Identifier: BSD-3-Clause
// The profiles that weir keeps by itself: the newest has number 1, and there are three at most.

#include "controlplane/base/loop.h"
#include "controlplane/memory/heap.h"
#include "controlplane/memory/heap_baselines.h"
#include "tests/unit/unit.h"

#include <dirent.h>

static char folder[] = "/tmp/weir-test-XXXXXX";
static struct loop *service;

static ino_t number_of(unsigned i)
{
	char path[64];
	struct stat st;
	snprintf(path, sizeof(path), "%s/heap-auto-%u", folder, i);
	if (stat(path, &st) < 0)
		return 0;
	assert_int_equal(st.st_mode & 0777, 0600);
	return st.st_ino;
}

static unsigned files_count(void)
{
	unsigned n = 0;
	DIR *dir = opendir(folder);
	assert_non_null(dir);
	for (const struct dirent *e; (e = readdir(dir));)
		n += e->d_name[0] != '.';
	closedir(dir);
	return n;
}

TEST(three_are_kept)
{
	struct heap_baselines *b;
	struct heap_stats stats;
	heap_read(&stats);
	assert_int_equal(heap_baselines_open(&b, service, folder), 0);
	assert_int_equal(files_count(), 0);
	ino_t first = 0;
	for (unsigned i = 1; i <= 5; i++) {
		heap_baselines_take(b);
		if (!stats.can_profile) {
			assert_int_equal(files_count(), 0);
			continue;
		}
		assert_int_equal(files_count(), i < HEAP_BASELINES ? i : HEAP_BASELINES);
		if (i == 3)
			first = number_of(1);
	}
	if (stats.can_profile) {
		assert_int_equal(number_of(3), first); // of the third, after two more
		assert_true(first != 0);
	}
	heap_baselines_close(b);
}

// As on a full disk: the new one cannot be written, for a folder is in its place.
TEST(a_new_one_is_not_kept)
{
	struct heap_baselines *b;
	ino_t before[HEAP_BASELINES];
	char temporary[80];
	snprintf(temporary, sizeof(temporary), "%s/heap-auto-0.tmp", folder);
	assert_int_equal(heap_baselines_open(&b, service, folder), 0);
	for (unsigned i = 0; i < HEAP_BASELINES; i++)
		heap_baselines_take(b);
	for (unsigned i = 0; i < HEAP_BASELINES; i++)
		before[i] = number_of(i + 1);
	assert_int_equal(mkdir(temporary, 0700), 0);
	for (unsigned i = 0; i < HEAP_BASELINES; i++)
		heap_baselines_take(b);
	for (unsigned i = 0; i < HEAP_BASELINES; i++)
		assert_int_equal(number_of(i + 1), before[i]);
	assert_int_equal(rmdir(temporary), 0);
	heap_baselines_close(b);
}

// What another user put where one is written: a FIFO would hang the service loop, which waits for
// the thread when the next one is due; a link or a second name would be another file's end.
TEST(what_is_in_its_place)
{
	struct heap_baselines *b;
	struct heap_stats stats;
	char temporary[80], other[80];
	struct stat st;
	heap_read(&stats);
	snprintf(temporary, sizeof(temporary), "%s/heap-auto-0.tmp", folder);
	snprintf(other, sizeof(other), "%s/other", folder);
	assert_int_equal(heap_baselines_open(&b, service, folder), 0);
	assert_int_equal(mkfifo(temporary, 0666), 0);
	alarm(60);
	heap_baselines_take(b);
	alarm(0);
	assert_true(!stats.can_profile || number_of(1) != 0);
	(void)unlink(temporary);
	const int fd = open(other, O_WRONLY | O_CREAT | O_EXCL, 0600);
	assert_int_equal(write(fd, "other", 5), 5);
	assert_int_equal(link(other, temporary), 0);
	heap_baselines_take(b);
	assert_int_equal(fstat(fd, &st), 0);
	assert_int_equal(st.st_size, 5);
	close(fd);
	(void)unlink(temporary);
	assert_int_equal(unlink(other), 0);
	heap_baselines_close(b);
}

FIXTURE_OF(setup, mkdtemp(folder) && loop_new("service", &service) == 0 ? 0 : -1)

static int teardown(void **)
{
	char path[64];
	for (unsigned i = 1; i <= HEAP_BASELINES; i++) {
		snprintf(path, sizeof(path), "%s/heap-auto-%u", folder, i);
		(void)unlink(path);
	}
	loop_free(service);
	return rmdir(folder);
}

TEST_GROUP(setup, teardown)
