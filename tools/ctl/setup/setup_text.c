// SPDX-License-Identifier: BSD-3-Clause
#include "setup_text.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *next_line(const char *line)
{
	line += strcspn(line, "\n");
	return *line ? line + 1 : line;
}

static size_t indent_of(const char *line)
{
	return strspn(line, " ");
}

// Is the line blank, or a comment?
static bool is_empty(const char *line)
{
	line += strspn(line, " \t\r");
	return !*line || *line == '\n' || *line == '#';
}

// Is the line "key:" at this indentation? `rest` is the text after it.
static bool is_key(const char *line, size_t indent, const char *key, const char **rest)
{
	const size_t len = strlen(key);
	if (indent_of(line) != indent || strncmp(line + indent, key, len) != 0
		|| line[indent + len] != ':' || !strchr(" \t\r\n", line[indent + len + 1]))
		return false;
	*rest = line + indent + len + 1;
	return true;
}

static const char *section_find(const char *text, const char *section, const char **rest)
{
	for (; *text; text = next_line(text))
		if (is_key(text, 0, section, rest))
			return text;
	return NULL;
}

// The end of the block whose first line has `indent`: after its last line with more indentation, or
// with an item of a list at the same indentation.
static const char *block_end(const char *line, size_t indent)
{
	const char *end = next_line(line);
	for (line = end; *line; line = next_line(line)) {
		const size_t deep = indent_of(line);
		const bool is_item = deep == indent && line[deep] == '-' && line[deep + 1] == ' ';
		if (deep > indent || is_item)
			end = line[deep] && line[deep] != '\n' ? next_line(line) : end;
		else if (!is_empty(line))
			break;
	}
	return end;
}

// The indentation of the first key of the section; 2 if it has no keys.
static size_t section_indent(const char *body, const char *end)
{
	for (; body < end; body = next_line(body))
		if (!is_empty(body))
			return indent_of(body);
	return 2;
}

static void lines_write(FILE *out, const char *lines, size_t indent)
{
	for (; *lines; lines = next_line(lines))
		fprintf(out, "%*s%.*s\n", (int)indent, "", (int)strcspn(lines, "\n"), lines);
}

static void text_write(
	FILE *out, const char *text, const char *body, const char *key, const char *lines)
{
	const char *end = block_end(body, 0), *rest;
	const size_t indent = section_indent(next_line(body), end);
	const char *from = next_line(body), *to = from;
	for (const char *line = from; line < end; line = next_line(line)) {
		if (!is_key(line, indent, key, &rest))
			continue;
		from = line;
		to = block_end(line, indent);
		break;
	}
	fwrite(text, 1, (size_t)(from - text), out);
	lines_write(out, lines, indent);
	fputs(to, out);
}

char *setup_text_put(
	const char *text, const char *section, const char *key, const char *lines, const char **why)
{
	char *result = NULL;
	size_t len = 0;
	const char *rest = NULL, *body = section_find(text, section, &rest);
	*why = "out of memory";
	if (body && !is_empty(rest)) {
		*why = "the section is not in block style";
		return NULL;
	}
	FILE *out = open_memstream(&result, &len);
	if (!out)
		return NULL;
	if (body) {
		text_write(out, text, body, key, lines);
	} else {
		const size_t had = strlen(text);
		fprintf(out, "%s%s", text, had && text[had - 1] != '\n' ? "\n" : "");
		if (*lines)
			fprintf(out, "\n%s:\n", section);
		lines_write(out, lines, 2);
	}
	const bool failed = ferror(out) != 0;
	if (fclose(out) != 0 || failed) {
		free(result);
		return NULL;
	}
	return result;
}
