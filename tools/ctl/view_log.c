// SPDX-License-Identifier: BSD-3-Clause

#include "table_out.h"
#include "view.h"

#include <stdio.h>
#include <weir/text.h>

static void clock_print(const struct json_node *n)
{
	char a[COUNT_TEXT_MAX];
	uint64_t ahead_s = json_count(n, "clock_ahead_s");
	if (ahead_s)
		printf(", the clock is %s ahead of the newest rows: deletes nothing for its age",
			duration_text(ahead_s * 1000, a));
}

// Where boxes share a table, the widest limits hold.
static void limits_print(const struct json_node *limits)
{
	char a[COUNT_TEXT_MAX], box[256];
	if (json_count(limits, "boxes") < 2)
		return;
	printf(", %s boxes share the table: kept for %s hours",
		count_text(json_count(limits, "boxes"), a),
		count_text(json_count(limits, "hours"), (char[COUNT_TEXT_MAX]){0}));
	if (*json_text(limits, "hours_of_box"))
		printf(" as box %s asks",
			text_escape(json_text(limits, "hours_of_box"), box, sizeof box));
}

void view_print_store(const struct json_node *store)
{
	char a[COUNT_TEXT_MAX], b[COUNT_TEXT_MAX], c[COUNT_TEXT_MAX], shown[512];
	const char *state = json_text(store, "state");
	if (!*state)
		return;
	printf("query store     %s, %s in %s files of at most %s",
		text_escape(state, shown, sizeof shown), octets_text(json_count(store, "bytes"), a),
		count_text(json_count(store, "files"), b),
		octets_text(json_count(store, "max_bytes"), c));
	if (json_count(store, "keeps_one_in") > 1)
		printf(", keeps one row in %s", count_text(json_count(store, "keeps_one_in"), a));
	if (json_count(store, "lost_rows"))
		printf(", %s rows lost", count_text(json_count(store, "lost_rows"), a));
	clock_print(store);
	if (*json_text(store, "why"))
		printf(" (%s; next try in %s)",
			text_escape(json_text(store, "why"), shown, sizeof shown),
			duration_text(json_count(store, "retry_in_ms"), a));
	printf("\n");
}

void view_print_clickhouse(const struct json_node *n)
{
	char a[COUNT_TEXT_MAX], b[COUNT_TEXT_MAX], shown[512];
	const char *state = json_text(n, "state");
	if (!*state)
		return;
	printf("clickhouse      %s, %s rows sent, %s in %s files wait on disk",
		text_escape(state, shown, sizeof shown), count_text(json_count(n, "rows"), a),
		octets_text(json_count(n, "spool_bytes"), b),
		count_text(json_count(n, "spool_files"), (char[COUNT_TEXT_MAX]){0}));
	uint64_t lost = json_count(n, "dropped_rows") + json_count(n, "lost_rows")
			+ json_count(n, "refused_rows") + json_count(n, "partial_rows");
	uint64_t queries = json_count(n, "dropped_weight") + json_count(n, "lost_weight")
			   + json_count(n, "refused_weight");
	if (lost)
		printf(", %s rows lost of %s queries", count_text(lost, a), count_text(queries, b));
	if (json_count(n, "aside_files"))
		printf(", %s unreadable files kept aside",
			count_text(json_count(n, "aside_files"), a));
	if (json_count(n, "unspooled_halves"))
		printf(", %s halves of files that no disk took",
			count_text(json_count(n, "unspooled_halves"), a));
	if (json_flag(n, "waits_for_disk"))
		printf(", the spool's disk takes nothing");
	if (json_flag(n, "behind"))
		printf(", takes fewer rows than there are");
	clock_print(n);
	limits_print(json_get(n, "table_limits"));
	if (*json_text(n, "why"))
		printf(" (%s; next try in %s)",
			text_escape(json_text(n, "why"), shown, sizeof shown),
			duration_text(json_count(n, "retry_in_ms"), a));
	printf("\n");
}
