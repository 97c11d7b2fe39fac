// SPDX-License-Identifier: BSD-3-Clause
// What a secondary remembers: epochs never go down, a version that was refused is known after a
// restart, and a version with which the process dies is tried twice.

#include "controlplane/sync/sync_memory.h"
#include "tests/unit/folder.h"
#include "tests/unit/unit.h"

#include <limits.h>

static char why[SYNC_WHY_MAX];

static struct sync_offer offer(const char *box, uint64_t epoch, char digit)
{
	struct sync_offer o = {.epoch = epoch, .version = 4};
	snprintf(o.box, sizeof(o.box), "%s", box);
	memset(o.digest, digit, SYNC_DIGEST_LEN);
	return o;
}

static bool follows(const struct sync_memory *m, const char *box, uint64_t epoch)
{
	const struct sync_offer o = offer(box, epoch, 'a');
	return sync_epoch_check(m, &o, why);
}

TEST(an_epoch_never_goes_down)
{
	struct sync_memory m = {0};
	struct sync_offer o = offer("box1", 2, 'a');
	assert_true(follows(&m, "box1", 1));
	assert_true(sync_epoch_note(&m, &o));
	assert_false(sync_epoch_note(&m, &o));
	assert_true(follows(&m, "box1", 2));
	assert_false(follows(&m, "box1", 1));
	assert_false(follows(&m, "box3", 2));
	assert_non_null(strstr(why, "box1"));
	assert_non_null(strstr(why, "box3"));
	assert_true(follows(&m, "box3", 3));
}

TEST(an_older_version_of_an_epoch_is_not_taken)
{
	struct sync_memory m = {0};
	struct sync_offer o = offer("box1", 2, 'a');
	assert_true(sync_epoch_note(&m, &o));
	assert_true(sync_newest_note(&m, &o));
	assert_false(sync_newest_note(&m, &o));
	assert_true(sync_newest_check(&m, &o, why));
	o.version = 3;
	assert_false(sync_newest_check(&m, &o, why));
	assert_non_null(strstr(why, "version 3 of box1 is older than version 4"));
	o.epoch = 3; // after a promotion versions count from there
	assert_true(sync_newest_check(&m, &o, why));
	assert_true(sync_epoch_note(&m, &o));
	assert_int_equal(m.newest, 0);
}

TEST(a_refused_version_has_its_reason)
{
	struct sync_memory m = {0};
	const struct sync_offer o = offer("box1", 1, 'b');
	char reason[SYNC_REASON_MAX + 40];
	memset(reason, 'x', sizeof(reason));
	memcpy(reason, "first\nG\xc3\xa4ste", 12);
	reason[sizeof(reason) - 1] = '\0';
	assert_true(sync_try_begin(&m, &o));
	assert_string_equal(m.trying, o.digest);
	sync_try_refuse(&m, 4, false, reason);
	assert_string_equal(m.refused, o.digest);
	assert_string_equal(m.trying, "");
	assert_int_equal(strlen(m.reason), SYNC_REASON_MAX);
	assert_memory_equal(m.reason, "first G??ste", 12);
	sync_try_hold(&m);
	assert_string_equal(m.refused, "");
}

TEST(a_version_is_tried_twice_over_deaths)
{
	struct sync_memory m = {0};
	const struct sync_offer o = offer("box1", 1, 'b'), other = offer("box1", 1, 'c');
	assert_true(sync_try_begin(&m, &o));
	assert_true(sync_try_begin(&m, &o));
	assert_false(sync_try_begin(&m, &o));
	assert_true(sync_try_begin(&m, &other));
	sync_try_undo(&m);
	assert_true(sync_try_begin(&m, &other));
	assert_int_equal(m.tries, 1);
}

TEST(another_weir_tries_what_this_one_refused)
{
	struct sync_memory m = {.epoch = 5, .primary = "box1"};
	const struct sync_offer o = offer("box1", 5, 'b');
	sync_software_note(&m, "0.1.0");
	assert_true(sync_try_begin(&m, &o));
	sync_try_refuse(&m, 4, false, "shared.yaml:1:1: no such key: \"new\"");
	sync_software_note(&m, "0.1.0");
	assert_string_equal(m.refused, o.digest);
	sync_software_note(&m, "0.2.0");
	assert_string_equal(m.refused, "");
	assert_string_equal(m.reason, "");
	assert_int_equal(m.refused_version, 0);
	assert_int_equal(m.epoch, 5);
	assert_string_equal(m.primary, "box1");
}

