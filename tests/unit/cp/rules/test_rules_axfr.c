// SPDX-License-Identifier: BSD-3-Clause
//
// Lists that are transferred, and get a key: what came unsigned counts for nothing.

#include "fake_axfr.h"
#include "rules_rig.h"

static struct fake_axfr axfr;
static struct config_tsig_key key;
static char url[128];

static int start(void **state)
{
	if (make_env(state))
		return -1;
	fake_axfr_start(&axfr);
	snprintf(url, sizeof(url), "axfr://127.0.0.1:%u/rpz.test", axfr.port);
	env.list[1].path = NULL;
	env.list[1].url = url;
	env.list[1].format = LIST_FORMAT_RPZ;
	env.config.blocking.list_count = 2;
	env.config.blocking.update =
		(struct config_update){.timeout_s = 60, .max_mb = 1, .allow_private = true};
	write_list(0, "local.example\n");
	key = (struct config_tsig_key){.algorithm = CONFIG_TSIG_SHA256, .secret_len = 32};
	assert_int_equal(dns_name_from_text("weir-key", 8, &key.name), 0);
	memset(key.secret, 's', 32);
	memset(axfr.tsig.secret, 's', 32);
	axfr.tsig.algorithm = "hmac-sha256";
	axfr.tsig.digest = "SHA256";
	axfr.sign = FAKE_TSIG_ALL;
	env.config.blocking.tsig_keys = &key;
	env.config.blocking.tsig_key_count = 1;
	return 0;
}

static int stop(void **state)
{
	fake_axfr_stop(&axfr);
	return remove_env(state);
}

static void until(const _Atomic unsigned *count, unsigned value)
{
	for (unsigned i = 0; i < 6000 && *count < value; i++)
		usleep(10000);
	assert_int_equal(*count, value);
}

static void call_configure(void *)
{
	if (rules_configure(env.rules, &env.config, on_done, NULL))
		abort();
}

static void configure(void)
{
	on_service(call_configure, NULL, 1);
}

static void open_with_zone(void)
{
	open_rules();
	run();
	reload(1, false);
	assert_int_equal(axfr.axfr_asked, 1);
}

static void test_a_key_by_reload(void **)
{
	open_with_zone();
	const unsigned asked = axfr.soa_asked;
	env.list[1].tsig = 1;
	configure();
	until(&axfr.axfr_asked, 2); // no interval would bring it
	assert_int_equal(axfr.signed_asked, 1);
	reload(1, false);
	until(&axfr.signed_asked, 2);
	assert_int_equal(axfr.soa_asked, asked + 1); // now the serial does
	assert_int_equal(axfr.axfr_asked, 2);
	close_rules();
}

static void test_a_key_by_restart(void **)
{
	open_with_zone();
	close_rules();
	env.list[1].tsig = 1;
	open_rules();
	run();
	until(&axfr.axfr_asked, 2);
	assert_int_equal(axfr.signed_asked, 1);
	reload(1, false);
	close_rules();
	const unsigned asked = axfr.signed_asked;
	open_rules();
	run();
	assert_int_equal(ask("nx.example").verdict.d.action, RULE_BLOCK);
	close_rules();
	assert_int_equal(axfr.signed_asked, asked); // it is not due
	assert_int_equal(axfr.axfr_asked, 2);
}

static void test_a_key_while_it_is_fetched(void **)
{
	open_with_zone();
	const unsigned asked = axfr.soa_asked;
	axfr.serial = 8;
	axfr.how = FAKE_AXFR_MUTE;
	env.config.blocking.update.interval_s = 1; // makes it due
	configure();
	until(&axfr.soa_asked, asked + 1);
	env.config.blocking.update.interval_s = 0;
	env.list[1].tsig = 1;
	configure();
	axfr.how = FAKE_AXFR_GOOD;
	until(&axfr.axfr_asked, 3);
	assert_int_equal(axfr.signed_asked, 1);
	assert_int_equal(axfr.soa_asked, asked + 1);
	close_rules();
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, start, stop)
	const struct CMUnitTest tests[] = {
		TEST(test_a_key_by_reload),
		TEST(test_a_key_by_restart),
		TEST(test_a_key_while_it_is_fetched),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
