// SPDX-License-Identifier: BSD-3-Clause
// The bill of a configuration, and who may start by it.

#include "config_text.h"

#include <fcntl.h>
#include <weir/mem_plan.h>
#include <weir/mem_room.h>
#include <weir/shm_region.h>

#define HEAD                                   \
	"dataplane:\n"                         \
	"  ports: [{device: net_null0}]\n"     \
	"  service_addresses: [198.18.0.53]\n" \
	"  worker_lcores: [1]\n"               \
	"upstreams: {servers: [{address: 198.18.0.1}]}\n"

static struct mem_plan plan_of(const char *text)
{
	struct mem_plan p;
	struct config *c = config_text_load(text);
	mem_plan_make(&p, c);
	config_free(c);
	return p;
}

static void the_bill_follows_the_settings(void **)
{
	struct mem_plan small = plan_of(HEAD "cache: {l0_mb: 1}\n");
	struct mem_plan large = plan_of(HEAD "cache: {l0_mb: 1025}\n");
	uint64_t more = UINT64_C(1024) << 20, sum = 0;
	assert_int_equal(small.total, small.of[0] + small.of[1]);
	for (unsigned i = 0; i < small.count; i++)
		sum += small.line[i].bytes;
	assert_int_equal(small.total, sum);
	assert_int_equal(large.of[MEM_PLAN_CONTROLPLANE] - small.of[MEM_PLAN_CONTROLPLANE],
		more + more / 32 * 5);
	assert_int_equal(large.of[MEM_PLAN_DATAPLANE] - small.of[MEM_PLAN_DATAPLANE], more / 32);
	assert_true(
		plan_of(HEAD "tcp: {buffer_kb: 1048576}\n").total > small.total + 900 * 1048576ull);
	assert_true(plan_of(HEAD "query_log: {enabled: false}\n").total
		    < plan_of(HEAD).total - 30 * 1048576ull);
}

static int check(
	const char *text, enum mem_plan_of of, const char *folder, char why[MEM_PLAN_WHY_MAX])
{
	struct shm_paths paths = {.run = ""};
	struct config *c = config_text_load(text);
	snprintf(paths.mem, sizeof paths.mem, "%s", folder);
	why[0] = '\0';
	int rc = mem_plan_check(c, of, &paths, why);
	config_free(c);
	return rc;
}

// An exabyte's part fits nowhere, the default everywhere where this is built.
static void what_has_no_room_does_not_start(void **)
{
	static const char huge[] = HEAD "cache: {l0_mb: 1048576}\ntcp: {buffer_kb: 1048576}\n";
	char why[MEM_PLAN_WHY_MAX];
	assert_int_equal(check(HEAD "cache: {l0_mb: 1}\n", MEM_PLAN_DATAPLANE, "", why), 0);
	assert_string_equal(why, "");
	struct mem_room room;
	mem_room_read(&room);
	assert_true(mem_room_all(&room) < UINT64_C(1) << 40); // or this test needs a larger one
	assert_int_equal(check(huge, MEM_PLAN_CONTROLPLANE, "", why), -ENOMEM);
	assert_non_null(strstr(why, "can be had"));
	assert_int_equal(setenv("WEIR_MEMORY_CHECK", "off", 1), 0);
	assert_int_equal(check(huge, MEM_PLAN_CONTROLPLANE, "", why), 0);
	assert_int_equal(unsetenv("WEIR_MEMORY_CHECK"), 0);
}

// What a life before has mapped already is not needed again.
static void regions_that_are_there_count(void **)
{
	char folder[] = "/tmp/weir-test-plan-XXXXXX", path[64], why[MEM_PLAN_WHY_MAX];
	static const char huge[] = HEAD "cache: {l0_mb: 1048576}\n";
	assert_non_null(mkdtemp(folder));
	snprintf(path, sizeof path, "%s/l0.1", folder);
	int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	assert_true(fd >= 0);
	assert_int_equal(ftruncate(fd, (off_t)2 << 40), 0); // without a page in it
	close(fd);
	assert_int_equal(check(huge, MEM_PLAN_CONTROLPLANE, folder, why), 0);
	assert_int_equal(unlink(path), 0);
	assert_int_equal(check(huge, MEM_PLAN_CONTROLPLANE, folder, why), -ENOMEM);
	assert_int_equal(rmdir(folder), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_bill_follows_the_settings),
		cmocka_unit_test(what_has_no_room_does_not_start),
		cmocka_unit_test(regions_that_are_there_count),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
