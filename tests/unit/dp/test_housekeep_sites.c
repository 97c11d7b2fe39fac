// SPDX-License-Identifier: BSD-3-Clause

// What the data plane takes of the heap and of DPDK's memory is counted by the call that took it.

#include "dataplane/port/rte_site.h"
#include "housekeep_fixture.h"

#include <weir/mem_account.h>
#include <weir/stats_read.h>

static struct stats_copy copy;

static const struct stats_site *site_of(const char *function)
{
	stats_sites_copy(&copy, &h.stats->sites);
	for (unsigned i = 0; i < copy.sites; i++)
		if (strncmp(copy.site[i].name, function, strlen(function)) == 0)
			return &copy.site[i];
	return NULL;
}

TEST_WITH(blocks_of_dpdk_name_their_call, setup, teardown)
{
	enum { EACH = 100000 };
	struct mem_sum by[MEM_ACCOUNT_COUNT];
	uint64_t before = mem_accounts(by).bytes;
	pass_ms(HOUSEKEEP_MEMORY_MS);
	assert_null(site_of(__func__));
	uint64_t dpdk_before = copy.dpdk_bytes;
	void *p[] = {rte_site_zmalloc_socket(NULL, 2 * EACH, 0, SOCKET_ID_ANY),
		rte_site_zmalloc_socket("x", EACH, 64, SOCKET_ID_ANY),
		rte_site_zmalloc_socket(NULL, EACH, 0, SOCKET_ID_ANY)};
	for (unsigned i = 0; i < ARRAY_LEN(p); i++)
		assert_non_null(p[i]);
	assert_int_equal(((uintptr_t)p[1]) % 64, 0);
	pass_ms(HOUSEKEEP_MEMORY_MS);
	const struct stats_site *s = site_of(__func__);
	assert_non_null(s);
	assert_int_equal(s->is_dpdk, 1);
	assert_int_equal(s->blocks, 1);
	assert_in_range(s->bytes, 2 * EACH, 2 * EACH + 256); // the largest
	assert_in_range(copy.dpdk_bytes - dpdk_before, 4 * EACH, 4 * EACH + 1024);
	assert_int_equal(mem_accounts(by).bytes, before); // it is not the allocator's
	for (unsigned i = 0; i < ARRAY_LEN(p); i++)
		rte_site_free(p[i]);
	rte_site_free(NULL);
	assert_null(rte_site_zmalloc_socket(NULL, SIZE_MAX, 0, SOCKET_ID_ANY));
	pass_ms(HOUSEKEEP_MEMORY_MS);
	assert_null(site_of(__func__));
	assert_int_equal(copy.dpdk_bytes, dpdk_before);
}

// Whose bytes grow is among the largest soon.
TEST_WITH(blocks_of_the_heap_name_their_call, setup, teardown)
{
	enum { MANY = 50, EACH = 20000 };
	void *p[MANY];
	for (unsigned i = 0; i < MANY; i++)
		p[i] = heap_malloc(EACH);
	pass_ms(HOUSEKEEP_MEMORY_MS);
	const struct stats_site *s = site_of(__func__);
	assert_non_null(s);
	assert_int_equal(s->is_dpdk, 0);
	assert_int_equal(s->blocks, MANY);
	assert_true(s->bytes >= (uint64_t)MANY * EACH);
	assert_non_null(strstr(s->name, " (test_housekeep_sites.c:"));
	for (unsigned i = 0; i + 1 < copy.sites; i++)
		assert_true(copy.site[i].bytes >= copy.site[i + 1].bytes);
	for (unsigned i = 0; i < MANY; i++)
		heap_free(p[i]);
}

enum { LARGE = 100 }; // sites

// A slow leak is small for long: each site is there, however many hold more.
TEST_WITH(a_small_site_is_there_beside_many, setup, teardown)
{
	void *large[LARGE], *small = heap_malloc(8);
	unsigned n = 0;
#define ONE    large[n++] = heap_malloc(4096);
#define TEN(x) x x x x x x x x x x
	TEN(TEN(ONE))
	pass_ms(HOUSEKEEP_MEMORY_MS);
	stats_sites_copy(&copy, &h.stats->sites);
	unsigned here = 0;
	bool has_small = false;
	for (unsigned i = 0; i < copy.sites; i++) {
		here += strncmp(copy.site[i].name, __func__, strlen(__func__)) == 0;
		has_small = has_small || (copy.site[i].bytes > 0 && copy.site[i].bytes < 64);
	}
	assert_int_equal(n, LARGE);
	assert_int_equal(here, LARGE + 1);
	assert_true(has_small);
	while (n)
		heap_free(large[--n]);
	heap_free(small);
}

// A copy that is made while the list is written has no sites.
TEST_WITH(half_a_list_is_not_shown, setup, teardown)
{
	pass_ms(HOUSEKEEP_MEMORY_MS);
	atomic_fetch_add(&h.stats->sites.sequence, 1);
	memset(&copy, 0, sizeof(copy));
	stats_sites_copy(&copy, &h.stats->sites);
	assert_int_equal(copy.sites, 0);
	atomic_fetch_add(&h.stats->sites.sequence, 1);
	h.stats->sites.count = STATS_SITES_MAX + 1;
	stats_sites_copy(&copy, &h.stats->sites);
	assert_int_equal(copy.sites, 0);
}

TEST_GROUP(start_eal, stop_eal)
