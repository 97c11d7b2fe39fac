// SPDX-License-Identifier: BSD-3-Clause
#include "trace_out.h"

#include "say.h"
#include "terminal/term_names.h"
#include "terminal/term_text.h"

#include <stdio.h>

void trace_word_print(const struct json_node *n, const char *key, const char *end)
{
	char shown[1200];
	const char *text = json_text(n, key);
	printf("%s%s", *text ? term_names(text, shown, sizeof(shown)) : "-", end);
}

static void head_print(const struct json_node *n)
{
	trace_word_print(n, "client", " ");
	trace_word_print(n, "qname", " ");
	trace_word_print(n, "qtype", " ");
	trace_word_print(n, "verdict", " ");
	trace_word_print(n, *json_text(n, "outcome") ? "outcome" : "rcode", "");
	if (*json_text(n, "transport"))
		printf(", to the control plane over "), trace_word_print(n, "transport", "");
	else if (json_get(n, "stage_ns"))
		say(n, ", {frame_len:n} bytes, batch of {batch:u}");
	if (*json_text(n, "trace"))
		printf(", trace "), trace_word_print(n, "trace", "");
	printf("\n");
}

static void stages_print(const struct json_node *ns)
{
	static const char *const stages[] = {
		"rx", "net", "policy", "parse", "rules", "lookup", "miss"};
	printf("   ");
	for (unsigned i = 0; i < ARRAY_LEN(stages); i++)
		printf(" %s %.3f", stages[i], (double)json_count(ns, stages[i]) / 1000);
	printf(" us\n");
}

static void event_print(const struct json_node *e)
{
	static const char *const words[] = {"server", "kind", "rcode"};
	static const char *const numbers[] = {"attempt", "sends", "waiters", "wait_ms", "took_us",
		"waited_us", "age_s", "ttl_s", "tx_ns"};
	char shown[512];
	printf("    +%9llu us %s", json_count(e, "at_us"),
		term_text(json_text(e, "step"), shown, sizeof(shown)));
	for (unsigned i = 0; i < ARRAY_LEN(words); i++)
		if (*json_text(e, words[i]))
			printf(" %s", term_text(json_text(e, words[i]), shown, sizeof(shown)));
	for (unsigned i = 0; i < ARRAY_LEN(numbers); i++)
		if (json_get(e, numbers[i]))
			printf(" %s=%llu", numbers[i], json_count(e, numbers[i]));
	printf("\n");
}

void trace_print(const struct json_node *query)
{
	const struct json_node *ns = json_get(query, "stage_ns");
	const struct json_node *events = json_get(query, "events");
	head_print(query);
	if (ns)
		stages_print(ns);
	for (size_t i = 0; events && i < json_length(events); i++)
		event_print(json_at(events, i));
	say_if(query, "events_lost", "    {events_lost:u} more steps had no room\n");
	say_if(query, "incomplete", "    the other part did not arrive\n");
}
