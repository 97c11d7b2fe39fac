// SPDX-License-Identifier: BSD-3-Clause

// dataplane.worker_lcores.

#include "config_text.h"

#include <sched.h>
#include <weir/config_tools.h>

// With these entries in the list. NULL: refused.
static struct config *load(const char *lcores)
{
	char why[CONFIG_WHY_MAX];
	struct config *c = NULL;
	int rc = config_text_try(
		text_from(PORTS ADDRESSES
			"  mbufs: 4095\n  memory_mb: 4096\n  worker_lcores: [%s]\n" SERVERS,
			lcores),
		&c, why);
	assert_int_equal(rc == 0, c != NULL);
	return c;
}

// As many as this process may run on, whatever machine the test runs on.
TEST(auto_is_all_cores_but_main)
{
	cpu_set_t set;
	unsigned cores = 0;
	assert_int_equal(sched_getaffinity(0, sizeof(set), &set), 0);
	for (unsigned i = 1; i < CPU_SETSIZE; i++)
		cores += CPU_ISSET(i, &set);
	if (cores == 0 || cores > CONFIG_WORKERS_MAX)
		skip();
	struct config *c = load("auto");
	assert_true(c->dataplane.workers_auto);
	assert_int_equal(c->dataplane.worker_count, cores);
	for (unsigned i = 0; i < cores; i++)
		assert_int_not_equal(c->dataplane.worker_lcores[i], 0);
}

TEST(named_cores_are_those)
{
	struct config *c = load("3, 1");
	assert_non_null(c);
	assert_false(c->dataplane.workers_auto);
	assert_int_equal(c->dataplane.worker_count, 2);
	assert_int_equal(c->dataplane.worker_lcores[0], 3);
	assert_null(load("auto, 1"));
	assert_null(load("1, auto"));
	assert_null(load("two"));
}

// The process that looks at the file may see other cores than the one that started.
TEST(auto_and_named_differ)
{
	char names[256];
	struct config *a = load("1"), *b = load("1");
	assert_non_null(a);
	assert_non_null(b);
	assert_int_equal(config_needs_restart(a, b, names, sizeof(names)), 0);
	b->dataplane.workers_auto = true;
	assert_int_equal(config_needs_restart(a, b, names, sizeof(names)), 1);
	assert_string_equal(names, "dataplane.worker_lcores");
}
