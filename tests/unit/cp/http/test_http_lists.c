// SPDX-License-Identifier: BSD-3-Clause
// Lists that a primary hands out over a real socket: which, and to whom.

#include "api_rig.h"
#include "controlplane/lists/fetch/list_files.h"

#include <inttypes.h>
#include <weir/list_file.h>

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
