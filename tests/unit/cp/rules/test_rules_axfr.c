// SPDX-License-Identifier: BSD-3-Clause
//
// Lists that are transferred. They get a key: what came unsigned counts for nothing. Their server
// fails: a NOTIFY uses up none of their tries.

#include "controlplane/lists/fetch/list_files.h"
#include "rules_rig.h"
#include "tests/unit/cp/lists/fetch/fake_axfr.h"

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
	WAIT_FOR(*count >= value);
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
	run_rules();
	reload(1, false);
	assert_int_equal(axfr.axfr_asked, 1);
}

TEST_WITH(test_a_key_by_reload, start, stop)
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
}

TEST_WITH(test_a_key_by_restart, start, stop)
{
	open_with_zone();
	close_rules();
	env.list[1].tsig = 1;
	run_rules();
	until(&axfr.axfr_asked, 2);
	assert_int_equal(axfr.signed_asked, 1);
	reload(1, false);
	close_rules();
	const unsigned asked = axfr.signed_asked;
	run_rules();
	assert_int_equal(ask("nx.example").verdict.d.action, RULE_BLOCK);
	close_rules();
	assert_int_equal(axfr.signed_asked, asked); // it is not due
	assert_int_equal(axfr.axfr_asked, 2);
}

static void secret_change(void)
{
	memset(key.secret, 't', 32);
	memset(axfr.tsig.secret, 't', 32);
}

// A thief of the old one may have made the copy.
TEST_WITH(test_another_secret_of_the_key, start, stop)
{
	env.list[1].tsig = 1;
	open_with_zone();
	secret_change();
	configure();
	until(&axfr.axfr_asked, 2);
	reload(1, false);
	assert_int_equal(axfr.axfr_asked, 2);
	close_rules();
	memset(key.secret, 's', 32);
	memset(axfr.tsig.secret, 's', 32);
	run_rules();
	until(&axfr.axfr_asked, 3);
	close_rules();
	assert_int_equal(axfr.wrong_asked, 0);
}

TEST_WITH(test_a_key_while_it_is_fetched, start, stop)
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
}

static struct list_notify *notify;
static unsigned failures;
static uint64_t try_unix_s, next_unix_s;
static struct list_fetch_counts fetches;

static void call_notify(void *)
{
	if (list_notify_new(&notify, env.service) < 0 || rules_notify(env.rules, notify) < 0)
		abort();
	atomic_fetch_add(&env.replies, 1);
}

static void call_status(void *)
{
	struct rules_status s;
	rules_status(env.rules, &s);
	for (unsigned i = 0; i < s.list_count; i++) {
		if (!s.lists[i].url[0])
			continue;
		failures = s.lists[i].failures;
		fetches = s.lists[i].fetches;
		try_unix_s = s.lists[i].last_try_unix_s;
		next_unix_s = s.lists[i].next_try_unix_s;
	}
	atomic_fetch_add(&env.replies, 1);
}

// A NOTIFY, and the look at the server that it brings.
static void notify_and_wait(void)
{
	const struct ip_address server = {4, 32, {127, 0, 0, 1}};
	struct list_notify_reply reply;
	struct dns_name zone;
	on_service(call_status, NULL, 1);
	const uint64_t before_unix_s = try_unix_s;
	WAIT_FOR((uint64_t)time(NULL) > before_unix_s);
	assert_int_equal(dns_name_from_text("rpz.test", 8, &zone), 0);
	assert_int_equal(
		list_notify_take(notify, &server, &zone, (const uint8_t[12]){0}, 12, &reply),
		LIST_NOTIFY_taken);
	WAIT_FOR(try_unix_s != before_unix_s, on_service(call_status, NULL, 1));
	assert_true(try_unix_s > before_unix_s);
}

static void open_with_notify(void)
{
	open_with_zone();
	on_service(call_notify, NULL, 1);
	on_service(call_status, NULL, 1);
	assert_int_equal(failures, 0);
	assert_int_equal(next_unix_s, 0); // its interval is 0
	axfr.how = FAKE_AXFR_REFUSED;
}

static void close_with_notify(void)
{
	close_rules();
	list_notify_free(notify);
}

TEST_WITH(test_a_notify_in_vain_is_tried_again, start, stop)
{
	open_with_notify();
	notify_and_wait();
	assert_int_equal(failures, 1);
	assert_int_equal(fetches.failed, 1);
	assert_true(next_unix_s > 0);
	close_with_notify();
}

