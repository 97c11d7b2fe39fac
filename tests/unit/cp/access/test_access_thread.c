// SPDX-License-Identifier: BSD-3-Clause
// The audit log on disk: lines in order, one rotation, a disk that does not take them, entries as
// JSON, what is left out, and what a reader gets.

#include "controlplane/access/audit.h"
#include "controlplane/access/audit_text.h"
#include "controlplane/http/http_server.h"
#include "tests/unit/unit.h"

static char folder[FOLDER_MAX], path[FOLDER_MAX + 16], old[FOLDER_MAX + 16];
static struct loop *service;
static struct access_thread *t;

static int setup(void **)
{
	if (folder_make(folder, "access") || loop_new("service", &service) < 0)
		return -1;
	snprintf(path, sizeof(path), "%s/audit.log", folder);
	snprintf(old, sizeof(old), "%s/audit.log.1", folder);
	return access_thread_open(&t, service, path);
}

static int teardown(void **)
{
	access_thread_close(t);
	loop_free(service);
	return folder_remove(folder, "");
}

static char *read_now(unsigned limit)
{
	char *out = NULL;
	assert_int_equal(audit_read(path, limit, &out), 0);
	unit_at_end(free, out);
	return out;
}

// What is on disk once all lines are.
static char *read_all(unsigned limit)
{
	access_thread_close(t); // writes what waits
	t = NULL;
	return read_now(limit);
}

static void log_is(unsigned limit, const char *text)
{
	assert_string_equal(read_all(limit), text);
}

static void put(const char *line)
{
	access_thread_line(t, ACCESS_CHANGES, line, strlen(line));
}

TEST_WITH(test_lines, setup, teardown)
{
	struct stat st;
	put("{\"a\":1}");
	put("{\"a\":2}");
	put("no entry");
	put("{\"a\":3}");
	log_is(1000, "[{\"a\":1},{\"a\":2},{\"a\":3}]");
	assert_string_equal(read_now(1), "[{\"a\":3}]");
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
}

// A line that a power cut has torn, also one that looks whole, harms no other.
TEST_WITH(test_torn, setup, teardown)
{
	text_to_file(path, "{\"a\":1}\n{\"a\":{\"b\"}\n{\"a\":{}");
	put("{\"a\":2}");
	log_is(1000, "[{\"a\":1},{\"a\":2}]");
}

TEST_WITH(test_nothing, setup, teardown)
{
	log_is(10, "[]");
}

TEST_WITH(test_rotation, setup, teardown)
{
	char line[ACCESS_LINE_MAX], kept[sizeof(path) + 2];
	struct access_thread_counts c;
	struct stat st;
	// Those before move on, and the oldest goes.
	for (unsigned i = 1; i <= ACCESS_LOG_KEPT; i++) {
		snprintf(kept, sizeof(kept), "%s.%u", path, i);
		text_to_file(kept, text_from("%*s", (int)i, ""));
	}
	for (unsigned i = 0; i < 2 * ACCESS_LOG_MAX / 1000; i++) {
		snprintf(line, sizeof(line), "{\"n\":1%08u,\"x\":\"%0980u\"}", i, 0);
		do
			access_thread_counts(t, &c);
		while (c.waiting == ACCESS_LINES_MAX);
		put(line);
	}
	do
		access_thread_counts(t, &c);
	while (c.written < 2 * ACCESS_LOG_MAX / 1000);
	assert_int_equal(c.rotated, 2);
	char *all = read_all(2);
	for (unsigned i = 3; i <= ACCESS_LOG_KEPT; i++) {
		snprintf(kept, sizeof(kept), "%s.%u", path, i);
		assert_int_equal(stat(kept, &st), 0);
		assert_int_equal(st.st_size, i - 2);
	}
	snprintf(kept, sizeof(kept), "%s.%u", path, ACCESS_LOG_KEPT + 1);
	assert_int_equal(stat(kept, &st), -1);
	snprintf(line, sizeof(line), "{\"n\":1%08u", 2 * ACCESS_LOG_MAX / 1000 - 1);
	assert_non_null(strstr(all, line));
	assert_int_equal(stat(path, &st), 0);
	assert_true(st.st_size <= ACCESS_LOG_MAX);
	assert_int_equal(stat(old, &st), 0);
	assert_true(st.st_size <= ACCESS_LOG_MAX && st.st_size > ACCESS_LOG_MAX - 2000);
}

