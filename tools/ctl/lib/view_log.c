// SPDX-License-Identifier: BSD-3-Clause

#include "table_out.h"
#include "term_text.h"
#include "view.h"

#include <stdio.h>

static void waits_print(const struct json_node *n)
{
	char a[FIGURE_MAX];
	if (json_count(n, "held_rows"))
		printf(", %s rows in memory", figure_count(json_count(n, "held_rows"), a));
}

// A failure, and when the next try is; 0: at any moment.
static void why_print(const struct json_node *n)
{
	char a[FIGURE_MAX], shown[512];
	if (!*json_text(n, "why"))
		return;
	printf(" (%s; next try ", term_text(json_text(n, "why"), shown, sizeof(shown)));
	if (json_count(n, "retry_in_ms"))
		printf("in %s)", figure_duration(json_count(n, "retry_in_ms"), a));
	else
		printf("now)");
}

static void clock_print(const struct json_node *n)
{
	char a[FIGURE_MAX];
	uint64_t ahead_s = json_count(n, "clock_ahead_s");
	if (ahead_s)
		printf(", the clock is %s ahead of the newest rows: deletes nothing for its age",
			figure_duration(ahead_s * 1000, a));
}

// Where boxes share a table, the widest limits hold.
static void limits_print(const struct json_node *limits)
{
	char a[FIGURE_MAX], box[256];
	if (json_count(limits, "same_name"))
		printf(", ANOTHER BOX HAS THE SAME NAME (query_log.box)");
	if (json_count(limits, "boxes") < 2)
		return;
	printf(", %s boxes share the table: kept for %s hours",
		figure_count(json_count(limits, "boxes"), a),
		figure_count(json_count(limits, "hours"), (char[FIGURE_MAX]){0}));
	if (*json_text(limits, "hours_of_box"))
		printf(" as box %s asks",
			term_text(json_text(limits, "hours_of_box"), box, sizeof(box)));
}

void view_print_store(const struct json_node *store)
{
	char a[FIGURE_MAX], b[FIGURE_MAX], c[FIGURE_MAX], shown[512];
	const char *state = json_text(store, "state");
	if (!*state)
		return;
	printf("query store     %s, %s in %s files of at most %s",
		term_text(state, shown, sizeof(shown)), figure_bytes(json_count(store, "bytes"), a),
		figure_count(json_count(store, "files"), b),
		figure_bytes(json_count(store, "max_bytes"), c));
	if (json_count(store, "keeps_one_in") > 1)
		printf(", keeps one row in %s", figure_count(json_count(store, "keeps_one_in"), a));
	clock_print(store);
	why_print(store);
	printf("\n");
}

// What each sink lost in any way, and what a control plane that was killed took along.
void view_print_log(const struct json_node *log)
{
	char a[FIGURE_MAX], b[FIGURE_MAX], name[64];
	const struct json_node *sinks = json_get(log, "sinks");
	for (size_t i = 0; i < json_length(sinks); i++) {
		const struct json_node *n = json_at(sinks, i);
		uint64_t rows = json_count(n, "lost_rows"),
			 before = json_count(n, "lost_by_kill_rows");
		term_text(json_text(n, "name"), name, sizeof(name));
		if (rows)
			printf("query log       %s LOST %s rows (%s queries)\n", name,
				figure_count(rows, a),
				figure_count(json_count(n, "lost_weight"), b));
		if (before)
			printf("query log       %s lost up to %s rows (%s queries) when the "
			       "previous control plane was killed\n",
				name, figure_count(before, a),
				figure_count(json_count(n, "lost_by_kill_weight"), b));
	}
}

// Of several URLs the one in use; and what two servers may have.
static void urls_print(const struct json_node *n)
{
	char a[FIGURE_MAX], b[FIGURE_MAX], url[512];
	if (json_count(n, "urls") > 1)
		printf(", at %s (%s of %s)", term_text(json_text(n, "url"), url, sizeof(url)),
			figure_count(json_count(n, "url_number"), a),
			figure_count(json_count(n, "urls"), b));
	if (json_count(n, "uncertain_rows"))
		printf(", possible overcount: %s rows (%s queries)",
			figure_count(json_count(n, "uncertain_rows"), a),
			figure_count(json_count(n, "uncertain_weight"), b));
}

void view_print_clickhouse(const struct json_node *n)
{
	char a[FIGURE_MAX], b[FIGURE_MAX], shown[512];
	const char *state = json_text(n, "state");
	if (!*state)
		return;
	printf("clickhouse      %s, %s rows sent, %s in %s files wait on disk",
		term_text(state, shown, sizeof(shown)), figure_count(json_count(n, "rows"), a),
		figure_bytes(json_count(n, "spool_bytes"), b),
		figure_count(json_count(n, "spool_files"), (char[FIGURE_MAX]){0}));
	waits_print(n);
	urls_print(n);
	if (json_count(n, "aside_files"))
		printf(", %s unreadable files kept aside",
			figure_count(json_count(n, "aside_files"), a));
	if (json_count(n, "unspooled_halves"))
		printf(", %s half files not written to disk",
			figure_count(json_count(n, "unspooled_halves"), a));
	if (json_flag(n, "waits_for_disk"))
		printf(", cannot write to the spool");
	if (json_flag(n, "behind"))
		printf(", slower than rows arrive");
	clock_print(n);
	limits_print(json_get(n, "table_limits"));
	if (*json_text(n, "tidy_why"))
		printf(", could not drop expired partitions: %s",
			term_text(json_text(n, "tidy_why"), shown, sizeof(shown)));
	why_print(n);
	printf("\n");
}
