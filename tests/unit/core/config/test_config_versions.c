// SPDX-License-Identifier: BSD-3-Clause

// Bundles of texts, and files of versions.

#include "config_folder.h"

TEST_WITH(test_bundle, setup, teardown)
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
TEST_WITH(test_errors, setup, teardown)
{
	struct config_bundle b;
	struct config *c = NULL;
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
	assert_non_null(strstr(errors.text[0], text_from("%s/conf.d/a.yaml:1:12", folder)));
}

// Any byte changed, any end cut off: refused, and nothing is leaked.
TEST_WITH(test_damaged, setup, teardown)
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