TEST_WITH(test_lost, setup, teardown)
{
	struct access_thread_counts c;
	char line[ACCESS_LINE_MAX + 1];
	memset(line, 'a', sizeof(line));
	access_thread_line(t, ACCESS_CHANGES, line, ACCESS_LINE_MAX);
	access_thread_counts(t, &c);
	assert_int_equal(c.lost, 1);
	assert_int_equal(mkdir(path, 0700), 0); // no file can be there
	put("{}");
	WAIT_FOR((access_thread_counts(t, &c), c.failed));
	assert_int_equal(c.failed, 1);
	assert_int_equal(rmdir(path), 0);
	put("{\"b\":1}");
	log_is(10, "[{\"b\":1}]");
}

// A disk may take lines and fail to keep them; a FIFO cannot be synchronised at all.
TEST_WITH(test_failed_sync, setup, teardown)
{
	struct access_thread_counts c;
	assert_int_equal(mkfifo(path, 0600), 0);
	put("{}");
	WAIT_FOR((access_thread_counts(t, &c), c.written + c.failed));
	assert_int_equal(c.failed, 1);
	assert_int_equal(c.written, 0);
	assert_int_equal(unlink(path), 0);
	put("{\"b\":1}");
	log_is(10, "[{\"b\":1}]");
}

static void put_whole(const char *line, unsigned lines)
{
	struct access_thread_counts c;
	put(line);
	WAIT_FOR((access_thread_counts(t, &c), c.written >= lines));
}

TEST_WITH(test_deleted_and_renamed, setup, teardown)
{
	const char *other = text_from("%s.old", path);
	for (unsigned i = 0; i < 2; i++) {
		put_whole("{\"a\":1}", 2 * i + 1);
		assert_int_equal(i ? rename(path, other) : unlink(path), 0);
		put_whole("{\"b\":1}", 2 * i + 2);
		char *all = read_now(10);
		assert_string_equal(all, "[{\"b\":1}]");
	}
	unlink(other);
}

static unsigned works, dones;
static void job_work(struct access_job *j)
{
	works++;
	j->err = -7;
}
static void job_done(struct access_job *j)
{
	assert_int_equal(j->err, -7);
	dones++;
}

static const struct url_fields *fields_of(const char *query)
{
	static struct url_fields fields;
	url_fields_end(&fields);
	assert_int_equal(url_fields_read(&fields, query, strlen(query)), 0);
	return &fields;
}

static struct audit_entry refused_entry(void)
{
	return (struct audit_entry){.who = "",
		.from = "192.0.2.7",
		.method = "GET",
		.path = "/v1/%77eir%5f0123456789abcdefXYZ/\"x\n\x01",
		.why = "unknown",
		.status = 401};
}

