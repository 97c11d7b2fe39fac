// SPDX-License-Identifier: BSD-3-Clause
//
// Lists that are fetched: schedule, failures, restarts, and when clients may be answered.

#include "rules_rig.h"
#include "tests/unit/clock_shift.h"
#include "tests/unit/cp/http/fake_http.h"

#include <dirent.h>

enum { SLOW_MS = 60000 }; // so long /slow takes at least, if nobody hangs up

static struct fake_http http;
static char url[128];

// List 0 is local, list 1 is fetched from `path` of the server.
static void set_url(const char *path)
{
	snprintf(url, sizeof(url), "http://127.0.0.1:%u%s", http.port, path);
	env.list[1].path = NULL;
	env.list[1].url = url;
	env.config.blocking.list_count = 2;
}

static int start(void **state)
{
	if (make_env(state))
		return -1;
	fake_http_start(&http);
	env.config.blocking.update = (struct config_update){
		.timeout_s = 60, .max_mb = 1, .max_redirects = 3, .allow_private = true};
	write_list(0, "local.example\n");
	set_url("/list");
	return 0;
}

static int stop(void **state)
{
	fake_http_stop(&http);
	return remove_env(state);
}

static bool blocked(const char *name)
{
	return ask(name).verdict.d.action == RULE_BLOCK;
}

static void wait_blocked(const char *name)
{
	struct rules_why why;
	WAIT_FOR(try_ask(name, &why) == 0 && why.verdict.d.action == RULE_BLOCK);
}

static const struct rules_list_status *list_of(const char *name)
{
	for (unsigned i = 0; i < env.last.list_count; i++)
		if (strcmp(env.last.lists[i].name, name) == 0)
			return &env.last.lists[i];
	fail_msg("no such list");
	return NULL;
}

static const struct rules_list_status *fetched(void)
{
	return list_of("other things");
}

TEST_WITH(test_fetched_and_fetched_again, start, stop)
{
	const uint64_t from_s = (uint64_t)time(NULL);
	run_rules();
	wait_blocked("ads.example"); // nobody asked for it
	assert_true(blocked("local.example"));
	RELOAD(1, false, RULES_UNCHANGED);
	assert_int_equal(fetched()->http_status, 304);
	assert_int_equal(fetched()->names, 1);
	assert_string_equal(fetched()->fetch_error, "");
	assert_int_equal(strncmp(fetched()->url, "http://127.0.0.1:", 17), 0);
	assert_in_range(fetched()->last_good_unix_s, from_s, (uint64_t)time(NULL));
	assert_int_equal(fetched()->next_try_unix_s, 0); // no interval
	fake_http_body(&http, "new.example\n", "\"v2\"");
	RELOAD(1, false, RULES_PUBLISHED);
	assert_true(blocked("new.example"));
	assert_false(blocked("ads.example"));

	// The server fails: the present copy stays, other lists go on, and the status says so.
	fake_http_body(&http, "<html>", "\"v3\"");
	write_list(0, "local.example\nmore.example\n");
	RELOAD(1, false, RULES_PUBLISHED);
	assert_true(blocked("new.example") && blocked("more.example"));
	assert_int_equal(fetched()->failures, 1);
	assert_true(fetched()->fetch_error[0]);
	char text[RULES_LIST_TEXT_MAX];
	rules_list_text(fetched(), text, sizeof(text));
	assert_non_null(strstr(text, "list \"other things\" not fetched ("));
	assert_non_null(strstr(text, "still 1 name from 20"));
	assert_true(fetched()->last_try_unix_s >= fetched()->last_good_unix_s);
	assert_in_range(
		fetched()->next_try_unix_s, (uint64_t)time(NULL), (uint64_t)time(NULL) + 15);
	reload(1, true);
	assert_int_equal(fetched()->failures, 2);
	assert_true(blocked("new.example"));
}

