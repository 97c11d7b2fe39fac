// SPDX-License-Identifier: BSD-3-Clause

// Which texts a start uses.

#include "config_folder.h"

static char why[CONFIG_WHY_MAX];

// Reads without secrets and with them: the versions that each process starts with.
static struct config_start begins(enum config_secrets_kind secrets, const char *name)
{
	struct config_start s;
	if (config_start(file, secrets, &s, why) != 0)
		fail_msg("%s", why);
	assert_non_null(s.config);
	assert_true(denies(s.config, name));
	config_free(s.config);
	config_start_free(&s);
	return s;
}

// A start that must use `name`, of version `number`.
static struct config_start starts(const char *name, unsigned number)
{
	const struct config_start s = begins(CONFIG_SECRETS_ALL, name);
	assert_int_equal(s.version.number, number);
	assert_int_equal(s.is_new, number == 0);
	return s;
}

TEST_WITH(test_start, setup, teardown)
{
	starts("one.test", 0); // no history
	store(1, CONFIG_VERSION_applied);
	assert_string_equal(starts("one.test", 0).skipped, ""); // stored, but never in force
	current("1\n");
	assert_false(starts("one.test", 1).differs);
	write_config("two.test");
	assert_true(starts("one.test", 1).differs);
	assert_false(starts("one.test", 1).was_stopped);
	write_text("state/config/stopped", "");
	assert_true(starts("two.test", 0).was_stopped);
	assert_false(starts("two.test", 0).differs);
	store(2, CONFIG_VERSION_taken_back); // that text made health fall
	assert_true(starts("one.test", 1).differs);
	assert_int_equal(starts("one.test", 1).taken_back_as, 2);
	store(3, CONFIG_VERSION_applied); // and not so the next time
	starts("two.test", 0);
	write_config("three.test");
	starts("three.test", 0);
	write_text("weir.yaml", "dataplane: [\n");
	assert_int_equal(unlink(file), 0); // nor is a missing file found in the history of another
	assert_true(config_start(file, CONFIG_SECRETS_ALL, &(struct config_start){0}, why) < 0);
}

// One whose health fell is used as long as it is the one in force, and is no way back.
TEST_WITH(test_start_fallen, setup, teardown)
{
	store(1, CONFIG_VERSION_applied);
	write_config("two.test");
	store(2, CONFIG_VERSION_fallen);
	current("2\n");
	starts("two.test", 2);
	write_config("three.test");
	store(3, CONFIG_VERSION_taken_back);
	current("3\n");
	starts("one.test", 1);
}

#define ENTRIES "blocking: {deny: [m.test]}\n"

// Version `number`, of the file and a managed part.
static void managed_store(unsigned number, const char *managed, enum config_version_result result)
{
	struct config_version v = {.number = number, .before = number - 1, .result = result};
	struct config_bundle b;
	size_t len = 0;
	bundle_read(&b);
	assert_int_equal(config_bundle_manage(&b, "/m/managed.yaml", managed), 0);
	char *text = config_version_text(&v, &b, &len);
	assert_non_null(text);
	write_bytes(text_from("%s/config/%u.version", state, number), text, len);
	free(text);
	config_bundle_free(&b);
}

// Entries of weirctl that were taken back do not keep the file from use.
TEST_WITH(test_start_managed_taken_back, setup, teardown)
{
	store(1, CONFIG_VERSION_applied);
	current("1\n");
	write_config("two.test");
	managed_store(2, ENTRIES, CONFIG_VERSION_taken_back);
	write_text("state/config/stopped", "");
	assert_int_equal(starts("two.test", 0).taken_back_as, 0);
}

// Versions 2 and 3, of one watch, were taken back, and weirctl has changed entries since. The file
// of version 3 is on disk.
static struct config_start file_taken_back(const char *name, const char *entries)
{
	write_config("one.test");
	managed_store(1, ENTRIES, CONFIG_VERSION_applied);
	managed_store(4, ENTRIES, CONFIG_VERSION_applied);
	managed_store(5, "blocking: {deny: [other.test]}\n", CONFIG_VERSION_applied);
	current("5\n");
	write_text("state/config/stopped", "");
	write_config("two.test");
	managed_store(2, entries, CONFIG_VERSION_taken_back);
	write_config("three.test");
	managed_store(3, entries, CONFIG_VERSION_taken_back);
	const struct config_start s = begins(CONFIG_SECRETS_NONE, name);
	assert_int_equal(begins(CONFIG_SECRETS_ALL, name).taken_back_as, s.taken_back_as);
	return s;
}

TEST_WITH(test_start_file_taken_back, setup, teardown)
{
	assert_int_equal(file_taken_back("one.test", ENTRIES).taken_back_as, 3);
	assert_true(file_taken_back("three.test", "blocking: {deny: [n.test]}\n").is_new);
}

