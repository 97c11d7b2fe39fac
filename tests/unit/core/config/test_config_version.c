// SPDX-License-Identifier: BSD-3-Clause

// The version of a configuration file.

#include "config_text.h"

#define NEWER                                                                                      \
	" is newer than this weir, which knows version 1; install a newer weir, or use a file of " \
	"version 1"

TEST(test_version)
{
	config_text_load("version: 1\n" MINIMAL);
	config_text_refused_at(MINIMAL "version: 2\n", "8:1: version: 2" NEWER);
	config_text_refused_at("version: 0\n" MINIMAL, "1:1: version: must be 1 to 4294967295");
	config_text_refused_at("version: 1.0\n" MINIMAL, "1:1: version: \"1.0\" is not a whole");
	config_text_refused_at("version:\n" MINIMAL, "1:1: version: has no value");
	config_text_refused_at("version: [1]\n" MINIMAL, "1:1: version: expected one value");
	config_text_refused_at("version: 99999999999999999999999999\n" MINIMAL,
		"1:1: version: must be 1 to 4294967295");
	config_text_refused_at("cache: {version: 2}\n" MINIMAL, "1:9: cache.version: unknown key");
}

// What a newer version calls its keys is unknown, and no mistake.
TEST(test_version_before_its_keys)
{
	struct config *c = NULL;
	char why[CONFIG_WHY_MAX];
	int ret = config_text_try("galaxy: {depth: 3}\nversion: 7\n" MINIMAL, &c, why);
	assert_int_equal(ret, -EINVAL);
	assert_string_equal(why, "2:1: version: 7" NEWER);
}
