// SPDX-License-Identifier: BSD-3-Clause
// `weirctl cache` shows the records of a name in L0 and L1, flushes them, and prints the cache's
// counters; `weirctl refresh` prints the cost of renewing answers before they expire.

#include "lib/http_get.h"
#include "lib/say.h"
#include "lib/show.h"
#include "lib/stats_out.h"
#include "lib/table_cell.h"
#include "terminal/term_text.h"

#include <stdio.h>
#include <string.h>
#include <weir/l0_table.h>

static void left_print(const char *what, int64_t left_ms)
{
	char text[FIGURE_MAX];
	if (left_ms >= 0)
		printf(", %s in %s", what, figure_duration((uint64_t)left_ms, text));
	else
		printf(", past %s by %s", what, figure_duration((uint64_t)-left_ms, text));
}

static void state_print(const struct json_node *e)
{
	say(e, "  {hits_per_minute:u} hits a minute");
	if (strcmp(json_text(e, "tier"), "L0") == 0)
		say(e, ": {heat}");
	if (json_get(e, "refresh_left_ms"))
		left_print("renewed", json_signed(e, "refresh_left_ms"));
	say_if(e, "refresh_asked", ", a worker asked for it");
	say_if(e, "inflight", ", being resolved");
	say_if(e, "held_back", ", no refresh for a while: the last one failed");
	say(e, "; message of {message_bytes:u} bytes");
	say_if(e, "units", " in {units:u} units");
	printf("\n");
}

static void ttl_cell(struct table *t, const struct json_node *n, const char *key)
{
	table_cell(t, "%llu", json_count(n, key));
}

static void entry_print(const struct json_node *e)
{
	static const struct cell_column columns[] = {{"", "name", cell_text}, {"", "ttl", ttl_cell},
		{"", "type", cell_text}, {"", "data", cell_text}};
	say(e, "{tier}  {type}  {rcode}");
	say_if(e, "do", " DO");
	say_if(e, "cd", " CD");
	say_if(e, "view", " view {view:u}");
	if (*json_text(e, "subnet"))
		say(e, " for {subnet}");
	say(e, "  {age_ms:t} old");
	left_print("expires", json_signed(e, "soft_left_ms"));
	left_print("removed", json_signed(e, "hard_left_ms"));
	say(e, ", authority's TTL {authoritative_ttl:u} s\n");
	state_print(e);
	cell_rows_print(json_get(e, "records"), columns, ARRAY_LEN(columns));
	if (!json_flag(e, "records_complete"))
		printf("  (more records than fit here)\n");
}

// Prints which keys of L1 were searched, because L1 may have others.
static void searched_print(const struct json_node *l1)
{
	const struct json_node *types = json_get(l1, "types");
	char shown[64];
	if (json_count(l1, "asked") == 0) {
		printf("L1 was not queried: off or unreachable\n");
		return;
	}
	printf("L1 was asked for");
	for (size_t i = 0; i < json_length(types); i++)
		printf(" %s", term_text(json_item_text(types, i), shown, sizeof(shown)));
	if (json_count(l1, "views") > 1)
		say(l1, " in {views:u} views");
	say_if(l1, "lost", "; no reply for {lost:u} keys");
	say_if(l1, "bad", "; {bad:u} bad values deleted");
	printf("\n");
}

static int cmd_cache_get(struct ctl *c)
{
	if (ctl_open(c) != CTL_OK)
		return CTL_FAILED;
	const struct http_param params[] = {{"name", c->operand}, {"type", c->type}, {NULL, NULL}};
	struct json_doc *doc = http_call_or_fail(c, false, "/cache", params, HTTP_FLUSH_MS);
	if (!doc)
		return CTL_FAILED;
	const struct json_node *entries = json_get(json_doc_root(doc), "entries");
	size_t count = json_length(entries);
	if (c->json) {
		json_doc_print(doc);
	} else {
		for (size_t i = 0; i < count; i++)
			entry_print(json_at(entries, i));
		if (count == 0)
			printf("no cached records of that name\n");
		say_if(json_doc_root(doc), "entries_left_out",
			"{entries_left_out:u} further answers are not shown\n");
		searched_print(json_get(json_doc_root(doc), "l1"));
		say_if(json_doc_root(doc), "resolvers_hung",
			"{resolvers_hung:u} resolvers hang: their part of L0 is not shown\n");
	}
	json_doc_free(doc);
	return count ? CTL_OK : CTL_FAILED;
}

