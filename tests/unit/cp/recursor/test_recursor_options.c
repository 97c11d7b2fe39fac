// SPDX-License-Identifier: BSD-3-Clause
// docs/reference/recursion.md says of each option what the library itself has.

#include "recursor/recursor_internal.h"
#include "tests/source_root.h"
#include "tests/unit/unit.h"

#include <unbound.h>

enum { PAGE_MAX = 32768 };

static char page[PAGE_MAX];
static char *text; // the library's settings
static struct ub_ctx *ctx;

static int page_read(void **)
{
	const struct recursor_settings s = {.is_on = true,
		.root_hints = "/hints",
		.validates = true,
		.trusted = {.anchors = "/anchors"},
		.range_count = 1,
		.range = {{1024, 1025}}};
	FILE *f = fopen(WEIR_SOURCE_ROOT "/docs/reference/recursion.md", "re");

	assert_non_null(f);
	const size_t len = fread(page, 1, sizeof(page) - 1, f);
	fclose(f);
	assert_true(len > 1000 && len < sizeof(page) - 1);
	assert_int_equal(recursor_config_write(&s, 2048, &text), 0);
	ctx = ub_ctx_create();
	assert_non_null(ctx);
	assert_int_equal(ub_ctx_config(ctx, file_with(text)), 0);
	return 0;
}

static int page_end(void **)
{
	ub_ctx_delete(ctx);
	free(text);
	return 0;
}

// "4m" is what the library says as 4194304.
static void number_spell(char value[64])
{
	char *end;
	const unsigned long n = strtoul(value, &end, 10);

	if (end != value && (strcmp(end, "m") == 0 || strcmp(end, "k") == 0))
		snprintf(value, 64, "%lu", n << (*end == 'm' ? 20 : 10));
}

TEST_WITH(test_values, page_read, page_end)
{
	unsigned rows = 0;

	for (const char *at = page; (at = strstr(at, "\n| `")); at++) {
		char option[64], value[64], *got = NULL;
		int len = 0;
		(void)sscanf(at, "\n| `%63[a-z0-9-]` | `%63[^`]` |%n", option, value, &len);
		if (len == 0)
			continue;
		number_spell(value);
		if (ub_ctx_get_option(ctx, option, &got) || strcmp(got, value) != 0)
			fail_msg("%s: the page has %s, the library %s", option, value, got);
		free(got);
		rows++;
	}
	assert_in_range(rows, 60, 100);
}

TEST_WITH(test_each_option_that_is_set_has_a_row, page_read, page_end)
{
	unsigned options = 0;
	char line[512];

	for (const char *at = text; *at; at += strcspn(at, "\n") + 1, options++) {
		snprintf(line, sizeof(line), "%.*s", (int)strcspn(at, ":\n"), at);
		if (strcmp(line, "server") != 0 && !strstr(page, text_from("`%s`", line)))
			fail_msg("%s has no row", line);
	}
	assert_true(options > 40);
}
