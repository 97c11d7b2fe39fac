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

// Of this module: a case as its file has it, and as cmocka runs it.
static struct CMUnitTest cases[CASES_MAX], tests[CASES_MAX];
static size_t next; // of `cases`, to run
struct end {
	void (*end)(void *);
	void *what;
	struct end *earlier;
};
static struct end *_Atomic last, *last_of_group; // threads may add

void unit_at_end(void (*end)(void *), void *what)
{
	struct end *e = malloc(sizeof(*e));
	assert_non_null(e);
	*e = (struct end){end, what, last};
	while (!atomic_compare_exchange_weak(&last, &e->earlier, e))
		continue;
}

char *text_from(const char *format, ...)
{
	va_list args;
	char *text = NULL;
	va_start(args, format);
	assert_true(vasprintf(&text, format, args) >= 0);
	va_end(args);
	unit_at_end(free, text);
	return text;
}

static int before(void **state)
{
	const struct CMUnitTest *c = &cases[next++];
	return c->setup_func ? c->setup_func(state) : 0;
}

static void end_all(void)
{
	for (struct end *e; (e = last);) {
		last = e->earlier;
		e->end(e->what);
		free(e);
	}
}

static int after(void **state)
{
	end_all();
	const struct CMUnitTest *c = &cases[next - 1];
	return c->teardown_func ? c->teardown_func(state) : 0;
}

static CMFixtureFunction group_setup, group_teardown;

static int before_all(void **state)
{
	int rc = group_setup ? group_setup(state) : 0;
	last_of_group = last;
	last = NULL;
	return rc;
}

static int after_all(void **state)
{
	last = last_of_group;
	end_all();
	return group_teardown ? group_teardown(state) : 0;
}

int main(int argc, char **argv)
{
	size_t count = 0;

	if (argc != 2)
		return list();
	for (const struct unit_case *c = first; c && count < CASES_MAX; c = c->next) {
		if (!is_of(c, argv[1]))
			continue;
		if (c->test.test_func) {
			cases[count] = tests[count] = c->test;
			tests[count].setup_func = before;
			tests[count++].teardown_func = after;
		} else {
			group_setup = c->test.setup_func;
			group_teardown = c->test.teardown_func;
		}
	}
	if (count == 0 || count == CASES_MAX) {
		fprintf(stderr, "%s: no module %s, or too many cases\n", argv[0], argv[1]);
		return 2;
	}
	return _cmocka_run_group_tests(argv[1], tests, count, before_all, after_all);
}