static void flushed_print(const struct json_node *root)
{
	const char *l1 = json_text(root, "l1");
	say(root, "L0: {l0_removed:n} answers removed\n");
	if (strcmp(l1, "off") == 0)
		return;
	if (strcmp(l1, "away") == 0) {
		printf("L1: Redis is unreachable: nothing removed there; the flush was not sent to "
		       "other boxes\n");
		return;
	}
	say(root, "L1: {l1_removed:n} answers removed");
	printf("%s\nother boxes were %s\n",
		strcmp(l1, "done") == 0 ? ""
					: "; the search of Redis was not finished: flush again",
		json_flag(root, "boxes_told") ? "told" : "NOT told");
}

static int cmd_cache_flush(struct ctl *c)
{
	if (c->all ? c->operand || c->below : !c->operand) {
		fprintf(stderr, "weirctl: cache flush takes NAME, --below NAME or --all\n");
		return CTL_USAGE;
	}
	if (ctl_open(c) != CTL_OK)
		return CTL_FAILED;
	const struct http_param params[] = {{"all", c->all ? "1" : NULL}, {"name", c->operand},
		{"below", c->all     ? NULL
			  : c->below ? "1"
				     : "0"},
		{NULL, NULL}};
	struct json_doc *doc =
		http_call_or_fail(c, true, "/cache/flush", params, HTTP_CACHE_FLUSH_MS);
	if (!doc)
		return CTL_FAILED;
	const char *l1 = json_text(json_doc_root(doc), "l1");
	bool whole = (strcmp(l1, "done") == 0 || strcmp(l1, "off") == 0)
		     && json_count(json_doc_root(doc), "resolvers_hung") == 0
		     && !json_flag(json_doc_root(doc), "recursion_failed");
	if (c->json) {
		json_doc_print(doc);
	} else {
		flushed_print(json_doc_root(doc));
		say_if(json_doc_root(doc), "resolvers_hung",
			"{resolvers_hung:u} resolvers hang: their part of L0 is flushed when they "
			"are back\n");
		say_if(json_doc_root(doc), "recursion_failed",
			"recursion: its caches are NOT emptied: see the log of the control "
			"plane\n");
	}
	json_doc_free(doc);
	return whole ? CTL_OK : CTL_FAILED;
}

// A row of a table: its title, and the key of its count.
struct column {
	const char *head, *key;
};

static void counts_print(const char *title, const struct json_node *n, const struct column *columns)
{
	static const char *const heads[] = {"", ">", NULL};
	struct table *t = table_new(heads);
	printf("\n%s\n", title);
	for (; columns->head; columns++) {
		table_cell(t, "  %s", columns->head);
		table_cell_count(t, json_count(n, columns->key));
		table_row_end(t);
	}
	table_print(t);
}

static double percent(uint64_t part, uint64_t all)
{
	return all ? 100 * (double)part / (double)all : 0;
}

