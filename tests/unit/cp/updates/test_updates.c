// SPDX-License-Identifier: BSD-3-Clause
// The notice from a server to its event: once for each version, over a restart, never back to an
// older one, and no fetch unless the configuration has one.

#include "controlplane/updates/updates.h"
#include "tests/unit/cp/http/fake_http.h"
#include "tests/unit/folder.h"
#include "update_make.h"

#include <event2/event.h>

#include <time.h>

enum { DAY_S = 86400, LATE_S = 3600 };

static struct fake_http http;
static struct loop *loop;
static struct events *events;
static struct updates *updates;
static struct updates_status status;
static struct config config;
static char url[128];

static int start(void **state)
{
	assert_int_equal(own_folder_setup(state), 0);
	fake_http_start(&http);
	assert_int_equal(loop_new("test", &loop), 0);
	assert_int_equal(events_open(&events, "box"), 0);
	assert_int_equal(updates_open(&updates, loop, events), 0);
	config = (struct config){.updates = {.check = true, .url = url, .interval_s = DAY_S},
		.blocking.update = {.timeout_s = 60, .allow_private = true},
		.runtime.state_directory = own_folder};
	snprintf(url, sizeof(url), "http://127.0.0.1:%u/list", http.port);
	return 0;
}

static int stop(void **state)
{
	updates_close(updates);
	events_close(events);
	loop_free(loop);
	fake_http_stop(&http);
	return own_folder_teardown(state);
}

static bool turned(bool (*is_so)(void))
{
	event_base_loop(loop_base(loop), EVLOOP_NONBLOCK);
	updates_status(updates, &status);
	return is_so();
}

static bool has_tried(void)
{
	return status.tried_unix_s != 0;
}

static bool is_planned(void)
{
	return status.next_unix_s != 0;
}

// With these settings, until a fetch has ended.
static void fetch(const struct update_key *k)
{
	memcpy(config.updates.public_key, k->public_key, sizeof(config.updates.public_key));
	updates_configure(updates, &config, NULL, 0);
	WAIT_FOR(turned(has_tried));
}

// Fetches again, as after a reload with another interval.
static void fetch_again(const struct update_key *k)
{
	config.updates.interval_s++;
	fetch(k);
}

static void serve(const struct update_key *k, const char *version, int64_t issued_ago_s)
{
	char body[UPDATE_FILE_MAX], text[UPDATE_FILE_MAX];
	const int64_t issued = time(NULL) - issued_ago_s;
	assert_in_range(update_sign(k, update_body(body, version, issued, issued + 90 * DAY_S),
				text, sizeof(text)),
		1, sizeof(http.body) - 1);
	fake_http_body(&http, text, "\"v1\"");
}

static uint64_t events_of(enum event_kind kind)
{
	struct events_counts c;
	events_counts(events, &c);
	return c.of_kind[kind];
}

TEST_WITH(nothing_is_fetched_by_default, start, stop)
{
	config.updates.check = false;
	updates_configure(updates, &config, NULL, 0);
	assert_int_equal(event_base_get_num_events(loop_base(loop), EVENT_BASE_COUNT_ACTIVE), 0);
	updates_status(updates, &status);
	assert_false(status.checks);
	assert_int_equal(status.next_unix_s, 0);
	// A reload ends it.
	const struct update_key k = update_key_make();
	config.updates.check = true;
	config.updates.jitter_s = LATE_S;
	memcpy(config.updates.public_key, k.public_key, sizeof(k.public_key));
	updates_configure(updates, &config, NULL, 0);
	WAIT_FOR(turned(is_planned));
	config.updates.check = false;
	updates_configure(updates, &config, NULL, 0);
	updates_status(updates, &status);
	assert_false(status.checks);
	assert_int_equal(status.next_unix_s, 0);
	assert_int_equal(http.requests, 0);
}

