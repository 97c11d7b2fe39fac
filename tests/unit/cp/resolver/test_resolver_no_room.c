// SPDX-License-Identifier: BSD-3-Clause

// A validator without room, which is no failure of the names that clients ask for meanwhile.
#include "controlplane/validator/validator.h"
#include "resolver_rig.h"
#include "tests/unit/clock_still.h"

static _Atomic int ask_fails; // what validators_ask returns; 0: its own

int __real_validators_ask(
	struct validators *v, const struct validator_question *question, struct validation **slot);
int __wrap_validators_ask(
	struct validators *v, const struct validator_question *question, struct validation **slot);
int __wrap_validators_ask(
	struct validators *v, const struct validator_question *question, struct validation **slot)
{
	return ask_fails ? ask_fails : __real_validators_ask(v, question, slot);
}

// No trust anchor is above any name here, so all is insecure.
static int setup(void **state)
{
	static char keys[] = "other. IN DNSKEY 257 3 13 AAAA\n";
	rig_setup(state);
	rig.config.dnssec.validate = true;
	rig.config.dnssec.keys = keys;
	rig.config.dnssec.hash = 7;
	rig_reload();
	fake[0].ttl_s = fake[1].ttl_s = 1;
	ask_fails = 0;
	return 0;
}

static void expect_refused(const char *name, uint16_t id, int ede)
{
	rig_ask((struct fake_miss){.name = name, .id = id, .has_opt = true});
	expect_answer(id, DNS_RCODE_SERVFAIL, ANSWER_SERVFAIL);
	assert_int_equal(ede_of_answer(), ede);
}

// The client gets the stale answer or SERVFAIL, and weir asks for the next one.
TEST_WITH(test_no_room_is_forgotten, setup, rig_teardown)
{
	resolves("old.example", 1, ANSWER_UPSTREAM);
	clock_pass_ms(1100);
	ask_fails = -EAGAIN;
	resolves("old.example", 2, ANSWER_STALE);
	expect_refused("new.example", 3, DNS_EDE_OTHER);
	assert_non_null(memmem(got.dns, sizeof(got.dns), "no room in the validator", 24));
	ask_fails = -ENOMEM;
	expect_refused("new.example", 4, DNS_EDE_OTHER);
	ask_fails = 0;
	resolves("old.example", 5, ANSWER_UPSTREAM);
	resolves("new.example", 6, ANSWER_UPSTREAM);
}

// The library would refuse the settings again, so weir does not ask it for a while.
TEST_WITH(test_bad_settings_are_remembered, setup, rig_teardown)
{
	ask_fails = -EINVAL;
	expect_refused("new.example", 1, DNS_EDE_OTHER);
	ask_fails = 0;
	expect_refused("new.example", 2, DNS_EDE_CACHED_ERROR);
}

TEST_GROUP(rig_sends_once, NULL)
