// SPDX-License-Identifier: BSD-3-Clause

// Profiles in pprof's format: read back by the numbers of profile.proto.

#include "tests/unit/unit.h"
#include "tools/ctl/memory/pprof_out.h"

enum { STRINGS_MAX = 64, FIELDS_MAX = 16 };

struct got {
	char string[STRINGS_MAX][32];
	unsigned strings, types, samples, functions, locations;
	uint64_t type[2][2], values[2], frame[8], label[2];
	uint64_t function_name[FIELDS_MAX], line_function[FIELDS_MAX]; // by number
};

static uint64_t varint(const uint8_t **at)
{
	uint64_t n = 0;
	unsigned shift = 0;
	do
		n |= (uint64_t)(**at & 0x7f) << shift, shift += 7;
	while (*(*at)++ & 0x80);
	return n;
}

// The fields of a message: numbers, or the start of what has a length.
static void fields(
	const uint8_t *at, size_t len, uint64_t out[FIELDS_MAX], const uint8_t *sub[FIELDS_MAX])
{
	const uint8_t *end = at + len;
	while (at < end) {
		uint64_t key = varint(&at);
		assert_in_range(key >> 3, 1, FIELDS_MAX - 1);
		out[key >> 3] = varint(&at);
		if ((key & 7) == 2) {
			sub[key >> 3] = at;
			at += out[key >> 3];
		}
	}
	assert_ptr_equal(at, end);
}

static void sample_read(struct got *g, const uint64_t *n, const uint8_t **sub)
{
	unsigned i = 0;
	for (const uint8_t *at = sub[1]; at < sub[1] + n[1]; i++)
		g->frame[i] = varint(&at);
	i = 0;
	for (const uint8_t *at = sub[2]; at < sub[2] + n[2]; i++)
		g->values[i] += varint(&at);
	if (sub[3]) {
		uint64_t label[FIELDS_MAX] = {0};
		fields(sub[3], n[3], label, (const uint8_t *[FIELDS_MAX]){0});
		memcpy(g->label, &label[1], sizeof(g->label));
	}
	g->samples++;
}

static void field_read(struct got *g, unsigned field, const uint8_t *at, size_t len)
{
	uint64_t n[FIELDS_MAX] = {0};
	const uint8_t *sub[FIELDS_MAX] = {0};
	if (field == 6) {
		memcpy(g->string[g->strings++], at, len);
		return;
	}
	fields(at, len, n, sub);
	if (field == 1) {
		memcpy(g->type[g->types++], &n[1], sizeof(g->type[0]));
	} else if (field == 2) {
		sample_read(g, n, sub);
	} else if (field == 4) {
		uint64_t line[FIELDS_MAX] = {0};
		fields(sub[4], n[4], line, (const uint8_t *[FIELDS_MAX]){0});
		g->line_function[n[1]] = line[1];
		g->locations++;
	} else if (field == 5) {
		g->function_name[n[1]] = n[2];
		g->functions++;
	}
}

static struct got *read_back(const void *bytes, size_t len)
{
	static struct got g;
	const uint8_t *at = bytes, *end = at + len;
	memset(&g, 0, sizeof(g));
	while (at < end) {
		uint64_t key = varint(&at), n = varint(&at);
		assert_int_equal(key & 7, 2);
		field_read(&g, (unsigned)(key >> 3), at, n);
		at += n;
	}
	return &g;
}

static char *text;
static size_t text_len;

static struct got *written(
	enum heap_kind kind, const struct heap_growth *g, unsigned count, const char *thread)
{
	free(text);
	FILE *f = open_memstream(&text, &text_len);
	struct pprof_out *p = pprof_out_new(kind, f);
	for (unsigned i = 0; i < count; i++)
		pprof_out_sample(p, &g[i], thread);
	assert_int_equal(pprof_out_end(p), 0);
	fclose(f);
	return read_back(text, text_len);
}

static char leaf[] = "leaf", middle[] = "middle", other[] = "other", main_[] = "main";
static struct heap_growth two[] = {
	{.stack = {leaf, middle, main_}, .depth = 3, .blocks = 3, .bytes = 300.7},
	{.stack = {other, main_}, .depth = 2, .blocks = 200, .bytes = 1e30},
};

TEST(stacks_have_their_names_and_values)
{
	const struct got *g = written(HEAP_ALLOCATED, two, 1, NULL);
	assert_string_equal(g->string[0], "");
	assert_int_equal(g->types, 2);
	assert_string_equal(g->string[g->type[0][0]], "alloc_objects");
	assert_string_equal(g->string[g->type[1][0]], "alloc_space");
	assert_string_equal(g->string[g->type[1][1]], "bytes");
	assert_int_equal(g->values[0], 3);
	assert_int_equal(g->values[1], 300);
	for (unsigned i = 0; i < 3; i++) {
		uint64_t function = g->line_function[g->frame[i]];
		assert_string_equal(g->string[g->function_name[function]], two[0].stack[i]);
	}
}

TEST(a_function_is_there_once)
{
	const struct got *g = written(HEAP_CPU, two, 2, NULL);
	assert_int_equal(g->samples, 2);
	assert_int_equal(g->functions, 4);
	assert_int_equal(g->locations, 4);
	assert_int_equal(g->values[0], 203);
	assert_string_equal(g->string[g->type[1][1]], "microseconds");
	assert_true(g->values[1] >= UINT64_C(9000000000000000000)); // no more than an int64 holds
}

TEST(threads_have_labels)
{
	const struct got *g = written(HEAP_THREADS, two, 1, "weir-log 77");
	assert_int_equal(g->types, 1);
	assert_string_equal(g->string[g->label[0]], "thread");
	assert_string_equal(g->string[g->label[1]], "weir-log 77");
}

TEST(a_full_disk_is_an_error)
{
	FILE *f = fopen("/dev/full", "we");
	struct pprof_out *p = pprof_out_new(HEAP_CPU, f);
	pprof_out_sample(p, &two[0], NULL);
	assert_int_equal(pprof_out_end(p), -EIO);
	fclose(f);
	free(text);
}
