// SPDX-License-Identifier: BSD-3-Clause
// What the control plane answers itself.

#include "say.h"
#include "table_out.h"
#include "view.h"

#include <stdio.h>
#include <weir/text.h>

void view_print_fallback(const struct view *v, const struct json_node *fallback)
{
	uint64_t addresses = json_count(fallback, "addresses"),
		 bound = json_count(fallback, "bound");
	if (addresses == 0)
		return;
	printf("UDP fallback    ");
	if (bound < addresses)
		say(fallback, "only {bound:u} of {addresses:u} addresses are bound; ");
	printf("%s", v->dataplane == PROCESS_UP || v->dataplane == PROCESS_UNKNOWN
			     ? "ready"
			     : "answers now, as no data plane is up");
	say(fallback, "; {received:n} queries so far, {alone:n} of them without a data plane\n");
}

static uint64_t of_transport(
	const struct json_node *front, const char *transport, const char *object, const char *key)
{
	const struct json_node *t = json_get(front, transport);
	return json_count(object ? json_get(t, object) : t, key);
}

static void row(struct table *t, const struct json_node *front, const char *object, const char *key)
{
	uint64_t udp = of_transport(front, "udp", object, key),
		 tcp = of_transport(front, "tcp", object, key);
	if (udp == 0 && tcp == 0)
		return;
	table_cell(t, "%s", key);
	table_cell_count(t, udp);
	table_cell_count(t, tcp);
	table_row_end(t);
}

static bool is_used(const struct json_node *front)
{
	uint64_t sum = 0;
	for (unsigned i = 0; i < VERDICT_COUNT; i++)
		sum += of_transport(front, "udp", "verdicts", verdict_names[i])
		       + of_transport(front, "tcp", "verdicts", verdict_names[i]);
	return sum > 0;
}

void view_print_frontend(const struct json_node *front)
{
	static const char *const heads[] = {"on sockets", ">UDP", ">TCP", NULL};
	static const char *const keys[] = {"answers", "answers_stale", "answers_servfail",
		"answers_blocked", "left", "lost", "truncated"};
	if (!is_used(front))
		return;
	struct table *t = table_new(heads);
	for (unsigned i = 0; i < VERDICT_COUNT; i++)
		row(t, front, "verdicts", verdict_names[i]);
	for (unsigned i = 0; i < ARRAY_LEN(keys); i++)
		row(t, front, NULL, keys[i]);
	printf("\n");
	table_print(t);
}
