// SPDX-License-Identifier: BSD-3-Clause
#include "dataplane/state/fairness.h"
#include "tests/unit/unit.h"

static struct fairness fairness;
static struct keyhash_secret secret;
static uint64_t now_ms;

static int fresh(void **)
{
	memset(&fairness, 0, sizeof(fairness));
	for (unsigned i = 0; i < sizeof(secret.bytes); i++)
		secret.bytes[i] = (uint8_t)(i * 151 + 7);
	now_ms = 5000;
	return 0;
}

static bool ask(const char *text, uint32_t client)
{
	uint8_t address[4];
	struct dns_name name = name_of_text(text);
	memcpy(address, &client, 4);
	const struct fairness_client who = {.ip_version = 4, .address = address, .name = &name};
	return fairness_ask(&fairness, &secret, &who, now_ms);
}

// A hundred floods and one honest query in each round; how many of each were refused, of `rounds`.
struct refused {
	unsigned flood, honest;
};

static struct refused rounds(const char *below, bool one_client, const char *honest_below)
{
	struct refused r = {0};
	static unsigned serial;
	for (unsigned round = 0; round < 200; round++) {
		char name[96];
		for (unsigned i = 0; i < 100; i++) {
			// Labels of any length: the zone is the same.
			++serial;
			snprintf(name, sizeof(name), "%.*s%u%s", (int)(1 + serial % 24),
				"rrrrrrrrrrrrrrrrrrrrrrrr", serial, below);
			r.flood += ask(name, one_client ? 7 : serial * 2654435761u);
		}
		snprintf(name, sizeof(name), "www.site%u%s", round, honest_below);
		r.honest += ask(name, 0x0a000000 + round % 50);
	}
	return r;
}

static void expect_flood_refused(const char *below, bool one_client, const char *honest_below)
{
	struct refused r = rounds(below, one_client, honest_below);
	assert_true(r.flood > 19000);
	assert_int_equal(r.honest, 0);
}

TEST_WITH(test_a_zone_under_torture_from_everywhere, fresh, NULL)
{
	expect_flood_refused(".victim.example", false, ".example.net");
}

TEST_WITH(test_a_client_with_names_of_everywhere, fresh, NULL)
{
	expect_flood_refused(".a", true, ".example.net");
}

// The suffix that the victim shares with others is not to blame: at most while its zone was
// not yet known as a crowd.
TEST_WITH(test_neighbours_of_a_victim, fresh, NULL)
{
	struct refused r = rounds(".victim.co.uk", false, ".co.uk");
	assert_true(r.flood > 19000);
	assert_true(r.honest <= 10);
	r = rounds(".victim.co.uk", false, ".co.uk");
	assert_int_equal(r.honest, 0);
}

TEST_WITH(test_many_equal_ones_are_no_crowd, fresh, NULL)
{
	unsigned refused = 0;
	for (unsigned i = 0; i < 50000; i++) {
		refused += ask(text_from("www.site%u.example", i % 400), i % 333);
	}
	assert_int_equal(refused, 0);
}

TEST_WITH(test_few_are_not_judged_and_old_ones_forgotten, fresh, NULL)
{
	for (unsigned i = 0; i < FAIRNESS_LEAST - 1; i++)
		assert_false(ask("x.victim.example", 1));
	assert_true(ask("x.victim.example", 1));
	now_ms += FAIRNESS_PAUSE_MS;
	assert_false(ask("x.victim.example", 1));
}
