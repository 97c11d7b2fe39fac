// SPDX-License-Identifier: BSD-3-Clause
// The signed file that names the newest version: what is taken, and what is refused as what.

#include "update_make.h"

enum { DAY_S = 86400 };
static const int64_t now_s = 1795780800; // 2026-11-27T12:00:00Z

static enum update_fault read_it(const struct update_key *k, const char *bytes, size_t len,
	struct update_file *out, char why[UPDATE_WHY_MAX])
{
	// Of that size, so that a byte too many is seen.
	char *copy = malloc(len ? len : 1);
	assert_non_null(copy);
	memcpy(copy, bytes, len);
	*why = '\0';
	const enum update_fault f = update_file_read(copy, len, k->public_key, out, why);
	free(copy);
	assert_int_equal(*why == '\0', f == UPDATE_GOOD);
	return f;
}

TEST(a_signed_file_is_read)
{
	const struct update_key k = update_key_make();
	char body[UPDATE_FILE_MAX], text[UPDATE_FILE_MAX], why[UPDATE_WHY_MAX];
	struct update_file f;
	size_t len = update_sign(
		&k, update_body(body, "0.2.0-rc.1", now_s, now_s + 90 * DAY_S), text, sizeof(text));
	assert_int_equal(read_it(&k, text, len, &f, why), UPDATE_GOOD);
	assert_string_equal(f.text, "0.2.0-rc.1");
	assert_int_equal(f.version.number[1], 2);
	assert_int_equal(f.issued_unix_s, now_s);
	assert_int_equal(f.expires_unix_s, now_s + 90 * DAY_S);
	assert_int_equal(update_file_judge(&f, NULL, now_s, why), UPDATE_GOOD);
}

TEST(no_cut_and_no_changed_byte_is_taken)
{
	const struct update_key k = update_key_make();
	char body[UPDATE_FILE_MAX], text[UPDATE_FILE_MAX], why[UPDATE_WHY_MAX];
	struct update_file f;
	size_t len = update_sign(
		&k, update_body(body, "0.2.0", now_s, now_s + DAY_S), text, sizeof(text));
	for (size_t cut = 0; cut < len; cut++)
		assert_int_equal(read_it(&k, text, cut, &f, why), UPDATE_UNSIGNED);
	for (size_t i = 0; i < len; i++)
		for (unsigned bit = 0; bit < 8; bit++) {
			text[i] ^= (char)(1 << bit);
			if (read_it(&k, text, len, &f, why) != UPDATE_UNSIGNED)
				fail_msg("byte %zu, bit %u is not seen", i, bit);
			text[i] ^= (char)(1 << bit);
		}
	text[len] = '\n';
	assert_int_equal(read_it(&k, text, len + 1, &f, why), UPDATE_UNSIGNED);
}

TEST(another_key_is_refused)
{
	const struct update_key k = update_key_make(), other = update_key_make();
	char body[UPDATE_FILE_MAX], text[UPDATE_FILE_MAX], why[UPDATE_WHY_MAX];
	struct update_file f;
	size_t len = update_sign(
		&other, update_body(body, "0.2.0", now_s, now_s + DAY_S), text, sizeof(text));
	assert_int_equal(read_it(&k, text, len, &f, why), UPDATE_UNSIGNED);
	assert_string_equal(why, "has a signature that is not that of updates.key over it");
	assert_int_equal(read_it(&k, body, strlen(body), &f, why), UPDATE_UNSIGNED);
	assert_string_equal(why, "has no signature as its last line");
}

TEST(a_long_file_is_refused_unread)
{
	const struct update_key k = update_key_make();
	char text[UPDATE_FILE_MAX + 1], why[UPDATE_WHY_MAX];
	struct update_file f;
	memset(text, 'a', sizeof(text));
	assert_int_equal(read_it(&k, text, UPDATE_FILE_MAX, &f, why), UPDATE_UNSIGNED);
	assert_int_equal(read_it(&k, text, UPDATE_FILE_MAX + 1, &f, why), UPDATE_TOO_LONG);
	assert_string_equal(why, "has over 1024 bytes");
}

#define TIMES "issued 2026-11-27T12:00:00Z\nexpires 2027-02-25T12:00:00Z\n"

