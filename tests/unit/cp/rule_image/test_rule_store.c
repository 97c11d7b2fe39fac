// SPDX-License-Identifier: BSD-3-Clause

#include "controlplane/base/file_write.h"
#include "controlplane/rule_image/rule_compile.h"
#include "controlplane/rule_image/rule_store.h"
#include "rule_fixture.h"

#include <sys/resource.h>

static char folder[64], path[96];

static int make_folder(void **)
{
	strcpy(folder, "/tmp/weir-rule-store-XXXXXX");
	if (!mkdtemp(folder))
		return -1;
	snprintf(path, sizeof(path), "%s/rules.img", folder);
	return 0;
}

static int remove_folder(void **)
{
	static const char *const names[] = {"", ".tmp", ".bad", ".list"};
	char file[128];
	for (unsigned i = 0; i < ARRAY_LEN(names); i++) {
		snprintf(file, sizeof(file), "%s%s", path, names[i]);
		(void)unlink(file);
	}
	return rmdir(folder); // fails if a test left anything else
}

static bool exists(const char *suffix)
{
	return access(text_from("%s%s", path, suffix), F_OK) == 0;
}

static void make_image(struct rule_arena *out, const char *names)
{
	const char *const lists[] = {"", names};
	(void)fixture_image(lists, 2, out);
}

TEST_WITH(test_round_trip, make_folder, remove_folder)
{
	struct rule_arena a, b, back;
	struct rule_reader r;
	struct stat st;
	char why[RULE_STORE_WHY_MAX];
	make_image(&a, "one.example");
	make_image(&b, "one.example two.example");
	assert_int_equal(file_write(path, a.base, a.size, why), 0);
	assert_int_equal(file_write(path, b.base, b.size, why), 0);
	assert_false(exists(".tmp"));
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
	assert_int_equal(rule_store_load(path, NULL, NULL, &back, &r, why), 0);
	assert_int_equal(back.size, b.size);
	assert_memory_equal(back.base, b.base, b.size);
	rule_arena_free(&a);
	rule_arena_free(&b);
	rule_arena_free(&back);
}

TEST_WITH(test_nothing_there, make_folder, remove_folder)
{
	struct rule_arena a = {0};
	struct rule_reader r;
	char why[RULE_STORE_WHY_MAX];
	assert_int_equal(rule_store_load(path, NULL, NULL, &a, &r, why), -ENOENT);
	assert_int_equal(
		rule_store_load("/nonexistent/weir/rules.img", NULL, NULL, &a, &r, why), -ENOENT);
	assert_int_equal(file_write("/nonexistent/weir/rules.img", "x", 1, why), -ENOENT);
	assert_null(a.base);
}

static void expect_bad(const void *bytes, size_t len, const char *what)
{
	struct rule_arena a = {0};
	struct rule_reader r;
	char why[RULE_STORE_WHY_MAX], bad[128];
	bytes_to_file(path, bytes, len);
	assert_int_equal(rule_store_load(path, NULL, NULL, &a, &r, why), -EPROTO);
	assert_null(a.base);
	if (!strstr(why, what))
		fail_msg("expected <%s>, got <%s>", what, why);
	assert_false(exists(""));
	assert_true(exists(".bad"));
	snprintf(bad, sizeof(bad), "%s.bad", path);
	(void)unlink(bad);
}

// Every truncation at a step, damage at many places, an old version: refused, moved aside.
TEST_WITH(test_bad_images, make_folder, remove_folder)
{
	struct rule_arena *a = fixture_arena();
	make_image(a, "one.example two.example three.example");
	uint8_t *copy = malloc(a->size + 1);
	expect_bad("", 0, "empty");
	for (size_t len = 1; len < a->size; len += 97)
		expect_bad(a->base, len,
			len < sizeof(struct rule_image_head) ? "shorter" : "cut short");
	for (size_t at = sizeof(struct rule_image_head); at < a->size; at += 61) {
		memcpy(copy, a->base, a->size);
		copy[at] ^= 0x10;
		expect_bad(copy, a->size, "checksum of the body");
	}
	memcpy(copy, a->base, a->size);
	copy[a->size] = 0;
	expect_bad(copy, a->size + 1, "longer");
	struct rule_image_head old = *(struct rule_image_head *)a->base;
	old.version = RULE_IMAGE_VERSION - 1;
	old.head_sum = contenthash(&old, offsetof(struct rule_image_head, head_sum));
	memcpy(copy, &old, sizeof(old));
	expect_bad(copy, a->size, "another version");
	expect_bad(
		"<html>not an image, but long enough to be taken for one if nobody looked.</html>",
		79, "shorter");
	free(copy);
}