static void l0_print(const struct view *v, const struct json_node *l0)
{
	static const struct column columns[] = {{"stored", "puts"},
		{"of these, renewed", "replaced"}, {"evicted for room", "evicted_space"},
		{"evicted from a full bucket", "evicted_bucket"}, {"expired", "expired_swept"},
		{"deleted", "deleted"}, {"not stored: no room", "refused_nospace"},
		{"not stored: too large", "refused_large"}, {NULL, NULL}};
	char a[FIGURE_MAX], b[FIGURE_MAX];
	uint64_t used = json_count(l0, "units_used"), units = json_count(l0, "units_total");
	printf("L0 (shared memory)  %s answers, %s of %s (%.1f %%)\n",
		figure_count(json_count(l0, "entries"), a), figure_bytes(used * L0_UNIT, b),
		figure_bytes(units * L0_UNIT, (char[FIGURE_MAX]){0}), percent(used, units));
	if (v->has_stats) {
		const uint64_t *n = v->stats->verdict;
		printf("  %s hits, ", figure_count(n[VERDICT_hit], a));
		printf("%s stale hits, ", figure_count(n[VERDICT_hit_stale], a));
		printf("%s misses\n", figure_count(n[VERDICT_miss], a));
	}
	counts_print("L0, since the control plane started", l0, columns);
}

static void l1_print(const struct json_node *root)
{
	static const struct column columns[] = {{"looked up", "lookups"}, {"hits", "hits"},
		{"of these, stale", "hits_stale"}, {"misses", "misses"},
		{"not asked, or no answer in time", "skipped"}, {"bad values, deleted", "bad"},
		{"written", "puts"}, {"writes lost", "puts_lost"}, {"too large", "too_large"},
		{"deleted", "deletes"}, {"evicted over redis.max_keys", "evicted"},
		{"deleted as cold", "cold"}, {"expired, left the index", "trimmed"},
		{"index entries without a key", "orphans"}, {"invalid index entries", "foreign"},
		{"sweeps", "sweep_rounds"}, {"sweeps of another box", "sweep_elsewhere"},
		{"sweeps that failed", "sweep_failed"}, {NULL, NULL}};
	const struct json_node *redis = json_get(root, "redis");
	char a[FIGURE_MAX], b[FIGURE_MAX];
	uint64_t keys = json_count(redis, "keys"), cap = json_count(redis, "keys_cap");
	const char *state = json_text(redis, "state");
	if (!*state || strcmp(state, "off") == 0) {
		printf("\nL1 (Redis)          off\n");
		return;
	}
	printf("\n");
	view_print_redis(redis);
	if (json_flag(redis, "keys_known"))
		printf("  %s keys at the last count", figure_count(keys, a));
	else
		printf("  keys not counted by this box yet");
	if (cap)
		printf(" of at most %s (%.1f %%)", figure_count(cap, b), percent(keys, cap));
	printf(", a reply takes %llu us\n", json_count(redis, "rtt_us"));
	counts_print("L1, since the control plane started", json_get(root, "l1"), columns);
}

static void flush_print(const struct json_node *flush)
{
	static const struct column columns[] = {{"asked for here", "asked"},
		{"sent to other boxes", "told"}, {"began to listen", "subscribed"},
		{"received from other boxes", "heard"}, {"refused: too many", "refused"},
		{"no such message", "bad"}, {"answers removed for others", "removed_for_others"},
		{"answers too old to be stored", "kept_out"}, {NULL, NULL}};
	counts_print("Flushes", flush, columns);
}

static void json_print(const struct view *v)
{
	struct json_doc *doc = json_doc_new();
	struct json_node *root = json_doc_root(doc);
	if (v->control)
		json_put_all(root, json_doc_root(v->control));
	if (v->has_stats) {
		struct json_node *n = json_put_object(root, "dataplane");
		json_put_count(n, "hits", v->stats->verdict[VERDICT_hit]);
		json_put_count(n, "hits_stale", v->stats->verdict[VERDICT_hit_stale]);
		json_put_count(n, "misses", v->stats->verdict[VERDICT_miss]);
	}
	json_doc_end(doc);
}

