// SPDX-License-Identifier: BSD-3-Clause

#include "say.h"

#include "figure.h"
#include "terminal/term_names.h"
#include "terminal/term_text.h"

#include <stdio.h>
#include <string.h>
#include <weir/text.h>

enum { KEY_MAX = 48, TEXT_MAX = 4400 };

static void value_print(const struct json_node *n, const char *key, char form)
{
	char out[TEXT_MAX];
	uint64_t count = form ? json_count(n, key) : 0;
	switch (form) {
	case 'n':
		fputs(figure_count(count, out), stdout);
		break;
	case 'b':
		fputs(figure_bytes(count, out), stdout);
		break;
	case 't':
		fputs(figure_duration(count, out), stdout);
		break;
	case 's':
		fputs(figure_duration(1000 * count, out), stdout);
		break;
	case 'u':
		printf("%llu", (unsigned long long)count);
		break;
	case 'd':
		fputs(term_names(json_text(n, key), out, sizeof(out)), stdout);
		break;
	case 'q':
		term_text(json_text(n, key), out, sizeof(out));
		fputs(TEXT_QUOTE(out), stdout);
		break;
	default:
		fputs(term_text(json_text(n, key), out, sizeof(out)), stdout);
	}
}

void say(const struct json_node *n, const char *text)
{
	for (const char *open; (open = strchr(text, '{')); text = strchr(open, '}') + 1) {
		char key[KEY_MAX];
		size_t len = strcspn(open + 1, ":}");
		snprintf(key, sizeof(key), "%.*s", (int)len, open + 1);
		printf("%.*s", (int)(open - text), text);
		value_print(n, key, open[len + 1] == ':' ? open[len + 2] : '\0');
	}
	fputs(text, stdout);
}

bool say_if(const struct json_node *n, const char *key, const char *text)
{
	bool is_so = json_flag(n, key) || json_count(n, key) || *json_text(n, key);
	if (is_so)
		say(n, text);
	return is_so;
}

void say_each(const struct json_node *list, const char *text)
{
	for (size_t i = 0; i < json_length(list); i++)
		say(json_at(list, i), text);
}
