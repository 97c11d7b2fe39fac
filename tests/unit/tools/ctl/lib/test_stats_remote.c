// SPDX-License-Identifier: BSD-3-Clause
// Reads the data plane's statistics of another box, and refuses documents that are wrong.

#include "printed.h"
#include "tools/ctl/lib/stats_out.h"

static struct stats_copy s;
static enum process_state state;
static char why[SHM_WHY_MAX];

static bool taken(const char *json)
{
	struct json_doc *doc = json_doc_parse(json, strlen(json));
	assert_non_null(doc);
	s = (struct stats_copy){0};
	why[0] = '\0';
	const bool has = stats_remote(json_doc_root(doc), &state, &s, why);
	json_doc_free(doc);
	return has;
}

TEST(test_all)
{
	assert_true(taken("{\"state\": \"up\", \"stats\": {\"pid\": 7, \"version\": \"1.2+git3\", "
			  "\"incarnation\": "
			  "\"fedcba9876543210\", \"taken_ms\": 5000, \"verdicts\": {\"hit\": 3}, "
			  "\"counters\": {\"rx_frames\": 4}, \"groups\": [{\"group\": 2, "
			  "\"queries\": 9}], \"workers\": [{\"lcore\": 1, \"has_rings\": 1, "
			  "\"mbuf_missing\": {\"tx\": 5}}], \"ports\": [{\"name\": \"net_tap0\", "
			  "\"mac\": \"02:00:00:00:00:53\", \"mtu\": 1500, \"link_up\": 1}]}}"));
	assert_int_equal(state, PROCESS_UP);
	assert_int_equal(s.pid, 7);
	assert_string_equal(s.version, "1.2+git3");
	assert_string_equal(s.commit, ""); // a box of a former version
	assert_true(s.incarnation == UINT64_C(0xfedcba9876543210));
	assert_int_equal(s.taken_ms, 5000);
	assert_int_equal(s.verdict[VERDICT_hit], 3);
	assert_int_equal(s.counter[COUNTER_rx_frames], 4);
	assert_int_equal(s.group[2], 9);
	assert_int_equal(s.workers, 1);
	assert_true(s.worker[0].has_rings);
	assert_int_equal(s.worker[0].lcore, 1);
	assert_int_equal(s.ports, 1);
	assert_string_equal(s.port[0].name, "net_tap0");
	assert_memory_equal(s.port[0].mac, "\2\0\0\0\0\x53", 6);
	assert_int_equal(s.port[0].mtu, 1500);
	assert_true(s.port[0].link_up);
}

TEST(test_none)
{
	assert_false(taken("{\"state\": \"down\", \"why\": \"no data plane has run\"}"));
	assert_int_equal(state, PROCESS_DOWN);
	assert_string_equal(why, "no data plane has run");
	assert_false(taken("{}"));
	assert_int_equal(state, PROCESS_UNKNOWN);
}

// Nothing of a document is an index without a check.
TEST(test_odd)
{
	static char many[SHM_WORKERS_MAX * 80];
	size_t at = (size_t)snprintf(many, sizeof(many),
		"{\"state\": 5, \"stats\": {\"groups\": [{\"group\": 4000000000}, 3], \"ports\": "
		"[{\"name\": \"a name that is far too long for the name of a port of this weir and "
		"of any other\", \"mac\": \"02:zz\"}], \"verdicts\": [], \"workers\": [");
	for (unsigned i = 0; i <= SHM_WORKERS_MAX; i++)
		at += (size_t)snprintf(
			many + at, sizeof(many) - at, "%s{\"bench_mode\": 77}", i ? "," : "");
	snprintf(many + at, sizeof(many) - at, "]}}");
	assert_true(taken(many));
	assert_int_equal(state, PROCESS_UNKNOWN);
	assert_int_equal(s.workers, SHM_WORKERS_MAX);
	assert_int_equal(s.worker[SHM_WORKERS_MAX - 1].bench_mode, 0);
	assert_int_equal(strlen(s.port[0].name), sizeof(s.port[0].name) - 1);
	assert_memory_equal(s.port[0].mac, "\2\0\0\0\0\0", 6);
}

static const char *printed(void)
{
	printed_begin();
	stats_print(&(struct view){.has_stats = true, .stats = &s}, &(struct stats_rates){0});
	return printed_end();
}

// The document has none, and a table of zeros would be no measurement.
TEST(test_stages)
{
	assert_true(taken("{\"state\": \"up\", \"stats\": {\"pid\": 7}}"));
	assert_null(strstr(printed(), "batches timed"));
	s.stage[0].bucket[3] = 1;
	assert_non_null(strstr(printed(), "batches timed"));
}
