// SPDX-License-Identifier: BSD-3-Clause

#include "controlplane/api/metrics/metrics.h"
#include "route/host_board.h"
#include "tests/unit/unit.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

// All that metrics are made of, with so many workers, upstreams and lists, every verdict, type and
// table in use, names as long as they get and nothing but what has to be escaped.

struct metrics_full {
	struct stats_copy stats;
	struct resolver_status resolver;
	struct rules_status rules;
	struct frontends_status frontends;
	struct querylog_status log;
	struct query_store_status store;
	struct table_registry tables;
	struct mem_reading memory;
	struct memory_report growth;
	struct loop_lag_minute lag;
	struct rules_list_status list[RULE_LISTS_MAX];
	char table[TABLES_MAX][16];
};

static void metrics_full_took(struct took *t)
{
	for (unsigned b = 0; b < TOOK_BUCKETS; b++)
		t->bucket[b] = UINT32_MAX;
}

static void metrics_full_tables(struct metrics_full *f)
{
	for (unsigned i = 0; i < TABLES_MAX; i++) {
		snprintf(f->table[i], sizeof(f->table[i]), "table_%u", i);
		table_register(&f->tables, &(struct table_info){.name = f->table[i],
						   .owner = "test",
						   .eviction = "refused",
						   .lifetime = "for ever",
						   .kind = TABLE_CACHE,
						   .cap = UINT32_MAX,
						   .used = UINT32_MAX,
						   .bytes = UINT32_MAX});
	}
	f->memory.process.rss = 1;
	f->growth.samples = 1;
	f->growth.query_rate = 1;
	f->growth.count = MEMORY_SERIES_MAX;
	for (unsigned i = 0; i < MEMORY_SERIES_MAX; i++) {
		memset(f->growth.slope[i].name, 'm', sizeof(f->growth.slope[i].name) - 1);
		f->growth.slope[i].trend.known = true;
	}
}

static struct metrics_full *metrics_full_new(unsigned workers, unsigned upstreams, unsigned lists)
{
	assert(workers <= SHM_WORKERS_MAX && upstreams <= CONFIG_UPSTREAMS_MAX);
	assert(lists <= RULE_LISTS_MAX);
	struct metrics_full *f = calloc(1, sizeof(*f));
	f->stats.workers = workers;
	f->stats.ports = STATS_PORTS_MAX;
	f->stats.tsc_hz = 1000000000;
	for (unsigned i = 0; i < workers; i++) {
		f->stats.worker[i].has_rings = true;
		for (unsigned o = 0; o < MBUF_OWNER_VERDICTS + VERDICT_COUNT; o++)
			f->stats.worker[i].mbuf_missing[o] = UINT32_MAX;
	}
	for (unsigned i = 0; i < STATS_PORTS_MAX; i++) {
		f->stats.port[i].is_xdp = true;
		memset(f->stats.port[i].name, 'p', STATS_PORT_NAME - 1);
	}
	for (unsigned i = 0; i < STATS_TYPES; i++)
		f->stats.type[i] = UINT32_MAX;
	for (unsigned i = 0; i < OUTCOME_COUNT; i++)
		metrics_full_took(&f->stats.outcome[i]);
	for (unsigned i = 0; i < STAGE_COUNT; i++)
		metrics_full_took(&f->stats.stage[i]);
	f->resolver.upstream_count = upstreams;
	for (unsigned i = 0; i < upstreams; i++) {
		memset(f->resolver.upstream[i].name, '"', sizeof(f->resolver.upstream[i].name) - 1);
		metrics_full_took(&f->resolver.upstream[i].took);
	}
	for (unsigned v = 0; v < VERDICT_COUNT; v++) {
		f->stats.verdict[v] = UINT32_MAX;
		f->frontends.engine.of[0].verdict[v] = f->frontends.engine.of[1].verdict[v] = 1;
	}
	f->rules.list_count = lists;
	f->rules.lists = f->list;
	for (unsigned i = 0; i < lists; i++) {
		memset(f->list[i].name, '"', sizeof(f->list[i].name) - 1);
		f->list[i].url[0] = 'h';
	}
	metrics_full_tables(f);
	return f;
}

