// SPDX-License-Identifier: BSD-3-Clause

// Addresses and sizes in pages, of each size that a kernel may have.

#include "tests/unit/page_fake.h"
#include "tests/unit/unit.h"

#include <weir/page.h>

TEST(test_sizes)
{
	static const struct {
		size_t page, huge;
	} machine[] = {{4096, 2 << 20}, {16384, 32 << 20}, {65536, 512 << 20}};
	for (unsigned i = 0; i < ARRAY_LEN(machine); i++) {
		const size_t page = machine[i].page;
		page_fake(page);
		assert_int_equal(page_size(), page);
		assert_int_equal(page_huge(), machine[i].huge);
		assert_int_equal(page_down(0), 0);
		assert_int_equal(page_up(0), 0);
		for (unsigned k = 1; k < 4; k++) {
			assert_int_equal(page_down(k * page - 1), (k - 1) * page);
			assert_int_equal(page_down(k * page), k * page);
			assert_int_equal(page_up(k * page - 1), k * page);
			assert_int_equal(page_up(k * page), k * page);
			assert_int_equal(page_up(k * page + 1), (k + 1) * page);
		}
	}
	page_fake(0);
}
