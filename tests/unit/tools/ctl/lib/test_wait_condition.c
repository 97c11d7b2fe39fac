// SPDX-License-Identifier: BSD-3-Clause
// What weirctl wait takes, and what meets it.

#include "tests/unit/unit.h"
#include "tools/ctl/lib/wait_condition.h"

#include <weir/attr.h>

enum { WORDS_MAX = 5 };

// The words of `text`, which is cut up.
static bool parse(struct wait_condition *w, char *text, char why[WAIT_TEXT_MAX])
{
	const char *word[WORDS_MAX];
	unsigned words = 0;
	for (char *p = strtok(text, " "); p && words < WORDS_MAX; p = strtok(NULL, " "))
		word[words++] = p;
	return wait_parse(w, word, words, why);
}

TEST(test_refused)
{
	static const struct {
		const char *text, *why;
	} cases[] = {
		{"reddy", "no such condition: reddy; did you mean ready?"},
		{"xyzzy", "it is one of generations, lists"},
		{"ready now", "too many: weirctl wait ready"},
		{"list", "is missing: weirctl wait list NAME"},
		{"upstream 192.0.2.1", "is missing: weirctl wait upstream SERVER up|down|drained"},
		{"upstream 192.0.2.1 dwon", "no such state of a server: dwon; did you mean down?"},
		{"counter tcp.open >=", "is missing: weirctl wait counter PATH OP VALUE"},
		{"counter tpc.open >= 1", "no such command of a path: tpc; did you mean tcp?"},
		{"counter tcp.open => 1", "no such operator: =>; did you mean"},
		{"counter tcp.open >= 1x", "no number: 1x"},
		{"counter tcp.open >= nan", "no number: nan"},
		{"counter tcp >= 1", "no path, at tcp:"},
		{"counter tcp. >= 1", "no path, at tcp.:"},
		{"counter tcp..open >= 1", "no path, at .open:"},
		{"counter tcp[0].open >= 1", "no path, at "},
		{"counter tcp.list[ >= 1", "no path, at list[:"},
		{"counter tcp.list[] >= 1", "no path, at list[]:"},
		{"counter tcp.list[x] >= 1", "no path, at list[x]:"},
		{"counter tcp.list[0]x >= 1", "no path, at list[0]x:"},
		{"counter .open >= 1", "no path, at .open:"},
	};
	for (unsigned i = 0; i < ARRAY_LEN(cases); i++) {
		char why[WAIT_TEXT_MAX] = "";
		struct wait_condition w;
		if (parse(&w, text_from("%s", cases[i].text), why) || !strstr(why, cases[i].why))
			fail_msg("%s: %s", cases[i].text, why);
	}
}

TEST(test_times)
{
	static const struct {
		const char *text;
		uint64_t ms;
	} good[] = {{"0s", 0}, {"500ms", 500}, {"60s", 60000}, {"5m", 300000}, {"24h", 86400000}};
	static const char *const bad[] = {
		"", "s", "5", "5 s", "-5s", "5d", "25h", "999999999s", "1s2"};
	uint64_t ms;
	for (unsigned i = 0; i < ARRAY_LEN(good); i++)
		if (!wait_for_parse(good[i].text, &ms) || ms != good[i].ms)
			fail_msg("%s", good[i].text);
	for (unsigned i = 0; i < ARRAY_LEN(bad); i++)
		if (wait_for_parse(bad[i], &ms))
			fail_msg("%s", bad[i]);
}

#define GENERATIONS(linked, dp)                                                               \
	"{\"controlplane\": {\"generations\": {\"l0\": 3, \"rule_image\": 2, \"config\": 1, " \
	"\"policy\": 1}, \"link_up\": " linked "}, \"dataplane\": {" dp "}}"
#define ALL                                                                              \
	"\"l0_generation\": 3, \"rule_image_generation\": 2, \"config_generation\": 1, " \
	"\"policy_generation\": 1"
#define LISTS                                                                                \
	"\"names\": 5, \"lists\": [{\"name\": \"file\", \"names\": 5, \"failing\": false}, " \
	"{\"name\": \"new\", \"url\": \"u\", \"last_good_unix_s\": 0, \"failing\": false}, " \
	"{\"name\": \"bad\", \"url\": \"u\", \"names\": 2, \"failing\": true, "              \
	"\"fetch_error\": \"status 404\"}, "                                                 \
	"{\"name\": \"empty\", \"url\": \"u\", \"last_good_unix_s\": 7, \"failing\": false}]"
#define SERVERS                                                                              \
	"{\"upstreams\": [{\"name\": \"a.test\", \"address\": \"192.0.2.1:53\", \"state\": " \
	"\"up\", \"sent\": 7}, {\"name\": \"b\", \"address\": \"192.0.2.2:53\", \"state\": " \
	"\"down\"}, {\"name\": \"b\", \"address\": \"192.0.2.2:53\", \"state\": \"up\"}]}"
#define EVENTS                                                                         \
	"{\"events\": [{\"number\": 4, \"kind\": \"list_failed\", \"text\": \"no\"}, " \
	"{\"number\": 5, \"kind\": \"upstream_up\", \"text\": \"yes\"}]}"
#define BOXES                                                                                 \
	"{\"primary\": {\"boxes\": [{\"name\": \"box2\", \"away\": true, \"ready\": false}, " \
	"{\"name\": \"box2\", \"away\": false, \"ready\": true}, "                            \
	"{\"name\": \"box3\", \"away\": true, \"ready\": true}, "                             \
	"{\"name\": \"box4\", \"away\": false, \"ready\": false}]}}"
