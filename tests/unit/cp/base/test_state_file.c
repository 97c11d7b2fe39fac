// SPDX-License-Identifier: BSD-3-Clause
#include "controlplane/base/state_file.h"
#include "tests/unit/unit.h"

static const char path[] = "state_file.test";

static void write_good(void)
{
	struct state_file f;
	char why[STATE_FILE_WHY_MAX];
	state_file_begin(&f, "kind", 3);
	state_file_text(&f, "etag", "\"a b\" c\ninjected 1");
	state_file_number(&f, "count", UINT64_MAX);
	state_file_text(&f, "empty", "");
	assert_int_equal(state_file_write(&f, path, why), 0);
}

TEST(test_what_is_written_is_read)
{
	struct state_file f;
	char value[32];
	write_good();
	assert_int_equal(state_file_read(&f, path, "kind", 3), 0);
	assert_true(state_file_get(&f, "etag", value, sizeof(value)));
	assert_string_equal(value, "\"a b\" c");
	assert_int_equal(state_file_get_number(&f, "injected"), 0);
	assert_true(state_file_get_number(&f, "count") == UINT64_MAX);
	assert_true(state_file_get(&f, "empty", value, sizeof(value)));
	assert_string_equal(value, "");
	assert_true(state_file_get(&f, "lacks", value, sizeof(value)));
	assert_string_equal(value, "");
	assert_false(state_file_get(&f, "etag", value, 7));
	assert_string_equal(value, "");
	// Another kind, another version.
	assert_int_equal(state_file_read(&f, path, "kin", 3), -EPROTO);
	assert_int_equal(state_file_read(&f, path, "kind", 4), -EPROTO);
	assert_int_equal(unlink(path), 0);
	assert_int_equal(state_file_read(&f, path, "kind", 3), -ENOENT);
}

// Every byte changed, every shorter file.
TEST(test_damage_is_found)
{
	struct state_file f;
	uint8_t bytes[256];
	write_good();
	FILE *in = fopen(path, "r");
	assert_non_null(in);
	size_t len = fread(bytes, 1, sizeof(bytes), in);
	fclose(in);
	for (size_t i = 0; i < 2 * len; i++) {
		FILE *out = fopen(path, "w");
		assert_non_null(out);
		uint8_t was = bytes[i % len];
		if (i < len)
			bytes[i] ^= 1;
		assert_int_equal(
			fwrite(bytes, 1, i < len ? len : i - len, out), i < len ? len : i - len);
		fclose(out);
		bytes[i % len] = was;
		assert_int_equal(state_file_read(&f, path, "kind", 3), -EPROTO);
	}
	assert_int_equal(unlink(path), 0);
}

TEST(test_too_much_is_not_written)
{
	struct state_file f;
	char why[STATE_FILE_WHY_MAX], text[1000];
	memset(text, 'x', sizeof(text));
	text[sizeof(text) - 1] = '\0';
	state_file_begin(&f, "kind", 3);
	for (unsigned i = 0; i < 5; i++)
		state_file_text(&f, "key", text);
	assert_int_equal(state_file_write(&f, path, why), -EFBIG);
	assert_int_equal(state_file_read(&f, path, "kind", 3), -ENOENT);
}
