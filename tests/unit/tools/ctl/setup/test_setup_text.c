// SPDX-License-Identifier: BSD-3-Clause
// One key of a configuration file replaced in its text.

#include "tests/unit/unit.h"
#include "tools/ctl/setup/setup_text.h"

static const struct {
	const char *what, *text, *section, *key, *lines, *want; // want NULL: refused
} cases[] = {
	{"a list, and what is around it",
		"a: 1\ndp: # ports\n  x: 1\n  ports:\n    # old\n    - tap\n"
		"      # more\n\n  # of y\n  y: 2\nz: 3\n",
		"dp", "ports", "ports:\n  - eth0\n",
		"a: 1\ndp: # ports\n  x: 1\n  ports:\n    - eth0\n\n  # of y\n  y: 2\nz: 3\n"},
	{"items at the indentation of their key", "dp:\n  ports:\n  - a\n  - b\n  y: 2\n", "dp",
		"ports", "ports: []\n", "dp:\n  ports: []\n  y: 2\n"},
	{"the last key of the last section, without a newline", "dp:\n  ports: [a]", "dp", "ports",
		"ports: [b]\n", "dp:\n  ports: [b]\n"},
	{"another indentation", "dp:\n    y: 2\n    ports: a\n", "dp", "ports", "ports:\n  - b\n",
		"dp:\n    y: 2\n    ports:\n      - b\n"},
	{"a key that is not there comes first", "dp:\n  y: 2\n", "dp", "ports", "ports: b\n",
		"dp:\n  ports: b\n  y: 2\n"},
	{"an empty section", "dp:\nz: 3\n", "dp", "ports", "ports: b\n", "dp:\n  ports: b\nz: 3\n"},
	{"a section that is not there", "a: 1", "dp", "ports", "ports: b\n",
		"a: 1\n\ndp:\n  ports: b\n"},
	{"nothing to remove", "a: 1\n", "dp", "ports", "", "a: 1\n"},
	{"a key goes", "dp:\n  x: 1\n  mode: m\n  y: 2\n", "dp", "mode", "",
		"dp:\n  x: 1\n  y: 2\n"},
	{"a key of the same name elsewhere",
		"a:\n  ports: 1\ndp:\n  b:\n    ports: 2\n  ports: 3\n", "dp", "ports",
		"ports: 4\n", "a:\n  ports: 1\ndp:\n  b:\n    ports: 2\n  ports: 4\n"},
	{"a name that begins alike", "dpx:\n  ports: 1\ndp:\n  portsx: 2\n", "dp", "ports",
		"ports: 4\n", "dpx:\n  ports: 1\ndp:\n  ports: 4\n  portsx: 2\n"},
	{"a comment is no section", "#dp:\n#  ports: 1\na: 1\n", "dp", "ports", "ports: 4\n",
		"#dp:\n#  ports: 1\na: 1\n\ndp:\n  ports: 4\n"},
	{"flow style", "dp: {ports: [a]}\n", "dp", "ports", "ports: b\n", NULL},
};

TEST(test_put)
{
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		const char *why;
		char *got = setup_text_put(
			cases[i].text, cases[i].section, cases[i].key, cases[i].lines, &why);
		if (!cases[i].want) {
			assert_null(got);
			assert_string_equal(why, "the section is not in block style");
		} else {
			print_message("%s\n", cases[i].what);
			assert_non_null(got);
			assert_string_equal(got, cases[i].want);
		}
		free(got);
	}
}
