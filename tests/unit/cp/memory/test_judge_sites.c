// SPDX-License-Identifier: BSD-3-Clause
// Which site an alarm names: the one that still grows, not what filled while the leak began.

#include "controlplane/memory/judge_sites.h"
#include "tests/unit/unit.h"

#include <weir/mem_account.h>

enum { SECONDS = 210, FILLED = 100, LEAK = 12000, FILL = 25000, MOST = 2 * SECONDS };

static struct judge_sites sites;
static void *block[MOST];
static unsigned blocks;

static void take(void *p)
{
	assert_non_null(p);
	block[blocks++] = p;
}

// SQLite fills its cache for 100 s; curl loses 12 KB a second from the 60th second on.
TEST(what_has_filled_is_not_blamed)
{
	char by[HEAP_SITE_NAME];
	for (unsigned n = 1; n <= SECONDS; n++) {
		if (n < FILLED)
			take(heap_sqlite_malloc(FILL));
		if (n > 60)
			take(heap_curl_malloc(LEAK));
		judge_sites_see(&sites, 1000 * n);
	}
	judge_sites_by(&sites, 1000 * SECONDS, "libraries", 150.0 * LEAK, 150, by, sizeof(by));
	assert_memory_equal(by, "curl", 4);
	judge_sites_by(&sites, 1000 * SECONDS, "libraries", 1500.0 * LEAK, 150, by, sizeof(by));
	assert_string_equal(by, ""); // no site has a third of that
	while (blocks)
		heap_free(block[--blocks]);
}

// As the statistics of the data plane have them: the order changes, names are anyone's.
TEST(sites_of_the_data_plane_have_names)
{
	static struct judge_far far;
	static struct judge_sites of_far = {.far = &far};
	char by[STATS_SITE_NAME];
	for (unsigned n = 1; n <= SECONDS; n++) {
		struct stats_site leak = {.bytes = 50000 + n * LEAK, .name = "attach (tables.c:5)"};
		struct stats_site still = {.bytes = 4 << 20, .name = "limiter_new (limit.c:2)"};
		struct stats_site of_dpdk = {
			.bytes = 1000 * n, .is_dpdk = 1, .name = "create (worker.c:9)\033"};
		struct stats_site site[] = {leak.bytes < still.bytes ? still : leak,
			leak.bytes < still.bytes ? leak : still, of_dpdk};
		judge_far_take(&far, site, ARRAY_LEN(site));
		judge_sites_see(&of_far, 1000 * n);
	}
	assert_int_equal(far.count, 3);
	const char *account = mem_account_names[mem_account_of("tables.c")];
	judge_sites_by(&of_far, 1000 * SECONDS, account, 150.0 * LEAK, 150, by, sizeof(by));
	assert_string_equal(by, "attach (tables.c:5)");
	judge_sites_by(&of_far, 1000 * SECONDS, "others", 150.0 * 1000, 150, by, sizeof(by));
	assert_string_equal(by, "create (worker.c:9)\\x1b");
	judge_far_take(&far, NULL, 0); // statistics that could not be read for a moment
	judge_sites_by(&of_far, 1000 * SECONDS, account, 150.0 * LEAK, 150, by, sizeof(by));
	assert_string_equal(by, "attach (tables.c:5)");
	const struct stats_site other = {.bytes = 1, .name = "limiter_new (limit.c:2)"};
	judge_far_take(&far, &other, 1); // the leak's blocks are freed
	judge_sites_by(&of_far, 1000 * SECONDS, account, 150.0 * LEAK, 150, by, sizeof(by));
	assert_string_equal(by, "");
	judge_sites_begin(&of_far);
	judge_sites_by(&of_far, 1000 * SECONDS, account, 150.0 * LEAK, 150, by, sizeof(by));
	assert_string_equal(by, "");
}