TEST_WITH(a_newer_version_is_an_event_once, start, stop)
{
	const struct update_key k = update_key_make();
	serve(&k, "9.0.0", 60);
	fetch(&k);
	assert_true(status.available);
	assert_string_equal(status.version, "9.0.0");
	assert_string_equal(status.why, "");
	assert_in_range(status.next_unix_s - status.tried_unix_s, DAY_S, DAY_S + 60);
	assert_int_equal(events_of(EVENT_update_available), 1);
	fetch_again(&k);
	assert_int_equal(status.results[UPDATE_GOOD], 2);
	assert_int_equal(events_of(EVENT_update_available), 1);
	serve(&k, "9.0.1", 30);
	fetch_again(&k);
	assert_string_equal(status.version, "9.0.1");
	assert_int_equal(events_of(EVENT_update_available), 2);
	assert_int_equal(http.requests, 3);
}

TEST_WITH(the_request_says_nothing_of_this_box, start, stop)
{
	static const char *const said[] = {"weir/", "Cookie", "If-", "Referer", "Authorization"};
	const struct update_key k = update_key_make();
	serve(&k, "9.0.0", 60);
	fetch(&k);
	fetch_again(&k);
	assert_true(fake_http_last_has(&http, "GET /list HTTP/1.1\r\n"));
	assert_true(fake_http_last_has(&http, "User-Agent: weir\r\n"));
	for (unsigned i = 0; i < ARRAY_LEN(said); i++)
		assert_false(fake_http_last_has(&http, said[i]));
}

TEST_WITH(the_present_version_is_no_news, start, stop)
{
	const struct update_key k = update_key_make();
	serve(&k, WEIR_VERSION, 60);
	fetch(&k);
	assert_false(status.available);
	assert_string_equal(status.version, WEIR_VERSION);
	assert_int_equal(events_of(EVENT_update_available), 0);
}

TEST_WITH(a_restart_keeps_the_notice_and_refuses_older_files, start, stop)
{
	const struct update_key k = update_key_make();
	serve(&k, "9.0.0", 60);
	fetch(&k);
	updates_close(updates);
	assert_int_equal(updates_open(&updates, loop, events), 0);
	config.updates.jitter_s = LATE_S;
	updates_configure(updates, &config, NULL, 0);
	WAIT_FOR(turned(is_planned));
	assert_true(status.available);
	assert_string_equal(status.version, "9.0.0");
	assert_int_equal(status.tried_unix_s, 0);
	assert_in_range(status.next_unix_s, time(NULL) - 60, time(NULL) + LATE_S);

	config.updates.jitter_s = 0;
	serve(&k, "8.9.9", 30);
	fetch(&k);
	assert_int_equal(status.results[UPDATE_OLDER], 1);
	assert_string_equal(
		status.why, "the file names 8.9.9, which is older than 9.0.0 of a former file");
	assert_string_equal(status.version, "9.0.0");
	assert_int_equal(events_of(EVENT_update_available), 1);
	assert_int_equal(events_of(EVENT_update_refused), 1);

	serve(&k, "9.0.0", 120); // played again
	fetch_again(&k);
	assert_int_equal(status.results[UPDATE_OLDER], 2);
	assert_non_null(strstr(status.why, "before a former file"));
}

// A disk that fails once must not bring back an older file.
TEST_WITH(a_stored_file_that_cannot_be_read_stops_the_fetch, start, stop)
{
	const struct update_key k = update_key_make();
	char path[FOLDER_MAX + 16], aside[FOLDER_MAX + 16];
	snprintf(path, sizeof(path), "%s/update", own_folder);
	snprintf(aside, sizeof(aside), "%s/aside", own_folder);
	serve(&k, "9.0.0", 60);
	fetch(&k);
	updates_close(updates);
	assert_int_equal(updates_open(&updates, loop, events), 0);
	assert_int_equal(rename(path, aside), 0);
	assert_int_equal(mkdir(path, 0700), 0);
	serve(&k, "8.9.9", 30);
	fetch_again(&k);
	assert_int_equal(status.results[UPDATE_FAILED], 1);
	assert_non_null(strstr(status.why, "/update cannot be read: Operation not permitted"));
	assert_string_equal(status.version, "");
	assert_in_range(
		status.next_unix_s - status.tried_unix_s, UPDATES_AGAIN_S, UPDATES_AGAIN_S + 60);
	assert_int_equal(http.requests, 1);
	assert_int_equal(rmdir(path), 0);
	assert_int_equal(rename(aside, path), 0);
	fetch_again(&k);
	assert_int_equal(status.results[UPDATE_OLDER], 1);
	assert_string_equal(status.version, "9.0.0");
}

