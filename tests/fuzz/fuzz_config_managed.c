// SPDX-License-Identifier: BSD-3-Clause

// The managed part: whatever the text, a model or one line that says what is wrong. What a model
// prints is a model that prints the same, also after each verb. A shared part is such a text, too.

#include "fuzz.h"

#include <weir/config/managed.h>
#include <weir/config/shared.h>

enum { TEXT_MAX = 64 * 1024 };

static char *print(const struct config_managed *m)
{
	char *text = config_managed_text(m, "");
	FUZZ_CHECK(text);
	return text;
}

// Prints what was printed once more. A verb may have made the lists too long to be loaded.
static void check_again(const struct config_managed *m)
{
	char why[CONFIG_WHY_MAX] = "", *text = print(m);
	struct config_managed *again = NULL;
	FUZZ_CHECK(config_managed_parse(text, &again, why) == 0);
	char *twice = print(again);
	FUZZ_CHECK(strcmp(text, twice) == 0);
	free(twice);
	free(text);
	config_managed_free(again);
}

static void edit(struct config_managed *m)
{
	const struct managed_entry e = {.name = "a.example", .verdict = "deny", .why = "\x01 \""};
	const struct managed_list l = {.name = "a", .url = "https://a.example/"};
	const struct managed_record r = {.name = "a.example", .type = "A", .value = "192.0.2.1"};
	(void)config_managed_entries_end(m, 1795636800);
	int rc = config_managed_entry_set(m, &e);
	const bool is_set = rc >= 0;
	FUZZ_CHECK((rc >= 0 && rc <= 2) || rc == -E2BIG);
	FUZZ_CHECK(rc < 0 || config_managed_entry_set(m, &e) > 0);
	rc = config_managed_list_add(m, &l);
	FUZZ_CHECK(rc == 0 || rc == -EEXIST || rc == -E2BIG);
	rc = config_managed_list_disable(m, l.name);
	FUZZ_CHECK(rc == 0 || rc == -EEXIST || rc == -E2BIG);
	rc = config_managed_record_add(m, &r);
	FUZZ_CHECK(rc == 0 || rc == 1 || rc == -E2BIG);
	rc = config_managed_member_add(m, "g", "192.0.2.1");
	FUZZ_CHECK(rc == 0 || rc == -EEXIST || rc == -E2BIG);
	rc = config_managed_server_add(m, "192.0.2.1", NULL);
	FUZZ_CHECK(rc == 0 || rc == 1 || rc == -E2BIG);
	check_again(m);
	const struct managed_entry any = {.name = e.name};
	FUZZ_CHECK(config_managed_entry_remove(m, &any) == 0 || !is_set);
	while (config_managed_list_remove(m, l.name) == 0)
		;
	while (config_managed_server_remove(m, "192.0.2.1") == 0)
		;
	while (config_managed_member_remove(m, NULL, "192.0.2.1") == 0)
		;
	FUZZ_CHECK(config_managed_record_remove(m, &r) != 0);
	check_again(m);
}

static void count(void *arg, const char *path, const char *)
{
	FUZZ_CHECK(path);
	++*(unsigned *)arg;
}

// The text's first line may be "# PATH VALUE".
static void settings(struct config_managed *m, const char *text)
{
	char path[1024], value[1024], why[CONFIG_WHY_MAX] = "";
	unsigned before = 0, after = 0;
	if (sscanf(text, "# %1023[^ \n] %1023[^\n]", path, value) != 2)
		return;
	FUZZ_CHECK(config_managed_overrides(m, count, &before) == 0);
	int rc = config_managed_set(m, path, value, why);
	FUZZ_CHECK(rc == 0 || rc == -E2BIG || (rc == -EINVAL && why[0]));
	if (rc == 0) {
		check_again(m);
		FUZZ_CHECK(config_managed_override_clear(m, path, why) == 0);
		FUZZ_CHECK(config_managed_override_clear(m, path, why) == -ENOENT);
	}
	rc = config_managed_unset(m, path, why);
	FUZZ_CHECK(rc == 0 || rc == -EEXIST || rc == -E2BIG || (rc == -EINVAL && why[0]));
	check_again(m);
	FUZZ_CHECK(config_managed_overrides(m, count, &after) == 0);
	FUZZ_CHECK(after <= before + 1);
}

FUZZ_BODY(data, len)
{
	char why[CONFIG_WHY_MAX] = "", text[TEXT_MAX + 1];
	struct config_managed *m = NULL;
	const size_t n = len < TEXT_MAX ? len : TEXT_MAX;
	memcpy(text, data, n);
	text[n] = '\0';
	const int shared = config_shared_check((const char *)data, n, why);
	FUZZ_CHECK(shared == 0 || (shared == -EINVAL && why[0]));
	why[0] = '\0';
	const int rc = config_managed_parse(text, &m, why);
	FUZZ_CHECK(rc == 0 ? m != NULL : m == NULL && rc == -EINVAL && why[0]);
	if (rc < 0)
		return 0;
	check_again(m);
	edit(m);
	settings(m, text);
	config_managed_free(m);
	return 0;
}
