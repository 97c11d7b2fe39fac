// SPDX-License-Identifier: BSD-3-Clause
#include "option_page.h"

#include "tests/source_root.h"
#include "tests/unit/unit.h"

#include <unbound.h>

enum { PAGE_MAX = 32768 };

static struct option_page parts;

const struct option_page *option_page_read(void)
{
	static char page[PAGE_MAX];
	FILE *f = fopen(WEIR_SOURCE_ROOT "/docs/reference/recursion.md", "re");

	assert_non_null(f);
	const size_t len = fread(page, 1, sizeof(page) - 1, f);
	fclose(f);
	assert_true(len > 1000 && len < sizeof(page) - 1);
	page[len] = '\0';
	char *validators = strstr(page, "\n## Options of the validators\n");
	assert_non_null(validators);
	*validators = '\0';
	parts = (struct option_page){page, validators + 1};
	return &parts;
}

// "4m" is what the library says as 4194304.
static void number_spell(char value[64])
{
	char *end;
	const unsigned long n = strtoul(value, &end, 10);

	if (end != value && (strcmp(end, "m") == 0 || strcmp(end, "k") == 0))
		snprintf(value, 64, "%lu", n << (*end == 'm' ? 20 : 10));
}

unsigned option_values(const char *part, const char *text)
{
	struct ub_ctx *ctx = ub_ctx_create();
	unsigned rows = 0;

	assert_non_null(ctx);
	assert_int_equal(ub_ctx_config(ctx, file_with(text)), 0);
	for (const char *at = part; (at = strstr(at, "\n| `")); at++) {
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
	ub_ctx_delete(ctx);
	return rows;
}

// Up to the first clause of a zone.
unsigned option_rows(const char *part, const char *text)
{
	unsigned options = 0;

	for (const char *at = text; *at && strncmp(at, "forward-zone:", 13) != 0;
		at += strcspn(at, "\n") + 1, options++) {
		const char *option = text_from("`%.*s`", (int)strcspn(at, ":\n"), at);
		if (strcmp(option, "`server`") != 0 && !strstr(part, option)
			&& !strstr(parts.recursion, option))
			fail_msg("%s has no row", option);
	}
	return options;
}