TEST_WITH(the_file_has_all_of_it, own_folder_setup, own_folder_teardown)
{
	char path[PATH_MAX], file_why[STATE_FILE_WHY_MAX];
	struct sync_memory m = {.epoch = 5,
				   .newest = 8,
				   .primary = "box1",
				   .tries = 1,
				   .refused_version = 9,
				   .was_taken_back = true,
				   .reason = "health fell: no answers",
				   .software = "0.1.0"},
			   got;
	memset(m.trying, 'a', SYNC_DIGEST_LEN);
	memset(m.refused, 'b', SYNC_DIGEST_LEN);
	snprintf(path, sizeof(path), "%s/sync", own_folder);
	assert_int_equal(sync_memory_read(&got, path), -ENOENT);
	assert_int_equal(sync_memory_write(&m, path, file_why), 0);
	assert_int_equal(sync_memory_read(&got, path), 0);
	assert_memory_equal(&got, &m, sizeof(m));
	FILE *f = fopen(path, "r+");
	fputs("x", f);
	fclose(f);
	assert_int_equal(sync_memory_read(&got, path), -EPROTO);
	assert_int_equal(got.epoch, 0);
}

static char path[PATH_MAX], file_why[STATE_FILE_WHY_MAX];

static struct sync_memory with_rollout(void)
{
	struct sync_memory m = {.epoch = 5,
		.primary = "box1",
		.software = "0.1.0",
		.rollout = {.state = SYNC_ROLLOUT_taken_back,
			.wave = 2,
			.version = 14,
			.base_version = 12,
			.goes_back = true,
			.box = "box3",
			.reason = "refused: health fell: no answers"}};
	memset(m.rollout.target, 'c', SYNC_DIGEST_LEN);
	memset(m.rollout.base, 'd', SYNC_DIGEST_LEN);
	snprintf(path, sizeof(path), "%s/sync", own_folder);
	return m;
}

TEST_WITH(the_file_has_the_rollout, own_folder_setup, own_folder_teardown)
{
	struct sync_memory m = with_rollout(), got;
	assert_int_equal(sync_memory_write(&m, path, file_why), 0);
	assert_int_equal(sync_memory_read(&got, path), 0);
	assert_memory_equal(&got, &m, sizeof(m));
	m.rollout.state = SYNC_ROLLOUT_STATES; // of a later weir
	assert_int_equal(sync_memory_write(&m, path, file_why), 0);
	assert_int_equal(sync_memory_read(&got, path), 0);
	assert_int_equal(got.rollout.state, SYNC_ROLLOUT_done);
	assert_int_equal(got.epoch, 5);
}

// `key` NULL: none of the roll-out, as an earlier weir wrote it.
static int read_with(const char *key, const char *value, struct sync_memory *got)
{
	struct state_file f;
	snprintf(path, sizeof(path), "%s/sync", own_folder);
	state_file_begin(&f, "weir-sync", 1);
	state_file_number(&f, "epoch", 5);
	if (key)
		state_file_text(&f, key, value);
	assert_int_equal(state_file_write(&f, path, file_why), 0);
	return sync_memory_read(got, path);
}

TEST_WITH(a_rollout_in_the_file_may_be_absent_or_wrong, own_folder_setup, own_folder_teardown)
{
	static const char *const keys[] = {
		"rollout_target", "rollout_base", "rollout_box", "rollout_reason"};
	const struct sync_rollout_kept none = {0};
	char longer[SYNC_REASON_MAX + 2];
	struct sync_memory got;
	memset(longer, 'x', sizeof(longer) - 1);
	longer[sizeof(longer) - 1] = '\0';
	assert_int_equal(read_with(NULL, NULL, &got), 0);
	assert_int_equal(got.epoch, 5);
	assert_memory_equal(&got.rollout, &none, sizeof(none));
	assert_int_equal(read_with("rollout_state", "later", &got), 0);
	assert_int_equal(got.rollout.state, SYNC_ROLLOUT_done);
	for (unsigned i = 0; i < ARRAY_LEN(keys); i++) {
		assert_int_equal(read_with(keys[i], longer, &got), -EPROTO);
		assert_int_equal(got.epoch, 0);
	}
}

TEST(pauses_double_up_to_a_minute)
{
	assert_int_equal(sync_backoff_ms(1, 0), 500);
	assert_int_equal(sync_backoff_ms(1, UINT16_MAX), 1000);
	assert_int_equal(sync_backoff_ms(4, UINT16_MAX), 8000);
	assert_int_equal(sync_backoff_ms(1000000, UINT16_MAX), SYNC_BACKOFF_MAX_MS);
	assert_int_equal(sync_backoff_ms(7, 0), SYNC_BACKOFF_MAX_MS / 2);
}
