// SPDX-License-Identifier: BSD-3-Clause
#include "dataplane/port/mbuf_pool.h"
#include "tests/unit/unit.h"

#include <rte_eal.h>
#include <rte_mbuf.h>

enum { MBUFS = 1023, PAGE = 4096 };

static char why[MBUF_POOL_WHY_MAX];

static int start_eal(void **)
{
	static char program[] = "test_mbuf_pool", lcore[] = "-l", zero[] = "0",
		    no_huge[] = "--no-huge", no_shconf[] = "--no-shconf", no_pci[] = "--no-pci",
		    memory[] = "-m32", quiet[] = "--log-level=error", va[] = "--iova-mode=va",
		    no_telemetry[] = "--no-telemetry", prefix[] = "--file-prefix=weir-test-pool";
	char *argv[] = {program, lcore, zero, no_huge, no_shconf, no_pci, memory, quiet, va,
		no_telemetry, prefix, NULL};
	return rte_eal_init(ARRAY_LEN(argv) - 1, argv) < 0 ? -1 : 0;
}

FIXTURE_OF(stop_eal, rte_eal_cleanup())

struct seen {
	uintptr_t least, most;
	unsigned in_two_pages, wrong_address, count;
};

static void see(struct rte_mempool *pool, void *seen, void *buffer, unsigned)
{
	const struct rte_mbuf *m = buffer;
	struct seen *s = seen;
	const uintptr_t from = (uintptr_t)buffer - pool->header_size;
	const uintptr_t last = (uintptr_t)buffer + pool->elt_size + pool->trailer_size - 1;
	s->least = s->count == 0 || from < s->least ? from : s->least;
	s->most = last > s->most ? last : s->most;
	s->in_two_pages += from / PAGE != last / PAGE;
	s->wrong_address += rte_mbuf_iova_get(m) != (uintptr_t)m->buf_addr;
	s->count++;
}

static struct seen seen_in(unsigned worker, enum mbuf_pool_layout layout)
{
	struct rte_mempool *pool = NULL;
	struct seen s = {0};
	assert_int_equal(mbuf_pool_create(&pool, worker, 0, MBUFS, 1232, layout, why), 0);
	assert_int_equal(rte_pktmbuf_data_room_size(pool), mbuf_pool_room(1232));
	assert_int_equal(rte_mempool_avail_count(pool), MBUFS);
	assert_int_equal(rte_mempool_obj_iter(pool, see, &s), MBUFS);
	rte_mempool_free(pool);
	return s;
}

TEST(dense_buffers_lie_side_by_side)
{
	const struct seen s = seen_in(0, MBUF_POOL_DENSE);
	assert_int_equal(s.wrong_address, 0);
	assert_true(s.in_two_pages > 0);
	assert_true(s.most - s.least < (uintptr_t)MBUFS * (mbuf_pool_room(1232) + 512));
}

TEST(no_paged_buffer_lies_in_two_pages)
{
	const struct seen s = seen_in(1, MBUF_POOL_PAGED);
	assert_int_equal(s.wrong_address, 0);
	assert_int_equal(s.in_two_pages, 0);
}

TEST(a_freed_pool_gives_its_memory_back)
{
	for (unsigned i = 0; i < 40; i++) // 32 MiB have room for 12
		(void)seen_in(2, MBUF_POOL_DENSE);
}

TEST(too_many_say_what_to_set)
{
	struct rte_mempool *pool = NULL;
	for (unsigned i = 0; i < 3; i++) {
		assert_int_equal(
			mbuf_pool_create(&pool, 3, 0, 32767, 1232, MBUF_POOL_DENSE, why), -ENOMEM);
		assert_non_null(strstr(why, "worker 3"));
		assert_non_null(strstr(why, "dataplane.memory_mb"));
	}
	assert_null(pool);
}

TEST_GROUP(start_eal, stop_eal)