// No room on the disk (here: a limit on file size) leaves the old image and no temporary file.
TEST_WITH(test_write_fails, make_folder, remove_folder)
{
	struct rule_arena a, b, back;
	struct rule_reader r;
	char why[RULE_STORE_WHY_MAX];
	struct rlimit before, small;
	make_image(&a, "one.example");
	make_image(&b, "one.example two.example");
	assert_int_equal(file_write(path, a.base, a.size, why), 0);
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
	small = before;
	small.rlim_cur = b.size / 2;
	signal(SIGXFSZ, SIG_IGN);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
	int err = file_write(path, b.base, b.size, why);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
	assert_int_equal(err, -EFBIG);
	assert_non_null(strstr(why, "cannot write"));
	assert_false(exists(".tmp"));
	assert_int_equal(rule_store_load(path, NULL, NULL, &back, &r, why), 0);
	assert_memory_equal(back.base, a.base, a.size);
	rule_arena_free(&a);
	rule_arena_free(&b);
	rule_arena_free(&back);
}

TEST_WITH(test_half_written_temporary_is_ignored, make_folder, remove_folder)
{
	struct rule_arena a, back;
	struct rule_reader r;
	char why[RULE_STORE_WHY_MAX];
	make_image(&a, "one.example");
	bytes_to_file(text_from("%s.tmp", path), "half", 4);
	assert_int_equal(rule_store_load(path, NULL, NULL, &back, &r, why), -ENOENT);
	assert_int_equal(file_write(path, a.base, a.size, why), 0);
	assert_int_equal(rule_store_load(path, NULL, NULL, &back, &r, why), 0);
	rule_arena_free(&a);
	rule_arena_free(&back);
}

static struct rule_compile_options options(bool partial)
{
	return (struct rule_compile_options){
		.secret = fixture_secret(), .created_unix_s = 9, .partial = partial};
}

static uint64_t hash_of(const struct rule_source *source, struct rule_source_result *result)
{
	struct rule_known known[3] = {0};
	return rule_compile_hash(source, 3, result, known, NULL);
}

static int hand_entry(void *arg, list_rule_take take, void *take_arg)
{
	struct list_rule rule = rule_of_name(RULE_CLASS_OPERATOR_DENY, arg);
	return take(take_arg, &rule);
}

// From files: hashes tell what changed, a bad source fails the whole or is left out, by choice.
TEST_WITH(test_compile, make_folder, remove_folder)
{
	char why[RULE_COMPILE_WHY_MAX];
	struct dns_name entry = fixture_name("mine.example");
	const char *list = text_from("%s.list", path);
	struct rule_source source[] = {{.title = "allow"},
		{.title = "deny", .rules = hand_entry, .arg = &entry},
		{.title = "file", .path = list},
		{.title = "missing", .path = "/nonexistent/weir.list"}};
	struct rule_source_result result[4];
	struct rule_arena a;
	size_t peak;
	struct rule_compile_options strict = options(false), partial = options(true);
	bytes_to_file(list, "0.0.0.0 a.example b.example\ncom\n", 32);

	uint64_t hash = hash_of(source, result);
	assert_int_equal(hash_of(source, result), hash);
	assert_int_equal(rule_compile(source, 3, &strict, result, &a, &peak, why), 0);
	assert_int_equal(((struct rule_image_head *)a.base)->input_hash, hash);
	assert_int_equal(((struct rule_image_head *)a.base)->names, 3);
	assert_int_equal(result[2].counts.rejected[LIST_REJECT_SINGLE_LABEL], 1);
	rule_arena_free(&a);

	assert_int_equal(rule_compile(source, 4, &strict, result, &a, &peak, why), -ENOENT);
	assert_non_null(strstr(why, "missing"));
	assert_int_equal(rule_compile(source, 4, &partial, result, &a, &peak, why), 0);
	assert_int_equal(result[3].error, -ENOENT);
	assert_int_equal(((struct rule_image_head *)a.base)->names, 3);
	assert_true(((struct rule_image_head *)a.base)->input_hash != hash);
	rule_arena_free(&a);
	source[3].path = folder;
	assert_int_equal(rule_compile(source, 4, &strict, result, &a, &peak, why), -EISDIR);

	source[2].title = "renamed";
	assert_true(hash_of(source, result) != hash);
	source[2].title = "file";
	source[2].allow = true;
	assert_true(hash_of(source, result) != hash);
	source[2].allow = false;
	entry = fixture_name("thine.example");
	assert_true(hash_of(source, result) != hash);
	entry = fixture_name("mine.example");
	assert_int_equal(hash_of(source, result), hash);

	static const char page[] = "<html>\n<p>Not found here today</p>\n</html>\n";
	bytes_to_file(list, page, sizeof(page) - 1);
	assert_int_equal(rule_compile(source, 3, &strict, result, &a, &peak, why), -EBADMSG);
	assert_non_null(strstr(why, "no line is a rule"));
	bytes_to_file(list, "# none yet\n", 11);
	assert_int_equal(rule_compile(source, 3, &strict, result, &a, &peak, why), 0);
	assert_int_equal(((struct rule_image_head *)a.base)->names, 1);
	rule_arena_free(&a);
}