static const struct {
	const char *text, *reply;
	bool is_met;
	const char *seen;
} replies[] = {
	{"generations", GENERATIONS("true", "\"link_up\": true, " ALL), true,
		"l0 3 of 3, rule_image 2 of 2, config 1 of 1, policy 1 of 1"},
	{"generations", GENERATIONS("false", "\"link_up\": true, " ALL), false, "no link"},
	{"generations", GENERATIONS("true", "\"link_up\": false, " ALL), false, "no link"},
	{"generations",
		GENERATIONS("true",
			"\"link_up\": true, \"l0_generation\": 3, \"rule_image_generation\": 2, "
			"\"config_generation\": 0, \"policy_generation\": 1"),
		false, "config 0 of 1"},
	{"generations", GENERATIONS("false", "\"state\": \"down\""), false, "of the data plane"},
	{"generations", "{\"controlplane\": {}}", false, "of the control plane"},
	{"lists", "{" LISTS "}", false, "new: not fetched yet"},
	{"lists", "{\"names\": 0, \"lists\": []}", true, "0 names in force"},
	{"list file", "{\"building\": true, " LISTS "}", false, "building"},
	{"list file", "{" LISTS "}", true, "5 names in force"},
	{"list empty", "{" LISTS "}", true, "5 names in force"},
	{"list bad", "{" LISTS "}", false, "bad: status 404"},
	{"list fiel", "{" LISTS "}", false, "no such list: fiel; did you mean file?"},
	{"upstream 192.0.2.1 up", SERVERS, true, "up"},
	{"upstream a.test up", SERVERS, true, "up"},
	{"upstream 192.0.2.1:53 down", SERVERS, false, "up"},
	{"upstream 192.0.2.2 up", SERVERS, false, "down"},
	{"upstream 192.0.2.2 down", SERVERS, false, "up"},
	{"upstream 192.0.2.3:53 up", SERVERS, false, "did you mean 192.0.2."},
	{"ready", "{\"ready\": true}", true, "ready"},
	{"ready", "{\"ready\": false, \"why\": [\"no rules\"]}", false, "not ready: no rules"},
	{"drained", "{\"ready\": false, \"drained\": true}", true, "drained"},
	{"drained", "{\"ready\": true, \"drained\": false}", false, "no state of a drain"},
	{"drained",
		"{\"drained\": false, \"drain\": {\"state\": \"draining\", \"connections\": 3}}",
		false, "draining, 3 connections left"},
	{"counter upstreams.upstreams[0].sent >= 7", SERVERS, true, "7"},
	{"counter upstreams.upstreams[0].sent > 7", SERVERS, false, "7"},
	{"counter upstreams.upstreams[0].sent < 7", SERVERS, false, "7"},
	{"counter upstreams.upstreams[0].sent <= 7", SERVERS, true, "7"},
	{"counter upstreams.upstreams[0].sent == 7", SERVERS, true, "7"},
	{"counter upstreams.upstreams[0].sent != 7", SERVERS, false, "7"},
	{"counter upstreams.upstreams[address=192.0.2.1:53].sent > 6.5", SERVERS, true, "7"},
	{"counter upstreams.upstreams[name=c].sent > 0", SERVERS, false,
		"no such item: upstreams[name=c]"},
	{"counter upstreams.upstreams[9].sent > 0", SERVERS, false, "no such item: upstreams[9]"},
	{"counter upstreams.upstreams[0].snet > 0", SERVERS, false,
		"no such key: snet; did you mean sent?"},
	{"counter upstreams.upstreams[0].name > 0", SERVERS, false, "no number is there"},
	{"counter tcp.a.b == 1", "{\"a\": {\"b\": true}}", true, "1"},
	{"counter tcp.a.b == 1", "{\"a\": {\"b\": false}}", false, "0"},
	{"counter tcp.a.b < -1.5", "{\"a\": {\"b\": -1.75}}", true, "-1.75"},
	{"fleet box2", BOXES, true, "all are ready"},
	{"fleet box2,box3", BOXES, false, "box3 is away"},
	{"fleet box4,box2", BOXES, false, "box4 is not ready"},
	{"fleet box2,box", BOXES, false, "box has not polled this box"},
	{"fleet box2,,box4", BOXES, false, "no name of a box"},
	{"fleet ,", BOXES, false, "no name of a box"},
	{"fleet box2", "{\"secondary\": {}}", false, "box2 has not polled this box"},
	{"event upstream_up", EVENTS, true, "5 yes"},
	{"event upstream_down", EVENTS, false, "2 events of other kinds, the last upstream_up"},
};

TEST(test_met)
{
	for (unsigned i = 0; i < ARRAY_LEN(replies); i++) {
		char why[WAIT_TEXT_MAX], seen[WAIT_TEXT_MAX] = "";
		struct wait_condition w;
		struct json_doc *doc = json_doc_parse(replies[i].reply, strlen(replies[i].reply));
		assert_non_null(doc);
		assert_true(parse(&w, text_from("%s", replies[i].text), why));
		if (wait_is_met(&w, json_doc_root(doc), seen) != replies[i].is_met
			|| !strstr(seen, replies[i].seen))
			fail_msg("%s: %s", replies[i].text, seen);
		json_doc_free(doc);
	}
}
