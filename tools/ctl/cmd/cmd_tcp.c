// SPDX-License-Identifier: BSD-3-Clause

#include "lib/cell.h"
#include "lib/say.h"
#include "lib/show.h"

#include <stdio.h>

static const struct cell_counter counts[] = {
	{"accepted", "connections accepted"},
	{"refused_full", "refused: tcp.connections are open, none of them idle"},
	{"refused_client", "refused: their client has tcp.per_client, none of them idle"},
	{"refused_denied", "refused: the client is not allowed (access)"},
	{"accept_paused", "pauses: no file descriptor or memory left"},
	{"queries", "queries"},
	{"replies", "replies"},
	{"bytes_in", "bytes received"},
	{"bytes_out", "bytes sent"},
	{"held", "waits of a connection: too many queries in progress"},
};

static const struct cell_counter ends[] = {
	{"client", "by the client"},
	{"error", "reset, or the network failed"},
	{"idle", "idle"},
	{"slow_query", "a query took longer than tcp.query_timeout"},
	{"slow_reader", "replies left unread"},
	{"broken", "not DNS"},
	{"queries", "had its tcp.connection_queries"},
	{"age", "open for tcp.connection_age"},
	{"evicted", "longest idle, closed for a new connection"},
	{"evicted_client", "longest idle of its client, closed for a new one"},
	{"evicted_memory", "longest stalled, closed as tcp.buffer_kb was used up"},
	{"stopped", "TCP was turned off"},
};

static const struct cell_counter errors[] = {
	{"lost", "closed or unreachable before accept"},
	{"files", "no file descriptor left"},
	{"memory", "the kernel had no memory"},
	{"other", "another error of accept"},
};

static void listeners_print(const struct json_node *root)
{
	const struct json_node *list = json_get(root, "listeners");
	if (!json_flag(root, "enabled"))
		printf("off (tcp.enabled)\n");
	for (size_t i = 0; i < json_length(list); i++)
		if (!say_if(json_at(list, i), "error",
			    "does not listen on {address}: {error}; trying again\n"))
			say(json_at(list, i), "listens on {address}\n");
}

static void gauges_print(const struct json_node *root)
{
	say(root, "connections   {open:n} of {open_cap:n}, most {open_max:n}\n"
		  "clients       {clients:n}");
	say_if(root, "busiest", ", busiest {busiest} with {busiest_open:n} of {per_client_cap:n}");
	say(root, "\nresolving     {pending:n} questions of {pending_cap:n}, most {pending_max:n}\n"
		  "buffers       {buffered:b} of {buffered_cap:b}\n"
		  "idle time     {idle_ms:t}\n\n");
}

// Reasons that never were are left out.
static void reasons_print(const struct json_node *counts_of, const char *head,
	const struct cell_counter *reason, size_t count)
{
	const char *const heads[] = {head, "why", NULL};
	struct table *t = table_new(heads);
	bool any = false;

	for (size_t i = 0; i < count; i++) {
		uint64_t n = json_count(counts_of, reason[i].key);
		if (!n)
			continue;
		any = true;
		table_cell_count(t, n);
		table_cell(t, "%s", reason[i].text);
		table_row_end(t);
	}
	if (!any) {
		table_cell_count(t, 0);
		table_cell(t, "%s", "");
		table_row_end(t);
	}
	printf("\n");
	table_print(t);
}

static void tcp_print(const struct json_node *root)
{
	listeners_print(root);
	gauges_print(root);
	cell_counters_print(root, counts, ARRAY_LEN(counts));
	reasons_print(json_get(root, "accept_errors"), ">not taken", errors, ARRAY_LEN(errors));
	reasons_print(json_get(root, "ended"), ">closed", ends, ARRAY_LEN(ends));
}

int cmd_tcp(struct ctl *c)
{
	return show_call(c, false, "/tcp", NULL, HTTP_SHORT_MS, tcp_print);
}