TEST_WITH(test_kept, setup, teardown)
{
	struct config_bundle b;
	assert_int_equal(config_version_kept(file, &b, why), 0);
	assert_null(b.managed.bytes); // no history
	store(1, CONFIG_VERSION_applied);
	managed_store(2, ENTRIES, CONFIG_VERSION_applied);
	current("1\n");
	assert_int_equal(config_version_kept(file, &b, why), 0);
	assert_null(b.managed.bytes); // the version in force has none
	current("2\n");
	assert_int_equal(config_version_kept(file, &b, why), 0);
	assert_string_equal(b.managed.path, "/m/managed.yaml");
	assert_string_equal(b.managed.bytes, ENTRIES);
	assert_null(b.shared.bytes);
	config_bundle_free(&b);
	write_text("other.yaml", text_from("runtime: {state_directory: %s}\n", state));
	assert_int_equal(config_version_kept(text_from("%s/other.yaml", folder), &b, why), 0);
	assert_null(b.managed.bytes); // that is of another file
	write_text("state/config/2.version", "damaged");
	assert_int_equal(config_version_kept(file, &b, why), -EBADMSG);
	assert_non_null(strstr(why, "2.version: damaged"));
}

TEST_WITH(test_start_broken_file, setup, teardown)
{
	struct config_start s;
	store(1, CONFIG_VERSION_applied);
	current("1\n");
	write_text("weir.yaml", text_from("runtime: {state_directory: %s}\ndataplane: [\n", state));
	write_text("state/config/stopped", "");
	assert_int_equal(config_start(file, CONFIG_SECRETS_NONE, &s, why), 0);
	assert_true(denies(s.config, "one.test"));
	assert_true(s.differs);
	assert_non_null(strstr(s.disk_why, "weir.yaml:"));
	config_free(s.config);
	config_start_free(&s);
}

// A file whose keys are in quotes, such as JSON, has its history, too.
TEST_WITH(test_start_quoted_keys, setup, teardown)
{
	struct config_bundle b;
	write_text("weir.yaml",
		text_from("{\"include\": [\"conf.d/*.yaml\"],\n"
			  "\"runtime\": {\"state_directory\": \"%s\"},\n"
			  "\"dataplane\": {\"ports\": [{\"device\": \"net_null0\"}],\n"
			  "\"service_addresses\": [\"198.18.0.53/24\"]},\n"
			  "\"upstreams\": {\"servers\": [{\"address\": \"9.9.9.9\"}]}}\n",
			state));
	managed_store(1, ENTRIES, CONFIG_VERSION_applied);
	current("1\n");
	starts("m.test", 1);
	assert_int_equal(config_version_kept(file, &b, why), 0);
	assert_string_equal(b.managed.bytes, ENTRIES);
	config_bundle_free(&b);
}

// A secret that is missing at a start is no reason to give the version up for good.
TEST_WITH(test_start_without_secret, setup, teardown)
{
	struct config_start s;
	const char *key = text_from("%s/secret", folder);
	store(1, CONFIG_VERSION_applied);
	more = text_from("cookies: {secret_file: %s}\n", key);
	write_config("two.test");
	write_text("secret", "000102030405060708090a0b0c0d0e0f\n");
	store(2, CONFIG_VERSION_applied);
	current("2\n");
	assert_int_equal(unlink(key), 0);
	assert_int_equal(begins(CONFIG_SECRETS_NONE, "two.test").version.number, 2);
	s = begins(CONFIG_SECRETS_ALL, "one.test");
	assert_int_equal(s.version.number, 1);
	assert_true(s.is_held);
	assert_false(s.differs); // what was decided before the secrets
	assert_non_null(strstr(s.skipped, "version 2: "));
	write_text("secret", "000102030405060708090a0b0c0d0e0f\n");
	s = begins(CONFIG_SECRETS_ALL, "two.test");
	assert_false(s.is_held);
	// A damaged one is given up.
	write_text("state/config/2.version", "WEIRVER");
	assert_false(begins(CONFIG_SECRETS_ALL, "one.test").is_held);
	more = "";
}

// A new file after a clean stop: both processes take it, or the control plane says why it cannot.
TEST_WITH(test_start_file_without_secret, setup, teardown)
{
	struct config_start s;
	store(1, CONFIG_VERSION_applied);
	current("1\n");
	write_text("state/config/stopped", "");
	more = text_from("cookies: {secret_file: %s/secret}\n", folder);
	write_config("two.test");
	assert_true(begins(CONFIG_SECRETS_NONE, "two.test").is_new);
	s = begins(CONFIG_SECRETS_ALL, "one.test");
	assert_true(s.differs && !s.is_new && !s.is_held);
	assert_non_null(strstr(s.disk_why, "secret"));
	write_text("secret", "000102030405060708090a0b0c0d0e0f\n");
	assert_true(begins(CONFIG_SECRETS_ALL, "two.test").is_new);
	assert_int_equal(unlink(text_from("%s/secret", folder)), 0);
	write_text("state/config/current", "");
	write_text("state/config/1.version", "");
	assert_true(config_start(file, CONFIG_SECRETS_ALL, &s, why) < 0); // nothing else
	more = "";
}

// What is in the folder is not trusted: the next older version serves.
TEST_WITH(test_start_untrusted, setup, teardown)
{
	store(1, CONFIG_VERSION_applied);
	write_config("two.test");
	store(2, CONFIG_VERSION_not_taken);
	write_config("three.test");
	store(3, CONFIG_VERSION_applied);
	current("3\n");
	starts("three.test", 3);
	const char *path = text_from("%s/config/3.version", state);
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
