// SPDX-License-Identifier: BSD-3-Clause
// Rows for those who watch: filters, lines, what a full buffer leaves out, how many may watch.

#include "controlplane/querylog/row_text.h"
#include "controlplane/querylog/sinks/tail.h"
#include "tests/unit/cp/querylog/querylog_rig.h"
#include "tests/unit/unit.h"

#include <jansson.h>

static struct querylog_rig rig;
static struct tail *tail;
static struct querylog_sink sink;
static char out[TAIL_BUFFER_MAX + 1];
static uint64_t missed;

static bool by_answer; // blocked, for what its answer led to
static const char *group = "children";

static struct querylog_row row_of(const char *name)
{
	return (struct querylog_row){.qname = querylog_rig_text(name),
		.client = querylog_rig_text("192.0.2.1"),
		.client_name = querylog_rig_text("phone"),
		.group = querylog_rig_text(group),
		.verdict = querylog_rig_text(by_answer ? "blocked_answer" : "hit"),
		.is_blocked = by_answer,
		.validation = QUERYLOG_INSECURE,
		.weight = 1};
}

// Does the row come to a reader with this filter?
static bool comes(const struct tail_filter *f, const char *name)
{
	unsigned reader;
	const struct querylog_row row = row_of(name);
	const struct querylog_batch *b = querylog_rig_row(&rig, &row);
	assert_int_equal(tail_join(tail, f, &reader), 0);
	assert_true(sink.take(sink.arg, b));
	size_t len = tail_take(tail, reader, out, &missed);
	assert_int_equal(missed, 0);
	tail_leave(tail, reader, false);
	querylog_release(b);
	return len > 0;
}

static int setup(void **)
{
	querylog_rig_open(&rig, 7);
	int rc = tail_open(&tail);
	sink = tail_sink(tail);
	return rc;
}

static int teardown(void **)
{
	tail_free(tail);
	querylog_rig_close(&rig);
	return 0;
}

TEST_WITH(test_filters, setup, teardown)
{
	assert_true(comes(&(struct tail_filter){0}, "a.example"));
	assert_true(comes(&(struct tail_filter){.name = "example"}, "a.example"));
	assert_true(comes(&(struct tail_filter){.name = "a.example."}, "a.example"));
	assert_false(comes(&(struct tail_filter){.name = "b.example"}, "a.example"));
	assert_false(comes(&(struct tail_filter){.name = "example"}, "anexample"));
	assert_false(comes(&(struct tail_filter){.name = "example"}, "a\\.example"));
	assert_true(comes(&(struct tail_filter){.client = "192.0.2.1"}, "a"));
	assert_true(comes(&(struct tail_filter){.client = "Phone"}, "a"));
	assert_false(comes(&(struct tail_filter){.client = "192.0.2.11"}, "a"));
	assert_false(comes(&(struct tail_filter){.client = "192.0.2."}, "a"));
	assert_true(comes(&(struct tail_filter){.verdict = "hit"}, "a"));
	assert_false(comes(&(struct tail_filter){.verdict = "hit_stale"}, "a"));
	assert_true(comes(&(struct tail_filter){.group = "children"}, "a"));
	assert_false(comes(&(struct tail_filter){.group = "guests"}, "a"));
	assert_false(comes(&(struct tail_filter){.group = "Children"}, "a")); // as in a search
	assert_false(comes(&(struct tail_filter){.group = "everyone"}, "a"));
	assert_false(comes(&(struct tail_filter){.group = "children", .verdict = "blocked"}, "a"));
	assert_true(comes(&(struct tail_filter){.validation = "insecure"}, "a"));
	assert_false(comes(&(struct tail_filter){.validation = "secure"}, "a"));
	by_answer = true;
	assert_true(comes(&(struct tail_filter){.verdict = "blocked"}, "a"));
	assert_true(comes(&(struct tail_filter){.verdict = "blocked_answer"}, "a"));
	assert_false(comes(&(struct tail_filter){.verdict = "hit"}, "a"));
	by_answer = false;
	group = "";
	assert_true(comes(&(struct tail_filter){.group = "everyone"}, "a"));
	assert_false(comes(&(struct tail_filter){.group = "children"}, "a"));
	group = "children";
}

static void text_check(json_t *o, const char *key, struct querylog_text is)
{
	assert_string_equal(json_string_value(json_object_get(o, key)), is.at);
}