TEST_WITH(test_entries, setup, teardown)
{
	struct audit a = {
		.thread = t, .box = "box1", .entries = allowance_full(AUDIT_REFUSED_BURST, 0)};
	const struct audit_entry e = refused_entry(),
				 change = {.who = "uid 0",
					 .from = "pid 1",
					 .method = "POST",
					 .path = "/set",
					 .query =
						 fields_of("toggle=a%26b&value=%3a%2f%2f&x=secret"),
					 .params = "toggle value form:x",
					 .status = 200};
	audit_change(&a, &change);
	for (unsigned i = 0; i < AUDIT_REFUSED_BURST + 5; i++)
		audit_refused(&a, &e, 0);
	audit_refused(&a, &e, 1000);
	assert_int_equal(a.refused, AUDIT_REFUSED_BURST + 6);
	audit_locked(&a, "192.0.2.7", "locked out", 1000);
	audit_locked(&a, "192.0.2.7", "left out", 1000);
	audit_locked(&a, "192.0.2.7", "locked out later", 2000);
	assert_int_equal(a.refused_left_out, 6);
	char *all = read_all(1000);
	assert_non_null(strstr(all,
		"\"who\":\"uid 0\",\"from\":\"pid 1\",\"method\":\"POST\","
		"\"path\":\"/set\",\"query\":\"toggle=a%26b&value=://&x\",\"status\":200}"));
	assert_non_null(strstr(all, "\"path\":\"/v1/weir_****************XYZ/?x??\""));
	assert_null(strstr(all, "0123456789abcdef"));
	assert_non_null(strstr(all, "\"refused\":\"unknown\",\"left_out\":5}"));
	assert_non_null(strstr(all, "\"what\":\"locked out\"}"));
	assert_null(strstr(all, "\"what\":\"left out\""));
	assert_non_null(strstr(all, "\"what\":\"locked out later\",\"left_out\":1}"));
}

// Entries without a request. A job that runs after an entry finds it on disk.
static void note_find(struct access_job *j)
{
	char *all = read_now(10);
	j->err = strstr(all, "\"who\":\"timer\",\"from\":\"\",\"what\":\"end of allow "
			     "a?.test\",\"why\":\"of ?kids?\",\"version\":7}")
			 ? -7
			 : 0;
}

TEST_WITH(test_note, setup, teardown)
{
	struct audit a = {.thread = t, .box = "box1"};
	struct access_job find = {.work = note_find, .done = job_done},
			  wait = {.work = NULL, .done = job_done, .err = -7};
	dones = 0;
	audit_note(&a, "timer", "", "end of allow a\".test", "of \"kids\"", 7);
	audit_note(&a, "weir", "192.0.2.7", "this address is locked out for 60 s", "", 0);
	access_thread_job(t, &find);
	access_thread_job(t, &wait);
	char *all = read_all(10);
	loops_settle(&service, 1);
	assert_int_equal(dones, 2);
	assert_non_null(strstr(all, "\"box\":\"box1\",\"who\":\"timer\",\"from\":\"\",\"what\":"
				    "\"end of allow a?.test\","
				    "\"why\":\"of ?kids?\",\"version\":7}"));
	assert_non_null(strstr(
		all, "\"from\":\"192.0.2.7\",\"what\":\"this address is locked out for 60 s\"}"));
}

// What a client fills up is cut, and the line is not lost.
TEST_WITH(test_longest, setup, teardown)
{
	struct audit a = {.thread = t, .box = "box1"};
	char path_[2000] = "", query[8000] = "name=", who[HTTP_WHO_MAX];
	struct access_thread_counts c;
	memset(path_, '\x01', sizeof(path_) - 1);
	memset(query + 5, '"', sizeof(query) - 6);
	memset(who, '\\', sizeof(who) - 1);
	who[sizeof(who) - 1] = '\0';
	const struct audit_entry e = {.who = who,
		.from = who,
		.method = "POST",
		.path = path_,
		.query = fields_of(query),
		.params = "name",
		.why = "not_bearer",
		.status = 10000};
	audit_change(&a, &e);
	access_thread_counts(t, &c);
	assert_int_equal(c.lost, 0);
	char *all = read_all(1000);
	assert_non_null(strstr(all, "?????"));
	assert_non_null(strstr(all, "\"query\":\"name=%22%22"));
}

static void assert_query(const char *query, const char *expected)
{
	char out[AUDIT_QUERY_MAX + 1];
	assert_true(audit_query(
		fields_of(query), "name place server why form:password", out, sizeof(out)));
	assert_string_equal(out, expected);
}

