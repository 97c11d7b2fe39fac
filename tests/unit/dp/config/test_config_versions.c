// SPDX-License-Identifier: BSD-3-Clause

// Bundles of texts, files of versions, and which texts a start uses.

#include "config_text.h"
#include "tests/unit/folder.h"

#include <limits.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>
#include <weir/config/versions.h>

static char folder[FOLDER_MAX], file[FOLDER_MAX + 16], state[FOLDER_MAX + 16];
static struct config_errors errors;
static char why[CONFIG_WHY_MAX];

static void write_bytes(const char *path, const void *bytes, size_t len)
{
	FILE *f = fopen(path, "w");
	assert_non_null(f);
	assert_int_equal(fwrite(bytes, 1, len, f), len);
	assert_int_equal(fclose(f), 0);
	assert_int_equal(chmod(path, 0640), 0);
}

static void write_text(const char *name, const char *text)
{
	char path[PATH_MAX];
	snprintf(path, sizeof(path), "%s/%s", folder, name);
	write_bytes(path, text, strlen(text));
}

// The main file, with a rule for `name` in a file that it includes.
static void write_config(const char *name)
{
	char text[1024];
	snprintf(text, sizeof(text),
		"include: [conf.d/*.yaml]\n"
		"runtime: {state_directory: %s}\n"
		"dataplane: {ports: [{device: net_null0}], service_addresses: [198.18.0.53/24]}\n"
		"upstreams: {servers: [{address: 9.9.9.9}]}\n",
		state);
	write_text("weir.yaml", text);
	snprintf(text, sizeof(text), "blocking: {deny: [%s]}\n", name);
	write_text("conf.d/a.yaml", text);
}

static void bundle_read(struct config_bundle *b)
{
	struct config *c = NULL;
	if (config_bundle_read(file, NULL, CONFIG_SECRETS_ALL, b, &c, &errors) != 0)
		fail_msg("%s", errors.text[0]);
	config_free(c);
}

static bool denies(const struct config *c, const char *name)
{
	struct dns_name want;
	assert_int_equal(dns_name_from_text(name, strlen(name), &want), 0);
	for (unsigned i = 0; i < c->blocking.deny_count; i++)
		if (c->blocking.deny[i].len == want.len
			&& memcmp(c->blocking.deny[i].wire, want.wire, want.len) == 0)
			return true;
	return false;
}

// Stores what is on disk now as version `number`.
static void store(unsigned number, enum config_version_result result)
{
	struct config_version v = {.number = number,
		.before = number - 1,
		.unix_s = 1000 + number,
		.who = "uid 0",
		.what = "config apply",
		.why = "a test",
		.result = result};
	struct config_bundle b;
	char path[PATH_MAX];
	size_t len = 0;
	bundle_read(&b);
	char *text = config_version_text(&v, &b, &len);
	assert_non_null(text);
	snprintf(path, sizeof(path), "%s/config/%u.version", state, number);
	write_bytes(path, text, len);
	free(text);
	config_bundle_free(&b);
}

static void current(const char *text)
{
	write_text("state/config/current", text);
}

static int setup(void **)
{
	char path[PATH_MAX];
	if (folder_make(folder, "config_versions"))
		return -1;
	snprintf(file, sizeof(file), "%s/weir.yaml", folder);
	snprintf(state, sizeof(state), "%s/state", folder);
	static const char *const below[] = {"conf.d", "state", "state/config"};
	for (unsigned i = 0; i < ARRAY_LEN(below); i++) {
		snprintf(path, sizeof(path), "%s/%s", folder, below[i]);
		if (mkdir(path, 0750))
			return -1;
	}
	write_config("one.test");
	return 0;
}

static int teardown(void **)
{
	return folder_remove(folder, "");
}

// A start that must use `name`, of version `number`.
static struct config_start starts(const char *name, unsigned number)
{
	struct config_start s;
	if (config_start(file, CONFIG_SECRETS_ALL, &s, why) != 0)
		fail_msg("%s", why);
	assert_non_null(s.config);
	assert_true(denies(s.config, name));
	assert_int_equal(s.version.number, number);
	assert_int_equal(s.is_new, number == 0);
	config_free(s.config);
	config_start_free(&s);
	return s;
}

static void test_bundle(void **)
{
	struct config_bundle b, copy;
	struct config *c = NULL;
	bundle_read(&b);
	assert_int_equal(b.included_count, 1);
	assert_int_equal(b.folder_count, 1);
	const uint64_t disk = config_bundle_disk_digest(&b), all = config_bundle_digest(&b);
	assert_int_equal(
		config_bundle_manage(&b, "/m/managed.yaml", "blocking: {deny: [m.test]}\n"), 0);
	assert_int_equal(config_bundle_disk_digest(&b), disk);
	assert_true(config_bundle_digest(&b) != all);
	write_config("other.test"); // the texts in memory count
	assert_int_equal(config_bundle_copy(&b, &copy), 0);
	config_bundle_free(&b);
	assert_int_equal(config_bundle_load(&copy, CONFIG_SECRETS_ALL, &c, &errors), 0);
	assert_true(denies(c, "one.test"));
	assert_true(denies(c, "m.test"));
	assert_string_equal(c->path, file);
	assert_int_equal(c->include.file_count, 1);
	config_free(c);
	assert_int_equal(config_bundle_manage(&copy, "/m/managed.yaml", ""), 0);
	assert_null(copy.managed.bytes);
	config_bundle_free(&copy);
}

