// SPDX-License-Identifier: BSD-3-Clause

#include "lib/http_get.h"
#include "lib/say.h"
#include "lib/trace_out.h"

#include <stdio.h>
#include <time.h>

// The local clock's time of day: who watches knows the day.
static void time_print(int64_t us)
{
	time_t s = (time_t)(us / 1000000);
	struct tm tm;
	char text[16] = "-";
	if (us >= 0 && localtime_r(&s, &tm))
		(void)strftime(text, sizeof(text), "%T", &tm);
	printf("%s.%03d ", text, (int)(us / 1000 % 1000));
}

static void row_print(const struct json_node *n)
{
	const char *by = *json_text(n, "list") ? "list" : "upstream";
	time_print(json_signed(n, "time_us"));
	trace_word_print(n, *json_text(n, "client_name") ? "client_name" : "client", " ");
	trace_word_print(n, "qname", " ");
	trace_word_print(n, "qtype", " ");
	trace_word_print(n, "verdict", " ");
	trace_word_print(n, by, " ");
	say(n, "{total_us:n} us");
	if (json_count(n, "weight") > 1)
		say(n, " x{weight:n}");
	printf("\n");
}

// False when nobody reads what is printed.
static bool on_line(void *arg, const struct json_node *root)
{
	const struct ctl *c = arg;
	if (c->json)
		json_print_line(root);
	else if (!say_if(root, "missed", "... {missed:n} more, too fast to show; a filter helps\n"))
		row_print(root);
	return fflush(stdout) == 0;
}

int cmd_log_tail(struct ctl *c)
{
	const struct http_param params[] = {{"name", c->name}, {"client", c->client},
		{"verdict", c->verdict}, {"validation", c->validation}, {"group", c->group},
		{NULL, NULL}};
	if (ctl_open(c) != CTL_OK)
		return CTL_FAILED;
	return http_stream(c, "/log/tail", params, on_line, c);
}
