// SPDX-License-Identifier: BSD-3-Clause

#include "say.h"
#include "view.h"

#include <stdio.h>

// A failure, and when the next try is; 0: at any moment.
static void why_print(const struct json_node *n)
{
	if (say_if(n, "why", " ({why}; next try ")
		&& !say_if(n, "retry_in_ms", "in {retry_in_ms:t})"))
		printf("now)");
}

static void clock_print(const struct json_node *n)
{
	say_if(n, "clock_ahead_s",
		", the clock is {clock_ahead_s:s} ahead of the newest rows: deletes nothing for "
		"its "
		"age");
}

// Where boxes share a table, the widest limits hold.
static void limits_print(const struct json_node *limits)
{
	say_if(limits, "same_name", ", ANOTHER BOX HAS THE SAME NAME (query_log.box)");
	if (json_count(limits, "boxes") < 2)
		return;
	say(limits, ", {boxes:n} boxes share the table: kept for {hours:n} hours");
	say_if(limits, "hours_of_box", " as box {hours_of_box} asks");
}

void view_print_store(const struct json_node *store)
{
	if (!say_if(store, "state",
		    "query store     {state}, {bytes:b} in {files:n} files of at most "
		    "{max_bytes:b}"))
		return;
	if (json_count(store, "keeps_one_in") > 1)
		say(store, ", keeps one row in {keeps_one_in:n}");
	clock_print(store);
	why_print(store);
	printf("\n");
}

// What each sink lost in any way, and what a control plane that was killed took along.
void view_print_log(const struct json_node *log)
{
	const struct json_node *sinks = json_get(log, "sinks");
	for (size_t i = 0; i < json_length(sinks); i++) {
		const struct json_node *n = json_at(sinks, i);
		say_if(n, "lost_rows",
			"query log       {name} LOST {lost_rows:n} rows ({lost_weight:n} "
			"queries)\n");
		say_if(n, "lost_by_kill_rows",
			"query log       {name} lost up to {lost_by_kill_rows:n} rows "
			"({lost_by_kill_weight:n} queries) when the previous control plane was "
			"killed\n");
	}
}

void view_print_clickhouse(const struct json_node *n)
{
	if (!say_if(n, "state",
		    "clickhouse      {state}, {rows:n} rows sent, {spool_bytes:b} in "
		    "{spool_files:n} files wait on disk"))
		return;
	say_if(n, "held_rows", ", {held_rows:n} rows in memory");
	// Of several URLs the one in use; and what two servers may have.
	if (json_count(n, "urls") > 1)
		say(n, ", at {url} ({url_number:n} of {urls:n})");
	say_if(n, "uncertain_rows",
		", possible overcount: {uncertain_rows:n} rows ({uncertain_weight:n} queries)");
	say_if(n, "aside_files", ", {aside_files:n} unreadable files kept aside");
	say_if(n, "unspooled_halves", ", {unspooled_halves:n} half files not written to disk");
	say_if(n, "waits_for_disk", ", cannot write to the spool");
	say_if(n, "behind", ", slower than rows arrive");
	clock_print(n);
	limits_print(json_get(n, "table_limits"));
	say_if(n, "tidy_why", ", could not drop expired partitions: {tidy_why}");
	why_print(n);
	printf("\n");
}