static void metrics_full_put(struct metrics_text *t, const struct metrics_full *f)
{
	metrics_dataplane(t, &f->stats);
	metrics_kinds(t, &f->stats);
	metrics_workers(t, &f->stats);
	metrics_ports(t, &f->stats);
	metrics_resolver(t, &f->resolver);
	metrics_answers(t, &f->resolver);
	metrics_upstreams(t, &f->resolver);
	metrics_cache(t, &f->resolver);
	metrics_rules(t, &f->rules);
	metrics_log(t, &f->log);
	metrics_store(t, &f->store);
	metrics_tables(t, &f->tables);
	metrics_accounts(t, &f->memory);
	metrics_growth(t, &f->growth);
	metrics_lag(t, &f->lag, &f->lag, &f->lag);
	metrics_frontends(t, &f->frontends);
}

static struct metrics_text text;

static int fresh(void **)
{
	free(text.data);
	text = (struct metrics_text){0};
	return 0;
}

TEST_WITH(test_samples, fresh, NULL)
{
	metrics_family(&text, METRICS_COUNTER, "weir_x_total", "Help of %s.", "x");
	metrics_count(&text, NULL, UINT64_MAX);
	metrics_count(&text, METRICS_LABELS({"a", "b"}, {"c", "d"}), 7);
	metrics_family(&text, METRICS_GAUGE, "weir_y_seconds", "Y.");
	metrics_real(&text, NULL, 0.25);
	assert_string_equal(text.data,
		"# HELP weir_x_total Help of x.\n# TYPE weir_x_total counter\n"
		"weir_x_total 18446744073709551615\nweir_x_total{a=\"b\",c=\"d\"} 7\n"
		"# HELP weir_y_seconds Y.\n# TYPE weir_y_seconds gauge\nweir_y_seconds 0.25\n");
	assert_int_equal(text.samples, 3);
	assert_int_equal(text.len, strlen(text.data));
}

// Names of lists and servers come from a configuration: they must not end a value or a line.
TEST_WITH(test_hostile_label, fresh, NULL)
{
	metrics_family(&text, METRICS_GAUGE, "weir_x", "X.");
	metrics_count(&text, METRICS_LABELS({"list", "a\"b\\c\nd\x01\xff"}), 1);
	assert_non_null(strstr(text.data, "weir_x{list=\"a\\\"b\\\\c?d??\"} 1\n"));
}

// A list that is fetched has what came of it; a file has nothing.
TEST_WITH(test_fetches, fresh, NULL)
{
	const struct rules_list_status list[] = {
		{.name = "zone", .url = "ixfr://192.0.2.1/rpz.test", .fetches = {5, 3, 2, 4, 1}},
		{.name = "file"}};
	const struct rules_status s = {
		.list_count = 2, .lists = list, .notify = {.taken = 4, .not_server = 6}};
	metrics_rules(&text, &s);
	assert_non_null(strstr(text.data,
		"weir_list_fetches_total{list=\"zone\",result=\"unchanged\"} 5\n"
		"weir_list_fetches_total{list=\"zone\",result=\"differences\"} 3\n"
		"weir_list_fetches_total{list=\"zone\",result=\"whole\"} 2\n"
		"weir_list_fetches_total{list=\"zone\",result=\"primary\"} 4\n"
		"weir_list_fetches_total{list=\"zone\",result=\"failed\"} 1\n# HELP"));
	assert_non_null(strstr(text.data, "weir_list_notify_total{outcome=\"taken\"} 4\n"));
	assert_non_null(strstr(text.data, "weir_list_notify_total{outcome=\"not_server\"} 6\n"));
}

static struct sync_boxes boxes;