TEST_WITH(test_the_server_says_when_to_ask_again, start, stop)
{
	set_url("/429");
	run_rules();
	reload(1, false);
	assert_int_equal(fetched()->http_status, 429);
	assert_in_range(fetched()->next_try_unix_s, (uint64_t)time(NULL) + 3500,
		(uint64_t)time(NULL) + 3700);
}

// The reason is that of its lines: a list of what others register under is none of pages.
TEST_WITH(test_a_list_of_suffixes_says_so, start, stop)
{
	fake_http_body(&http, "com\nnet\nco.uk\norg\n", "\"v1\"");
	write_list(0, "co.uk\ncom.au\nnet\n");
	run_rules();
	reload(1, false);
	assert_string_equal(fetched()->fetch_error,
		"no line is a rule; most are: a name of one label, such as com");
	char text[RULES_LIST_TEXT_MAX];
	rules_list_text(list_of("blocked things"), text, sizeof(text));
	assert_non_null(
		strstr(text, "most are: a name under which others register, such as co.uk"));
}

TEST_WITH(test_one_that_never_came_keeps_nobody_else_back, start, stop)
{
	set_url("/500");
	run_rules();
	reload(1, false);
	assert_true(blocked("local.example"));
	assert_int_equal(fetched()->http_status, 500);
	assert_int_equal(fetched()->error, 0);
	write_list(0, "changed.example\n");
	RELOAD(1, false, RULES_PUBLISHED);
	assert_true(blocked("changed.example"));
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

// While a list's new URL says nothing, what the list had stays, and all else changes at once.
TEST_WITH(test_a_new_url_is_waited_for_by_nobody, start, stop)
{
	static struct dns_name denied;
	assert_int_equal(dns_name_from_text("denied.example", 14, &denied), 0);
	run_rules();
	wait_blocked("ads.example");
	reload(1, false);
	set_url("/slow");
	env.config.blocking.deny = &denied;
	env.config.blocking.deny_count = 1;
	uint64_t from_ms = clock_mono_ms();
	configure();
	assert_true(clock_mono_ms() - from_ms < SLOW_MS / 2);
	assert_true(blocked("denied.example") && blocked("ads.example"));
}

// Settings that a failure may be due to are tried at once, and not when the failures say.
TEST_WITH(test_a_corrected_setting_is_tried_at_once, start, stop)
{
	env.config.blocking.update.allow_private = false;
	run_rules();
	for (unsigned i = 0; i < 3; i++)
		reload(1, false);
	assert_true(fetched()->failures >= 3);
	assert_true(fetched()->next_try_unix_s > (uint64_t)time(NULL) + 5);
	configure(); // the same again
	assert_true(fetched()->next_try_unix_s > (uint64_t)time(NULL) + 5);
	env.config.blocking.update.allow_private = true;
	configure();
	wait_blocked("ads.example");
	reload(1, false);
	assert_int_equal(fetched()->failures, 0);
}

static void remove_stored(const char *ending)
{
	char path[512];
	const char *folder = text_from("%s/lists", env.state);
	DIR *d = opendir(folder);
	assert_non_null(d);
	for (const struct dirent *e; (e = readdir(d));) {
		snprintf(path, sizeof(path), "%s/%s", folder, e->d_name);
		if (strstr(e->d_name, ending))
			(void)unlink(path);
	}
	closedir(d);
}

TEST_WITH(test_a_restart_needs_no_network, start, stop)
{
	run_rules();
	wait_blocked("ads.example");
	close_rules();
	fake_http_body(&http, "<html>", "\"v2\"");
	unsigned before = http.requests;
	write_list(0, "changed.example\n");
	open_rules(); // before any loop runs
	assert_int_equal(env.rules ? generation() > 0 : 0, 1);
	run();
	assert_true(blocked("ads.example"));
	wait_blocked("changed.example");
	assert_true(blocked("ads.example"));
	assert_int_equal(http.requests, before); // it is not due
	close_rules();

	// Gone from disk and not to be fetched: its copy is used, and others go on.
	remove_stored(".list");
	write_list(0, "third.example\n");
	run_rules();
	reload(1, false);
	assert_true(blocked("third.example"));
	assert_true(blocked("ads.example"));
	assert_int_equal(fetched()->error, -ENOENT);
	assert_true(fetched()->kept_unix_s > 0);
	fake_http_body(&http, "ads.example\n", "\"v3\"");
	reload(1, false);
	assert_int_equal(fetched()->error, 0);
	assert_int_equal(rules_failing(&env.last), 0);
	assert_true(blocked("ads.example") && blocked("third.example"));
}

static void call_rollback(void *)
{
	if (rules_rollback(env.rules, on_done, NULL))
		abort();
}

TEST_WITH(test_by_itself_unless_held, start, stop)
{
	env.config.blocking.update.interval_s = 1;
	run_rules();
	wait_blocked("ads.example");
	fake_http_body(&http, "second.example\n", "\"v2\"");
	wait_blocked("second.example");
	on_service(call_rollback, NULL, 1);
	assert_true(env.last.held);
	assert_int_equal(fetched()->next_try_unix_s, 0);
	fake_http_body(&http, "third.example\n", "\"v3\"");
	STAYS_SO(!blocked("third.example"), 2500);
	assert_true(blocked("ads.example"));
	reload(1, false);
	assert_true(blocked("third.example"));
}

static void call_reload_then_drop(void *)
{
	if (rules_reload(env.rules, false, on_done, NULL))
		abort();
	env.config.blocking.list_count = 1;
	if (rules_configure(env.rules, &env.config, on_done, NULL))
		abort();
}

// A caller that waits for a round gets a reply although its lists leave the configuration first.
TEST_WITH(test_no_list_left_to_wait_for, start, stop)
{
	set_url("/slow");
	env.config.blocking.update.timeout_s = 1;
	run_rules();
	WAIT_FOR(http.requests > 0); // the first round runs
	on_service(call_reload_then_drop, NULL, 2);
	assert_true(blocked("local.example"));
	reload(1, false);
}

static void call_nothing(void *)
{
}

// A new list of a secondary: it asks the primary a few times, then the list's own server.
TEST_WITH(test_a_secondary_asks_its_primary_first, start, stop)
{
	static char base[64], token[] = "secret", none[] = "";
	snprintf(base, sizeof(base), "http://127.0.0.1:%u", http.port);
	env.config.sync = (struct config_sync){.primary = base, .token = token, .ca_file = none};
	run_rules();
	for (unsigned i = 1; i <= 3; i++) {
		WAIT_FOR(http.requests == i);
		clock_ahead_by_ms(60000);
		on_service(call_nothing, NULL, 0);
	}
	wait_blocked("ads.example");
	assert_int_equal(http.requests, 5);
	reload(1, false);
	assert_int_equal(fetched()->fetches.whole, 1);

	// By hand weir asks its own server, too, unless the primary has a newer copy.
	fake_http_body(&http, "new.example\n", "\"v2\"");
	RELOAD(1, false, RULES_PUBLISHED);
	assert_true(blocked("new.example"));
}

// The connection with which a secondary asks a primary that says nothing; time runs until then.
static int silent_accept(int listening)
{
	int fd;
	WAIT_FOR((fd = accept4(listening, NULL, NULL, SOCK_CLOEXEC)) >= 0, clock_ahead_by_ms(1000),
		on_service(call_nothing, NULL, 0));
	return fd;
}

// A box that becomes a primary while it asks the one before waits for that one no more.
TEST_WITH(test_the_primary_goes_while_it_is_asked, start, stop)
{
	static char base[64], token[] = "secret", none[] = "";
	uint16_t port = 0;
	const int listening = loopback_listen(&port);
	snprintf(base, sizeof(base), "http://127.0.0.1:%u", port);
	env.config.sync = (struct config_sync){.primary = base, .token = token, .ca_file = none};
	run_rules();
	for (unsigned i = 0; i < 2; i++)
		close(silent_accept(listening));
	const int fd = silent_accept(listening);
	env.config.sync = (struct config_sync){0};
	configure();
	assert_int_equal(http.requests, 0);
	close(fd);
	close(listening);
	// The third wait would last for 40 s.
	const uint64_t from_ms = clock_mono_ms();
	wait_blocked("ads.example");
	assert_true(clock_mono_ms() - from_ms < 30000);
}

// Nobody signs lists, so a box that takes signed versions alone asks the list's server at once.
TEST_WITH(test_a_secondary_of_signed_versions_asks_the_server, start, stop)
{
	static char base[64], token[] = "secret", none[] = "";
	snprintf(base, sizeof(base), "http://127.0.0.1:%u", http.port);
	env.config.sync = (struct config_sync){
		.primary = base, .token = token, .ca_file = none, .trusted_count = 1};
	run_rules();
	wait_blocked("ads.example");
	assert_int_equal(http.requests, 1);
}

static struct {
	_Atomic bool called;
	bool failed;
	uint64_t names, at_ms;
	char why[320];
} begun;

static void on_started(void *, const char *why)
{
	struct rules_status s;
	rules_status(env.rules, &s);
	begun.failed = why != NULL;
	begun.names = s.names;
	begun.at_ms = clock_mono_ms();
	snprintf(begun.why, sizeof(begun.why), "%s", why ? why : "");
	begun.called = true;
	// Only now.
	if (pthread_create(&env.resolver_thread, NULL, run_loop, env.resolver))
		abort();
}

// How long it took to start.
static uint64_t start_ms(enum update_start how, unsigned timeout_s)
{
	env.config.blocking.update.start = how;
	env.config.blocking.update.start_timeout_s = timeout_s;
	begun.called = false;
	uint64_t from_ms = clock_mono_ms();
	open_rules();
	rules_start(env.rules, on_started, NULL);
	if (how == UPDATE_START_FAST)
		assert_true(begun.called);
	assert_int_equal(pthread_create(&env.service_thread, NULL, run_loop, env.service), 0);
	WAIT_FOR(begun.called);
	return begun.at_ms - from_ms;
}

TEST_WITH(test_start_blocking, start, stop)
{
	(void)start_ms(UPDATE_START_BLOCKING, 60);
	assert_false(begun.failed);
	assert_int_equal(begun.names, 3); // the allow entry, one of each list
	assert_true(blocked("ads.example"));
	RELOAD(1, true, RULES_PUBLISHED); // by way of the resolver loop
	close_rules();
	remove_stored("");
	set_url("/500"); // a list that fails is not waited for
	assert_true(start_ms(UPDATE_START_BLOCKING, 60) < 50000);
	assert_false(begun.failed);
	close_rules();
	set_url("/slow");
	env.config.blocking.update.timeout_s = 60;
	assert_in_range(start_ms(UPDATE_START_BLOCKING, 1), 900, SLOW_MS - 1000);
	assert_false(begun.failed);
}

// A secondary starts with its lists though the primary is away.
TEST_WITH(test_start_of_a_secondary, start, stop)
{
	static char base[64], token[] = "secret", none[] = "";
	snprintf(base, sizeof(base), "http://127.0.0.1:%u", http.port);
	env.config.sync = (struct config_sync){.primary = base, .token = token, .ca_file = none};
	(void)start_ms(UPDATE_START_BLOCKING, 60);
	assert_false(begun.failed);
	assert_int_equal(http.requests, 2);
	assert_true(blocked("ads.example"));
	close_rules();
	remove_stored("");
	(void)unlink(text_from("%s/rules.img", env.state));
	(void)start_ms(UPDATE_START_FAIL, 60);
	assert_false(begun.failed);
	assert_true(blocked("ads.example"));
	// Once clients are served, a new list waits for the primary again.
	set_url("/hop");
	const unsigned before = http.requests;
	configure();
	WAIT_FOR(http.requests > before);
	STAYS_SO(http.requests == before + 1, 1000);
}

// A check of cached answers that does not end before the service loop has worked beside it.
static struct {
	void (*then)(void *arg);
	void *arg;
	_Atomic unsigned slices;
	_Atomic bool may_end;
} check;

static void check_begin(
	void *, const struct answer_policy *, void (*then)(void *arg), void *then_arg)
{
	check.then = then;
	check.arg = then_arg;
}

static bool check_slice(void *)
{
	void (*const then)(void *arg) = check.then;
	check.slices++;
	if (!check.may_end)
		return false;
	check.then = NULL;
	if (then)
		then(check.arg);
	return true;
}

static void check_end(void *)
{
	check.may_end = true;
}

// A start that waits for its lists leaves the service loop to others while it checks.
TEST_WITH(test_start_checks_in_slices, start, stop)
{
	env.policy = (struct rules_answer_policy){
		.set_answer_policy = check_begin, .check_slice = check_slice};
	env.config.blocking.list_count = 1; // no fetch ends at the time-out, too
	env.config.blocking.update.start = UPDATE_START_BLOCKING;
	env.config.blocking.update.start_timeout_s = 60; // which ends no check that has begun
	begun.called = false;
	open_rules();
	rules_start(env.rules, on_started, NULL);
	assert_int_equal(pthread_create(&env.service_thread, NULL, run_loop, env.service), 0);
	WAIT_FOR(check.slices > 1);
	clock_ahead_by_ms(61000);
	const unsigned so_far = check.slices;
	WAIT_FOR(check.slices > so_far + 1);
	assert_false(begun.called);
	assert_int_equal(loop_call(env.service, check_end, NULL), 0);
	WAIT_FOR(begun.called);
	assert_false(begun.failed);
	assert_int_equal(begun.names, 2); // the allow entry, and that of the list
	assert_true(blocked("local.example"));
	env.policy = (struct rules_answer_policy){0};
}

TEST_WITH(test_start_fast, start, stop)
{
	set_url("/slow");
	(void)start_ms(UPDATE_START_FAST, 60);
	assert_false(begun.failed);
	wait_blocked("local.example");
}

TEST_WITH(test_start_or_fail, start, stop)
{
	set_url("/500");
	(void)start_ms(UPDATE_START_FAIL, 60);
	assert_true(begun.failed);
	assert_non_null(strstr(begun.why, "other things"));
	close_rules();
	set_url("/list");
	assert_int_equal(unlink(env.list_path[0]), 0);
	// What could be built of the rest at the first start is no last good image.
	const char *image = text_from("%s/rules.img", env.state);
	(void)unlink(image);
	(void)start_ms(UPDATE_START_FAIL, 60); // there is a copy
	assert_false(begun.failed);
	close_rules();
	(void)unlink(image);
	remove_stored(".kept");
	(void)start_ms(UPDATE_START_FAIL, 60);
	assert_true(begun.failed);
	assert_non_null(strstr(begun.why, "blocked things"));
	close_rules();
	(void)unlink(image);
	write_list(0, "local.example\n");
	(void)start_ms(UPDATE_START_FAIL, 60);
	assert_false(begun.failed);
	close_rules();
	set_url("/500"); // there is an image now
	(void)start_ms(UPDATE_START_FAIL, 60);
	assert_false(begun.failed);
}

TEST_WITH(test_close_while_fetching, start, stop)
{
	set_url("/slow");
	env.config.blocking.update.timeout_s = 60;
	for (unsigned i = 0; i < 3; i++) {
		uint64_t from_ms = clock_mono_ms();
		http.slow_lines = 0;
		run_rules();
		WAIT_FOR(http.slow_lines >= i * 2);
		close_rules();
		assert_true(clock_mono_ms() - from_ms < SLOW_MS - 1000);
	}
}
