// SPDX-License-Identifier: BSD-3-Clause

#include "config_print.h"

#include <cyaml/cyaml.h>

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

struct field {
	const cyaml_schema_field_t *f;
	const char *data;
	unsigned count; // of a list
};

static bool fields_have(const cyaml_schema_field_t *f, const char *at);

// The value of a field in the struct at `at`; false: it has none.
static bool field_take(const cyaml_schema_field_t *f, const char *at, struct field *out)
{
	char *const *pointer = (const void *)(at + f->data_offset);
	*out = (struct field){.f = f, .data = *pointer};
	if (!out->data)
		return false;
	if (f->value.type == CYAML_MAPPING)
		return fields_have(f->value.mapping.fields, out->data);
	if (f->value.type != CYAML_SEQUENCE)
		return true;
	out->count = *(const unsigned *)(const void *)(at + f->count_offset);
	return out->count > 0;
}

static bool fields_have(const cyaml_schema_field_t *f, const char *at)
{
	struct field one;
	for (; f->key; f++)
		if (field_take(f, at, &one))
			return true;
	return false;
}

static void flow_print(const struct field *v, FILE *out);

static void flow_fields_print(const cyaml_schema_field_t *f, const char *at, FILE *out)
{
	const char *between = "";
	struct field one;
	fputc('{', out);
	for (; f->key; f++) {
		if (!field_take(f, at, &one))
			continue;
		fprintf(out, "%s%s: ", between, f->key);
		flow_print(&one, out);
		between = ", ";
	}
	fputc('}', out);
}

// Item `i` of a list, on one line.
static void item_print(const struct field *v, unsigned i, FILE *out)
{
	const cyaml_schema_value_t *entry = v->f->value.sequence.entry;
	if (entry->type == CYAML_STRING)
		text_print(((char *const *)(const void *)v->data)[i], out);
	else
		flow_fields_print(entry->mapping.fields, v->data + i * entry->data_size, out);
}

static void flow_print(const struct field *v, FILE *out)
{
	if (v->f->value.type == CYAML_STRING) {
		text_print(v->data, out);
		return;
	}
	if (v->f->value.type == CYAML_MAPPING) {
		flow_fields_print(v->f->value.mapping.fields, v->data, out);
		return;
	}
	fputc('[', out);
	for (unsigned i = 0; i < v->count; i++) {
		fputs(i ? ", " : "", out);
		item_print(v, i, out);
	}
	fputc(']', out);
}

static void block_print(const cyaml_schema_field_t *f, const char *at, int depth, FILE *out)
{
	struct field one;
	for (; f->key; f++) {
		if (!field_take(f, at, &one))
			continue;
		fprintf(out, "%*s%s:", 2 * depth, "", f->key);
		if (f->value.type == CYAML_STRING) {
			fputc(' ', out);
			text_print(one.data, out);
		}
		fputc('\n', out);
		if (f->value.type == CYAML_MAPPING)
			block_print(f->value.mapping.fields, one.data, depth + 1, out);
		for (unsigned i = 0; i < one.count; i++) {
			fprintf(out, "%*s- ", 2 * depth + 2, "");
			item_print(&one, i, out);
			fputc('\n', out);
		}
	}
}

void config_print(const struct config_raw *raw, FILE *out)
{
	block_print(config_raw_document.mapping.fields, (const char *)raw, 0, out);
}
