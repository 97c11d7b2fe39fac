// SPDX-License-Identifier: BSD-3-Clause
//
// A reload that finds nothing changed allocates nothing in rules, lists and policy; and a change is
// never missed.

#include "rules_rig.h"
#include "tests/unit/cp/http/fake_http.h"
#include "wall_ahead.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>
#include <weir/heap_site.h>

// open() of the whole program: one path fails with EIO while a test says so. For one file of a
// program.

static const char *_Atomic open_fails; // NULL: none

int open(const char *path, int flags, ...)
{
	const char *failing = open_fails;
	va_list ap;
	va_start(ap, flags);
	const mode_t mode = flags & O_CREAT ? va_arg(ap, mode_t) : 0;
	va_end(ap);
	if (!failing || strcmp(path, failing) != 0)
		return (int)syscall(SYS_openat, AT_FDCWD, path, flags, mode);
	errno = EIO;
	return -1;
}

static char hosts_path[96], *hosts[] = {hosts_path};

static int start(void **state)
{
	if (make_env(state))
		return -1;
	wall_ahead_s = 10;
	snprintf(hosts_path, sizeof(hosts_path), "%s/hosts", env.folder);
	env.config.local.hosts_files = hosts;
	env.config.local.hosts_file_count = 1;
	env.config.local.ttl_s = 60;
	text_to_file(hosts_path, "192.0.2.1 nas.example\n");
	write_list(0, "ads.example\n");
	return 0;
}

static bool is_of_rules(const char *file)
{
	static const char *const rooms[] = {"controlplane/rules/", "controlplane/lists/",
		"controlplane/policy/", "core/base/keyhash"};
	for (unsigned i = 0; i < ARRAY_LEN(rooms); i++)
		if (strstr(file, rooms[i]))
			return true;
	return false;
}

// Bytes that rules, lists and policy ever allocated.
static uint64_t made(void)
{
	static const struct heap_site *site[HEAP_SITES_MAX];
	unsigned count = heap_sites(site, HEAP_SITES_MAX);
	uint64_t bytes = 0;
	for (unsigned i = 0; i < count; i++)
		if (is_of_rules(site[i]->file))
			bytes += atomic_load(&site[i]->made_bytes);
	return bytes;
}

static uint64_t made_by_reload(void)
{
	uint64_t before = made();
	reload_same(1, false);
	return made() - before;
}

static void reload_publishes(void)
{
	RELOAD_SAME(1, false, RULES_PUBLISHED);
}

// From here on what is there is known.
static void settle(void)
{
	run_rules();
	reload(1, false);
	RELOAD_SAME(2, false, RULES_UNCHANGED);
}

TEST_WITH(test_nothing_is_allocated, start, remove_env)
{
	settle();
	assert_true(made() > 0); // the sites are counted
	uint64_t unchanged = env.last.unchanged;
	for (unsigned i = 0; i < 3; i++) {
		assert_int_equal(made_by_reload(), 0);
		assert_int_equal(env.last.outcome, RULES_UNCHANGED);
	}
	assert_int_equal(env.last.unchanged, unchanged + 3);
	assert_int_equal(env.last.list_count, 4);
	assert_int_equal(env.last.lists[2].names, 1);
}

static void call_configure(void *config)
{
	if (rules_configure(env.rules, config, on_done, NULL))
		abort();
}

// A file that is read again is another object with the same text.
TEST_WITH(test_nor_for_the_same_configuration, start, remove_env)
{
	struct config again = env.config, toggled = env.config, edited = env.config;
	env.config.text_hash = again.text_hash = toggled.text_hash = 1;
	toggled.blocking.update.interval_s = 3600;
	edited.text_hash = 2;
	settle();
	uint64_t before = made();
	on_service(call_configure, &again, 1);
	assert_int_equal(made() - before, 0);
	assert_int_equal(env.last.outcome, RULES_UNCHANGED);
	on_service(call_configure, &toggled, 1);
	assert_in_range(made() - before, 1, 4096); // when lists are fetched
	before = made();
	on_service(call_configure, &edited, 1);
	assert_true(made() - before > 100000);
	close_rules(); // while its configuration is there
}

// A server that says 304, by hand and by the clock.
TEST_WITH(test_nor_for_a_fetch_without_change, start, remove_env)
{
	static struct fake_http http;
	static char url[128];
	fake_http_start(&http);
	snprintf(url, sizeof(url), "http://127.0.0.1:%u/list", http.port);
	env.list[1].path = NULL;
	env.list[1].url = url;
	env.config.blocking.list_count = 2;
	env.config.blocking.update = (struct config_update){
		.timeout_s = 60, .max_mb = 1, .max_redirects = 3, .allow_private = true};
	run_rules();
	reload(1, false);
	fake_http_body(&http, "ads2.example\n", "\"v2\"");
	reload_publishes();
	reload_same(2, false);
	assert_int_equal(made_by_reload(), 0);
	assert_true(fake_http_last_has(&http, "If-None-Match: \"v2\""));
	assert_int_equal(env.last.lists[3].http_status, 304);
	close_rules();

	env.config.blocking.update.interval_s = 1;
	settle();
	uint64_t before = made();
	unsigned asked = http.requests;
	WAIT_FOR(http.requests >= asked + 2);
	assert_int_equal(made() - before, 0);
	reload_same(1, false);
	close_rules();
	fake_http_stop(&http);
}

static bool blocked(const char *name)
{
	return ask(name).verdict.d.action == RULE_BLOCK;
}

static void set_times(const char *path, const struct stat *st)
{
	assert_int_equal(
		utimensat(AT_FDCWD, path, (struct timespec[2]){st->st_atim, st->st_mtim}, 0), 0);
}

