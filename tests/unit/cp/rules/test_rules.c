// SPDX-License-Identifier: BSD-3-Clause
//
// The manager with everything real: two loops on two threads, a publisher on a directory of its
// own.

#include "rules_rig.h"
#include "tests/unit/clock_shift.h"

#include <malloc.h>

TEST_WITH(test_build, make_env, remove_env)
{
	write_list(0, "ads.example\ncom\n0.0.0.0 evil.example evil.example\n");
	run_rules();
	RELOAD(1, false, RULES_UNCHANGED); // waits for the first build as well
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
	assert_int_equal(w.verdict.d.action, RULE_BLOCK);
	assert_string_equal(w.rule, "ads.example");
	assert_int_equal(w.list_count, 1);
	assert_string_equal(w.lists[0], "blocked things");
	w = ask("a.fine.ads.example");
	assert_int_equal(w.verdict.d.action, RULE_PASS);
	assert_string_equal(w.rule, "fine.ads.example");
	assert_string_equal(w.lists[0], "allow entries");
	assert_false(ask("example").verdict.d.matched);

	// Unchanged: nothing is built, written or published; with force it is.
	uint64_t published = generation();
	time_t inode = image_inode();
	RELOAD(1, false, RULES_UNCHANGED);
	assert_int_equal(generation(), published);
	assert_int_equal(image_inode(), inode);
	RELOAD(1, true, RULES_PUBLISHED);
	assert_true(generation() > published);
}

// The entries of a group are sources beside everyone's: each says whether it allows its names.
TEST_WITH(test_group_entries, make_env, remove_env)
{
	char kids_name[] = "kids";
	struct dns_name name = name_of_text("toy.example");
	struct config_group kids = {.name = kids_name,
		.allow = {.count = 1, .names = &name},
		.deny = {.count = 1, .names = &name}};
	write_list(0, "ads.example\n");
	env.config.groups = &kids;
	env.config.group_count = 1;
	run_rules();
	reload(1, false);
	assert_int_equal(env.last.list_count, 5);
	assert_string_equal(env.last.lists[3].name, "group kids: deny");
	assert_false(env.last.lists[3].allow);
	assert_string_equal(env.last.lists[4].name, "group kids: allow");
	assert_true(env.last.lists[4].allow);
	assert_false(env.last.lists[1].allow);
	close_rules(); // while its configuration is there
}

// Changed, then unreadable, then an HTML page, then good again (test_rules_missing.c).
TEST_WITH(test_change_and_fail, make_env, remove_env)
{
	write_list(0, "ads.example\n");
	run_rules();
	reload(1, false);
	write_list(0, "other.example\n");
	RELOAD(1, false, RULES_PUBLISHED);
	assert_int_equal(ask("ads.example").verdict.d.action, RULE_PASS);
	assert_int_equal(ask("other.example").verdict.d.action, RULE_BLOCK);
	uint64_t published = generation();
	assert_int_equal(unlink(env.list_path[0]), 0);
	RELOAD(1, false, RULES_UNCHANGED);
	assert_int_equal(rules_failing(&env.last), 1);
	assert_int_equal(env.last.lists[2].error, -ENOENT);
	assert_int_equal(env.last.lists[2].names, 1);
	write_list(0, "<html><p>gone for ever</p></html>\n");
	RELOAD(1, false, RULES_UNCHANGED);
	assert_int_equal(env.last.lists[2].error, -EBADMSG);
	assert_int_equal(ask("other.example").verdict.d.action, RULE_BLOCK);
	assert_int_equal(generation(), published);
	write_list(0, "other.example\n");
	RELOAD(1, false, RULES_UNCHANGED);
	assert_int_equal(env.last.error[0], 0);
}

// A download that was cut off at its first byte must not let everything through.
TEST_WITH(test_an_emptied_list_is_taken_only_by_force, make_env, remove_env)
{
	write_list(0, "ads.example\n");
	run_rules();
	reload(1, false);
	write_list(0, "");
	RELOAD(1, false, RULES_UNCHANGED);
	assert_int_equal(env.last.lists[2].error, -ENODATA);
	char text[RULES_LIST_TEXT_MAX];
	assert_non_null(strstr(rules_list_text(&env.last.lists[2], text, sizeof(text)), "forced"));
	assert_int_equal(ask("ads.example").verdict.d.action, RULE_BLOCK);
	RELOAD(1, true, RULES_PUBLISHED);
	assert_int_equal(env.last.lists[2].error, 0);
	assert_int_equal(ask("ads.example").verdict.d.action, RULE_PASS);
	// One that was empty before is no news.
	write_list(0, "# nothing\n");
	RELOAD(1, false, RULES_UNCHANGED);
}

// The first image is used although it cannot be stored; with one in use the old one stays.
TEST_WITH(test_an_image_that_cannot_be_stored, make_env, remove_env)
{
	env.config.runtime.state_directory = text_from("%s/none/deeper", env.folder);
	write_list(0, "ads.example\n");
	run_rules();
	reload(1, false);
	assert_int_equal(env.last.builds, 1);
	assert_int_equal(ask("ads.example").verdict.d.action, RULE_BLOCK);
	write_list(0, "other.example\n");
	RELOAD(1, false, RULES_FAILED);
	assert_non_null(strstr(env.last.error, "rules.img"));
	assert_int_equal(ask("ads.example").verdict.d.action, RULE_BLOCK);
}

