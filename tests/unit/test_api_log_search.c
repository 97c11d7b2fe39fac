// SPDX-License-Identifier: BSD-3-Clause
//
// Searches of the query store over the control API's real socket, on files that query_file.h wrote.

#include "../../controlplane/api.h"
#include "../../controlplane/query_file.h"
#include "../../controlplane/query_folder.h"
#include "http_client.h"

#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static char folder[] = "/tmp/weir-test-log-XXXXXX";
static struct loop *service;
static struct api *api;
static struct query_store *store;
static pthread_t thread;

static void *service_run(void *)
{
	assert_int_equal(loop_run(service), 0);
	return NULL;
}

static struct querylog_text text_of(const char *s)
{
	return (struct querylog_text){.at = s, .len = (uint16_t)strlen(s)};
}

// Three rows of this hour: the times are 1, 2 and 3 us into it.
static int rows_write(int64_t hour)
{
	static const char *const names[] = {
		"a\\\"\\000\\255.example.", "=cmd|x.example.", "other.test."};
	struct query_file *f;
	char file[PATH_MAX];
	int ret = query_file_new(&f);
	if (ret == 0)
		ret = query_folder_path(folder, hour, 1, file);
	if (ret == 0)
		ret = query_file_open(f, file, hour);
	for (unsigned i = 0; ret == 0 && i < 3; i++) {
		const struct querylog_row row = {
			.time_us = (uint64_t)(hour * INT64_C(3600000000)) + 1 + i,
			.weight = 1,
			.qname = text_of(names[i]),
			.client = text_of(i == 1 ? "fd53::1" : "198.18.0.2"),
			.client_name = text_of("<b>\"Ann's\"</b>"),
			.group = text_of(""),
			.verdict = text_of("hit"),
			.list = text_of(""),
			.upstream = text_of(""),
			.qtype = i == 2 ? 65280 : 28,
			.ede = QUERYLOG_NO_EDE,
			.tier = QUERYLOG_TIER_L0,
			.client_version = i == 1 ? 6 : 4,
			.is_answered = true};
		ret = query_file_put(f, "box", &row, 1);
	}
	if (ret == 0)
		ret = query_file_commit(f);
	query_file_free(f);
	return ret;
}

static int setup(void **)
{
	char why[API_WHY_MAX];
	signal(SIGPIPE, SIG_IGN); // as the control plane does
	if (!mkdtemp(folder) || rows_write((int64_t)time(NULL) / 3600)
		|| loop_new("service", &service))
		return -1;
	const struct query_store_settings settings = {
		.folder = folder, .hours = 10, .max_bytes = 16 << 20};
	if (query_store_open(&store, &settings))
		return -1;
	snprintf(path, sizeof path, "%s/control.sock", folder);
	const struct api_deps deps = {.service = service, .store = store, .socket_path = path};
	if (api_open(&api, &deps, why))
		return -1;
	return pthread_create(&thread, NULL, service_run, NULL);
}

static int teardown(void **)
{
	char command[128];
	loop_stop(service);
	pthread_join(thread, NULL);
	api_close(api);
	query_store_close(store);
	loop_free(service);
	snprintf(command, sizeof command, "rm -rf %s", folder);
	return system(command);
}

static void test_found(void **)
{
	assert_reply("GET /log/search?limit=9", 200, "\"complete\":true,\"after\":\"\"");
	assert_reply(
		"GET /log/search?limit=9", 200, "\"qname\":\"a\\\\\\\"\\\\000\\\\255.example.\"");
	assert_reply("GET /log/search?limit=9", 200, "\"client_name\":\"<b>\\\"Ann's\\\"</b>\"");
	assert_reply("GET /log/search?limit=9&name=TEST", 200, "\"qtype\":\"TYPE65280\"");
	assert_reply("GET /log/search?limit=9&client=FD53:0::1", 200, "=cmd|x.example.");
	assert_reply("GET /log/search?limit=9&name=nobody.test", 200, "{\"rows\":[],");
	assert_reply("GET /log/search?limit=9&verdict=blocked", 200, "{\"rows\":[],");
	assert_reply("GET /log/search?limit=9&client=%27%20OR%201=1--", 200, "{\"rows\":[],");
	assert_reply("GET /log/search?limit=9&until=1", 200, "{\"rows\":[],");
	assert_reply("GET /log/search?limit=9", 200, "\"ede\":-1");
}

// One row a page, from either end.
static void test_pages(void **)
{
	char request[128], after[32];
	const struct {
		const char *oldest_first, *first, *second;
	} ways[] = {{"0", "other.test.", "=cmd"}, {"1", "\\\\255", "=cmd"}};
	for (unsigned i = 0; i < 2; i++) {
		snprintf(request, sizeof request, "GET /log/search?limit=1&oldest_first=%s",
			ways[i].oldest_first);
		assert_reply(request, 200, ways[i].first);
		const char *at = strstr(reply, "\"after\":\"");
		assert_non_null(at);
		snprintf(after, sizeof after, "%.*s", (int)strcspn(at + 9, "\""), at + 9);
		snprintf(request, sizeof request,
			"GET /log/search?limit=1&oldest_first=%s&after=%s", ways[i].oldest_first,
			after);
		assert_reply(request, 200, ways[i].second);
		assert_null(strstr(reply, ways[i].first));
	}
}

static void test_refused(void **)
{
	assert_reply("POST /log/search?limit=9", 405, "use GET");
	assert_reply("GET /log/search", 400, "limit: must be 1 to 1000");
	assert_reply("GET /log/search?limit=1001", 400, "limit: must be 1 to 1000");
	assert_reply("GET /log/search?limit=9&name=a..b", 400, "name: is not a domain name");
	assert_reply("GET /log/search?limit=9&since=-1", 400, "since: must be micro");
	assert_reply("GET /log/search?limit=9&until=1e9", 400, "until: must be micro");
	assert_reply("GET /log/search?limit=9&after=1.2", 400, "after: is no place");
	assert_reply("GET /log/search?limit=9&oldest_first=2", 400, "must be 0 or 1");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_found),
		cmocka_unit_test(test_pages),
		cmocka_unit_test(test_refused),
	};
	return cmocka_run_group_tests(tests, setup, teardown);
}
