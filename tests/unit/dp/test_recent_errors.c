// SPDX-License-Identifier: BSD-3-Clause

// The data plane's last errors in its statistics: as many as there are, and no entry more.
#include "dataplane/housekeep.h"
#include "tests/unit/unit.h"

#include <weir/log_recent.h>

static struct stats_errors out;

static bool is_untouched(const struct stats_error *e)
{
	static struct stats_error poisoned;
	memset(&poisoned, 0xa5, sizeof(poisoned));
	return memcmp(e, &poisoned, sizeof(poisoned)) == 0;
}

TEST(test_as_many_as_there_are)
{
	static const char *const fmt[] = {"first %d", "second %d", "third %d"};
	uint64_t seen = 0;
	memset(out.error, 0xa5, sizeof(out.error));
	for (unsigned i = 0; i < ARRAY_LEN(fmt); i++)
		log_recent_add(LOG_LEVEL_ERROR, fmt[i], fmt[i]);
	recent_errors_report(&out, &seen);
	assert_int_equal(out.count, ARRAY_LEN(fmt));
	assert_string_equal(out.error[0].text, fmt[2]); // the newest first
	assert_string_equal(out.error[2].text, fmt[0]);
	assert_true(is_untouched(&out.error[ARRAY_LEN(fmt)]));
	// An even number says that no writer is at work.
	assert_int_equal(out.sequence, 2);
	recent_errors_report(&out, &seen);
	assert_int_equal(out.sequence, 2); // nothing new: not written again
}
