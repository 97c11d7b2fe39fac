// SPDX-License-Identifier: BSD-3-Clause
// Changes of tokens, and logins, over a real socket while the helper thread is held up: what ends
// behind its client's deadline is in force all the same.

#include "api_rig.h"
#include "controlplane/api/api_server.h"

static _Atomic bool may_go_on;

static void hold_work(struct access_job *)
{
	WAIT_FOR(may_go_on);
}

static void hold_done(struct access_job *)
{
}

static int post_begin(const char *what, const char *form)
{
	int fd = client_connect();
	client_send(
		fd, text_from("POST %s HTTP/1.1\r\nHost: a\r\nConnection: close\r\n"
			      "Content-Type: application/x-www-form-urlencoded\r\nContent-Length: "
			      "%zu\r\n\r\n%s",
			    what, strlen(form), form));
	return fd;
}

static void await_end(int fd, const char *status)
{
	assert_true(client_read(fd, PATIENCE_MS) > 0);
	assert_non_null(strstr(reply, status));
	close(fd);
}

static _Atomic bool is_taken;

static void state_take(void *arg)
{
	*(bool *)arg = api->access->is_changing || api->access->logins > 0;
	is_taken = true;
}

static bool is_busy(void)
{
	bool out = false;
	is_taken = false;
	assert_int_equal(loop_call(service, state_take, &out), 0);
	WAIT_FOR(is_taken);
	return out;
}

static char *audit_now(void)
{
	char *all;
	struct access_thread_counts c;
	// The access thread writes its lines soon.
	WAIT_FOR((access_thread_counts(api->access->thread, &c), c.waiting == 0));
	assert_int_equal(audit_read(text_from("%s/audit.log", api_folder), 1000, &all), 0);
	unit_at_end(free, all);
	return all;
}

TEST(test_late)
{
	struct access_job hold = {.work = hold_work, .done = hold_done};
	assert_reply("POST /token/create?name=ops&role=read", 200, "\"valid\"");
	access_thread_job(api->access->thread, &hold);
	int revoke = post_begin("/token/revoke?name=ops", "");
	int login = post_begin("/session", "user=eve&password=abcdefghij");
	await_end(revoke, "HTTP/1.1 504");
	assert_reply("GET /tokens", 200, "\"revoked\""); // at once
	await_end(login, "HTTP/1.1 504");
	assert_true(is_busy());
	may_go_on = true;
	WAIT_FOR(!is_busy());
	assert_reply("GET /tokens", 200, "\"revoked\"");
	const char *entry = strstr(audit_now(), "\"query\":\"name=ops\",\"status\":504}");
	assert_non_null(entry);
	assert_non_null(strstr(entry, "\"query\":\"name=ops\",\"status\":200}"));
	assert_int_equal(api->access->audit.begun, 0);
	assert_reply("POST /token/create?name=ops&role=read", 200, "\"valid\"");
}

// The audit log and the endpoint read the same text; what only one of them would read is refused.
TEST(test_parameters)
{
	assert_reply("POST /token/create?name=quiet&ROLE=admin&role=read", 400,
		"no parameter \\\"ROLE\\\" here; it takes: name! role! expires");
	assert_reply("POST /token/create?name=quiet&role=admin&role=read", 400,
		"the parameter \\\"role\\\" is there twice");
	assert_reply("POST /token/create?name=quiet&%72ole=admin&role=read", 400, "is there twice");
	assert_reply(text_from("POST /token/create?%0420u=1&name=quiet&role=admin", 1), 400,
		"no parameter \\\"0000");
	assert_reply(
		"GET /tokens?name=quiet", 400, "no parameter \\\"name\\\" here; it takes none");
	assert_reply("GET /tokens?", 200, "\"tokens\":[");
	assert_reply("POST /password/set?name=a&role=read&password=0123456789", 400,
		"no parameter \\\"password\\\"");
	assert_reply("POST /password/set?name=a&role=read&form:password=0123456789", 400,
		"no parameter \\\"form:password\\\"");
	static const char *const forms[][2] = {{"password=0123456789&password=0123456780", "twice"},
		{"password=0123456789&Password=x", "no parameter \\\"Password\\\""},
		{"password=0123456789&x", "malformed"}};
	for (unsigned i = 0; i < ARRAY_LEN(forms); i++) {
		await_end(
			post_begin("/password/set?name=a&role=read", forms[i][0]), "HTTP/1.1 400");
		assert_non_null(strstr(reply, forms[i][1]));
	}
	assert_reply("GET /tokens", 200, "\"tokens\":[");
	assert_null(strstr(reply, "quiet"));
	assert_reply("GET /passwords", 200, "\"users\":[]");
	assert_reply("POST /token/create?name=quiet&role=read&expires=60", 200, "\"valid\"");
	const char *all = audit_now();
	assert_non_null(
		strstr(all, "\"query\":\"name=quiet&role=read&expires=60\",\"status\":200}"));
	assert_null(strstr(all, "0123456789"));
}

// A change is in the log whole, also behind more requests that changed nothing than it has room
// for.
TEST(test_refused_cost_no_change)
{
	assert_reply("POST /token/revoke?name=quiet", 200, "\"revoked\"");
	for (unsigned i = 0; i < 2 * ACCESS_LINES_MAX; i++)
		assert_reply("POST /token/revoke?name=nobody", 404, "no valid token");
	const char *all = audit_now();
	assert_non_null(
		strstr(all, "\"path\":\"/token/revoke\",\"query\":\"name=quiet\",\"status\":200}"));
	struct access_thread_counts c;
	access_thread_counts(api->access->thread, &c);
	assert_int_equal(c.lost, 0);
	assert_true(api->access->audit.refused_left_out > ACCESS_LINES_MAX);
	assert_int_equal(api->access->audit.begun, 0);
}

// A change in progress at the end is in the audit log.
TEST(test_close)
{
	struct access_job hold = {.work = hold_work, .done = hold_done};
	char *all;
	const char *log = text_from("%s/audit.log", api_folder);
	may_go_on = false;
	access_thread_job(api->access->thread, &hold);
	int fd = post_begin("/token/revoke?name=ops", "");
	WAIT_FOR(is_busy());
	loop_stop(service);
	assert_int_equal(pthread_join(api_thread, NULL), 0);
	may_go_on = true;
	api_close(api);
	close(fd);
	assert_int_equal(audit_read(log, 1, &all), 0);
	assert_non_null(strstr(all, "\"query\":\"name=ops\",\"status\":503}"));
	assert_int_equal(access(text_from("%s.refused", log), F_OK), 0);
	free(all);
}

static int setup(void **)
{
	return api_rig_open((struct api_deps){.config_path = "/etc/weir/weir.yaml"});
}

TEST_GROUP(setup, api_rig_close)