// Errors name the files that the texts are of.
static void test_errors(void **)
{
	struct config_bundle b;
	struct config *c = NULL;
	char want[CONFIG_WHY_MAX];
	bundle_read(&b);
	static const char *const bad[] = {"cache: {min_ttl: 4x}\n", "runtime: {group: x}\n"};
	static const char *const says[] = {
		"config: cache.min_ttl: \"4x\" is not a whole number (/m/managed.yaml:1:9)",
		"config: runtime: is not possible in an included file: move it to the file that "
		"includes this one (/m/managed.yaml:1:1)"};
	for (unsigned i = 0; i < ARRAY_LEN(bad); i++) {
		assert_int_equal(config_bundle_manage(&b, "/m/managed.yaml", bad[i]), 0);
		assert_int_equal(config_bundle_load(&b, CONFIG_SECRETS_ALL, &c, &errors), -EINVAL);
		assert_null(c);
		assert_string_equal(errors.text[0], says[i]);
	}
	config_bundle_free(&b);
	write_text("conf.d/a.yaml", "blocking: {enabled: maybe}\n");
	assert_int_equal(
		config_bundle_read(file, NULL, CONFIG_SECRETS_ALL, &b, &c, &errors), -EINVAL);
	snprintf(want, sizeof(want), "%.200s/conf.d/a.yaml:1:12", folder);
	assert_non_null(strstr(errors.text[0], want));
}

// Any byte changed, any end cut off: refused, and nothing is leaked.
static void test_damaged(void **)
{
	struct config_version v = {.number = 7, .who = "uid 0"}, got;
	struct config_bundle b, back;
	size_t len;
	bundle_read(&b);
	char *text = config_version_text(&v, &b, &len);
	assert_non_null(text);
	assert_int_equal(config_version_parse(text, len, &got, &back), 0);
	assert_int_equal(got.number, 7);
	assert_string_equal(got.who, "uid 0");
	assert_int_equal(got.digest, config_bundle_digest(&b));
	config_bundle_free(&back);
	for (size_t i = 0; i < len; i++) {
		assert_int_equal(config_version_parse(text, i, &got, &back), -EBADMSG);
		text[i] = (char)(text[i] ^ 0x20);
		assert_int_equal(config_version_parse(text, len, &got, &back), -EBADMSG);
		text[i] = (char)(text[i] ^ 0x20);
	}
	free(text);
	config_bundle_free(&b);
}

static void test_start(void **)
{
	starts("one.test", 0); // no history
	store(1, CONFIG_VERSION_applied);
	assert_string_equal(starts("one.test", 0).skipped, ""); // stored, but never in force
	current("1\n");
	assert_false(starts("one.test", 1).differs);
	write_config("two.test");
	assert_true(starts("one.test", 1).differs);
	write_text("state/config/stopped", "");
	assert_false(starts("two.test", 0).differs);
	store(2, CONFIG_VERSION_taken_back); // that text made health fall
	assert_true(starts("one.test", 1).differs);
	write_config("three.test");
	starts("three.test", 0);
	write_text("weir.yaml", "dataplane: [\n");
	assert_int_equal(unlink(file), 0); // nor is a missing file found in the history of another
	assert_true(config_start(file, CONFIG_SECRETS_ALL, &(struct config_start){0}, why) < 0);
}

static void test_start_broken_file(void **)
{
	struct config_start s;
	char text[512];
	store(1, CONFIG_VERSION_applied);
	current("1\n");
	snprintf(text, sizeof(text), "runtime: {state_directory: %s}\ndataplane: [\n", state);
	write_text("weir.yaml", text);
	write_text("state/config/stopped", "");
	assert_int_equal(config_start(file, CONFIG_SECRETS_NONE, &s, why), 0);
	assert_true(denies(s.config, "one.test"));
	assert_true(s.differs);
	assert_non_null(strstr(s.disk_why, "weir.yaml:"));
	config_free(s.config);
	config_start_free(&s);
}

// What is in the folder is not trusted: the next older version serves.
static void test_start_untrusted(void **)
{
	char path[PATH_MAX];
	store(1, CONFIG_VERSION_applied);
	write_config("two.test");
	store(2, CONFIG_VERSION_not_taken);
	write_config("three.test");
	store(3, CONFIG_VERSION_applied);
	current("3\n");
	starts("three.test", 3);
	snprintf(path, sizeof(path), "%s/config/3.version", state);
	assert_int_equal(chmod(path, 0666), 0);
	assert_non_null(strstr(starts("one.test", 1).skipped, "3.version: others may write it"));
	write_text("state/config/3.version", "WEIRVER");
	assert_non_null(strstr(starts("one.test", 1).skipped, "3.version: damaged"));
	assert_int_equal(truncate(path, (off_t)CONFIG_VERSION_BYTES_MAX + 1), 0);
	assert_non_null(strstr(starts("one.test", 1).skipped, "3.version: too large"));
	assert_int_equal(unlink(path), 0);
	assert_int_equal(mkfifo(path, 0640), 0);
	assert_non_null(strstr(starts("one.test", 1).skipped, "3.version: not a plain file"));
	assert_int_equal(unlink(path), 0);
	assert_int_equal(symlink("1.version", path), 0);
	starts("one.test", 1);
	static const char *const bad[] = {
		"", "1", "01\n", "-1\n", "1\n1\n", "1 \n", "99999999999\n"};
	for (unsigned i = 0; i < ARRAY_LEN(bad); i++) {
		current(bad[i]);
		starts("one.test", 1);
	}
	write_text("state/config/1.version", "");
	starts("three.test", 0); // nothing usable: the file on disk
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_bundle, setup, teardown),
		cmocka_unit_test_setup_teardown(test_errors, setup, teardown),
		cmocka_unit_test_setup_teardown(test_damaged, setup, teardown),
		cmocka_unit_test_setup_teardown(test_start, setup, teardown),
		cmocka_unit_test_setup_teardown(test_start_broken_file, setup, teardown),
		cmocka_unit_test_setup_teardown(test_start_untrusted, setup, teardown),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
