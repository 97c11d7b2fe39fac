// SPDX-License-Identifier: BSD-3-Clause

#include "controlplane/lists/fetch/list_files.h"
#include "controlplane/lists/fetch/list_update.h"
#include "tests/unit/cp/http/fake_http.h"
#include "tests/unit/unit.h"

#include <limits.h>

static struct fake_http http;
static struct config_update update = {
	.timeout_s = 60, .max_mb = 1, .max_redirects = 3, .allow_private = true};
static struct list_update_options options = {.update = &update};
static char folder[64], url[LIST_UPDATE_THREADS * 3][128];
static struct list_update list[LIST_UPDATE_THREADS * 3];

static int start(void **)
{
	char why[LIST_STORE_WHY_MAX];
	log_init("test", LOG_LEVEL_ERROR - 1); // quiet: failures are part of the tests
	if (folder_make(folder, "update") || list_store_open(folder, why))
		return -1;
	options.state_directory = folder;
	fake_http_start(&http);
	return 0;
}

static int stop(void **)
{
	fake_http_stop(&http);
	return folder_remove(folder, "");
}

static void ask_for(unsigned i, const char *path, bool force)
{
	snprintf(url[i], sizeof(url[i]), "http://127.0.0.1:%u%s", http.port, path);
	list[i] = (struct list_update){.url = url[i], .wanted = true, .force = force};
}

static enum list_update_outcome run(const char *path, bool force)
{
	const uint64_t from_s = (uint64_t)time(NULL);
	ask_for(0, path, force);
	unsigned changed = list_update_all(&options, list, 1);
	assert_int_equal(changed, list[0].outcome == LIST_UPDATE_CHANGED);
	assert_in_range(list[0].try_unix_s, from_s, (uint64_t)time(NULL));
	assert_true(!list[0].why[0] == (list[0].outcome != LIST_UPDATE_FAILED));
	struct list_store_paths p;
	assert_int_equal(list_store_paths(&p, folder, url[0]), 0);
	assert_int_not_equal(access(p.temporary, F_OK), 0);
	return list[0].outcome;
}

static ino_t stored_is(const char *path, const char *expected)
{
	struct list_store_paths p;
	struct stat st;
	char text[512] = "";
	snprintf(url[0], sizeof(url[0]), "http://127.0.0.1:%u%s", http.port, path);
	assert_int_equal(list_store_paths(&p, folder, url[0]), 0);
	FILE *f = fopen(p.list, "r");
	assert_non_null(f);
	text[fread(text, 1, sizeof(text) - 1, f)] = '\0';
	assert_int_equal(fstat(fileno(f), &st), 0);
	fclose(f);
	assert_string_equal(text, expected);
	return st.st_ino;
}

TEST_WITH(test_kept_until_it_changes, start, stop)
{
	assert_int_equal(run("/list", false), LIST_UPDATE_CHANGED);
	ino_t inode = stored_is("/list", "ads.example\n");
	uint64_t good = list[0].good_unix_s;
	assert_int_equal(good, list[0].try_unix_s);
	assert_int_equal(run("/list", false), LIST_UPDATE_UNCHANGED);
	assert_int_equal(list[0].http_status, 304);
	assert_int_equal(stored_is("/list", "ads.example\n"), inode);
	// Another ETag for the same bytes, and a request that asks without condition.
	fake_http_body(&http, "ads.example\n", "\"v2\"");
	assert_int_equal(run("/list", false), LIST_UPDATE_UNCHANGED);
	assert_int_equal(list[0].http_status, 200);
	assert_int_equal(run("/list", false), LIST_UPDATE_UNCHANGED);
	assert_int_equal(list[0].http_status, 304);
	assert_int_equal(run("/list", true), LIST_UPDATE_UNCHANGED);
	assert_int_equal(list[0].http_status, 200);
	assert_int_equal(stored_is("/list", "ads.example\n"), inode);
	fake_http_body(&http, "new.example\n", "\"v3\"");
	assert_int_equal(run("/list", false), LIST_UPDATE_CHANGED);
	stored_is("/list", "new.example\n");
}