static void polls(const char *name, unsigned names, uint64_t now_ms)
{
	for (unsigned i = 0; i < names; i++) {
		struct sync_report r = {.version = 7};
		snprintf(r.box, sizeof(r.box), "%s%u", name, i);
		sync_boxes_note(&boxes, &r, "192.0.2.2", "token fleet", now_ms, 0);
	}
}

// Names that poll for less than 5 minutes make no series. A box that has polled for so long has
// them, and keeps them while it is silent.
TEST_WITH(test_boxes_of_a_fleet, fresh, NULL)
{
	polls("box", 1, 1000);
	polls("x", 20, 1001);
	polls("x", 20, 301000);
	polls("box", 1, 301000);
	metrics_sync_boxes(&text, &boxes, NULL);
	assert_non_null(strstr(
		text.data, "weir_sync_box_version{box=\"box0\",address=\"192.0.2.2\"} 7\n# HELP"));
	assert_null(strstr(text.data, "box=\"x"));
	assert_int_equal(text.samples, 1 + 4);
}

TEST_WITH(test_label_too_long, fresh, NULL)
{
	char name[4096];
	memset(name, 'n', sizeof(name) - 1);
	name[sizeof(name) - 1] = '\0';
	metrics_family(&text, METRICS_GAUGE, "weir_x", "X.");
	size_t len = text.len;
	metrics_count(&text, METRICS_LABELS({"list", name}), 1);
	assert_int_equal(text.len, len);
	assert_int_equal(text.left_out, 1);
}

TEST_WITH(test_histogram, fresh, NULL)
{
	static const uint64_t bucket[] = {2, 0, 3, 1};
	static const double bound[] = {1e-6, 1.5e-6, 2e-6};
	metrics_family(&text, METRICS_HISTOGRAM, "weir_h_seconds", "H.");
	metrics_histogram(&text, METRICS_LABELS({"of", "x"}), bucket, bound, 4, 0.5);
	assert_non_null(strstr(text.data,
		"weir_h_seconds_bucket{of=\"x\",le=\"1e-06\"} 2\n"
		"weir_h_seconds_bucket{of=\"x\",le=\"1.5e-06\"} 2\n"
		"weir_h_seconds_bucket{of=\"x\",le=\"2e-06\"} 5\n"
		"weir_h_seconds_bucket{of=\"x\",le=\"+Inf\"} 6\n"
		"weir_h_seconds_sum{of=\"x\"} 0.5\nweir_h_seconds_count{of=\"x\"} 6\n"));
}

// What has no room is left out whole, and counted.
TEST_WITH(test_full, fresh, NULL)
{
	metrics_family(&text, METRICS_GAUGE, "weir_x", "X.");
	char name[1000];
	memset(name, 'n', sizeof(name) - 1);
	name[sizeof(name) - 1] = '\0';
	for (unsigned i = 0; i < 6000; i++)
		metrics_count(&text, METRICS_LABELS({"list", name}), i);
	assert_true(text.len < METRICS_TEXT_MAX);
	assert_true(text.left_out > 0);
	assert_int_equal(text.samples + text.left_out, 6000);
	assert_int_equal(text.data[text.len - 1], '\n');
	assert_int_equal(text.data[text.len], '\0');
}

// Host names of servers: families only where there are any.
TEST_WITH(test_hosts, fresh, NULL)
{
	const struct config_upstream s = {.host = "dns.example", .address.port = 853}, *one = &s;
	struct host_state h;
	metrics_hosts(&text);
	assert_null(text.data);
	host_board_configure(&one, 1, 1);
	assert_true(host_board_get(&s, &h));
	h.count = 2;
	h.refused = 5;
	host_board_put(&h);
	metrics_hosts(&text);
	host_board_configure(NULL, 0, 0);
	assert_non_null(
		strstr(text.data, "weir_upstream_host_addresses{host=\"dns.example:853\"} 2\n"));
	assert_non_null(strstr(
		text.data, "weir_upstream_host_refused_total{host=\"dns.example:853\"} 5\n"));
}

