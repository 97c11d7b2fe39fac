// SPDX-License-Identifier: BSD-3-Clause
// What weirctl status says of the sinks of the log.

#include "../../tools/ctl/view.h"
#include "unit.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

// What view_print_clickhouse writes on stdout of such a document.
static const char *printed(const char *json)
{
	static char out[1024];
	struct json_doc *doc = json_doc_parse(json, strlen(json));
	FILE *file = tmpfile();
	assert_non_null(doc);
	assert_non_null(file);
	int saved = dup(STDOUT_FILENO);
	fflush(stdout);
	assert_true(dup2(fileno(file), STDOUT_FILENO) >= 0);
	view_print_clickhouse(json_doc_root(doc));
	fflush(stdout);
	dup2(saved, STDOUT_FILENO);
	close(saved);
	rewind(file);
	out[fread(out, 1, sizeof out - 1, file)] = '\0';
	fclose(file);
	json_doc_free(doc);
	return out;
}

static void test_clickhouse(void **)
{
	assert_string_equal(printed("{}"), ""); // there is none
	assert_string_equal(printed("{\"state\": \"up\", \"rows\": 5000}"),
		"clickhouse      up, 5,000 rows sent, 0 B in 0 files wait on disk\n");
	assert_string_equal(
		printed("{\"state\": \"up\", \"unspooled_halves\": 2, \"waits_for_disk\": true}"),
		"clickhouse      up, 0 rows sent, 0 B in 0 files wait on disk, 2 halves of files "
		"that no disk took, the spool's disk takes nothing\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_clickhouse),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
