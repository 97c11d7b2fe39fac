// SPDX-License-Identifier: BSD-3-Clause

#include "lib/http_get.h"
#include "lib/stats_out.h"
#include "lib/table_out.h"

#include <stdio.h>
#include <string.h>
#include <weir/l0_table.h>

// A column of a table: what people read, and the key.
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

int cmd_cache_stats(struct ctl *c)
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
