// SPDX-License-Identifier: BSD-3-Clause

// The files that a configuration includes.

#include "config_text.h"

#include <limits.h>
#include <weir/config_tools.h>

#define PARTS "include: [conf.d/*.yaml]\n"

static char folder[FOLDER_MAX], file[FOLDER_MAX + 16];
static struct config_errors errors;

static void write_text(const char *name, const char *text)
{
	text_to_file(text_from("%s/%s", folder, name), text);
}

// All of the errors, in their order: with "%" for the folder of the configuration.
static void refused(const char *const *want, unsigned count)
{
	struct config *c = NULL;
	assert_int_equal(config_load_all(file, &c, &errors), -EINVAL);
	assert_null(c);
	for (unsigned i = 0; i < count && i < errors.count; i++) {
		char text[2 * CONFIG_WHY_MAX] = "";
		size_t n = 0;
		for (const char *p = want[i]; *p; p++)
			n += (size_t)snprintf(text + n, sizeof(text) - n, "%.*s",
				*p == '%' ? FOLDER_MAX : 1, *p == '%' ? folder : p);
		assert_string_equal(errors.text[i], text);
	}
	assert_int_equal(errors.count, count);
}

static void refused_one(const char *want)
{
	refused(&want, 1);
}

static int setup(void **)
{
	if (folder_make(folder, "config_include"))
		return -1;
	snprintf(file, sizeof(file), "%s/weir.yaml", folder);
	return mkdir(text_from("%s/conf.d", folder), 0700);
}

FIXTURE_OF(teardown, folder_remove(folder, ""))

TEST_WITH(test_merge, setup, teardown)
{
	write_text("weir.yaml",
		MINIMAL PARTS "cache: {max_ttl: 7000}\n"
			      "blocking: {deny: [a.example], safe_search: {google: strict}}\n");
	write_text("conf.d/20.yaml", "blocking: {deny: [d.example, e.example]}\n");
	write_text("conf.d/10.yaml",
		"cache: {min_ttl: 9}\nblocking: {deny: [c.example], mode: refused,\n"
		"  safe_search: {bing: strict}, rebinding: {enabled: true}}\n"
		"groups: [{name: kids, clients: [192.0.2.1]}]\n");
	write_text("conf.d/30.yaml", "# nothing yet\n");
	write_text("conf.d/.40.yaml", "not: seen\n");
	write_text("conf.d/50.yaml.new", "not: seen\n");
	struct config *c = config_file_load(file);
	assert_int_equal(c->cache.max_ttl_s, 7000);
	assert_int_equal(c->cache.min_ttl_s, 9);
	assert_int_equal(c->blocking.mode, DNS_BLOCK_REFUSED);
	assert_true(c->blocking.rebinding.enabled);
	assert_int_equal(
		c->blocking.filter.safe_search.level[SAFE_ENGINE_GOOGLE], SAFE_LEVEL_STRICT);
	assert_int_equal(c->blocking.filter.safe_search.level[SAFE_ENGINE_BING], SAFE_LEVEL_STRICT);
	assert_int_equal(c->group_count, 1);
	assert_int_equal(c->blocking.deny_count, 4);
	for (unsigned i = 0; i < 4; i++)
		assert_int_equal(c->blocking.deny[i].wire[1], "acde"[i]);

	assert_int_equal(c->include.file_count, 3);
	assert_string_equal(c->include.files[0], text_from("%s/conf.d/10.yaml", folder));
	assert_int_equal(c->include.folder_count, 1);
	assert_string_equal(c->include.folders[0], text_from("%s/conf.d/", folder));

	write_text("conf.d/20.yaml", "blocking: {deny: [d.example, f.example]}\n");
	struct config *other = config_file_load(file);
	assert_true(other->text_hash != c->text_hash);
}

// As it is typed: messages keep it, and what is watched is absolute all the same.
TEST_WITH(test_relative, setup, teardown)
{
	char here[PATH_MAX], why[CONFIG_WHY_MAX];
	write_text("weir.yaml", MINIMAL "include: ['1*.yaml', conf.d/1.yaml]\n");
	write_text("conf.d/1.yaml", "");
	assert_non_null(getcwd(here, sizeof(here)));
	assert_int_equal(chdir(folder), 0);
	struct config *c = config_file_load("weir.yaml");
	assert_string_equal(c->include.folders[0], text_from("%s/", folder));
	assert_string_equal(c->include.files[0], text_from("%s/conf.d/1.yaml", folder));
	write_text("conf.d/1.yaml", "cache: {min_ttl: x}\n");
	assert_int_equal(config_load("weir.yaml", &c, why), -EINVAL);
	assert_string_equal(
		why, "config: cache.min_ttl: \"x\" is not a whole number (conf.d/1.yaml:1:9)");
	assert_int_equal(chdir(here), 0);
}

