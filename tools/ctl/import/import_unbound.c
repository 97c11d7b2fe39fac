// SPDX-License-Identifier: BSD-3-Clause

// unbound.conf: clauses ("server:"), and in them attributes with values.

#include "import_add.h"
#include "import_file.h"
#include "import_server.h"
#include "import_unbound_clauses.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void file_take(struct unbound *u, const char *path);

static void each_file(void *arg, const char *path)
{
	file_take(arg, path);
}

static bool is_clause(const char *word)
{
	static const char *const clauses[] = {"server:", "forward-zone:", "stub-zone:",
		"auth-zone:", "rpz:", "view:", "remote-control:", "python:", "dynlib:", "cachedb:",
		"dnstap:", "dnscrypt:", "ipset:"};
	for (size_t i = 0; i < ARRAY_LEN(clauses); i++)
		if (strcmp(word, clauses[i]) == 0)
			return true;
	return false;
}

static void words_cut(char *rest, struct unbound_words *w)
{
	char *word;
	*w = (struct unbound_words){0};
	while (w->count < UNBOUND_WORDS_MAX && (word = import_file_word(&rest)))
		w->at[w->count++] = word;
}

static char none[] = "";

const char *unbound_word(const struct unbound_words *w, unsigned i)
{
	return i < w->count ? w->at[i] : none;
}

// A `#` outside quotes and words begins a comment; in "9.9.9.9@853#dns.quad9.net" it does not.
static void comment_cut(char *line)
{
	char quote = '\0', before = ' ';
	for (; *line; before = *line++) {
		if (quote)
			quote = *line == quote ? '\0' : quote;
		else if (*line == '"' || *line == '\'')
			quote = *line;
		else if (*line == '#' && (before == ' ' || before == '\t'))
			*line = '\0';
		if (!*line)
			return;
	}
}

static void line_take(void *arg, char *line)
{
	struct unbound *u = arg;
	comment_cut(line);
	u->has_lines |= line[strspn(line, " \t")] != '\0';
	for (;;) {
		// "key:value" without a blank is the same.
		line += strspn(line, " \t");
		const size_t len = strcspn(line, ": \t\"");
		char key[60];
		if (len == 0 || line[len] != ':' || len + 2 > sizeof(key))
			break;
		memcpy(key, line, len + 1);
		key[len + 1] = '\0';
		line += len + 1;
		if (is_clause(key)) {
			u->has_known = true;
			import_unbound_clause_end(u);
			memcpy(u->clause, key, len);
			u->clause[len] = '\0';
			continue;
		}
		struct unbound_words w;
		words_cut(line, &w);
		key[len] = '\0';
		const bool is_file =
			strcmp(key, "include") == 0 || strcmp(key, "include-toplevel") == 0;
		u->has_known |= is_file;
		if (is_file)
			import_file_glob(u->m, u->path, unbound_word(&w, 0), key, each_file, u);
		else
			import_unbound_attribute(u, key, &w);
		return;
	}
	if (*line)
		import_miss(u->m, line, "the line is not read");
}

static void file_take(struct unbound *u, const char *path)
{
	char why[IMPORT_WHY_MAX];
	const char *before = u->m->place;
	if (u->depth == IMPORT_DEPTH_MAX) {
		import_miss(u->m, path, "the file is left out: files include each other %d deep",
			IMPORT_DEPTH_MAX);
		return;
	}
	u->depth++;
	u->m->place = path;
	if (import_file_lines(path, line_take, u, why) < 0)
		import_miss(u->m, NULL, "%s", why);
	u->m->place = before;
	u->depth--;
}

int import_unbound(struct import_model *m, const char *path, char why[IMPORT_WHY_MAX])
{
	struct unbound u = {.m = m, .path = path};
	m->is_recursive = true;
	int rc = import_file_lines(path, line_take, &u, why);
	import_unbound_clause_end(&u);
	import_unbound_end(&u);
	if (rc == 0 && u.has_lines && !u.has_known) {
		snprintf(why, IMPORT_WHY_MAX,
			"%.250s: has no clause of unbound, such as \"server:\"", path);
		return -EINVAL;
	}
	return rc;
}