TEST(what_is_signed_and_no_such_file_is_malformed)
{
	static const char *const bad[] = {"\n", "weir-update 2\nversion 0.2.0\n" TIMES,
		"weir-update 1\r\nversion 0.2.0\n" TIMES, "weir-update 1 \nversion 0.2.0\n" TIMES,
		"version 0.2.0\n" TIMES, "weir-update 1\n" TIMES,
		"weir-update 1\nversion 0.2\n" TIMES, "weir-update 1\nversion v0.2.0\n" TIMES,
		"weir-update 1\nversion\n" TIMES, "weir-update 1\nversion \n" TIMES,
		"weir-update 1\nversion 0.2.0\nversion 0.2.0\n" TIMES,
		"weir-update 1\nversion 0.2.0\n" TIMES "text <script>\n",
		"weir-update 1\nversion 0.2.0\nissued 2026-11-27T12:00:00Z\n",
		"weir-update 1\nversion 0.2.0\nissued 2026-02-30T12:00:00Z\n"
		"expires 2027-02-25T12:00:00Z\n",
		"weir-update 1\nversion 0.2.0\nissued 2026-11-27\nexpires 2027-02-25\n",
		// It ends before its issue, or lives for longer than a year.
		"weir-update 1\nversion 0.2.0\nissued 2026-11-27T12:00:00Z\n"
		"expires 2026-11-27T12:00:00Z\n",
		"weir-update 1\nversion 0.2.0\nissued 2026-11-27T12:00:00Z\n"
		"expires 2027-11-28T12:00:01Z\n"};
	const struct update_key k = update_key_make();
	char text[UPDATE_FILE_MAX], why[UPDATE_WHY_MAX];
	struct update_file f;
	for (unsigned i = 0; i < ARRAY_LEN(bad); i++) {
		size_t len = update_sign(&k, bad[i], text, sizeof(text));
		if (read_it(&k, text, len, &f, why) != UPDATE_MALFORMED)
			fail_msg("%s: %s", bad[i], why);
	}
	size_t len = update_sign(&k, "weir-update 1\nversion 0.2.0\n" TIMES, text, sizeof(text));
	assert_int_equal(read_it(&k, text, len, &f, why), UPDATE_GOOD);
}

TEST(time_and_former_file_decide)
{
	static const struct {
		const char *version, *former;
		int64_t issued, expires, former_issued; // from now, in seconds
		enum update_fault fault;
		const char *why;
	} cases[] = {
		{"0.2.0", NULL, -DAY_S, 1, 0, UPDATE_GOOD, ""},
		{"0.2.0", NULL, -DAY_S, 0, 0, UPDATE_STALE, "expired at 2026-11-27T12:00:00Z"},
		{"0.2.0", NULL, DAY_S, 2 * DAY_S, 0, UPDATE_GOOD, ""}, // a clock that is slow
		{"0.2.0", NULL, DAY_S + 1, 2 * DAY_S, 0, UPDATE_STALE,
			"was issued in the future, at 2026-11-28T12:00:01Z"},
		{"0.2.0", "0.2.0", -60, DAY_S, -60, UPDATE_GOOD, ""},
		{"0.2.0", "0.2.0", -60, DAY_S, -120, UPDATE_GOOD, ""},
		{"0.2.1", "0.2.0", -60, DAY_S, -120, UPDATE_GOOD, ""},
		{"0.1.9", "0.2.0", -60, DAY_S, -120, UPDATE_OLDER,
			"names 0.1.9, which is older than 0.2.0 of a former file"},
		{"0.2.0-rc.1", "0.2.0", -60, DAY_S, -120, UPDATE_OLDER,
			"names 0.2.0-rc.1, which is older than 0.2.0 of a former file"},
		{"0.2.0", "0.2.0", -61, DAY_S, -60, UPDATE_OLDER,
			"was issued at 2026-11-27T11:58:59Z, before a former file "
			"(2026-11-27T11:59:00Z)"},
	};
	for (unsigned i = 0; i < ARRAY_LEN(cases); i++) {
		char why[UPDATE_WHY_MAX] = "";
		struct update_file f = {.issued_unix_s = now_s + cases[i].issued,
					   .expires_unix_s = now_s + cases[i].expires},
				   former = {.issued_unix_s = now_s + cases[i].former_issued};
		assert_true(update_version_read(cases[i].version, &f.version));
		strcpy(f.text, cases[i].version);
		if (cases[i].former) {
			assert_true(update_version_read(cases[i].former, &former.version));
			strcpy(former.text, cases[i].former);
		}
		const enum update_fault fault =
			update_file_judge(&f, cases[i].former ? &former : NULL, now_s, why);
		if (fault != cases[i].fault)
			fail_msg("case %u: %s, %s", i, update_fault_names[fault], why);
		assert_string_equal(why, cases[i].why);
	}
}
