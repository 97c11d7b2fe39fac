// SPDX-License-Identifier: BSD-3-Clause
// What a version is, and which of two is newer.

#include "controlplane/updates/update_file.h"
#include "tests/unit/unit.h"

static struct update_version read_it(const char *text)
{
	struct update_version v;
	if (!update_version_read(text, &v))
		fail_msg("%s is no version", text);
	return v;
}

TEST(each_is_newer_than_all_before_it)
{
	// Semantic Versioning 2.0.0, 11, and its neighbours.
	static const char *const rising[] = {"0.0.0", "0.0.9", "0.0.10", "0.1.0-0", "0.1.0-9",
		"0.1.0-10", "0.1.0--", "0.1.0-1a", "0.1.0-alpha", "0.1.0-alpha.1",
		"0.1.0-alpha.beta", "0.1.0-beta", "0.1.0-beta.2", "0.1.0-beta.11", "0.1.0-rc.1",
		"0.1.0", "0.2.0", "0.10.0", "1.0.0-rc", "1.0.0", "10.0.0",
		"999000000.999000000.999000000"};
	for (unsigned i = 0; i < ARRAY_LEN(rising); i++)
		for (unsigned k = 0; k < ARRAY_LEN(rising); k++) {
			const struct update_version a = read_it(rising[i]), b = read_it(rising[k]);
			const int order = update_version_compare(&a, &b);
			if ((order > 0) - (order < 0) != (i > k) - (i < k))
				fail_msg("%s, %s: %d", rising[i], rising[k], order);
		}
}

TEST(build_metadata_decides_nothing)
{
	static const char *const same[] = {"0.1.0", "0.1.0+unknown",
		"0.1.0+git20261127154101.f766dca3.dirty", "0.1.0+001.-", "0.1.0+-rc.1"};
	for (unsigned i = 0; i < ARRAY_LEN(same); i++) {
		const struct update_version a = read_it(same[0]), b = read_it(same[i]);
		assert_int_equal(update_version_compare(&a, &b), 0);
	}
	const struct update_version a = read_it("0.1.0-rc.1+x"), b = read_it("0.1.0-rc.1");
	assert_int_equal(update_version_compare(&a, &b), 0);
}

TEST(what_is_no_version_is_refused)
{
	static const char *const bad[] = {"", "1", "1.2", "1.2.", "1.2.3.", "1.2.3.4", "v1.2.3",
		" 1.2.3", "1.2.3 ", "1.2.3\n", "01.2.3", "1.02.3", "1.2.00", "1.2.-3", "1.2.3-",
		"1.2.3-.", "1.2.3-a.", "1.2.3-a..b", "1.2.3-01", "1.2.3-a.007", "1.2.3+",
		"1.2.3+a..b", "1.2.3+a+b", "1.2.3~rc1", "1:1.2.3", "1.2.3-\xc3\xa4", "unknown",
		"999000001.0.0", "18446744073709551617.0.0",
		"1.2.3-aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"};
	struct update_version v;
	for (unsigned i = 0; i < ARRAY_LEN(bad); i++)
		if (update_version_read(bad[i], &v))
			fail_msg("%s is a version", bad[i]);
	// One byte less is one.
	assert_true(update_version_read(
		"1.2.3-aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", &v));
	assert_int_equal(strlen(v.pre), 57);
}
