// SPDX-License-Identifier: BSD-3-Clause
//
// A list that cannot be read delays no other list, and blocks the names of its last good version.

#include "rules_rig.h"

#include <dirent.h>
#include <sched.h>
#include <sys/mount.h>
#include <weir/log_recent.h>

static struct dns_name denied;

static bool blocked(const char *name)
{
	return ask(name).verdict.d.action == RULE_BLOCK;
}

static const struct rules_list_status *list_of(const char *name)
{
	for (unsigned i = 0; i < env.last.list_count; i++)
		if (strcmp(env.last.lists[i].name, name) == 0)
			return &env.last.lists[i];
	fail_msg("no list %s", name);
	return NULL;
}

static bool reported(const char *name, const char *words)
{
	char text[RULES_LIST_TEXT_MAX];
	return strstr(rules_list_text(list_of(name), text, sizeof(text)), words);
}

static void deny(const char *name)
{
	denied = name_of_text(name);
	env.config.blocking.deny = &denied;
	env.config.blocking.deny_count = 1;
}

static void begin(void)
{
	env.config.blocking.list_count = 2;
	run_rules();
	reload(1, false);
}

TEST_WITH(test_a_missing_file_holds_nothing_back, make_env, remove_env)
{
	write_list(0, "ads.example\n");
	write_list(1, "old.example\n");
	begin();
	assert_true(blocked("ads.example") && blocked("old.example"));
	assert_int_equal(unlink(env.list_path[0]), 0);
	RELOAD(1, false, RULES_UNCHANGED);
	assert_int_equal(list_of("blocked things")->error, -ENOENT);

	write_list(1, "new.example\n");
	deny("denied.example");
	RELOAD(1, false, RULES_PUBLISHED);
	assert_true(blocked("new.example") && blocked("denied.example"));
	assert_false(blocked("old.example"));
	assert_true(blocked("ads.example"));
	assert_int_equal(list_of("blocked things")->names, 1);
	assert_true(list_of("blocked things")->kept_unix_s > 0);
	assert_int_equal(rules_failing(&env.last), 1);
	assert_true(reported("blocked things", "list \"blocked things\": /tmp/"));
	assert_true(
		reported("blocked things", ": No such file or directory; still 1 name from 20"));

	// The file is there again, with something else in it.
	write_list(0, "again.example\n");
	RELOAD(1, false, RULES_PUBLISHED);
	assert_true(blocked("again.example") && !blocked("ads.example"));
	assert_int_equal(list_of("blocked things")->kept_unix_s, 0);
	assert_int_equal(rules_failing(&env.last), 0);
}

// The copy outlives the process and the stored image.
TEST_WITH(test_the_copy_outlives_the_image, make_env, remove_env)
{
	write_list(0, "ads.example\n");
	write_list(1, "old.example\n");
	begin();
	close_rules();
	assert_int_equal(unlink(env.list_path[0]), 0);
	assert_int_equal(unlink(text_from("%s/rules.img", env.state)), 0);
	begin();
	assert_true(blocked("ads.example") && blocked("old.example"));
	assert_int_equal(list_of("blocked things")->error, -ENOENT);
}

TEST_WITH(test_one_that_was_never_there, make_env, remove_env)
{
	write_list(1, "old.example\n");
	begin();
	assert_true(blocked("old.example"));
	write_list(1, "new.example\n");
	RELOAD(1, false, RULES_PUBLISHED);
	assert_true(blocked("new.example"));
	assert_int_equal(list_of("blocked things")->error, -ENOENT);
	assert_int_equal(list_of("blocked things")->kept_unix_s, 0);
	assert_true(reported("blocked things", "; none of its rules in force"));
}

