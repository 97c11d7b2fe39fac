// SPDX-License-Identifier: BSD-3-Clause

// Is a configuration still what its files say?
#include "base/config_files.h"
#include "tests/unit/unit.h"

enum { SETTLED_S = FILE_SEEN_SETTLED_S + 8 };

static char folder[FOLDER_MAX], path[CONFIG_FILES][FOLDER_MAX + 11];
static struct config config;

static struct config_tsig_key keys[CONFIG_TSIG_KEYS_MAX];
static char *included[CONFIG_INCLUDED_MAX], *folders[CONFIG_INCLUDE_MAX];

static int make_files(void **)
{
	if (folder_make(folder, "config_files"))
		return -1;
	for (unsigned i = 0; i < CONFIG_FILES; i++)
		snprintf(path[i], sizeof(path[i]), "%s/%u", folder, i);
	config.path = path[0];
	config.dnssec.validate = true;
	char **of[] = {&config.cookies.secret_file, &config.redis.password_file,
		&config.redis.sentinel_password_file, &config.query_log.clickhouse.password_file,
		&config.upstreams.ca_file, &config.upstreams.root_hints, &config.tls.tickets_file,
		&config.dnssec.anchors, &config.sync.token_file, &config.sync.sign_key_file};
	static_assert(ARRAY_LEN(of) == CONFIG_FILES_ALONE - 1);
	for (unsigned i = 0; i < ARRAY_LEN(of); i++)
		*of[i] = path[1 + i];
	config.blocking.tsig_keys = keys;
	config.blocking.tsig_key_count = CONFIG_TSIG_KEYS_MAX;
	for (unsigned i = 0; i < CONFIG_TSIG_KEYS_MAX; i++)
		strcpy(keys[i].secret_file, path[CONFIG_FILES_ALONE + i]);
	config.time_zones.count = CONFIG_TIME_ZONES_MAX;
	for (unsigned i = 0; i < CONFIG_TIME_ZONES_MAX; i++)
		config.time_zones.one[i].path = path[CONFIG_FILES_ZONES + i];
	for (unsigned i = 0; i < CONFIG_INCLUDED_MAX; i++)
		included[i] = path[CONFIG_FILES_INCLUDED + i];
	for (unsigned i = 0; i < CONFIG_INCLUDE_MAX; i++) {
		folders[i] = path[CONFIG_FILES_FOLDERS + i];
		if (mkdir(folders[i], 0700) != 0)
			return -1;
	}
	config.include = (struct config_include){.file_count = CONFIG_INCLUDED_MAX,
		.folder_count = CONFIG_INCLUDE_MAX,
		.files = included,
		.folders = folders};
	return 0;
}

FIXTURE_OF(remove_files, folder_remove(folder, ""))

static int write_files(void **)
{
	for (unsigned i = 0; i < CONFIG_FILES_FOLDERS; i++)
		text_to_file(path[i], "old");
	return 0;
}

// As long ago as it takes to be sure.
static struct config_files noted(void)
{
	struct config_files f;
	config_files_note(&f, &config, time(NULL) + SETTLED_S);
	return f;
}

TEST_WITH(test_each_file_counts, write_files, NULL)
{
	for (unsigned i = 0; i < CONFIG_FILES_FOLDERS; i++) {
		struct config_files f = noted();
		assert_true(config_files_same(&f, &config));
		text_to_file(path[i], "other");
		assert_false(config_files_same(&f, &config));
		f = noted();
		assert_true(config_files_same(&f, &config));
		assert_int_equal(unlink(path[i]), 0);
		assert_false(config_files_same(&f, &config));
		f = noted();
		assert_false(config_files_same(&f, &config));
		text_to_file(path[i], "old");
	}
}

// A pattern may match one that comes, so the folder counts.
TEST_WITH(test_each_folder_counts, write_files, NULL)
{
	for (unsigned i = 0; i < CONFIG_INCLUDE_MAX; i++) {
		const char *name = text_from("%s/a.yaml", folders[i]);
		struct config_files f = noted();
		assert_true(config_files_same(&f, &config));
		text_to_file(name, "new");
		assert_false(config_files_same(&f, &config));
		f = noted();
		assert_true(config_files_same(&f, &config));
		assert_int_equal(unlink(name), 0);
		assert_false(config_files_same(&f, &config));
		f = noted();
		assert_int_equal(rmdir(folders[i]), 0);
		assert_false(config_files_same(&f, &config));
		f = noted();
		assert_false(config_files_same(&f, &config));
		assert_int_equal(mkdir(folders[i], 0700), 0);
	}
}

// A write in the same tick of the file system's clock would not show.
TEST_WITH(test_files_just_written, write_files, NULL)
{
	struct config_files f;
	config_files_note(&f, &config, time(NULL));
	assert_false(config_files_same(&f, &config));
}

TEST_WITH(test_files_that_are_not_named, write_files, NULL)
{
	struct config few = {.path = path[0],
		.redis.password_file = (char[]){""},
		.dnssec.anchors = path[1]}; // nothing is validated
	struct config_files f;
	config_files_note(&f, &few, time(NULL) + SETTLED_S);
	assert_true(config_files_same(&f, &few));
	text_to_file(path[1], "other");
	text_to_file(path[2], "other");
	assert_true(config_files_same(&f, &few));
}

TEST_WITH(test_nothing_is_known, write_files, NULL)
{
	const struct config_files none = {0};
	struct config unread = {0};
	struct config_files f;

	assert_false(config_files_same(&none, &config));
	config_files_note(&f, &unread, time(NULL) + SETTLED_S);
	assert_false(config_files_same(&f, &unread));
}

TEST_GROUP(make_files, remove_files)