// Each error names its file, and a list's item its number there.
TEST_WITH(test_places, setup, teardown)
{
	static const char *const want[] = {
		"config: cache.min_ttl: \"4x\" is not a whole number (%/conf.d/a.yaml:1:9)",
		("config: refresh.mode: must be one of: aggressive, balanced, conservative, custom "
		 "(%/weir.yaml:10:11)"),
		"config: blocking.deny[0]: is not a domain name (%/weir.yaml:9:19)",
		"config: blocking.deny[1]: is not a domain name (%/conf.d/a.yaml:2:30)",
		"config: blocking.deny[0]: is not a domain name (%/conf.d/b.yaml:1:19)",
	};
	static const char *const of_groups[] = {
		"config: groups \"lab\": lists[0]: list \"ad\" is not defined "
		"(%/conf.d/b.yaml:2:45); did you mean \"ads\"?",
	};
	static const char *const unknown[] = {
		"config: cahce: unknown key (%/weir.yaml:9:1); did you mean \"cache\"?",
		("config: blocking.dney: unknown key (%/conf.d/a.yaml:1:12); did you mean "
		 "\"deny\"?"),
		"config: cache: found unexpected end of stream (%/conf.d/b.yaml:2:1)",
	};
	write_text("weir.yaml",
		MINIMAL PARTS "blocking: {deny: [a..b, c.example]}\nrefresh: {mode: fast}\n");
	write_text("conf.d/a.yaml", "cache: {min_ttl: 4x}\nblocking: {deny: [d.example, a..b]}\n");
	write_text("conf.d/b.yaml", "blocking: {deny: [a..b]}\n");
	refused(want, ARRAY_LEN(want));

	write_text("weir.yaml",
		MINIMAL PARTS "groups: [{name: kids, clients: [192.0.2.1], lists: [ads]}]\n");
	write_text("conf.d/a.yaml", "blocking: {lists: [{name: ads, path: /a}]}\n");
	write_text("conf.d/b.yaml", "groups:\n- {name: lab, clients: [192.0.2.2], lists: [ad]}\n");
	refused(of_groups, ARRAY_LEN(of_groups));

	write_text("weir.yaml", MINIMAL PARTS "cahce: {}\n");
	write_text("conf.d/a.yaml", "blocking: {dney: [a]}\n");
	write_text("conf.d/b.yaml", "cache: \"\n");
	refused(unknown, ARRAY_LEN(unknown));
}

TEST_WITH(test_conflicts, setup, teardown)
{
	static const char *const want[] = {
		"config: cache.min_ttl: has a value in another file, too: %/weir.yaml:9:9 "
		"(%/conf.d/a.yaml:1:9)",
		"config: blocking.safe_search.bing: has a value in another file, too: "
		"%/conf.d/a.yaml:2:26 (%/conf.d/b.yaml:1:26)",
	};
	write_text("weir.yaml", MINIMAL PARTS "cache: {min_ttl: 5}\n");
	write_text(
		"conf.d/a.yaml", "cache: {min_ttl: 5}\nblocking: {safe_search: {bing: strict}}\n");
	write_text("conf.d/b.yaml", "blocking: {safe_search: {bing: strict}}\n");
	refused(want, ARRAY_LEN(want));
}

TEST_WITH(test_first_file_alone, setup, teardown)
{
	static const char *const want[] = {
		"config: version: is not possible in an included file: move it to the file that "
		"includes this one (%/conf.d/a.yaml:3:1)",
		"config: include: is not possible in an included file: move it to the file that "
		"includes this one (%/conf.d/a.yaml:2:1)",
		"config: runtime: is not possible in an included file: move it to the file that "
		"includes this one (%/conf.d/a.yaml:1:1)",
	};
	write_text("weir.yaml", MINIMAL PARTS);
	write_text("conf.d/a.yaml", "runtime: {log_level: debug}\ninclude: [b.yaml]\nversion: 1\n");
	refused(want, ARRAY_LEN(want));
}