static int cmd_cache_stats(struct ctl *c)
{
	struct view v;
	int rc = ctl_open(c);
	if (rc == CTL_OK)
		rc = view_take(c, "/cache/stats", &v);
	if (rc != CTL_OK)
		return rc;
	if (!v.control) {
		rc = ctl_fail(c, "the control plane is %s; %s", process_state_text(v.controlplane),
			http_served_text(c));
	} else if (c->json) {
		json_print(&v);
	} else {
		const struct json_node *root = json_doc_root(v.control);
		l0_print(&v, json_get(root, "l0"));
		l1_print(root);
		flush_print(json_get(root, "flush"));
	}
	view_free(&v);
	return rc;
}

enum { ROWS = 15 }; // minutes shown as text; with --json an hour

static void late_cell(struct table *t, const struct json_node *n, const char *key)
{
	table_cell(t, "%.1f", (double)json_count(n, key) / 1000);
}

static const struct cell_column columns[] = {{">asked", "asked", cell_count},
	{">done", "done", cell_count}, {">failed", "failed", cell_count},
	{">dropped", "dropped", cell_count}, {">held back", "held_back", cell_count},
	{">used", "used", cell_count}, {">hot stale", "hot_stale", cell_count},
	{">hot missed", "hot_missed", cell_count}, {">late s", "late_ms", late_cell}};

static void now_print(const struct json_node *root)
{
	if (!json_flag(root, "enabled")) {
		printf("refresh-ahead is off\n");
		return;
	}
	say(root, "hot from {hot_per_minute:u}, warm from {warm_per_minute:u} hits a minute; "
		  "renewed at {hot_ttl_percent:u} % and {warm_ttl_percent:u} % of the TTL\n"
		  "under way {inflight:u} of {inflight_cap:u}, planned {planned:u} of "
		  "{planned_cap:u}, held back {held_back_now:u}, last sweep took "
		  "{sweep_took_ms:u} ms\n");
}

// A refresh costs one question to the upstreams; a used one saves at most one miss.
static void price_print(const struct json_node *day)
{
	uint64_t used = json_count(day, "used");
	uint64_t spent = json_count(day, "done") + json_count(day, "failed");

	if (used)
		printf("upstream questions for each miss saved: %.2f\n",
			(double)spent / (double)used);
}

static void tables_print(const struct json_node *root)
{
	static const char *const heads[] = {"", ">asked", ">done", ">failed", ">dropped",
		">held back", ">used", ">hot stale", ">hot missed", ">late s", NULL};
	struct table *t = table_new(heads);
	const struct json_node *minutes = json_get(root, "minutes");

	table_cell(t, "24 h");
	cell_row(t, json_get(root, "day"), columns, ARRAY_LEN(columns));
	table_row_end(t);
	for (size_t i = 0; i < json_length(minutes); i++) {
		const struct json_node *n = json_at(minutes, i);
		if (json_count(n, "ago") >= ROWS)
			break;
		table_cell(t, "%llu min ago", json_count(n, "ago"));
		cell_row(t, n, columns, ARRAY_LEN(columns));
		table_row_end(t);
	}
	table_print(t);
}

static void refresh_print(const struct json_node *root)
{
	now_print(root);
	price_print(json_get(root, "day"));
	tables_print(root);
}

static int cmd_refresh_stats(struct ctl *c)
{
	return show_call(c, false, "/refresh", NULL, HTTP_SHORT_MS, refresh_print);
}

CTL_COMMANDS = {
	{"cache", "get", 1, 2, 0, cmd_cache_get, "NAME [TYPE]",
		"Show the cached records of NAME in both tiers. Exit status 1 if there are none."},
	{"cache", "flush", 0, 1, CTL_OPT_BELOW | CTL_OPT_ALL, cmd_cache_flush,
		"NAME|--below NAME|--all",
		"Remove NAME, a name with all below it, or everything, also from Redis and other "
		"boxes."},
	{"cache", "stats", 0, 0, 0, cmd_cache_stats, "",
		"Show size, hits and counters of both cache tiers."},
	{"refresh", "stats", 0, 0, 0, cmd_refresh_stats, "",
		"Show refresh-ahead: its state, and the last 24 h by the minute."},
};
