// SPDX-License-Identifier: BSD-3-Clause
#include "unit.h"

enum { CASES_MAX = 128 }; // of a module

static struct unit_case *first; // by file, then by line

static int order(const struct unit_case *a, const struct unit_case *b)
{
	int by_file = strcmp(a->file, b->file);
	return by_file ? by_file : a->line - b->line;
}

void unit_add(struct unit_case *c)
{
	struct unit_case **at = &first;

	while (*at && order(*at, c) < 0)
		at = &(*at)->next;
	c->next = *at;
	*at = c;
}

// "upstream_check" of "../tests/unit/cp/upstream/test_upstream_check.c".
static bool is_of(const struct unit_case *c, const char *module)
{
	const char *name = strrchr(c->file, '/') + strlen("/test_");
	size_t len = strlen(module);
	return strncmp(name, module, len) == 0 && strcmp(name + len, ".c") == 0;
}

// All modules and their cases.
static int list(void)
{
	for (const struct unit_case *c = first; c; c = c->next) {
		const char *name = strrchr(c->file, '/') + strlen("/test_");
		if (c->test.test_func)
			printf("%.*s %s\n", (int)strlen(name) - 2, name, c->test.name);
	}
	return 0;
}

int main(int argc, char **argv)
{
	static struct CMUnitTest tests[CASES_MAX];
	CMFixtureFunction setup = NULL, teardown = NULL;
	size_t count = 0;

	if (argc != 2)
		return list();
	for (const struct unit_case *c = first; c && count < CASES_MAX; c = c->next) {
		if (!is_of(c, argv[1]))
			continue;
		if (c->test.test_func) {
			tests[count++] = c->test;
		} else {
			setup = c->test.setup_func;
			teardown = c->test.teardown_func;
		}
	}
	if (count == 0 || count == CASES_MAX) {
		fprintf(stderr, "%s: no module %s, or too many cases\n", argv[0], argv[1]);
		return 2;
	}
	return _cmocka_run_group_tests(argv[1], tests, count, setup, teardown);
}