// Same size, same time of modification: written in place, and another file in its place.
TEST_WITH(test_a_list_that_hides_its_change, start, remove_env)
{
	struct stat st;
	settle();
	assert_int_equal(stat(env.list_path[0], &st), 0);
	write_list(0, "bad.example\n");
	set_times(env.list_path[0], &st);
	reload_publishes();
	assert_true(blocked("bad.example"));

	reload_same(2, false);
	assert_int_equal(made_by_reload(), 0);
	const char *other = text_from("%s/other", env.folder);
	text_to_file(other, "foe.example\n");
	assert_int_equal(stat(env.list_path[0], &st), 0);
	set_times(other, &st);
	assert_int_equal(rename(other, env.list_path[0]), 0);
	reload_publishes();
	assert_true(blocked("foe.example"));
}

// Twice within a tick of the file system's clock: such a file is read again.
TEST_WITH(test_a_list_that_just_changed, start, remove_env)
{
	wall_ahead_s = -1000;
	settle();
	assert_true(made_by_reload() > 0);
}

TEST_WITH(test_a_list_that_is_gone_and_back, start, remove_env)
{
	settle();
	const char *other = text_from("%s/other", env.folder);
	assert_int_equal(rename(env.list_path[0], other), 0);
	reload_same(1, false);
	assert_int_equal(env.last.lists[2].error, -ENOENT);
	assert_int_equal(rules_failing(&env.last), 1);
	reload_same(1, false);
	assert_int_equal(env.last.lists[2].error, -ENOENT);
	assert_int_equal(rename(other, env.list_path[0]), 0);
	reload_same(1, false);
	assert_int_equal(env.last.lists[2].error, 0);
	assert_true(blocked("ads.example"));
}

TEST_WITH(test_hosts_files, start, remove_env)
{
	settle();
	text_to_file(hosts_path, "192.0.2.2 nas.example\n");
	reload_publishes();
	reload_same(2, false);
	assert_int_equal(made_by_reload(), 0);
	assert_int_equal(unlink(hosts_path), 0);
	reload_publishes();
	assert_false(ask("nas.example").verdict.d.matched);
	open_fails = hosts_path;
	text_to_file(hosts_path, "192.0.2.2 nas.example\n");
	reload_same(2, false);
	assert_false(ask("nas.example").verdict.d.matched);
	open_fails = NULL;
	reload_publishes();
}

static void call_follow(void *arg)
{
	if (rules_follow(env.rules, arg))
		abort();
	atomic_fetch_add(&env.replies, 1);
}

// Another configuration that nobody builds for, as when a toggle is set: the next reload does.
TEST_WITH(test_another_configuration, start, remove_env)
{
	struct config other = env.config;
	other.blocking.deny = &env.allow;
	other.blocking.deny_count = 1;
	other.blocking.allow_count = 0;
	settle();
	assert_false(blocked("fine.ads.example"));
	on_service(call_follow, &other, 1);
	reload_publishes();
	assert_true(blocked("fine.ads.example"));
	close_rules(); // while its configuration is there
}

// An entry of a file that ends leaves its text as it was, whether the file is read again for its
// end or for a toggle.
TEST_WITH(test_an_entry_that_ends, start, remove_env)
{
	for (unsigned by_toggle = 0; by_toggle < 2; by_toggle++) {
		struct config_dated_entry entry = {.allow = true, .until = 1}, after = entry;
		struct config ended = env.config;
		after.ended = true;
		env.config.text_hash = ended.text_hash = 1;
		env.config.dated = (struct config_dated){.count = 1, .entries = &entry};
		ended.dated = (struct config_dated){.count = 1, .entries = &after};
		ended.blocking.allow_count = 0;
		settle();
		assert_false(blocked("fine.ads.example"));
		on_service(by_toggle ? call_follow : call_configure, &ended, 1);
		WAIT_FOR(blocked("fine.ads.example"));
		reload_same(2, false);
		assert_int_equal(made_by_reload(), 0);
		close_rules(); // while its configuration is there
	}
}

TEST_WITH(test_a_copy_that_is_gone_is_made_again, start, remove_env)
{
	struct rules_status s;
	settle();
	rules_status(env.rules, &s);
	assert_true(s.kept_bytes > 0);
	const char *all = text_from("rm %s/lists/*.kept", env.state);
	assert_int_equal(system(all), 0);
	RELOAD_SAME(1, false, RULES_UNCHANGED);
	all = text_from("ls %s/lists/*.kept >/dev/null", env.state);
	assert_int_equal(system(all), 0);
	reload_same(1, false);
	assert_int_equal(made_by_reload(), 0);
}

static void call_rollback(void *)
{
	if (rules_rollback(env.rules, on_done, NULL))
		abort();
}

// The files are as they were, and the image is not theirs.
TEST_WITH(test_after_a_rollback, start, remove_env)
{
	settle();
	write_list(0, "new.example\n");
	reload_same(3, false);
	assert_int_equal(made_by_reload(), 0);
	on_service(call_rollback, NULL, 1);
	assert_true(blocked("ads.example"));
	assert_false(blocked("new.example"));
	reload_publishes();
	assert_true(blocked("new.example"));
}

// The files were read, and the image that they give was not stored.
TEST_WITH(test_after_a_build_that_failed, start, remove_env)
{
	settle();
	const char *from = text_from("%s", env.state);
	const char *to = text_from("%s/elsewhere", env.folder);
	write_list(0, "new.example\n");
	assert_int_equal(rename(from, to), 0);
	for (unsigned i = 0; i < 2; i++) {
		RELOAD_SAME(1, false, RULES_FAILED);
		assert_false(blocked("new.example"));
	}
	assert_int_equal(rename(to, from), 0);
	reload_publishes();
	assert_true(blocked("new.example"));
}
