// SPDX-License-Identifier: BSD-3-Clause
//
// The manager with everything real: two loops on two threads, a publisher on a directory of its
// own.

#include "../../controlplane/rules.h"
#include "unit.h"

#include <errno.h>
#include <ftw.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <weir/log.h>

static struct {
	char folder[64], state[80], list_path[2][96];
	struct shm_paths paths;
	struct config config;
	struct config_list list[2];
	struct dns_name allow;
	struct publisher *publisher;
	struct loop *resolver, *service;
	pthread_t resolver_thread, service_thread;
	struct rules *rules;
	_Atomic int told;
	struct rules_status last;
} env;

static void write_list(unsigned i, const char *text)
{
	FILE *f = fopen(env.list_path[i], "w");
	assert_non_null(f);
	assert_int_equal(fwrite(text, 1, strlen(text), f), strlen(text));
	assert_int_equal(fclose(f), 0);
}

static int make_env(void **)
{
	char why[SHM_WHY_MAX];
	memset(&env, 0, sizeof env);
	log_init("test", LOG_LEVEL_ERROR - 1); // quiet: failures are part of the tests
	strcpy(env.folder, "/tmp/weir-rules-XXXXXX");
	if (!mkdtemp(env.folder) || shm_paths_init(&env.paths, env.folder, "off", why))
		return -1;
	for (unsigned i = 0; i < 2; i++) {
		snprintf(env.list_path[i], sizeof env.list_path[i], "%s/list%u", env.folder, i);
		env.list[i].path = env.list_path[i];
	}
	env.list[0].name = strdup("blocked things");
	env.list[1].name = strdup("other things");
	snprintf(env.state, sizeof env.state, "%s/state", env.folder); // not there yet
	env.config.runtime.state_directory = env.state;
	env.config.cache.l0_mb = 1;
	env.config.blocking.lists = env.list;
	env.config.blocking.list_count = 1;
	env.config.blocking.allow = &env.allow;
	env.config.blocking.allow_count = 1;
	if (dns_name_from_text("fine.ads.example", 16, &env.allow))
		return -1;
	return publisher_open(&env.publisher, &env.paths, &env.config, why);
}

static int remove_one(const char *path, const struct stat *, int, struct FTW *)
{
	return remove(path);
}