// Every line is JSON that says what the row says; by another parser.
TEST_WITH(test_lines, setup, teardown)
{
	enum { ROWS = 300 };
	char line[ROW_LINE_MAX];
	const struct querylog_batch *b = querylog_rig_batch(&rig, ROWS);
	for (unsigned i = 0; i < ROWS; i++) {
		const struct querylog_row *row = &b->row[i];
		size_t len = row_text_json(row, b->box, line, sizeof(line));
		assert_true(len > 0 && line[len - 1] == '\n');
		json_t *o = json_loadb(line, len, 0, NULL);
		assert_non_null(o);
		text_check(o, "qname", row->qname);
		text_check(o, "client", row->client);
		text_check(o, "client_name", row->client_name);
		text_check(o, "client_group", row->group);
		text_check(o, "list", row->list);
		assert_string_equal(json_string_value(json_object_get(o, "validation")),
			querylog_validation_names[row->validation]);
		assert_int_equal(json_integer_value(json_object_get(o, "time_us")), row->time_us);
		assert_int_equal(json_integer_value(json_object_get(o, "weight")), row->weight);
		assert_int_equal(json_is_true(json_object_get(o, "blocked")), row->is_blocked);
		assert_int_equal(json_integer_value(json_object_get(o, "ede")),
			row->ede == QUERYLOG_NO_EDE ? -1 : row->ede);
		json_decref(o);
		for (size_t cap = 0; cap < len; cap += 37)
			assert_int_equal(row_text_json(row, b->box, line, cap), 0);
	}
	querylog_release(b);
}

// A reader that does not fetch its rows loses them and all that follow, until it gets the number
// lost.
TEST_WITH(test_full, setup, teardown)
{
	unsigned slow, quick;
	struct tail_counts c;
	uint64_t rows = 0;
	assert_int_equal(tail_join(tail, &(struct tail_filter){0}, &slow), 0);
	assert_int_equal(tail_join(tail, &(struct tail_filter){.client = "nobody"}, &quick), 0);
	for (unsigned i = 0; i < 3; i++) {
		const struct querylog_batch *b = querylog_rig_batch(&rig, QUERYLOG_ROWS_MAX);
		assert_true(sink.take(sink.arg, b)); // never refused
		querylog_release(b);
		rows += QUERYLOG_ROWS_MAX;
	}
	assert_int_equal(tail_take(tail, quick, out, &missed), 0);
	assert_int_equal(missed, 0);
	size_t len = tail_take(tail, slow, out, &missed);
	uint64_t lines = 0;
	for (size_t i = 0; i < len; i++)
		lines += out[i] == '\n';
	assert_true(len > TAIL_BUFFER_MAX - ROW_LINE_MAX && out[len - 1] == '\n');
	assert_int_equal(lines + missed, rows);
	tail_counts(tail, &c);
	assert_int_equal(c.rows, lines);
	assert_int_equal(c.missed, missed);
	assert_int_equal(tail_take(tail, slow, out, &missed), 0);
	assert_int_equal(missed, 0);
	const struct querylog_batch *b = querylog_rig_batch(&rig, 1);
	assert_true(sink.take(sink.arg, b));
	querylog_release(b);
	assert_true(tail_take(tail, slow, out, &missed) > 0);
	tail_leave(tail, slow, true);
	tail_leave(tail, quick, false);
	tail_counts(tail, &c);
	assert_int_equal(c.cut, 1);
}

TEST_WITH(test_as_many_as_may, setup, teardown)
{
	unsigned reader[TAIL_READERS_MAX], more;
	struct tail_counts c;
	for (unsigned i = 0; i < TAIL_READERS_MAX; i++)
		assert_int_equal(tail_join(tail, &(struct tail_filter){0}, &reader[i]), 0);
	assert_int_equal(tail_join(tail, &(struct tail_filter){0}, &more), -EUSERS);
	tail_leave(tail, reader[1], false);
	assert_int_equal(tail_join(tail, &(struct tail_filter){0}, &more), 0);
	assert_int_equal(more, reader[1]);
	for (unsigned i = 0; i < TAIL_READERS_MAX; i++)
		tail_leave(tail, reader[i], false);
	tail_counts(tail, &c);
	assert_int_equal(c.refused, 1);
	assert_int_equal(c.readers, 0);
	assert_int_equal(c.joined, TAIL_READERS_MAX + 1);
}
