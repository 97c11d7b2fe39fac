// SPDX-License-Identifier: BSD-3-Clause

#include "lib/cell.h"
#include "lib/http_get.h"
#include "lib/say.h"
#include "terminal/term_text.h"

#include <stdio.h>
#include <string.h>

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

// Which keys of L1 were searched, as there may be others.
static void l1_print(const struct json_node *l1)
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

int cmd_cache_get(struct ctl *c)
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
		l1_print(json_get(json_doc_root(doc), "l1"));
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

int cmd_cache_flush(struct ctl *c)
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
