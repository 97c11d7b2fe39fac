// SPDX-License-Identifier: BSD-3-Clause
// Lists that a primary hands out over a real socket: which, and to whom.

#include "api_rig.h"
#include "controlplane/http/http_server.h"
#include "controlplane/lists/fetch/list_files.h"

#include <inttypes.h>
#include <weir/list_file.h>

enum { TOKEN_MAX = 8 };

// All requests are a token's, of the number `right`; while it `holds`, no stored list is read.
static _Atomic uint64_t right;
static _Atomic bool holds;
static _Atomic unsigned held;

uint64_t __wrap_http_job_user(const struct http_exchange *);
uint64_t __wrap_http_job_user(const struct http_exchange *)
{
	return right;
}

uint64_t __wrap_http_right(const struct http_exchange *);
uint64_t __wrap_http_right(const struct http_exchange *)
{
	return right;
}

int __real_list_store_read(const struct list_store_paths *, bool, struct list_stored *);
int __wrap_list_store_read(const struct list_store_paths *, bool, struct list_stored *);
int __wrap_list_store_read(const struct list_store_paths *p, bool whole, struct list_stored *out)
{
	held += holds;
	WAIT_FOR(!holds);
	return __real_list_store_read(p, whole, out);
}

static struct config_list_tls tls;
static struct config_list lists[] = {{.name = (char[]){"open"}, .url = (char[]){"https://a/open"}},
	{.name = (char[]){"signed"}, .url = (char[]){"axfr://192.0.2.1/signed"}, .tsig = 1},
	{.name = (char[]){"proven"}, .url = (char[]){"axfr+tls://192.0.2.1/proven"}, .tls = &tls}};
static char left[] = "https://a/left"; // not in the configuration

static void store(const char *url)
{
	static const char text[] = "ads.example\n";
	char why[LIST_STORE_WHY_MAX];
	struct list_store_paths p;
	assert_int_equal(list_store_open(api_folder, why), 0);
	assert_int_equal(list_store_paths(&p, api_folder, url), 0);
	text_to_file(p.list, text);
	const struct list_stored s = {.good_unix_s = 9, .size = strlen(text)};
	assert_int_equal(list_store_write_state(&p, &s, why), 0);
}

static char *request_of(const char *url)
{
	return text_from("/sync/list?id=%016" PRIx64 "&hash=0&good=0", list_file_id(url));
}

static void is_refused(const char *url, unsigned status, const char *why)
{
	assert_reply(text_from("GET %s", request_of(url)), status, why);
}

static int setup(void **)
{
	if (api_rig_begin() < 0)
		return -1;
	for (unsigned i = 0; i < ARRAY_LEN(lists); i++)
		store(lists[i].url);
	store(left);
	config.blocking.lists = lists;
	config.blocking.list_count = ARRAY_LEN(lists);
	return api_rig_open((struct api_deps){0});
}

static int teardown(void **state)
{
	holds = false;
	right = 0;
	api_rig_end();
	return api_rig_close(state);
}

TEST_WITH(test_which_lists_are_handed_out, setup, teardown)
{
	const int fd = stream_begin(request_of(lists[0].url), "");
	stream_wait(fd, "ads.example\n");
	close(fd);
	is_refused(lists[1].url, 404, "no list that this box hands out has this id");
	is_refused(lists[2].url, 404, "no list that this box hands out has this id");
	is_refused(left, 404, "no list that this box hands out has this id");
	config.sync.primary = (char[]){"https://box1:9953"};
	is_refused(lists[0].url, 409, "this box is a secondary of https://box1:9953");
	config.sync.primary = NULL;
}

// One that still opens its list counts as well.
TEST_WITH(test_how_many_a_token_has, setup, teardown)
{
	int fd[TOKEN_MAX];
	char *what = request_of(lists[0].url);
	right = 7;
	for (unsigned i = 0; i < TOKEN_MAX - 2; i++) {
		fd[i] = stream_begin(what, "");
		stream_wait(fd[i], "\"hash\"");
	}
	holds = true;
	for (unsigned i = TOKEN_MAX - 2; i < TOKEN_MAX; i++)
		fd[i] = stream_begin(what, "");
	WAIT_FOR(held == 2);
	is_refused(lists[0].url, 503, "8 transfers of lists of this user are there already");
	holds = false;
	for (unsigned i = TOKEN_MAX - 2; i < TOKEN_MAX; i++)
		stream_wait(fd[i], "ads.example\n");
	for (unsigned i = 0; i < TOKEN_MAX; i++)
		close(fd[i]);
}
