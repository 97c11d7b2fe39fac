// SPDX-License-Identifier: BSD-3-Clause

#include "import_toml.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

enum { TABLE_MAX = 100, KEY_MAX = 200 };

struct toml {
	char *at;
	char table[TABLE_MAX], key[KEY_MAX];
	void (*take)(void *arg, const char *key, const char *value);
	void *arg;
	unsigned values;
};

static void blanks_skip(struct toml *t)
{
	t->at += strspn(t->at, " \t");
}

// Blanks, ends of lines and comments.
static void gaps_skip(struct toml *t)
{
	for (;;) {
		t->at += strspn(t->at, " \t\r\n");
		if (*t->at != '#')
			return;
		t->at += strcspn(t->at, "\n");
	}
}

static void line_skip(struct toml *t)
{
	t->at += strcspn(t->at, "\n");
	t->at += *t->at == '\n';
}

static char unescaped(char c)
{
	switch (c) {
	case 'n':
		return '\n';
	case 't':
		return '\t';
	case 'r':
		return '\r';
	default:
		return c;
	}
}

// A text of several lines: behind its end, or that of the file.
static void block_skip(struct toml *t)
{
	char end[4] = {*t->at, *t->at, *t->at, '\0'};
	char *found = strstr(t->at + 3, end);
	t->at = found ? found + 3 : t->at + strlen(t->at);
}

// Leaves the text between the quotes at `*out`, and the cursor behind them. False: it has no end.
static bool string_read(struct toml *t, char **out)
{
	const char quote = *t->at;
	if (t->at[1] == quote && t->at[2] == quote) {
		block_skip(t);
		return false;
	}
	char *to = *out = ++t->at;
	while (*t->at && *t->at != quote && *t->at != '\n') {
		if (*t->at == '\\' && quote == '"' && t->at[1] && t->at[1] != '\n') {
			*to++ = unescaped(t->at[1]);
			t->at += 2;
		} else {
			*to++ = *t->at++;
		}
	}
	if (*t->at != quote)
		return false;
	t->at++;
	*to = '\0';
	return true;
}

// One value that is no array. `ends`: what ends a bare one, beside blanks and comments.
static bool scalar_read(struct toml *t, const char *ends)
{
	char *value;
	if (*t->at == '"' || *t->at == '\'') {
		if (!string_read(t, &value))
			return false;
	} else {
		char bare[200];
		const size_t len = strcspn(t->at, ends);
		if (len == 0 || len >= sizeof(bare) || *t->at == '{')
			return false;
		snprintf(bare, sizeof(bare), "%.*s", (int)len, t->at);
		t->at += len;
		t->values++;
		t->take(t->arg, t->key, bare);
		return true;
	}
	t->values++;
	t->take(t->arg, t->key, value);
	return true;
}

static bool array_read(struct toml *t)
{
	t->at++;
	for (;;) {
		gaps_skip(t);
		if (*t->at == ']') {
			t->at++;
			return true;
		}
		if (!*t->at || *t->at == '[' || !scalar_read(t, " \t\r\n,]#"))
			return false;
		gaps_skip(t);
		if (*t->at == ',')
			t->at++;
		else if (*t->at != ']')
			return false;
	}
}

static void table_read(struct toml *t)
{
	const size_t len = strcspn(++t->at, "]\n");
	t->table[0] = '\0';
	if (len < sizeof(t->table) && t->at[len] == ']')
		snprintf(t->table, sizeof(t->table), "%.*s", (int)len, t->at);
	line_skip(t);
}

static void key_read(struct toml *t)
{
	const size_t len =
		strspn(t->at, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-");
	const int n = snprintf(t->key, sizeof(t->key), "%s%s%.*s", t->table, *t->table ? "." : "",
		(int)len, t->at);
	t->at += len;
	blanks_skip(t);
	if (len == 0 || n < 0 || n >= (int)sizeof(t->key) || *t->at != '=') {
		line_skip(t);
		return;
	}
	t->at++;
	blanks_skip(t);
	if (*t->at == '[')
		(void)array_read(t);
	else
		(void)scalar_read(t, " \t\r\n#");
	line_skip(t);
}

unsigned import_toml_read(
	char *text, void (*take)(void *arg, const char *key, const char *value), void *arg)
{
	struct toml t = {.at = text, .take = take, .arg = arg};
	for (;;) {
		gaps_skip(&t);
		if (!*t.at)
			return t.values;
		if (*t.at == '[')
			table_read(&t);
		else
			key_read(&t);
	}
}
