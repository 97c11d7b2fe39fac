// SPDX-License-Identifier: BSD-3-Clause
//
// Searches of the query store over the control API's real socket, on files of query_rows.h.

#include "tests/unit/cp/http/api_rig.h"
#include "tests/unit/cp/querylog/store/query_rows.h"

static struct query_store *store;
static struct config_client clients[] = {{.name = (char[]){"tv"}}, {.name = (char[]){"phone"}}};
static struct config_group groups[] = {{.name = (char[]){"kids"}}};

static int setup(void **)
{
	config = (struct config){
		.client_count = 2, .clients = clients, .group_count = 1, .groups = groups};
	if (api_rig_begin() < 0 || query_rows_write(api_folder))
		return -1;
	const struct query_store_settings settings = {
		.folder = api_folder, .hours = 10, .max_bytes = 16 << 20};
	if (query_store_open(&store, &settings))
		return -1;
	return api_rig_open((struct api_deps){.store = store});
}

static int teardown(void **)
{
	api_rig_end();
	query_store_close(store);
	return api_rig_close(NULL);
}

TEST(test_found)
{
	assert_reply("GET /log/search?limit=9", 200, "\"complete\":true,\"after\":\"\"",
		"\"qname\":\"a\\\\\\\"\\\\000\\\\255.example.\"",
		"\"client_name\":\"<b>\\\"Ann's\\\"</b>\"");
	assert_reply("GET /log/search?limit=9&name=TEST", 200, "\"qtype\":\"TYPE65280\"");
	assert_reply("GET /log/search?limit=9&client=FD53:0::1", 200, "=cmd|x.example.");
	assert_reply("GET /log/search?limit=9&part=tHer.", 200, "other.test.");
	assert_reply("GET /log/search?limit=9&part=absent", 200, "{\"rows\":[],");
	assert_reply("GET /log/search?limit=9&rcode=noerror", 200, "\"rcode_text\":\"NOERROR\"");
	assert_reply("GET /log/search?limit=9&rcode=3", 200, "{\"rows\":[],");
	assert_reply("GET /log/search?limit=9&rcode=NXDOMIAN", 400, "did you mean");
	assert_reply("GET /log/search?limit=9&rcode=4096", 400, "no response code");
	assert_reply("GET /log/search?limit=9&name=nobody.test", 200, "{\"rows\":[],");
	assert_reply("GET /log/search?limit=9&verdict=blocked", 200, "{\"rows\":[],");
	assert_reply("GET /log/search?limit=9&client=192.0.2.99", 200, "{\"rows\":[],");
	assert_reply("GET /log/search?limit=9&client=TV", 200, "{\"rows\":[],");
	assert_reply(
		"GET /log/search?limit=9&name=https://TEST./a,b", 200, "\"qtype\":\"TYPE65280\"");
	assert_reply("GET /log/search?limit=9&validation=bogus", 200, "{\"rows\":[],");
	assert_reply("GET /log/search?limit=9&validation=secure", 200, "\"validation\":\"secure\"");
	assert_reply("GET /log/search?limit=9&verdict=resolved", 200, "{\"rows\":[");
	assert_reply("GET /log/search?limit=9&verdict=unlogged", 200, "{\"rows\":[");
	assert_reply("GET /log/search?limit=9&until=1", 200, "{\"rows\":[],");
	assert_reply("GET /log/search?limit=9", 200, "\"ede\":-1");
}

TEST(test_top)
{
	assert_reply("GET /log/top", 200, "\"complete\":true,\"covered_s\":86400",
		"\"names\":{\"queries\":3,\"items\":[{\"text\":");
	assert_reply("GET /log/top?client=FD53::1", 200, "\"names\":{\"queries\":1,");
	assert_reply("GET /log/top?limit=1", 200, "\"blocked\":{\"queries\":0,\"items\":[]}");
	assert_reply("GET /log/top?client=TV&seconds=60", 200, "\"names\":{\"queries\":0,");
	assert_reply("GET /log/top?limit=101", 400, "limit");
	assert_reply("GET /log/top?seconds=99999999", 400, "seconds");
	assert_reply("GET /log/top?seconds=-1", 400, "seconds");
}

