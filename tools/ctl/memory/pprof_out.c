// SPDX-License-Identifier: BSD-3-Clause
#include "pprof_out.h"

#include <errno.h>
#include <search.h>
#include <stdlib.h>
#include <string.h>

// Numbers of fields in profile.proto.
enum {
	PROFILE_SAMPLE_TYPE = 1,
	PROFILE_SAMPLE = 2,
	PROFILE_LOCATION = 4,
	PROFILE_FUNCTION = 5,
	PROFILE_STRING = 6,
	TYPE_TYPE = 1,
	TYPE_UNIT = 2,
	SAMPLE_LOCATION = 1,
	SAMPLE_VALUE = 2,
	SAMPLE_LABEL = 3,
	LABEL_KEY = 1,
	LABEL_STRING = 2,
	LOCATION_ID = 1,
	LOCATION_LINE = 4,
	LINE_FUNCTION = 1,
	FUNCTION_ID = 1,
	FUNCTION_NAME = 2,
	FUNCTION_SYSTEM_NAME = 3,
};
enum { WIRE_VARINT = 0, WIRE_BYTES = 2, MESSAGE_MAX = 1024, VALUES_MAX = 2 };
static_assert((int)MESSAGE_MAX > 10 * (HEAP_DIFF_FRAMES + VALUES_MAX + 8));

struct word { // a string of the table; functions have its number
	char *text;
	uint64_t number;
	bool is_function;
	struct word *next; // next number
};

struct pprof_out {
	enum heap_kind kind;
	FILE *f;
	void *tree; // words by text
	struct word *first, **end;
	uint64_t count;
	bool failed;
};

struct message {
	uint8_t at[MESSAGE_MAX];
	size_t len;
};

static void varint(struct message *m, uint64_t n)
{
	for (; n >= 0x80; n >>= 7)
		m->at[m->len++] = (uint8_t)(n | 0x80);
	m->at[m->len++] = (uint8_t)n;
}

static void number(struct message *m, unsigned field, uint64_t n)
{
	varint(m, field << 3 | WIRE_VARINT);
	varint(m, n);
}

static void bytes(struct message *m, unsigned field, const struct message *of)
{
	varint(m, field << 3 | WIRE_BYTES);
	varint(m, of->len);
	memcpy(m->at + m->len, of->at, of->len);
	m->len += of->len;
}

// Writes a field of the profile itself.
static void put(struct pprof_out *p, unsigned field, const void *at, size_t len)
{
	struct message head = {.len = 0};
	varint(&head, field << 3 | WIRE_BYTES);
	varint(&head, len);
	(void)fwrite(head.at, 1, head.len, p->f);
	(void)fwrite(at, 1, len, p->f);
}

static int by_text(const void *a, const void *b)
{
	const struct word *x = a, *y = b;
	return strcmp(x->text, y->text);
}

static struct word *word_of(struct pprof_out *p, const char *text)
{
	char *copy = strdup(text);
	struct word *w = malloc(sizeof(*w)), **found = NULL;
	if (w && copy) {
		*w = (struct word){.text = copy, .number = p->count};
		found = tsearch(w, &p->tree, by_text);
	}
	if (found && *found == w) {
		*p->end = w;
		p->end = &w->next;
		p->count++;
		return w;
	}
	p->failed = p->failed || !found;
	free(copy);
	free(w);
	return found ? *found : NULL;
}

static uint64_t string(struct pprof_out *p, const char *text)
{
	const struct word *w = word_of(p, text);
	return w ? w->number : 0;
}

static void type_put(struct pprof_out *p, const char *type, const char *unit)
{
	struct message m = {.len = 0};
	number(&m, TYPE_TYPE, string(p, type));
	number(&m, TYPE_UNIT, string(p, unit));
	put(p, PROFILE_SAMPLE_TYPE, m.at, m.len);
}

struct pprof_out *pprof_out_new(enum heap_kind kind, FILE *f)
{
	struct pprof_out *p = calloc(1, sizeof(*p));
	if (!p)
		return NULL;
	p->kind = kind;
	p->f = f;
	p->end = &p->first;
	(void)string(p, ""); // the first string must be empty
	if (kind == HEAP_CPU) {
		type_put(p, "samples", "count");
		type_put(p, "cpu", "microseconds");
	} else if (kind == HEAP_THREADS) {
		type_put(p, "threads", "count");
	} else {
		type_put(p, "alloc_objects", "count");
		type_put(p, "alloc_space", "bytes");
	}
	return p;
}

static uint64_t value_of(double n)
{
	static const double most = 9e18; // below the largest int64
	return n > 0 ? (uint64_t)(n < most ? n : most) : 0;
}

void pprof_out_sample(struct pprof_out *p, const struct heap_growth *g, const char *thread)
{
	struct message m = {.len = 0}, part = {.len = 0};
	for (unsigned i = 0; i < g->depth; i++) {
		struct word *w = word_of(p, g->stack[i][0] ? g->stack[i] : "?");
		if (!w)
			return;
		w->is_function = true;
		varint(&part, w->number);
	}
	bytes(&m, SAMPLE_LOCATION, &part);
	part.len = 0;
	varint(&part, value_of(g->blocks));
	if (p->kind != HEAP_THREADS)
		varint(&part, value_of(g->bytes));
	bytes(&m, SAMPLE_VALUE, &part);
	if (thread) {
		part.len = 0;
		number(&part, LABEL_KEY, string(p, "thread"));
		number(&part, LABEL_STRING, string(p, thread));
		bytes(&m, SAMPLE_LABEL, &part);
	}
	put(p, PROFILE_SAMPLE, m.at, m.len);
}

// Writes a function and its only location, which has its number.
static void function_put(struct pprof_out *p, const struct word *w)
{
	struct message m = {.len = 0}, line = {.len = 0};
	number(&m, FUNCTION_ID, w->number);
	number(&m, FUNCTION_NAME, w->number);
	number(&m, FUNCTION_SYSTEM_NAME, w->number);
	put(p, PROFILE_FUNCTION, m.at, m.len);
	m.len = 0;
	number(&m, LOCATION_ID, w->number);
	number(&line, LINE_FUNCTION, w->number);
	bytes(&m, LOCATION_LINE, &line);
	put(p, PROFILE_LOCATION, m.at, m.len);
}

static void word_free(void *word)
{
	struct word *w = word;
	free(w->text);
	free(w);
}

int pprof_out_end(struct pprof_out *p)
{
	for (const struct word *w = p->first; w; w = w->next) {
		put(p, PROFILE_STRING, w->text, strlen(w->text));
		if (w->is_function)
			function_put(p, w);
	}
	int rc = p->failed ? -ENOMEM : fflush(p->f) != 0 || ferror(p->f) ? -EIO : 0;
	tdestroy(p->tree, word_free);
	free(p);
	return rc;
}