TEST_WITH(test_what_is_no_list_changes_nothing, start, stop)
{
	static const char *const bad[] = {"<html><p>Log in</p></html>\n", "", "# nothing\n"};
	assert_int_equal(run("/list", false), LIST_UPDATE_CHANGED);
	uint64_t good = list[0].good_unix_s;
	for (unsigned i = 0; i < ARRAY_LEN(bad); i++) {
		fake_http_body(&http, bad[i], "\"other\"");
		assert_int_equal(run("/list", false), LIST_UPDATE_FAILED);
		assert_int_equal(list[0].http_status, 200);
		assert_int_equal(list[0].good_unix_s, good);
		stored_is("/list", "ads.example\n");
	}
	// Nor do its validators count.
	fake_http_body(&http, "ads.example\n", "\"v1\"");
	assert_int_equal(run("/list", false), LIST_UPDATE_UNCHANGED);
	assert_int_equal(list[0].http_status, 304);
	// An empty one is taken by force, a page is not.
	fake_http_body(&http, bad[0], "\"other\"");
	assert_int_equal(run("/list", true), LIST_UPDATE_FAILED);
	fake_http_body(&http, bad[2], "\"other\"");
	assert_int_equal(run("/list", true), LIST_UPDATE_CHANGED);
	stored_is("/list", "# nothing\n");
}

TEST_WITH(test_failed_downloads_leave_nothing, start, stop)
{
	static const char *const bad[] = {"/truncated", "/chunk", "/500", "/empty", "/html",
		"/bomb", "/loop", "/tofile", "/notgzip"};
	for (unsigned i = 0; i < ARRAY_LEN(bad); i++) {
		struct list_store_paths p;
		assert_int_equal(run(bad[i], false), LIST_UPDATE_FAILED);
		assert_int_equal(list[0].good_unix_s, 0);
		assert_int_equal(list_store_paths(&p, folder, url[0]), 0);
		assert_int_not_equal(access(p.list, F_OK), 0);
		assert_int_not_equal(access(p.state, F_OK), 0);
	}
}

// A file that is not what was stored is fetched as if there were none.
TEST_WITH(test_damage_is_fetched_anew, start, stop)
{
	struct list_store_paths p;
	struct list_stored s;
	assert_int_equal(run("/list", false), LIST_UPDATE_CHANGED);
	assert_int_equal(list_store_paths(&p, folder, url[0]), 0);
	assert_int_equal(list_store_read(&p, true, &s), 0);
	for (unsigned i = 0; i < 4; i++) {
		FILE *f = fopen(i < 2 ? p.list : p.state, i % 2 ? "a" : "r+");
		assert_non_null(f);
		assert_int_equal(fputc('X', f), 'X');
		fclose(f);
		assert_int_not_equal(list_store_read(&p, true, &s), 0);
		assert_int_equal(run("/list", false), LIST_UPDATE_CHANGED);
		assert_int_equal(list[0].http_status, 200);
		assert_int_equal(list_store_read(&p, true, &s), 0);
		stored_is("/list", "ads.example\n");
	}
}

TEST_WITH(test_many_at_a_time, start, stop)
{
	char path[32];
	for (unsigned i = 0; i < ARRAY_LEN(list); i++) {
		snprintf(path, sizeof(path), i % 3 == 2 ? "/500?%u" : "/list?%u", i);
		ask_for(i, path, false);
		list[i].wanted = i % 3 != 1;
	}
	assert_int_equal(list_update_all(&options, list, ARRAY_LEN(list)), LIST_UPDATE_THREADS);
	for (unsigned i = 0; i < ARRAY_LEN(list); i++)
		assert_int_equal(list[i].outcome, i % 3 == 0   ? LIST_UPDATE_CHANGED
						  : i % 3 == 1 ? LIST_UPDATE_NONE
							       : LIST_UPDATE_FAILED);
	static _Atomic bool stop_now = true;
	options.stop = &stop_now;
	unsigned before = http.requests;
	assert_int_equal(list_update_all(&options, list, ARRAY_LEN(list)), 0);
	assert_int_equal(http.requests, before);
	options.stop = NULL;
}