// What a web server says in place of a list is no list, though a line of it may look like one; nor
// is what cannot be read, or is empty all of a sudden.
TEST_WITH(test_pages_folders_and_empty_files, make_env, remove_env)
{
	write_list(0, "ads.example\n");
	write_list(1, "old.example\n");
	begin();
	write_list(0, "\n <!DOCTYPE html>\n<pre>\nlogin.example\n</pre>\n");
	write_list(1, "new.example\n");
	reload(1, false);
	assert_true(blocked("ads.example") && blocked("new.example"));
	assert_false(blocked("login.example"));
	assert_int_equal(list_of("blocked things")->error, -EBADMSG);
	write_list(0, "");
	reload(1, false);
	assert_true(blocked("ads.example"));
	assert_int_equal(list_of("blocked things")->error, -ENODATA);
	assert_int_equal(unlink(env.list_path[0]), 0);
	assert_int_equal(mkdir(env.list_path[0], 0700), 0);
	write_list(1, "third.example\n");
	reload(1, false);
	assert_true(blocked("ads.example") && blocked("third.example"));
	assert_int_equal(list_of("blocked things")->error, -EISDIR);
	assert_int_equal(rmdir(env.list_path[0]), 0);
}

// One that goes wrong after some of its rules were read gives none of these.
TEST_WITH(test_an_error_in_the_middle, make_env, remove_env)
{
	write_list(0, "ads.example\n");
	write_list(1, "old.example\n");
	begin();
	write_list(0, "half.example\n");
	assert_int_equal(truncate(env.list_path[0], (1l << 30) + 1), 0);
	write_list(1, "new.example\n");
	RELOAD(1, false, RULES_PUBLISHED);
	assert_true(blocked("ads.example") && blocked("new.example"));
	assert_false(blocked("half.example"));
	assert_int_equal(list_of("blocked things")->error, -EFBIG);
}

// A list that blocked is no list of names to allow, though both have one title.
TEST_WITH(test_a_copy_has_the_role_it_was_read_in, make_env, remove_env)
{
	write_list(0, "ads.example\n");
	write_list(1, "sub.ads.example\n");
	begin();
	assert_int_equal(unlink(env.list_path[1]), 0);
	env.list[1].allow = true;
	reload(1, false);
	assert_true(blocked("sub.ads.example"));
	assert_int_equal(list_of("other things")->kept_unix_s, 0);
}

static unsigned copies(void)
{
	unsigned n = 0;
	DIR *d = opendir(text_from("%s/lists", env.state));
	assert_non_null(d);
	for (const struct dirent *e; (e = readdir(d));)
		n += strstr(e->d_name, ".kept") != NULL;
	closedir(d);
	return n;
}

// What `weirctl errors` has of a list is the kind that docs/reference/errors.md explains.
TEST_WITH(test_the_id_is_that_of_the_log, make_env, remove_env)
{
	static struct log_recent kind[LOG_RECENT_MAX];
	write_list(1, "old.example\n");
	begin();
	close_rules();
	unsigned found = 0, count = log_recent_copy(kind, LOG_RECENT_MAX, NULL);
	for (unsigned i = 0; i < count; i++)
		found += kind[i].id == rules_failing_id() && strstr(kind[i].text, "blocked things");
	assert_int_equal(found, 1);
}

TEST_WITH(test_copies_of_lists_that_left_go, make_env, remove_env)
{
	write_list(0, "ads.example\n");
	write_list(1, "old.example\n");
	begin();
	assert_int_equal(copies(), 2);
	assert_int_equal(env.last.kept_bytes, strlen("ads.example\nold.example\n"));
	env.config.blocking.list_count = 1;
	RELOAD(1, false, RULES_PUBLISHED);
	assert_int_equal(env.last.kept_bytes, strlen("ads.example\n"));
	env.config.blocking.list_count = 2;
	assert_int_equal(unlink(env.list_path[1]), 0);
	reload(1, false);
	assert_false(blocked("old.example"));
	assert_int_equal(copies(), 1);
}