// The list's own next try is 10 s after the first one.
TEST_WITH(test_a_notify_takes_no_try, start, stop)
{
	uint64_t start_ms = 0, planned_unix_s = 0;
	open_with_notify();
	while (clock_mono_ms() > start_ms + 9000) { // else the machine was too slow
		const uint64_t now_ms = clock_mono_ms();
		if (start_ms)
			WAIT_FOR(clock_mono_ms() > now_ms + (LIST_NOTIFY_DISTANCE_S + 1) * 1000);
		start_ms = clock_mono_ms();
		axfr.how = FAKE_AXFR_GOOD;
		reload(1, false);
		axfr.how = FAKE_AXFR_REFUSED;
		reload(1, false);
		on_service(call_status, NULL, 1);
		planned_unix_s = next_unix_s;
		notify_and_wait();
	}
	assert_int_equal(failures, 1);
	assert_in_range(next_unix_s, planned_unix_s - 1, planned_unix_s + 1);
	close_with_notify();
}

// Each file that is made or replaced shows in it.
static struct timespec folder_changed(void)
{
	struct list_store_paths p;
	struct stat s;
	assert_int_equal(list_store_paths(&p, env.state, url), 0);
	*strrchr(p.list, '/') = '\0';
	assert_int_equal(stat(p.list, &s), 0);
	return s.st_mtim;
}

// One that changed nothing is a question for the SOA: no file is made, and the copy's state is not
// written. One behind a change brings the zone.
TEST_WITH(test_a_notify_of_an_unchanged_zone, start, stop)
{
	open_with_zone();
	on_service(call_notify, NULL, 1);
	const unsigned asked = axfr.soa_asked;
	const struct timespec before = folder_changed();
	notify_and_wait();
	const struct timespec after = folder_changed();
	assert_memory_equal(&after, &before, sizeof(after));
	assert_int_equal(axfr.axfr_asked, 1);
	assert_int_equal(axfr.soa_asked, asked + 1);
	close_with_notify();
}

TEST_WITH(test_a_notify_of_a_change_is_one_question_for_each, start, stop)
{
	open_with_zone();
	on_service(call_notify, NULL, 1);
	const unsigned asked = axfr.soa_asked;
	axfr.serial = 8;
	notify_and_wait();
	assert_int_equal(axfr.axfr_asked, 2);
	assert_int_equal(axfr.soa_asked, asked + 1);
	close_with_notify();
}

TEST_WITH(test_a_notify_is_one_question_for_differences, start, stop)
{
	snprintf(url, sizeof(url), "ixfr://127.0.0.1:%u/rpz.test", axfr.port);
	open_with_zone();
	on_service(call_notify, NULL, 1);
	const unsigned serials = axfr.soa_asked, asked = axfr.ixfr_asked;
	axfr.serial = 8;
	axfr.ixfr = "8 7 nx 8 new 8";
	notify_and_wait();
	assert_int_equal(axfr.ixfr_asked, asked + 1);
	assert_int_equal(axfr.soa_asked, serials);
	assert_int_equal(fetches.whole, 1);
	assert_int_equal(fetches.unchanged, 1);
	assert_int_equal(fetches.differences, 1);
	assert_int_equal(axfr.axfr_asked, 1);
	WAIT_FOR(ask("new.example").verdict.d.action == RULE_BLOCK);
	close_with_notify();
}

TEST_WITH(test_a_notify_of_no_differences, start, stop)
{
	snprintf(url, sizeof(url), "ixfr://127.0.0.1:%u/rpz.test", axfr.port);
	open_with_zone();
	on_service(call_notify, NULL, 1);
	const unsigned asked = axfr.ixfr_asked;
	const struct timespec before = folder_changed();
	axfr.ixfr = "7";
	notify_and_wait();
	const struct timespec after = folder_changed();
	assert_memory_equal(&after, &before, sizeof(after));
	assert_int_equal(axfr.ixfr_asked, asked + 1);
	assert_int_equal(axfr.axfr_asked, 1);
	close_with_notify();
}

// A difference fits no copy that is damaged.
TEST_WITH(test_a_notify_with_a_damaged_copy, start, stop)
{
	struct list_store_paths p;
	snprintf(url, sizeof(url), "ixfr://127.0.0.1:%u/rpz.test", axfr.port);
	open_with_zone();
	on_service(call_notify, NULL, 1);
	const unsigned asked = axfr.ixfr_asked;
	assert_int_equal(list_store_paths(&p, env.state, url), 0);
	const int fd = open(p.list, O_WRONLY);
	assert_true(fd >= 0);
	assert_int_equal(pwrite(fd, "R", 1, 0), 1);
	close(fd);
	axfr.serial = 8;
	axfr.ixfr = "8 7 8 new 8";
	notify_and_wait();
	assert_int_equal(axfr.ixfr_asked, asked + 1);
	assert_int_equal(axfr.axfr_asked, 2);
	close_with_notify();
}