TEST_WITH(test_secrets, setup, teardown)
{
	assert_query("", "");
	assert_query("name=a.test&place=b", "name=a.test&place=b");
	assert_query("user=eve&password=hunter2", "user&password");
	assert_query("form:password=hunter2", "form:password");
	assert_query("place=https://user:pw@lists.example/a?token=b",
		"place=https://lists.example/a?...");
	assert_query("place=https%3A%2F%2Fuser%3Apw%40lists.example%2Fa%3Ftoken%3Db",
		"place=https://lists.example/a?...");
	assert_query("place=https://user:pw", "place=?");
	assert_query("name=weir%5f0a1b&place=weir_0a1b", "name=weir_****&place=weir_****");
	assert_query("token=weir%5f0a1b&%77eir_0a1b=", "token&weir_****");
	assert_query("name=%01%zz%&x=", "name=%01%25zz%25&x");
}

// A list's place may be a URL with secrets; what else is one has none, and is there as it is.
TEST_WITH(test_urls_without_secrets, setup, teardown)
{
	assert_query(
		"server=tls://9.9.9.9@853%23dns.example", "server=tls://9.9.9.9@853#dns.example");
	assert_query("server=https://dns.example/dns-query?ct",
		"server=https://dns.example/dns-query?ct");
	assert_query("why=ops@a.test, see http://wiki/?page=7",
		"why=ops@a.test, see http://wiki/?page=7");
	assert_query("place=/lists/a@b", "place=/lists/a@b");
}

// The value of a key has no key in it, so its path says whether it is a secret. Tries are logged,
// too.
TEST_WITH(test_values_of_keys, setup, teardown)
{
	static const struct {
		const char *query, *expected;
	} cases[] = {
		{"path=redis.password&yaml=hunter2", "path=redis.password&yaml=***"},
		{"yaml=hunter2&path=redis.sentinel_password",
			"yaml=***&path=redis.sentinel_password"},
		{"path=redis.pasword&yaml=hunter2", "path=redis.pasword&yaml=***"},
		{"path=redis.password.&yaml=hunter2", "path=redis.password.&yaml=***"},
		{"path=redis&yaml={password: hunter2}", "path=redis&yaml={password: ***}"},
		{"path=cookies.secrets&yaml=hunter2", "path=cookies.secrets&yaml=***"},
		{"path=query_log.webhooks&yaml=https://a.example/hunter2",
			"path=query_log.webhooks&yaml=***"},
		{"path=groups[token].services&yaml=vk", "path=groups[token].services&yaml=vk"},
		{"path=redis.password_file&yaml=/a", "path=redis.password_file&yaml=/a"},
		{"yaml=redis: {password: hunter2}", "yaml=redis: {password: ***}"},
		{"yaml=cache: {min_ttl: 7}&path=", "yaml=cache: {min_ttl: 7}&path="},
	};
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		char out[AUDIT_QUERY_MAX + 1];
		assert_true(
			audit_query(fields_of(cases[i].query), "path! yaml!", out, sizeof(out)));
		assert_string_equal(out, cases[i].expected);
	}
}

// Two values that differ read differently, and none hides another.
TEST_WITH(test_values, setup, teardown)
{
	char out[AUDIT_QUERY_MAX + 1], query[AUDIT_QUERY_MAX + 64];
	assert_query("name=a%5cb&place=%c3%a4", "name=a%5Cb&place=%C3%A4");
	assert_query("name=a+b&place=%2b", "name=a b&place=+");
	assert_query("NAME=a.test&name=b.test", "NAME&name=b.test");
	snprintf(query, sizeof(query), "name=%0*u&place=b", AUDIT_QUERY_MAX - 40, 1);
	assert_true(audit_query(fields_of(query), "name place", out, sizeof(out)));
	assert_non_null(strstr(out, "1&place=b"));
	struct audit a = {.thread = t, .box = "box1"};
	struct audit_entry e = {.who = "token ops", .params = "name place"};
	e.query = fields_of(query);
	assert_int_equal(audit_begin(&a, &e, AUDIT_OF_USER, 0), 0);
	audit_end(&a);
	// One without room does not begin.
	snprintf(query, sizeof(query), "name=%0*u&place=b", AUDIT_QUERY_MAX, 1);
	e.query = fields_of(query);
	assert_int_equal(audit_begin(&a, &e, AUDIT_OF_USER, 0), -EMSGSIZE);
	assert_int_equal(a.begun, 0);
}

