// SPDX-License-Identifier: BSD-3-Clause

#include "config_print.h"

#include <stdbool.h>
#include <string.h>

// How many bytes at `p` YAML does not keep in quotes: controls of C1, line separators, and a byte
// order mark. 0: it keeps the first one.
static unsigned broken_len(const unsigned char *p)
{
	if (*p < 0x20 || *p == 0x7f || *p == '"' || *p == '\\')
		return 1;
	if (p[0] == 0xc2 && p[1] >= 0x80 && p[1] < 0xa0)
		return 2;
	if (p[0] == 0xe2 && p[1] == 0x80 && (p[2] == 0xa8 || p[2] == 0xa9))
		return 3;
	return p[0] == 0xef && p[1] == 0xbb && p[2] == 0xbf ? 3 : 0;
}

static void text_print(const char *text, FILE *out)
{
	const unsigned char *p = (const unsigned char *)text;
	fputc('"', out);
	while (*p) {
		const unsigned len = broken_len(p);
		if (len == 0)
			fputc(*p, out);
		else if (len == 1)
			fprintf(out, *p == '"' || *p == '\\' ? "\\%c" : "\\x%02x", *p);
		else if (len == 2)
			fprintf(out, "\\x%02x", p[1]);
		else
			fprintf(out, "\\u%04x",
				(p[0] & 0x0fu) << 12 | (p[1] & 0x3fu) << 6 | (p[2] & 0x3fu));
		p += len ? len : 1;
	}
	fputc('"', out);
}

static bool fields_have(const struct config_field *f, const struct config_node *mapping);

// What a mapping has of a field; NULL: nothing that has a value.
static const struct config_node *value_of(
	const struct config_field *f, const struct config_node *mapping)
{
	const struct config_node *n = config_node_find(mapping, f->key);
	if (!n || n->kind != f->kind)
		return NULL;
	if (n->kind == CONFIG_NODE_MAPPING)
		return fields_have(f->keys, n) ? n : NULL;
	return n->kind == CONFIG_NODE_TEXT || n->count ? n : NULL;
}

static bool fields_have(const struct config_field *f, const struct config_node *mapping)
{
	for (; f->key; f++)
		if (value_of(f, mapping))
			return true;
	return false;
}

static void flow_print(const struct config_field *f, const struct config_node *n, FILE *out);

static void flow_fields_print(
	const struct config_field *f, const struct config_node *mapping, FILE *out)
{
	const char *between = "";
	fputc('{', out);
	for (; f->key; f++) {
		const struct config_node *n = value_of(f, mapping);
		if (!n)
			continue;
		fprintf(out, "%s%s: ", between, f->key);
		flow_print(f, n, out);
		between = ", ";
	}
	fputc('}', out);
}

// An item of a list, on one line.
static void item_print(const struct config_field *f, const struct config_node *item, FILE *out)
{
	if (f->keys)
		flow_fields_print(f->keys, item, out);
	else
		text_print(item->text, out);
}

static void flow_print(const struct config_field *f, const struct config_node *n, FILE *out)
{
	if (n->kind == CONFIG_NODE_TEXT) {
		text_print(n->text, out);
		return;
	}
	if (n->kind == CONFIG_NODE_MAPPING) {
		flow_fields_print(f->keys, n, out);
		return;
	}
	fputc('[', out);
	for (unsigned i = 0; i < n->count; i++) {
		fputs(i ? ", " : "", out);
		item_print(f, n->child[i], out);
	}
	fputc(']', out);
}

static void block_print(
	const struct config_field *f, const struct config_node *mapping, int depth, FILE *out)
{
	for (; f->key; f++) {
		const struct config_node *n = value_of(f, mapping);
		if (!n)
			continue;
		fprintf(out, "%*s%s:", 2 * depth, "", f->key);
		if (n->kind == CONFIG_NODE_TEXT) {
			fputc(' ', out);
			text_print(n->text, out);
		}
		fputc('\n', out);
		if (n->kind == CONFIG_NODE_MAPPING)
			block_print(f->keys, n, depth + 1, out);
		for (unsigned i = 0; n->kind == CONFIG_NODE_LIST && i < n->count; i++) {
			fprintf(out, "%*s- ", 2 * depth + 2, "");
			item_print(f, n->child[i], out);
			fputc('\n', out);
		}
	}
}

void config_print(const struct config_node *root, FILE *out)
{
	block_print(config_schema, root, 0, out);
}