static int remove_env(void **)
{
	publisher_close(env.publisher);
	free(env.list[0].name);
	free(env.list[1].name);
	if (strcmp(env.paths.mem, env.folder) != 0)
		(void)nftw(env.paths.mem, remove_one, 8, FTW_DEPTH | FTW_PHYS);
	return nftw(env.folder, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

static void *run_loop(void *arg)
{
	(void)loop_run(arg);
	return NULL;
}

static void open_rules(void)
{
	assert_int_equal(loop_new("resolver", &env.resolver), 0);
	assert_int_equal(loop_new("service", &env.service), 0);
	assert_int_equal(
		rules_open(&env.rules, &env.config, env.publisher, env.resolver, env.service), 0);
}

static void run(void)
{
	assert_int_equal(pthread_create(&env.resolver_thread, NULL, run_loop, env.resolver), 0);
	assert_int_equal(pthread_create(&env.service_thread, NULL, run_loop, env.service), 0);
}

static void close_rules(void)
{
	loop_stop(env.service);
	loop_stop(env.resolver);
	pthread_join(env.service_thread, NULL);
	pthread_join(env.resolver_thread, NULL);
	rules_close(env.rules);
	loop_free(env.service);
	loop_free(env.resolver);
}

static void wait_told(int count)
{
	for (unsigned i = 0; i < 1000 && atomic_load(&env.told) < count; i++)
		usleep(10000);
	assert_int_equal(atomic_load(&env.told), count);
}

static void on_done(void *, const struct rules_status *s)
{
	env.last = *s;
	atomic_fetch_add(&env.told, 1);
}

// The calls below run on the service loop's thread, as the API's do.
struct reload_call {
	bool force;
	unsigned times;
};

static void call_reload(void *arg)
{
	struct reload_call *c = arg;
	for (unsigned i = 0; i < c->times; i++)
		if (rules_reload(env.rules, &env.config, c->force, on_done, NULL))
			abort();
}

static void reload(unsigned times, bool force)
{
	struct reload_call c = {.force = force, .times = times};
	int before = atomic_load(&env.told);
	assert_int_equal(loop_call(env.service, call_reload, &c), 0);
	wait_told(before + (int)times);
}

struct why_call {
	struct dns_name name;
	struct rules_why why;
	int ret;
};

static void call_why(void *arg)
{
	struct why_call *c = arg;
	c->ret = rules_why(env.rules, &c->name, &c->why);
	atomic_fetch_add(&env.told, 1);
}

static struct rules_why ask(const char *text)
{
	static struct why_call c;
	int before = atomic_load(&env.told);
	assert_int_equal(dns_name_from_text(text, strlen(text), &c.name), 0);
	assert_int_equal(loop_call(env.service, call_why, &c), 0);
	wait_told(before + 1);
	assert_int_equal(c.ret, 0);
	return c.why;
}

static uint64_t generation(void)
{
	struct publish_status s;
	publish_status(env.publisher, &s);
	return s.names_generation;
}

static time_t image_inode(void)
{
	char path[96];
	struct stat st;
	snprintf(path, sizeof path, "%s/rules.img", env.state);
	assert_int_equal(stat(path, &st), 0);
	return (time_t)st.st_ino;
}

static void test_build_change_fail(void **)
{
	write_list(0, "ads.example\ncom\n0.0.0.0 evil.example evil.example\n");
	open_rules();
	run();
	reload(1, false); // waits for the first build as well
	assert_int_equal(env.last.outcome, RULES_UNCHANGED);
	assert_int_equal(env.last.builds, 1);
	assert_int_equal(env.last.names, 3);
	assert_int_equal(env.last.list_count, 3);
	assert_string_equal(env.last.lists[2].name, "blocked things");
	assert_int_equal(env.last.lists[2].names, 2);
	assert_int_equal(env.last.lists[2].duplicates, 1);
	assert_int_equal(env.last.lists[2].rejected, 1);
	assert_int_equal(env.last.lists[0].names, 1);
	assert_true(env.last.lists[0].allow);

	struct rules_why w = ask("x.ads.example");
	assert_int_equal(w.verdict.action, RULE_BLOCK);
	assert_string_equal(w.rule, "ads.example");
	assert_int_equal(w.list_count, 1);
	assert_string_equal(w.lists[0], "blocked things");
	w = ask("a.fine.ads.example");
	assert_int_equal(w.verdict.action, RULE_PASS);
	assert_string_equal(w.rule, "fine.ads.example");
	assert_string_equal(w.lists[0], "allow entries");
	assert_false(ask("example").verdict.matched);

	// Unchanged: nothing is built, written or published; with force it is.
	uint64_t published = generation();
	time_t inode = image_inode();
	reload(1, false);
	assert_int_equal(env.last.outcome, RULES_UNCHANGED);
	assert_int_equal(generation(), published);
	assert_int_equal(image_inode(), inode);
	reload(1, true);
	assert_int_equal(env.last.outcome, RULES_PUBLISHED);
	assert_true(generation() > published);

	// Changed, then unreadable, then an HTML page, then good again.
	write_list(0, "other.example\n");
	reload(1, false);
	assert_int_equal(env.last.outcome, RULES_PUBLISHED);
	assert_int_equal(ask("ads.example").verdict.action, RULE_PASS);
	assert_int_equal(ask("other.example").verdict.action, RULE_BLOCK);
	published = generation();
	assert_int_equal(unlink(env.list_path[0]), 0);
	reload(1, false);
	assert_int_equal(env.last.outcome, RULES_FAILED);
	assert_non_null(strstr(env.last.error, "blocked things"));
	assert_int_equal(env.last.lists[2].error, -ENOENT);
	assert_int_equal(env.last.lists[2].names, 1);
	write_list(0, "<html><p>gone for ever</p></html>\n");
	reload(1, false);
	assert_int_equal(env.last.outcome, RULES_FAILED);
	assert_int_equal(env.last.lists[2].error, -EBADMSG);
	assert_int_equal(ask("other.example").verdict.action, RULE_BLOCK);
	assert_int_equal(generation(), published);
	write_list(0, "other.example\n");
	reload(1, false);
	assert_int_equal(env.last.outcome, RULES_UNCHANGED);
	assert_int_equal(env.last.error[0], 0);
	close_rules();
}

// A download that was cut off at its first octet must not let everything through.
static void test_an_emptied_list_is_taken_only_by_force(void **)
{
	write_list(0, "ads.example\n");
	open_rules();
	run();
	reload(1, false);
	write_list(0, "");
	reload(1, false);
	assert_int_equal(env.last.outcome, RULES_FAILED);
	assert_int_equal(env.last.lists[2].error, -ENODATA);
	assert_non_null(strstr(env.last.error, "forced"));
	assert_int_equal(ask("ads.example").verdict.action, RULE_BLOCK);
	reload(1, true);
	assert_int_equal(env.last.outcome, RULES_PUBLISHED);
	assert_int_equal(env.last.lists[2].error, 0);
	assert_int_equal(ask("ads.example").verdict.action, RULE_PASS);
	// One that was empty before is no news.
	write_list(0, "# nothing\n");
	reload(1, false);
	assert_int_equal(env.last.outcome, RULES_PUBLISHED);
	close_rules();
}

// The first image is used although it cannot be stored; with one in use the old one stays.
static void test_an_image_that_cannot_be_stored(void **)
{
	char elsewhere[96];
	snprintf(elsewhere, sizeof elsewhere, "%s/none/deeper", env.folder);
	env.config.runtime.state_directory = elsewhere;
	write_list(0, "ads.example\n");
	open_rules();
	run();
	reload(1, false);
	assert_int_equal(env.last.builds, 1);
	assert_int_equal(ask("ads.example").verdict.action, RULE_BLOCK);
	write_list(0, "other.example\n");
	reload(1, false);
	assert_int_equal(env.last.outcome, RULES_FAILED);
	assert_non_null(strstr(env.last.error, "rules.img"));
	assert_int_equal(ask("ads.example").verdict.action, RULE_BLOCK);
	close_rules();
}

static void test_storm_is_coalesced(void **)
{
	write_list(0, "ads.example\n");
	open_rules();
	run();
	reload(1, false);
	reload(60, true);
	assert_int_equal(env.last.outcome, RULES_PUBLISHED);
	assert_true(env.last.builds <= 3); // the first, one at work, one after it
	assert_true(env.last.coalesced >= 58);
	close_rules();
}

static void test_restart_serves_the_last_image(void **)
{
	struct rules_status s;
	char path[96];
	write_list(0, "ads.example\n");
	open_rules();
	run();
	reload(1, false);
	close_rules();
	uint64_t published = generation();

	// No loop has run yet and the list is gone, but the image is there.
	assert_int_equal(unlink(env.list_path[0]), 0);
	open_rules();
	rules_status(env.rules, &s);
	assert_true(s.from_disk);
	assert_int_equal(s.names, 2);
	assert_int_equal(s.outcome, RULES_NEVER);
	assert_int_equal(s.lists[2].lines, 1);
	assert_true(generation() > published);
	run();
	assert_int_equal(ask("ads.example").verdict.action, RULE_BLOCK);
	reload(1, false);
	assert_int_equal(env.last.outcome, RULES_FAILED);
	assert_int_equal(ask("ads.example").verdict.action, RULE_BLOCK);
	close_rules();

	// A damaged one is set aside; without any image, what can be read is taken.
	snprintf(path, sizeof path, "%s/rules.img", env.state);
	assert_int_equal(truncate(path, 500), 0);
	env.config.blocking.list_count = 2;
	write_list(1, "second.example\n");
	open_rules();
	rules_status(env.rules, &s);
	assert_false(s.from_disk);
	run();
	reload(1, false);
	assert_int_equal(ask("second.example").verdict.action, RULE_BLOCK);
	assert_int_equal(env.last.builds, 1);
	assert_int_equal(env.last.lists[2].error, -ENOENT);
	close_rules();
	strcat(path, ".bad");
	assert_int_equal(access(path, F_OK), 0);
}

static void test_close_while_building(void **)
{
	FILE *f = fopen(env.list_path[0], "w");
	assert_non_null(f);
	for (unsigned i = 0; i < 100000; i++)
		fprintf(f, "n%u.example\n", i);
	assert_int_equal(fclose(f), 0);
	for (unsigned i = 0; i < 5; i++) {
		open_rules();
		if (i % 2)
			assert_int_equal(
				rules_reload(env.rules, &env.config, true, on_done, NULL), 0);
		run();
		usleep(i * 9000);
		close_rules();
	}
}

#define CASE(f) cmocka_unit_test_setup_teardown(f, make_env, remove_env)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(test_build_change_fail),
		CASE(test_an_emptied_list_is_taken_only_by_force),
		CASE(test_an_image_that_cannot_be_stored),
		CASE(test_storm_is_coalesced),
		CASE(test_restart_serves_the_last_image),
		CASE(test_close_while_building),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
