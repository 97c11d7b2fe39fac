// SPDX-License-Identifier: BSD-3-Clause
// The rate limits of two frontends: either of them alone keeps both within the rate.
#include "controlplane/frontend/frontend_shared.h"
#include "tests/unit/unit.h"

enum { FRONTENDS = 2, RATE = 100, BEAT_MS = 100 };

static const struct policy_limit limit = {.rate = RATE, .burst_s = 1};
static struct frontend_shared *shared;

static unsigned ask(unsigned frontend, unsigned count)
{
	static const uint8_t ip[4] = {192, 0, 2, 1};
	unsigned through = 0;
	for (unsigned i = 0; i < count; i++)
		through += limit_take(limiter_table(shared->limiter, frontend), 4, ip);
	return through;
}

// The other one hangs: it neither beats nor counts.
TEST(test_either_one_refills)
{
	for (unsigned n = 0; n < FRONTENDS; n++) {
		uint64_t now_ms = 5000;
		unsigned through = 0;

		assert_int_equal(frontend_shared_new(&shared, FRONTENDS), 0);
		frontend_shared_limit(shared, &limit, now_ms);
		assert_int_equal(ask(n, 1000), RATE);
		for (unsigned ms = 0; ms < 10000; ms += BEAT_MS) {
			now_ms += BEAT_MS;
			frontend_shared_limit(shared, &limit, now_ms);
			through += ask(n, 50);
		}
		assert_int_equal(through, 10 * RATE);
		frontend_shared_free(shared);
	}
}

TEST(test_one_look_at_a_time)
{
	assert_int_equal(frontend_shared_new(&shared, FRONTENDS), 0);
	frontend_shared_limit(shared, &limit, 5000);
	assert_int_equal(ask(0, 1000), RATE);
	frontend_shared_limit(shared, &limit, 5000 + FRONTEND_LIMIT_MS - 1);
	assert_int_equal(ask(0, 1000), 0); // too early
	shared->limiting = true;
	frontend_shared_limit(shared, &limit, 5100);
	assert_int_equal(ask(0, 1000), 0); // another one looks
	shared->limiting = false;
	frontend_shared_limit(shared, &limit, 5100);
	assert_int_equal(ask(0, 1000), RATE / 10);
	assert_false(shared->limiting);
	frontend_shared_free(shared);
}