// However many requests are refused, the entries of changes stay, and are shown.
TEST_WITH(test_refused_push_nothing_out, setup, teardown)
{
	struct audit a = {
		.thread = t, .box = "box1", .entries = allowance_full(AUDIT_REFUSED_BURST, 0)};
	struct access_thread_counts c;
	struct audit_entry change = refused_entry(), refused = change;
	char why[ACCESS_LINE_MAX - 1000];
	memset(why, 'x', sizeof(why));
	why[sizeof(why) - 1] = '\0';
	refused.why = why; // to fill its files sooner
	change.why = NULL;
	change.who = "token ops";
	change.status = 200;
	audit_change(&a, &change);
	for (unsigned i = 0; i < 3 * ACCESS_LOG_MAX / sizeof(why); i++) {
		audit_refused(&a, &refused, i * UINT64_C(1000));
		if (i % 100 == 0)
			WAIT_FOR((access_thread_counts(t, &c), c.written + c.lost > i + 1));
	}
	assert_int_equal(c.lost, 0);
	assert_int_equal(c.rotated, 0);
	char *all = read_all(10);
	assert_non_null(strstr(all, "\"who\":\"token ops\""));
	assert_int_equal(access(text_from("%s.refused.1", path), F_OK), 0);
	assert_int_equal(access(text_from("%s.refused.2", path), F_OK), -1);
}

static _Atomic bool hold, holds;

static void hold_work(struct access_job *j)
{
	holds = true;
	WAIT_FOR(!hold);
	j->err = -7;
}

// What the disk has not taken holds up those that come, and costs no entry.
TEST_WITH(test_no_room, setup, teardown)
{
	struct audit a = {
		.thread = t, .box = "box1", .entries = allowance_full(AUDIT_REFUSED_BURST, 0)};
	struct access_job job = {.work = hold_work, .done = job_done};
	const struct audit_entry e = {.who = "uid 0",
		.from = "",
		.method = "POST",
		.path = "/set",
		.query = fields_of("toggle=api"),
		.params = "toggle"};
	struct access_thread_counts c;
	unsigned begun = 0;
	hold = true;
	access_thread_job(t, &job);
	WAIT_FOR(holds); // lines that come before it runs are written first
	// Each of them has all the entries that it may have.
	while (audit_begin(&a, &e, AUDIT_UNBOUNDED, 0) == 0) {
		begun++;
		for (unsigned i = 0; i + 1 < AUDIT_LINES_EACH; i++)
			audit_change(&a, &e);
	}
	assert_int_equal(audit_begin(&a, &e, AUDIT_UNBOUNDED, 0), -EAGAIN);
	assert_int_equal(a.held_back, 2);
	assert_int_equal(begun, (ACCESS_LINES_MAX - AUDIT_LINES_OWN) / (2 * AUDIT_LINES_EACH - 1));
	audit_refused(&a, &e, 0); // has its own queue
	for (unsigned i = 0; i < begun; i++) {
		audit_change(&a, &e);
		audit_end(&a);
	}
	hold = false;
	WAIT_FOR((access_thread_counts(t, &c), c.waiting == 0));
	assert_int_equal(audit_begin(&a, &e, AUDIT_UNBOUNDED, 0), 0);
	audit_end(&a);
	access_thread_counts(t, &c);
	assert_int_equal(c.lost, 0);
}