TEST_WITH(another_key_forgets_the_former_file, start, stop)
{
	const struct update_key k = update_key_make(), other = update_key_make();
	serve(&k, "9.0.0", 60);
	fetch(&k);
	fetch(&other);
	assert_int_equal(status.results[UPDATE_UNSIGNED], 1);
	assert_string_equal(status.version, "");
	assert_false(status.available);
	serve(&other, "8.0.0", 120);
	fetch_again(&other);
	assert_int_equal(status.results[UPDATE_GOOD], 2);
	assert_string_equal(status.version, "8.0.0");
}

TEST_WITH(what_is_no_good_file_is_counted_by_its_name, start, stop)
{
	static const struct {
		const char *path;
		enum update_fault fault;
		uint64_t again_s;
	} cases[] = {{"/long", UPDATE_TOO_LONG, DAY_S}, {"/saidlong", UPDATE_TOO_LONG, DAY_S},
		{"/bomb", UPDATE_TOO_LONG, DAY_S}, {"/html", UPDATE_UNSIGNED, DAY_S},
		{"/empty", UPDATE_UNSIGNED, DAY_S}, {"/500", UPDATE_FAILED, UPDATES_AGAIN_S},
		{"/truncated", UPDATE_FAILED, UPDATES_AGAIN_S},
		{"/loop", UPDATE_FAILED, UPDATES_AGAIN_S}, {"/503", UPDATE_FAILED, DAY_S}};
	const struct update_key k = update_key_make();
	uint64_t wanted[UPDATE_FAULTS] = {0};
	for (unsigned i = 0; i < ARRAY_LEN(cases); i++) {
		wanted[cases[i].fault]++;
		snprintf(url, sizeof(url), "http://127.0.0.1:%u%s", http.port, cases[i].path);
		fetch_again(&k);
		if (memcmp(status.results, wanted, sizeof(wanted)) != 0)
			fail_msg("%s: %s", cases[i].path, status.why);
		assert_string_not_equal(status.why, "");
		assert_in_range(status.next_unix_s - status.tried_unix_s, cases[i].again_s,
			cases[i].again_s + 60);
	}
	assert_int_equal(events_of(EVENT_update_refused), 5);
}

TEST_WITH(an_address_that_is_not_public_is_not_asked, start, stop)
{
	const struct update_key k = update_key_make();
	config.blocking.update.allow_private = false;
	fetch(&k);
	assert_int_equal(status.results[UPDATE_FAILED], 1);
	assert_string_equal(status.why,
		"no file: 127.0.0.1 is not a public address (blocking.update.allow_private)");
	assert_int_equal(http.requests, 0);
}

TEST_WITH(a_damaged_stored_file_is_none, start, stop)
{
	const struct update_key k = update_key_make();
	char path[FOLDER_MAX + 16];
	snprintf(path, sizeof(path), "%s/update", own_folder);
	int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	assert_true(fd >= 0);
	for (unsigned i = 0; i < 100; i++)
		assert_int_equal(write(fd, "weir-update 1\nversion 9.9.9\n", 28), 28);
	close(fd);
	serve(&k, "9.0.0", 60);
	fetch(&k);
	assert_string_equal(status.version, "9.0.0");
	struct stat st;
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_size, strlen(http.body));
}