TEST_WITH(test_memory, fresh, NULL)
{
	struct mem_reading none = {0}, r = {.process = {.rss = 1}, .unexplained = 3};
	struct memory_report nothing = {0}, look = {.samples = 5, .steady = true, .count = 3};
	metrics_accounts(&text, &none);
	metrics_growth(&text, &nothing);
	assert_null(text.data);
	r.account[MEM_ACCOUNT_redis].bytes = 77;
	metrics_accounts(&text, &r);
	assert_non_null(strstr(text.data, "weir_memory_account_bytes{account=\"redis\"} 77\n"));
	assert_non_null(strstr(text.data, "weir_memory_unexplained_bytes 3\n"));
	look.slope[0] = (struct memory_slope){
		.name = "rss", .trend = {.slope = 2.5, .half = 0.5, .known = true}};
	look.slope[1] = (struct memory_slope){.name = "unknown", .trend = {.slope = 9}};
	look.slope[2] = (struct memory_slope){
		.name = "table", .kind = MEMORY_FILL, .trend = {.known = true}};
	metrics_growth(&text, &look);
	assert_non_null(strstr(text.data, "weir_memory_growth_bytes_per_second{of=\"rss\"} 2.5\n"));
	assert_non_null(
		strstr(text.data, "weir_memory_growth_margin_bytes_per_second{of=\"rss\"} 0.5\n"));
	assert_null(strstr(text.data, "per_million"));
	assert_null(strstr(text.data, "unknown"));
	assert_null(strstr(text.data, "of=\"table\""));
	assert_non_null(strstr(text.data, "95 % interval of the slope.\n"));
	assert_non_null(strstr(text.data, "weir_memory_steady 1\n"));
	free(text.data);
	text = (struct metrics_text){0};
	look.query_rate = 50000;
	metrics_growth(&text, &look);
	assert_non_null(
		strstr(text.data, "weir_memory_growth_bytes_per_million_queries{of=\"rss\"} 50\n"));
}

// A renamed family is there under both names, its help names the new one.
TEST_WITH(test_aliases, fresh, NULL)
{
	metrics_family(&text, METRICS_COUNTER, "weir_frontend_x_total", "X.");
	metrics_count(&text, METRICS_LABELS({"transport", "tcp"}), 7);
	metrics_count(&text, NULL, 8);
	metrics_family(&text, METRICS_GAUGE, "weir_y", "See weir_frontend_x_total.");
	metrics_count(&text, METRICS_LABELS({"a", "weir_frontend_b"}), 1);
	metrics_family(&text, METRICS_COUNTER, "weir_resolver_answer_policy_rechecked_total", "R.");
	metrics_count(&text, NULL, 9);
	const size_t before = text.len;
	metrics_aliases(&text);
	assert_string_equal(text.data + before,
		"# HELP weir_front_x_total Deprecated: use weir_frontend_x_total.\n"
		"# TYPE weir_front_x_total counter\n"
		"weir_front_x_total{transport=\"tcp\"} 7\nweir_front_x_total 8\n"
		"# HELP weir_resolver_judge_rejudged_total "
		"Deprecated: use weir_resolver_answer_policy_rechecked_total.\n"
		"# TYPE weir_resolver_judge_rejudged_total counter\n"
		"weir_resolver_judge_rejudged_total 9\n");
	assert_int_equal(text.left_out, 0);
}

// The most that a configuration can lead to has room.
TEST_WITH(test_most, fresh, fresh)
{
	struct metrics_full *f =
		metrics_full_new(SHM_WORKERS_MAX, CONFIG_UPSTREAMS_MAX, RULE_LISTS_MAX);
	metrics_full_put(&text, f);
	metrics_aliases(&text);
	assert_int_equal(text.left_out, 0);
	assert_true(text.len < METRICS_TEXT_MAX / 2);
	free(f);
}
