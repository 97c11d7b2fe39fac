// SPDX-License-Identifier: BSD-3-Clause
// The two messages of sync: what one side writes the other one reads, and no other bytes.

#include "controlplane/base/url_fields.h"
#include "controlplane/sync/sync_reply.h"
#include "tests/unit/unit.h"

#include <weir/heap_site.h>

static char why[SYNC_WHY_MAX];

static const char *field(const void *arg, const char *name)
{
	return url_fields_get(arg, name);
}

static int read_form(const char *text, struct sync_report *out)
{
	struct url_fields f = {0};
	assert_int_equal(url_fields_read(&f, text, strlen(text)), 0);
	const int rc = sync_form_read(field, &f, out, why);
	url_fields_end(&f);
	return rc;
}

static struct sync_report report_make(void)
{
	struct sync_report r = {.box = "box2",
		.epoch = 7,
		.primary = "box1",
		.version = 12,
		.result = SYNC_refused,
		.reason = "blocking: 100 % & \"more\" = less",
		.is_ready = true,
		.unix_ms = 1800000000123,
		.software = "0.1.0+git"};
	memset(r.digest, 'a', SYNC_DIGEST_LEN);
	return r;
}

TEST(a_form_is_read_as_it_was_written)
{
	const struct sync_report r = report_make();
	struct sync_report got;
	char form[SYNC_FORM_MAX];
	assert_true(sync_form_write(&r, form));
	assert_int_equal(read_form(form, &got), 0);
	assert_memory_equal(&got, &r, sizeof(r));
}

TEST(the_longest_form_fits)
{
	struct sync_report r = report_make();
	char form[SYNC_FORM_MAX];
	memset(r.box, 'b', SYNC_NAME_MAX);
	memset(r.primary, 'p', SYNC_NAME_MAX);
	memset(r.reason, '%', SYNC_REASON_MAX);
	memset(r.software, '+', SYNC_SOFTWARE_MAX);
	assert_true(sync_form_write(&r, form));
}

TEST(a_form_with_a_wrong_field_names_it)
{
	static const struct {
		const char *from, *to, *named;
	} wrong[] = {{"box=box2", "box=box%0a", "box"}, {"box=box2", "box=", "box"},
		{"box=box2", "box=-box2", "box"}, {"box=box2", "other=1", "box"},
		{"epoch=7", "epoch=-7", "epoch"},
		{"epoch=7", "epoch=99999999999999999999", "epoch"},
		{"epoch=7", "epoch=1073741825", "epoch"},
		{"primary=box1", "primary=a%20b", "primary"},
		{"digest=aaaa", "digest=zzzz", "digest"}, {"digest=aaaa", "digest=aaa", "digest"},
		{"version=12", "version=4294967296", "version"},
		{"result=refused", "result=x", "result"}, {"ready=1", "ready=2", "ready"},
		{"software=", "software=%ff", "software"}};
	const struct sync_report r = report_make();
	struct sync_report got;
	char form[SYNC_FORM_MAX], text[SYNC_FORM_MAX + 64];
	assert_true(sync_form_write(&r, form));
	for (unsigned i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		const char *at = strstr(form, wrong[i].from);
		assert_non_null(at);
		snprintf(text, sizeof(text), "%.*s%s%s", (int)(at - form), form, wrong[i].to,
			at + strlen(wrong[i].from));
		assert_int_equal(read_form(text, &got), -EINVAL);
		assert_memory_equal(why, wrong[i].named, strlen(wrong[i].named));
	}
}

TEST(another_protocol_is_named)
{
	struct sync_report got;
	assert_int_equal(read_form("protocol=3&box=box2", &got), -EPROTO);
	assert_non_null(strstr(why, "protocol 3"));
}

TEST(fields_of_a_later_weir_are_ignored)
{
	const struct sync_report r = report_make();
	struct sync_report got;
	char form[SYNC_FORM_MAX], text[SYNC_FORM_MAX + 64];
	assert_true(sync_form_write(&r, form));
	snprintf(text, sizeof(text), "load=7&%s&later=a%%20b", form);
	assert_int_equal(read_form(text, &got), 0);
	assert_memory_equal(&got, &r, sizeof(r));
}

static struct sync_offer offer_make(const char *text)
{
	struct sync_offer o = {.box = "box1", .epoch = 3, .version = 9, .text = strdup(text)};
	o.len = strlen(text);
	sync_author_set(&o, "token ops", "config set\n");
	assert_true(sync_digest(text, o.len, o.digest));
	return o;
}