TEST_WITH(test_paths, setup, teardown)
{
	static const struct {
		const char *include, *why;
	} bad[] = {
		{"['']", "include[0]: must be 1 to 200 bytes long (%/weir.yaml:8:11)"},
		{"[\"a\\eb\"]",
			"include[0]: %/a\\x1bb: No such file or directory (%/weir.yaml:8:11)"},
		{"[conf.d/]", "include[0]: is a folder: name files in it, such as *.yaml "
			      "(%/weir.yaml:8:11)"},
		{"['*/a.yaml']", "include[0]: a pattern is possible in the file's name only "
				 "(%/weir.yaml:8:11)"},
		{"[none.yaml]",
			"include[0]: %/none.yaml: No such file or directory (%/weir.yaml:8:11)"},
		{"['none/*.yaml']",
			"include[0]: %/none/: No such file or directory (%/weir.yaml:8:11)"},
		{"[conf.d]", "include[0]: %/conf.d: neither a file nor a pipe (%/weir.yaml:8:11)"},
		{"[fifo]", "include[0]: %/fifo: neither a file nor a pipe (%/weir.yaml:8:11)"},
		{"['*.yaml']", "include[0]: %/weir.yaml is read already, as %/weir.yaml "
			       "(%/weir.yaml:8:11)"},
		{"['conf.d/*', conf.d/a.yaml]",
			"include[1]: %/conf.d/a.yaml is read already, as %/conf.d/a.yaml "
			"(%/weir.yaml:8:23)"},
		{"{a: b}",
			"include: expected a list (%/weir.yaml:8:1); write [a, b], or lines that "
			"begin with \"- \""},
	};
	assert_int_equal(mkfifo(text_from("%s/fifo", folder), 0600), 0);
	write_text("conf.d/a.yaml", "");
	for (unsigned i = 0; i < ARRAY_LEN(bad); i++) {
		write_text("weir.yaml", text_from(MINIMAL "include: %s\n", bad[i].include));
		refused_one(text_from("config: %s", bad[i].why));
	}
}

TEST_WITH(test_bounds, setup, teardown)
{
	write_text("weir.yaml", MINIMAL PARTS);
	for (unsigned i = 0; i < CONFIG_INCLUDED_MAX; i++)
		write_text(text_from("conf.d/%02u.yaml", i), "blocking: {deny: [a.example]}\n");
	struct config *c = config_file_load(file);
	assert_int_equal(c->include.file_count, CONFIG_INCLUDED_MAX);
	write_text("conf.d/99.yaml", "");
	refused_one("config: include[0]: more than 64 files match (%/weir.yaml:8:11)");
	write_text("weir.yaml", MINIMAL "include: ['conf.d/[0-8]*.yaml', conf.d/99.yaml]\n");
	refused_one("config: include[1]: more than 64 files (%/weir.yaml:8:33)");
}

// A list has as many entries as it may, whatever number of files they come from.
TEST_WITH(test_list_bound, setup, teardown)
{
	char text[256] = "metrics: {allow: [";
	for (unsigned i = 0; i < CONFIG_METRICS_ALLOW_MAX; i++)
		strcat(text, "192.0.2.9, ");
	strcat(text, "]}\n");
	write_text("weir.yaml", MINIMAL PARTS "metrics: {allow: [192.0.2.7]}\n");
	write_text("conf.d/a.yaml", text);
	refused_one(
		text_from("config: metrics.allow: more than %d entries, with those of other files "
			  "(%%/conf.d/a.yaml:1:11)",
			CONFIG_METRICS_ALLOW_MAX));
}

TEST_WITH(test_bytes, setup, teardown)
{
	static char line[1 << 21];
	memset(line, '#', sizeof(line) - 1);
	write_text("weir.yaml", MINIMAL PARTS);
	write_text("conf.d/a.yaml", line);
	config_file_load(file);
	write_text("conf.d/b.yaml", line);
	refused_one("config: include[0]: with %/conf.d/b.yaml all files have more than 4194304 "
		    "bytes (%/weir.yaml:8:11)");
	assert_int_equal(truncate(text_from("%s/conf.d/b.yaml", folder), (4 << 20) + 1), 0);
	refused_one("config: include[0]: %/conf.d/b.yaml: File too large (%/weir.yaml:8:11)");
}

// A list that another file leaves empty is not one that is absent.
TEST_WITH(test_empty_list, setup, teardown)
{
	write_text("weir.yaml", MINIMAL PARTS "access: {rate: 5}\n");
	write_text("conf.d/a.yaml", "access: {allow: []}\n");
	refused_one("config: access.allow: has no prefix, so no client is allowed; remove the key "
		    "to allow private and local networks (%/conf.d/a.yaml:1:10)");
	write_text("conf.d/a.yaml", "access: {slip: 3}\n");
	struct config *c = config_file_load(file);
	assert_true(c->access.allow_count > 0);
}

// The running weir is found whatever is wrong with an included file.
TEST_WITH(test_found_all_the_same, setup, teardown)
{
	struct config_places places;
	char why[CONFIG_WHY_MAX];
	write_text("weir.yaml", MINIMAL PARTS "runtime: {directory: /run/other}\n");
	write_text("conf.d/a.yaml", "cache: [");
	assert_int_equal(config_file_check(file, why), -EINVAL);
	assert_int_equal(config_places_find(file, &places, why), 0);
	assert_string_equal(places.directory, "/run/other");
}