// One user fills the log no faster than its allowance, and holds up no other.
TEST_WITH(test_allowance, setup, teardown)
{
	struct audit a = {.thread = t, .box = "box1"};
	struct audit_entry e = {
		.who = "token ops", .query = fields_of("toggle=api"), .params = "toggle"};
	unsigned n = 0;
	while (audit_begin(&a, &e, AUDIT_OF_USER, 1000) == 0) {
		audit_end(&a);
		n++;
	}
	assert_true(n > 1000);
	assert_int_equal(audit_begin(&a, &e, AUDIT_OF_USER, 1000), -EDQUOT);
	assert_int_equal(audit_begin(&a, &e, AUDIT_UNBOUNDED, 1000), 0);
	e.who = "token other";
	assert_int_equal(audit_begin(&a, &e, AUDIT_OF_USER, 1000), 0);
	e.who = "token ops";
	assert_int_equal(audit_begin(&a, &e, AUDIT_OF_USER, 2000), 0);
}

// Who makes users, and changes something as each, has no more room than the log: an hour of it does
// not push out what is there.
TEST_WITH(test_allowance_of_all, setup, teardown)
{
	enum { ENTRY_MIN = 512 };
	struct audit a = {.thread = t, .box = "box1"};
	char who[32];
	struct audit_entry e = {.who = who, .query = fields_of("toggle=api"), .params = "toggle"};
	uint64_t bytes = 0;
	const uint64_t log_bytes = (uint64_t)ACCESS_LOG_MAX * (ACCESS_LOG_KEPT + 1);
	for (unsigned s = 0; s < 3600 && bytes < log_bytes; s++) {
		snprintf(who, sizeof(who), "token %u", s);
		while (audit_begin(&a, &e, AUDIT_OF_USER, UINT64_C(1000) * s) == 0) {
			audit_end(&a);
			bytes += ENTRY_MIN;
		}
	}
	assert_true(bytes > 0 && bytes < log_bytes);
}

// Users who are no admins leave room for those, however many they are and however long they go on.
TEST_WITH(test_allowance_of_admins, setup, teardown)
{
	struct audit a = {.thread = t, .box = "box1"};
	char who[32];
	struct audit_entry e = {.query = fields_of("toggle=api"), .params = "toggle"};
	for (unsigned s = 0; s < 3600; s++) {
		e.who = who;
		for (unsigned i = 0; i < 6; i++) {
			snprintf(who, sizeof(who), "token %u", i);
			while (audit_begin(&a, &e, AUDIT_OF_USER, UINT64_C(1000) * s) == 0)
				audit_end(&a);
		}
		e.who = "token boss";
		for (unsigned i = 0; i < 3; i++) {
			assert_int_equal(
				audit_begin(&a, &e, AUDIT_OF_ADMIN, UINT64_C(1000) * s), 0);
			audit_end(&a);
		}
	}
}

// One user alone leaves room for others.
TEST_WITH(test_allowance_of_another, setup, teardown)
{
	struct audit a = {.thread = t, .box = "box1"};
	struct audit_entry e = {.query = fields_of("toggle=api"), .params = "toggle"};
	for (unsigned s = 0; s < 7200; s++) {
		e.who = "token ops";
		while (audit_begin(&a, &e, AUDIT_OF_USER, UINT64_C(1000) * s) == 0)
			audit_end(&a);
		e.who = "token other";
		assert_int_equal(audit_begin(&a, &e, AUDIT_OF_USER, UINT64_C(1000) * s), 0);
		audit_end(&a);
	}
}

// Nothing runs the loop: the jobs that have not come back by then end at the close.
TEST_WITH(test_jobs, setup, teardown)
{
	struct access_job jobs[3];
	works = dones = 0;
	for (unsigned i = 0; i < ARRAY_LEN(jobs); i++) {
		jobs[i] = (struct access_job){.work = job_work, .done = job_done};
		access_thread_job(t, &jobs[i]);
	}
	access_thread_close(t);
	t = NULL;
	loops_settle(&service, 1);
	assert_int_equal(works, 3);
	assert_int_equal(dones, 3);
}
