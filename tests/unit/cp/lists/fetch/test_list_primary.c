// SPDX-License-Identifier: BSD-3-Clause
//
// Lists as the primary has them: the head, what is taken, and when weir asks a list's own server.

#include "controlplane/lists/fetch/list_primary.h"
#include "tests/unit/cp/http/fake_http.h"
#include "tests/unit/unit.h"

#include <inttypes.h>
#include <limits.h>
#include <weir/keyhash.h>

static struct fake_http http;
static struct config_update update = {
	.timeout_s = 10, .max_mb = 1, .max_redirects = 3, .allow_private = true};
static char base[64], url[128], folder[64];
static struct list_primary primary = {
	.url = base, .token = (char[]){"secret"}, .ca_file = (char[]){""}};
static struct list_update_options options = {.update = &update, .primary = &primary};
static struct list_update list;

static int start(void **)
{
	char why[LIST_STORE_WHY_MAX];
	log_init("test", LOG_LEVEL_ERROR - 1); // quiet: failures are part of the tests
	if (folder_make(folder, "primary") || list_store_open(folder, why))
		return -1;
	options.state_directory = folder;
	fake_http_start(&http);
	snprintf(base, sizeof(base), "http://127.0.0.1:%u", http.port);
	snprintf(url, sizeof(url), "%s/list", base);
	return 0;
}

static int stop(void **)
{
	fake_http_stop(&http);
	return folder_remove(folder, "");
}

// The primary has `body`, confirmed at `good_unix_s`. `size`: what its head says.
static void primary_has(const char *body, uint64_t size, uint64_t good_unix_s, bool has_body)
{
	char reply[1024];
	const struct list_stored of = {.etag = "\"p\"",
		.good_unix_s = good_unix_s,
		.size = size,
		.content_hash = contenthash(body, strlen(body))};
	char *head = list_head_write(&of, has_body);
	assert_non_null(head);
	snprintf(reply, sizeof(reply), "%s%s", head, has_body ? body : "");
	free(head);
	fake_http_primary(&http, reply);
}

static enum list_update_outcome run(bool primary_alone)
{
	list = (struct list_update){.url = url, .wanted = true, .primary_alone = primary_alone};
	(void)list_update_all(&options, &list, 1);
	struct list_store_paths p;
	assert_int_equal(list_store_paths(&p, folder, url), 0);
	assert_int_not_equal(access(p.temporary, F_OK), 0);
	return list.outcome;
}

static void stored_is(const char *expected, struct list_stored *out)
{
	struct list_store_paths p;
	char text[512] = "";
	assert_int_equal(list_store_paths(&p, folder, url), 0);
	assert_int_equal(list_store_read(&p, true, out), 0);
	FILE *f = fopen(p.list, "r");
	assert_non_null(f);
	text[fread(text, 1, sizeof(text) - 1, f)] = '\0';
	fclose(f);
	assert_string_equal(text, expected);
}

TEST_WITH(test_heads_that_are_none, start, stop)
{
	static const char *const bad[] = {"\n", "{}\n", "[]\n", "{\"size\":1}\n",
		"{\"size\":-1,\"hash\":\"0123456789abcdef\",\"good_unix_s\":5,\"body\":true}\n",
		"{\"size\":1,\"hash\":\"0123456789abcde\",\"good_unix_s\":5,\"body\":true}\n",
		"{\"size\":1,\"hash\":\"0123456789abcdeg\",\"good_unix_s\":5,\"body\":true}\n",
		"{\"size\":1,\"hash\":\"0123456789abcdef\",\"good_unix_s\":0,\"body\":true}\n",
		"{\"size\":1,\"hash\":\"0123456789abcdef\",\"good_unix_s\":5,\"body\":1}\n"};
	for (unsigned i = 0; i < ARRAY_LEN(bad); i++) {
		fake_http_primary(&http, bad[i]);
		assert_int_equal(run(true), LIST_UPDATE_WAITS);
		assert_string_equal(list.why, "the primary's reply is malformed");
	}
}

// A validator that no server sends counts as absent.
TEST_WITH(test_an_odd_validator, start, stop)
{
	struct list_stored s;
	char reply[256];
	snprintf(reply, sizeof(reply),
		"{\"size\":10,\"hash\":\"%016" PRIx64
		"\",\"good_unix_s\":5,\"body\":true,\"etag\":\"a\\nb\",\"more\":[]}\nb.example\n",
		contenthash("b.example\n", 10));
	fake_http_primary(&http, reply);
	assert_int_equal(run(true), LIST_UPDATE_CHANGED);
	stored_is("b.example\n", &s);
	assert_string_equal(s.etag, "");
}