// Comments, order and spelling make no other image: nothing is published or written.
TEST_WITH(test_other_text_with_the_same_rules, make_env, remove_env)
{
	write_list(0, "ads.example\nother.example\n");
	run_rules();
	reload(1, false);
	uint64_t published = generation();
	time_t inode = image_inode();
	write_list(0, "# new\nOTHER.example\n0.0.0.0 ads.example\n");
	RELOAD(1, false, RULES_UNCHANGED);
	assert_int_equal(env.last.lists[2].lines, 3);
	assert_int_equal(env.last.lists[2].comments, 1);
	RELOAD(1, false, RULES_UNCHANGED);
	assert_int_equal(generation(), published);
	assert_int_equal(image_inode(), inode);
	write_list(0, "other.example\n");
	RELOAD(1, false, RULES_PUBLISHED);
	assert_int_equal(ask("ads.example").verdict.d.action, RULE_PASS);
}

// The status says why lines were refused also after reloads that did not read the list again.
TEST_WITH(test_reasons_stay_until_it_is_read_again, make_env, remove_env)
{
	write_list(0, "ads.example\nno name at all\n");
	run_rules();
	for (unsigned i = 0; i < 3; i++) {
		reload(1, false);
		assert_int_equal(env.last.lists[2].rejected, 1);
		assert_int_equal(env.last.lists[2].rejected_by[LIST_REJECT_WORDS], 1);
	}
	assert_int_equal(env.last.outcome, RULES_UNCHANGED);
	write_list(0, "ads.example\nother.example\n");
	reload(1, false);
	assert_int_equal(env.last.lists[2].rejected_by[LIST_REJECT_WORDS], 0);
}

// Of a file whose times are old enough nothing stays on the heap. Nobody can set when an inode
// changed: the clock is set.
TEST_WITH(test_unchanged_costs_next_to_nothing, make_env, remove_env)
{
	enum { NAMES = 200000, TRIES = 400, NOISE = 4096 };
	FILE *f = fopen(env.list_path[0], "w");
	assert_non_null(f);
	for (unsigned i = 0; i < NAMES; i++)
		fprintf(f, "n%u.example\n", i);
	assert_int_equal(fclose(f), 0);
	run_rules();
	reload(1, false);
	clock_step_ms(3100);
	reload_same(3, false);
	size_t before = mallinfo2().uordblks;
	for (unsigned i = 0; i < TRIES; i++)
		RELOAD_SAME(1, false, RULES_UNCHANGED);
	size_t after = mallinfo2().uordblks;
	// Caches of the allocator and of threads come and go; 400 times anything would be more.
	assert_true(after <= before + NOISE);
}

TEST_WITH(test_storm_is_coalesced, make_env, remove_env)
{
	write_list(0, "ads.example\n");
	run_rules();
	reload(1, false);
	RELOAD(60, true, RULES_PUBLISHED);
	assert_true(env.last.builds <= 3); // the first, one at work, one after it
	assert_true(env.last.coalesced >= 58);
}

TEST_WITH(test_restart_serves_the_last_image, make_env, remove_env)
{
	struct rules_status s;
	char path[96];
	write_list(0, "ads.example\n");
	run_rules();
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
	assert_int_equal(ask("ads.example").verdict.d.action, RULE_BLOCK);
	RELOAD(1, false, RULES_UNCHANGED);
	assert_int_equal(env.last.lists[2].error, -ENOENT);
	assert_int_equal(ask("ads.example").verdict.d.action, RULE_BLOCK);
	close_rules();

	// A damaged one is set aside; without any image, what can be read is taken.
	snprintf(path, sizeof(path), "%s/rules.img", env.state);
	assert_int_equal(truncate(path, 500), 0);
	env.config.blocking.list_count = 2;
	write_list(1, "second.example\n");
	open_rules();
	rules_status(env.rules, &s);
	assert_false(s.from_disk);
	run();
	reload(1, false);
	assert_int_equal(ask("second.example").verdict.d.action, RULE_BLOCK);
	assert_int_equal(env.last.builds, 1);
	assert_int_equal(env.last.lists[2].error, -ENOENT);
	close_rules();
	strcat(path, ".bad");
	assert_int_equal(access(path, F_OK), 0);
}

TEST_WITH(test_close_while_building, make_env, remove_env)
{
	FILE *f = fopen(env.list_path[0], "w");
	assert_non_null(f);
	for (unsigned i = 0; i < 100000; i++)
		fprintf(f, "n%u.example\n", i);
	assert_int_equal(fclose(f), 0);
	for (unsigned i = 0; i < 5; i++) {
		open_rules();
		if (i % 2)
			assert_int_equal(rules_reload(env.rules, true, on_done, NULL), 0);
		run();
		const uint64_t from_ms = clock_mono_ms(); // the build is further each time
		WAIT_FOR(clock_mono_ms() >= from_ms + i * 9);
		close_rules();
	}
}