// Copies count from before the first build, also when no build makes or removes one.
TEST_WITH(test_bytes_of_copies, make_env, remove_env)
{
	struct rules_status s;
	write_list(0, "ads.example\n");
	write_list(1, "old.example\n");
	begin();
	write_list(0, "longer.ads.example\n");
	reload(1, false);
	assert_int_equal(env.last.kept_bytes, strlen("longer.ads.example\nold.example\n"));
	assert_int_equal(unlink(env.list_path[0]), 0);
	reload(1, false);
	assert_int_equal(env.last.kept_bytes, strlen("longer.ads.example\nold.example\n"));
	close_rules();
	open_rules();
	rules_status(env.rules, &s);
	assert_int_equal(s.kept_bytes, strlen("longer.ads.example\nold.example\n"));
	run();
}

struct number_call {
	const char *title;
	int number; // -1: no such list
};

static void call_number(void *arg)
{
	struct number_call *c = arg;
	unsigned count;
	const struct rule_list_info *list = rules_lists(env.rules, &count);
	c->number = -1;
	for (unsigned i = 0; i < count; i++)
		if (list[i].kind.covers && strcmp(list[i].title, c->title) == 0)
			c->number = (int)i;
	atomic_fetch_add(&env.replies, 1);
}

static int number_of(const char *title)
{
	struct number_call c = {.title = title};
	on_service(call_number, &c, 1);
	return c.number;
}

// However many images come in a minute, rows of the query log that lie in a ring name their lists.
TEST_WITH(test_numbers_of_lists_that_left_rest, make_env, remove_env)
{
	write_list(0, "ads.example\n");
	write_list(1, "old.example\n");
	begin();
	int number = number_of("other things");
	assert_true(number >= RULE_LIST_FIRST);
	env.config.blocking.list_count = 1;
	for (unsigned i = 0; i < 3; i++) {
		write_list(0, i % 2 ? "ads.example\n" : "more.ads.example\n");
		RELOAD(1, false, RULES_PUBLISHED);
	}
	env.config.blocking.list_count = 2;
	strcpy(env.list[1].name, "third thing");
	RELOAD(1, false, RULES_PUBLISHED);
	assert_int_not_equal(number_of("third thing"), -1);
	assert_int_not_equal(number_of("third thing"), number);
	strcpy(env.list[1].name, "other things");
	reload(1, false);
	assert_int_equal(number_of("other things"), number);
}

static off_t image_size(void)
{
	struct stat st;
	return stat(text_from("%s/rules.img", env.state), &st) == 0 ? st.st_size : -1;
}

// Lines that are no rules take room in the copy alone.
static void write_long_list(const char *name, size_t bytes)
{
	FILE *f = fopen(env.list_path[0], "w");
	assert_non_null(f);
	for (unsigned i = 0; i < 20000; i++)
		fprintf(f, "%u.%s\n", i, name);
	for (size_t i = 0; i < bytes / 64; i++)
		fprintf(f, "# %061zu\n", i);
	assert_int_equal(fclose(f), 0);
}

// Copies never take the room of the image.
TEST_WITH(test_a_small_state_directory, make_env, remove_env)
{
	struct stat list;
	write_long_list("ads.example", 0);
	run_rules();
	reload(1, false);
	size_t size = (size_t)image_size();
	close_rules();
	// A file system of our own, which is gone with this process.
	if (unshare(CLONE_NEWNS)) // takes root
		skip();
	assert_int_equal(mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL), 0);
	assert_true(size > 100000);
	write_long_list("first.example", 6 * size);
	assert_int_equal(stat(env.list_path[0], &list), 0);
	const char *room = text_from("size=%zu", (size_t)list.st_size + size / 2);
	assert_int_equal(mount("tmpfs", env.state, "tmpfs", 0, room), 0);
	run_rules();
	reload(1, false);
	assert_string_equal(env.last.error, "");
	assert_true(image_size() > 0);
	assert_int_equal(copies(), 0);
	write_long_list("second.example", 6 * size);
	RELOAD(1, false, RULES_PUBLISHED);
	assert_true(blocked("1.second.example"));
	// A short one is kept where there is room for two more images.
	write_list(0, "third.example\n");
	RELOAD(1, false, RULES_PUBLISHED);
	assert_int_equal(copies(), 1);
	close_rules();
	assert_int_equal(umount2(env.state, MNT_DETACH), 0);
}
