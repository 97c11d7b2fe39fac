// SPDX-License-Identifier: BSD-3-Clause
#include "tests/unit/unit.h"

#include <weir/region_each.h>

static unsigned seen;

static void unlink_one(void *folder, const char *name)
{
	seen++;
	(void)unlink(text_from("%s/%s", (const char *)folder, name));
}

// Each user that writes to the folder can fill it: one look has an end, and the next goes on.
TEST(a_full_folder_has_an_end)
{
	enum { FILES = REGION_LOOKS_MAX + 100 };
	struct shm_paths paths = {.mem = "/tmp/weir-test-each-XXXXXX"};
	assert_non_null(mkdtemp(paths.mem));
	for (unsigned i = 0; i < FILES; i++) {
		int fd = open(text_from("%s/hops.%u", paths.mem, i), O_CREAT | O_WRONLY | O_CLOEXEC,
			0600);
		assert_true(fd >= 0);
		close(fd);
	}
	region_each(&paths, SHM_IN_HUGE, unlink_one, paths.mem); // no such folder
	assert_int_equal(seen, 0);
	region_each(&paths, SHM_IN_MEM, unlink_one, paths.mem);
	assert_int_equal(seen, REGION_LOOKS_MAX);
	assert_int_equal(rmdir(paths.mem), -1);
	region_each(&paths, SHM_IN_MEM, unlink_one, paths.mem);
	assert_in_range(seen, FILES, FILES + 4); // . and .. each time
	assert_int_equal(rmdir(paths.mem), 0);
}