// One row a page, from either end.
TEST(test_pages)
{
	char request[128], after[32];
	const struct {
		const char *oldest_first, *first, *second;
	} ways[] = {{"0", "other.test.", "=cmd"}, {"1", "\\\\255", "=cmd"}};
	for (unsigned i = 0; i < 2; i++) {
		snprintf(request, sizeof(request), "GET /log/search?limit=1&oldest_first=%s",
			ways[i].oldest_first);
		assert_reply(request, 200, ways[i].first);
		const char *at = strstr(reply, "\"after\":\"");
		assert_non_null(at);
		snprintf(after, sizeof(after), "%.*s", (int)strcspn(at + 9, "\""), at + 9);
		snprintf(request, sizeof(request),
			"GET /log/search?limit=1&oldest_first=%s&after=%s", ways[i].oldest_first,
			after);
		assert_reply(request, 200, ways[i].second);
		assert_null(strstr(reply, ways[i].first));
	}
}

// A name that the configuration no longer has is looked for all the same.
TEST(test_a_client_of_then)
{
	const char *request = "GET /log/search?limit=9&client=%3Cb%3E%22Ann%27s%22%3C%2Fb%3E";
	assert_reply(request, 200, "\"client_name\":\"<b>\\\"Ann's\\\"</b>\"",
		"\"unknown_client\":\"no client \\\"<b>\\\"Ann's\\\"</b>\\\" in the "
		"configuration or among found names\"");
	assert_reply("GET /log/search?limit=9&client=phnoe", 200, "{\"rows\":[],",
		"no client \\\"phnoe\\\" in the configuration or among found names; "
		"did you mean \\\"phone\\\"?");
	assert_reply("GET /log/search?limit=9&client=%27%20OR%201=1--", 200, "{\"rows\":[],");
	assert_reply("GET /log/search?limit=9&client=TV", 200, "\"unknown_client\":\"\"");
	assert_reply("GET /log/search?limit=9&client=192.0.2.99", 200, "\"unknown_client\":\"\"");
}

TEST(test_refused)
{
	assert_reply("POST /log/search?limit=9", 405, "use GET");
	assert_reply("GET /log/search", 400, "limit: is missing");
	assert_reply("GET /log/search?limit=0", 400, "limit: must be 1 to 1000");
	assert_reply("GET /log/search?limit=1001", 400, "limit: must be 1 to 1000");
	assert_reply("GET /log/search?limit=9&name=a..b", 400, "name: is not a domain name");
	assert_reply("GET /log/search?limit=9&since=-1", 400, "since: must be micro");
	assert_reply("GET /log/search?limit=9&until=1e9", 400, "until: must be micro");
	assert_reply("GET /log/search?limit=9&after=1.2", 400, "after: is no place");
	assert_reply("GET /log/search?limit=9&oldest_first=2", 400, "must be 0 or 1");
	assert_reply("GET /log/tail?client=%27%20OR%201=1--", 400,
		"client: \\\"' OR 1=1--\\\" is neither an IP address nor a client's name");
	assert_reply("GET /log/search?limit=9&verdict=blokced", 400,
		"no verdict \\\"blokced\\\"; did you mean \\\"blocked\\\"?");
	assert_reply("GET /log/search?limit=9&validation=bogos", 400,
		"no validation \\\"bogos\\\"; did you mean \\\"bogus\\\"?");
	assert_reply("GET /log/tail?validation=x", 400, "no validation");
	assert_reply("GET /log/search?limit=9&verdict=x", 400, "no verdict \\\"x\\\"");
	assert_reply(
		"GET /log/search?limit=9&name=a.test,b.test", 400, "name: is more than one name");
	assert_reply("GET /log/tail?client=phnoe", 400, "did you mean \\\"phone\\\"?");
	assert_reply("GET /log/tail?verdict=hits", 400, "no verdict");
	assert_reply(
		"GET /log/tail?group=kid", 400, "no group \\\"kid\\\"; did you mean \\\"kids\\\"?");
	assert_reply("GET /log/tail?group=adults", 400,
		"no group \\\"adults\\\"; groups: everyone, kids");
	assert_reply("GET /log/tail?group=kids", 409, "there is no query log");
	// What the log hides has no address to compare with.
	config.query_log.anonymize = LOG_CLIENTS_HASHED;
	assert_reply("GET /log/search?limit=9&client=phnoe", 200, "{\"rows\":[],");
	config.query_log.anonymize = LOG_CLIENTS_WHOLE;
}

TEST_GROUP(setup, teardown)