TEST_WITH(test_the_primary_is_asked_first, start, stop)
{
	struct list_stored s;
	const uint64_t good = (uint64_t)time(NULL) - 1000;
	primary_has("primary.example\n", 16, good, true);
	assert_int_equal(run(true), LIST_UPDATE_CHANGED);
	assert_true(list.is_of_primary);
	assert_int_equal(list.good_unix_s, good);
	assert_true(fake_http_last_has(&http, "Authorization: Bearer secret\r\n"));
	assert_true(fake_http_last_has(&http, "&good=0 "));
	assert_int_equal(http.requests, 1);
	stored_is("primary.example\n", &s);
	assert_int_equal(s.good_unix_s, good);
	assert_string_equal(s.etag, "\"p\"");

	// The same, confirmed later.
	primary_has("primary.example\n", 16, good + 500, false);
	assert_int_equal(run(true), LIST_UPDATE_UNCHANGED);
	stored_is("primary.example\n", &s);
	assert_int_equal(s.good_unix_s, good + 500);

	// A date to come is that of now.
	primary_has("later.example\n", 14, good + 100000, true);
	assert_int_equal(run(true), LIST_UPDATE_CHANGED);
	assert_in_range(list.good_unix_s, good + 1000, (uint64_t)time(NULL));
}

// A primary that sends what a box is to have grown out of, with a body or without one.
TEST_WITH(test_no_copy_confirmed_earlier, start, stop)
{
	struct list_stored s;
	const uint64_t good = (uint64_t)time(NULL) - 1000;
	fake_http_primary(&http, "{\"size\":0,\"hash\":\"0000000000000000\",\"good_unix_s\":5,"
				 "\"body\":false}\n");
	assert_int_equal(run(true), LIST_UPDATE_WAITS);
	assert_string_equal(list.why, "the primary has another copy, which it left out");
	primary_has("new.example\n", 12, good, true);
	assert_int_equal(run(true), LIST_UPDATE_CHANGED);
	for (unsigned i = 0; i < 2; i++) {
		primary_has("old.example\n", 12, good - i, true);
		assert_int_equal(run(true), LIST_UPDATE_WAITS);
		assert_string_equal(list.why, "the primary's copy was not confirmed later");
		primary_has("new.example\n", 12, good - i, false);
		assert_int_equal(run(true), LIST_UPDATE_WAITS);
	}
	stored_is("new.example\n", &s);
	assert_int_equal(s.good_unix_s, good);
}

TEST_WITH(test_without_a_newer_copy, start, stop)
{
	struct list_stored s;
	assert_int_equal(run(true), LIST_UPDATE_WAITS);
	assert_int_equal(http.requests, 1);
	assert_int_equal(run(false), LIST_UPDATE_CHANGED); // its own server has it
	assert_false(list.is_of_primary);
	assert_string_equal(list.why, "");
	assert_int_equal(http.requests, 3);
	stored_is("ads.example\n", &s);
	assert_int_equal(run(true), LIST_UPDATE_WAITS);
	stored_is("ads.example\n", &s);
}

TEST_WITH(test_what_is_not_taken, start, stop)
{
	static const char page[] = "<html><p>Log in</p></html>\n";
	const uint64_t now = (uint64_t)time(NULL);
	struct list_stored s;
	assert_int_equal(run(false), LIST_UPDATE_CHANGED);
	primary_has("cut.example\n", 100, now + 9, true); // ends too early
	assert_int_equal(run(true), LIST_UPDATE_WAITS);
	primary_has("big.example\n", 1 << 21, now + 9, true);
	assert_int_equal(run(true), LIST_UPDATE_WAITS);
	primary_has(page, sizeof(page) - 1, now + 9, true);
	assert_int_equal(run(true), LIST_UPDATE_WAITS);
	primary_has("hash.example\n", 13, now + 9, true);
	strchr(http.primary, '\n')[1] = 'H';
	assert_int_equal(run(true), LIST_UPDATE_WAITS);
	primary_has("another.example\n", 16, now + 9, false); // it was never sent here
	assert_int_equal(run(true), LIST_UPDATE_WAITS);
	assert_string_equal(list.why, "the primary has another copy, which it left out");
	fake_http_primary(&http, "no head\n");
	assert_int_equal(run(true), LIST_UPDATE_WAITS);
	stored_is("ads.example\n", &s);
	// Nothing of it is left for what the list's server sends then.
	fake_http_body(&http, "new.example\n", "\"v2\"");
	primary_has("a longer text than that of the server.example\n", 100, now + 9, true);
	assert_int_equal(run(false), LIST_UPDATE_CHANGED);
	stored_is("new.example\n", &s);
}

// The primary's list has taken the place of the stored one when its state cannot be written, as on
// a full disk: what the list's own server sends then goes to another file.
TEST_WITH(test_a_state_that_cannot_be_written, start, stop)
{
	struct list_store_paths p;
	char text[64] = "";
	snprintf(url, sizeof(url), "%s/500", base);
	assert_int_equal(list_store_paths(&p, folder, url), 0);
	assert_int_equal(mkdir(p.state, 0700), 0);
	primary_has("primary.example\n", 16, (uint64_t)time(NULL) - 1000, true);
	assert_int_equal(run(false), LIST_UPDATE_FAILED);
	assert_int_equal(list.http_status, 500);
	FILE *f = fopen(p.list, "r");
	assert_non_null(f);
	text[fread(text, 1, sizeof(text) - 1, f)] = '\0';
	fclose(f);
	assert_string_equal(text, "primary.example\n");
	assert_int_equal(rmdir(p.state), 0);
}