TEST_WITH(test_what_nobody_needs_is_removed, start, stop)
{
	struct list_store_paths p[2];
	assert_int_equal(run("/list", false), LIST_UPDATE_CHANGED);
	assert_int_equal(list_store_paths(&p[0], folder, url[0]), 0);
	assert_int_equal(run("/list?2", false), LIST_UPDATE_CHANGED);
	assert_int_equal(list_store_paths(&p[1], folder, url[0]), 0);
	const char *other = text_from("%s/lists/notes.txt", folder);
	text_to_file(other, "");
	const char *used = url[0];
	list_store_prune(folder, &used, 1);
	assert_int_not_equal(access(p[0].list, F_OK), 0);
	assert_int_not_equal(access(p[0].state, F_OK), 0);
	assert_int_equal(access(p[1].list, F_OK), 0);
	assert_int_equal(access(p[1].state, F_OK), 0);
	assert_int_equal(access(other, F_OK), 0);
}

// "/none/none/..." of so many bytes. No such folder exists.
static int open_of_length(size_t len)
{
	char path[PATH_MAX + 1], why[LIST_STORE_WHY_MAX] = "";
	for (size_t i = 0; i < len; i++)
		path[i] = "/none"[i % 5];
	path[len] = 0;
	int rc = list_store_open(path, why);
	assert_true(rc == 0 || why[0]);
	return rc;
}

TEST_WITH(test_a_state_directory_that_cannot_be, start, stop)
{
	enum { LONGEST = PATH_MAX - sizeof "/lists" };
	assert_int_equal(open_of_length(LONGEST), -ENOENT);
	assert_int_equal(open_of_length(LONGEST + 1), -ENAMETOOLONG);
}

TEST_WITH(test_a_folder_has_no_content, start, stop)
{
	uint64_t size = 1, hash = 1;
	int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_true(fd >= 0);
	assert_int_equal(list_store_hash(fd, &size, &hash), -EISDIR);
	close(fd);
}

TEST_WITH(test_no_copy_of_a_folder, start, stop)
{
	const struct rule_source source = {.title = "a folder", .path = folder};
	char kept[PATH_MAX];
	assert_int_equal(list_kept_path(kept, folder, &source), 0);
	assert_true(list_kept_take(folder, &source, 0, 0) < 0);
	assert_int_not_equal(access(kept, F_OK), 0);
}

// In more steps than one; with the time of the list, by which it is known again.
TEST_WITH(test_a_copy_of_a_large_list, start, stop)
{
	enum { LONG = 3 << 20 };
	char path[PATH_MAX], kept[PATH_MAX];
	const struct rule_source source = {.title = "a large list", .path = path};
	const struct timespec old[2] = {{.tv_sec = 1000000000}, {.tv_sec = 1000000000}};
	uint64_t size, hash;
	snprintf(path, sizeof(path), "%s/large", folder);
	int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	assert_true(fd >= 0);
	assert_int_equal(ftruncate(fd, LONG), 0);
	assert_int_equal(futimens(fd, old), 0);
	assert_int_equal(list_store_hash(fd, &size, &hash), 0);
	close(fd);
	assert_int_equal(list_kept_path(kept, folder, &source), 0);
	assert_false(list_kept_is(path, kept));
	assert_int_equal(list_kept_take(folder, &source, hash, 0), 0);
	assert_true(list_kept_is(path, kept));
	assert_int_equal(list_kept_unix_s(kept), old[1].tv_sec);
}