TEST(a_line_is_read_as_it_was_written)
{
	struct sync_offer o = offer_make("blocking:\n  deny: [\"a.test\"]\n"), got;
	char *line = sync_line_write(&o);
	assert_int_equal(line[strlen(line) - 1], '\n');
	assert_ptr_equal(strchr(line, '\n'), line + strlen(line) - 1);
	assert_int_equal(sync_line_read(line, strlen(line) - 1, &got, why), 0);
	assert_string_equal(got.text, o.text);
	assert_string_equal(got.text_why, "");
	assert_string_equal(got.digest, o.digest);
	assert_string_equal(got.box, "box1");
	assert_string_equal(got.author, "token ops: config set?");
	assert_int_equal(got.epoch, 3);
	assert_int_equal(got.version, 9);
	assert_false(got.is_unchanged);
	sync_offer_free(&got);
	free(line);
	FREE_AND_NULL(o.text);
	line = sync_line_write(&o);
	assert_int_equal(sync_line_read(line, strlen(line), &got, why), 0);
	assert_true(got.is_unchanged);
	assert_null(got.text);
	free(line);
}

TEST(a_line_with_more_fields_is_read)
{
	static const char more[] = "\"later\":{\"list\":[1,null]},\"protocol\"";
	struct sync_offer o = offer_make("blocking:\n  deny: [\"a.test\"]\n"), got;
	char *line = sync_line_write(&o), *text = malloc(strlen(line) + sizeof(more));
	const char *at = strstr(line, "\"protocol\"");
	sprintf(text, "%.*s%s%s", (int)(at - line), line, more, at + strlen("\"protocol\""));
	assert_int_equal(sync_line_read(text, strlen(text), &got, why), 0);
	assert_string_equal(got.text, o.text);
	sync_offer_free(&got);
	sync_offer_free(&o);
	free(text);
	free(line);
}

// The author is for readers alone: a version is taken without a good one.
TEST(a_bad_author_counts_as_absent)
{
	static const char *const bad[] = {
		"\"author\":\"a\\u0001b\"", "\"author\":7", "\"other\":1", NULL};
	struct sync_offer o = offer_make("blocking:\n  deny: [\"a.test\"]\n"), got;
	char *line = sync_line_write(&o), *text = malloc(strlen(line) + SYNC_AUTHOR_MAX + 64),
	     most[SYNC_AUTHOR_MAX + 32];
	static const char own[] = "\"author\":\"token ops: config set?\"";
	const char *at = strstr(line, own);
	sprintf(most, "\"author\":\"%0*d\"", SYNC_AUTHOR_MAX + 1, 0);
	assert_non_null(at);
	for (unsigned i = 0; i < 4; i++) {
		sprintf(text, "%.*s%s%s", (int)(at - line), line, bad[i] ? bad[i] : most,
			at + strlen(own));
		assert_int_equal(sync_line_read(text, strlen(text), &got, why), 0);
		assert_string_equal(got.author, "");
		sync_offer_free(&got);
	}
	sync_offer_free(&o);
	free(text);
	free(line);
}

TEST(a_text_that_is_no_shared_part_is_an_offer_to_refuse)
{
	struct sync_offer o = offer_make("runtime:\n  user: root\n"), got;
	char *line = sync_line_write(&o);
	assert_int_equal(sync_line_read(line, strlen(line), &got, why), 0);
	assert_string_not_equal(got.text_why, "");
	sync_offer_free(&got);
	sync_offer_free(&o);
	free(line);
}

TEST(a_wrong_line_is_refused)
{
	static const struct {
		const char *from, *to;
	} wrong[] = {{"{", "["}, {"\"protocol\":2", "\"protocol\":1"},
		{"\"epoch\":3", "\"epoch\":0"}, {"\"epoch\":3", "\"epoch\":1073741825"},
		{"\"version\":9", "\"version\":-1"}, {"box1", "box 1"},
		{"\"unchanged\":false", "\"x\":1"}, {"a.test", "b.test"}, {"\"text\"", "\"texts\""},
		{"\"digest\":\"", "\"digest\":\"0"}};
	struct sync_offer o = offer_make("blocking:\n  deny: [\"a.test\"]\n"), got;
	char *line = sync_line_write(&o), *text = malloc(strlen(line) + 64);
	for (unsigned i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		const char *at = strstr(line, wrong[i].from);
		assert_non_null(at);
		sprintf(text, "%.*s%s%s", (int)(at - line), line, wrong[i].to,
			at + strlen(wrong[i].from));
		assert_true(sync_line_read(text, strlen(text), &got, why) < 0);
		assert_null(got.text);
	}
	for (size_t len = 0; len < strlen(line) - 1; len++)
		assert_int_equal(sync_line_read(line, len, &got, why), -EINVAL);
	free(text);
	free(line);
	sync_offer_free(&o);
}
