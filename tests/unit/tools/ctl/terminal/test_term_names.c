// SPDX-License-Identifier: BSD-3-Clause
// What weirctl shows of internationalised domain names: stdout is a terminal of this test's.

#include "tests/unit/unit.h"
#include "tools/ctl/terminal/term_names.h"
#include "tools/ctl/terminal/term_text.h"

#include <locale.h>
#include <pty.h>

#define BOOKS       \
	"b\xc3\xbc" \
	"cher.example"

static const struct {
	const char *text, *shown; // NULL: the text itself
} cases[] = {
	{"xn--bcher-kva.example", BOOKS " (xn--bcher-kva.example)"},
	{"*.xn--bcher-kva.example", "*." BOOKS " (*.xn--bcher-kva.example)"},
	{"blocked: xn--bcher-kva.example.", "blocked: " BOOKS " (xn--bcher-kva.example)."},
	{"(\"xn--bcher-kva.example\", a)", "(\"" BOOKS " (xn--bcher-kva.example)\", a)"},
	// Cyrillic "аррӏе": both are there, so that nobody takes it for Latin.
	{"xn--80ak6aa92e.com", "\xd0\xb0\xd1\x80\xd1\x80\xd3\x8f\xd0\xb5.com (xn--80ak6aa92e.com)"},
	{"_dns.xn--fiqs8s", "_dns.\xe4\xb8\xad\xe5\x9b\xbd (_dns.xn--fiqs8s)"},
	{"plain.example", NULL},
	{"https://xn--bcher-kva.example/ads", NULL},
	{"||xn--bcher-kva.example^", NULL},
	{"XN--BCHER-KVA.example", NULL}, // comes back in lower case
	{"xn--a.example", NULL},         // U+0080
	{"xn--bcher-.example", NULL},    // ASCII alone
	{"xn--strae-oqa.example", "stra\xc3\x9f"
				  "e.example (xn--strae-oqa.example)"},
	{"xn--99999999999999.example", NULL},
	{"xn--a-ecp.ru", NULL},       // U+2488, a full stop
	{"xn--ab-5da.example", NULL}, // a soft hyphen
	{"xn--ab-m1t.example", NULL}, // a joiner without context
	{"xn--a-zhc.example", NULL},  // Hebrew and Latin in one label
	{"xn--bcher-kva.exa\x1b[mmple", "xn--bcher-kva.exa\\x1b[mmple"},
	{"", NULL},
};

static char *names(const char *text, bool is_terminal, char *out, size_t cap)
{
	int master, slave;
	const int usual = dup(STDOUT_FILENO);
	assert_int_equal(openpty(&master, &slave, NULL, NULL, NULL), 0);
	const int null = open("/dev/null", O_WRONLY | O_CLOEXEC);
	assert_true(null >= 0 && dup2(is_terminal ? slave : null, STDOUT_FILENO) >= 0);
	term_names(text, out, cap);
	assert_true(dup2(usual, STDOUT_FILENO) >= 0);
	close(usual);
	close(null);
	close(slave);
	close(master);
	return out;
}

static int in_utf8(void **)
{
	assert_int_equal(setenv("LC_ALL", "C.UTF-8", 1), 0);
	term_text_init();
	return 0;
}

static int in_c(void **)
{
	assert_int_equal(setenv("LC_ALL", "C", 1), 0);
	term_text_init();
	return 0;
}

TEST_WITH(names_on_a_terminal, in_utf8, NULL)
{
	char out[512];
	for (size_t i = 0; i < ARRAY_LEN(cases); i++)
		assert_string_equal(names(cases[i].text, true, out, sizeof(out)),
			cases[i].shown ? cases[i].shown : cases[i].text);
}

TEST_WITH(names_in_a_file, in_utf8, NULL)
{
	char out[512];
	assert_string_equal(names(cases[0].text, false, out, sizeof(out)), cases[0].text);
}

TEST_WITH(names_without_utf8, in_c, NULL)
{
	char out[512];
	assert_string_equal(names(cases[0].text, true, out, sizeof(out)), cases[0].text);
}

TEST_WITH(more_than_fits, in_utf8, NULL)
{
	char text[6000] = "", out[7000];
	while (strlen(text) + 30 < sizeof(text))
		strcat(text, "xn--bcher-kva.example ");
	assert_string_equal(names(text, true, out, sizeof(out)), text);
	assert_string_equal(names("a xn--bcher-kva.example", true, out, 8), "a b\xc3\xbc");
}
