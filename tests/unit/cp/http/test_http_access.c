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

TEST(test_late)
{
	struct access_job hold = {.work = hold_work, .done = hold_done};
	assert_reply("POST /token/create?name=ops&role=read", 200, "\"valid\"");
	access_thread_job(api->access->thread, &hold);
	int revoke = post_begin("/token/revoke?name=ops", "");
	int login = post_begin("/session", "user=eve&password=abcdefghij");
	await_end(revoke, "HTTP/1.1 504");
	assert_reply("GET /tokens", 200, "\"valid\"");
	await_end(login, "HTTP/1.1 504");
	assert_true(is_busy());
	may_go_on = true;
	WAIT_FOR(!is_busy());
	assert_reply("GET /tokens", 200, "\"revoked\"");
	assert_reply("POST /token/create?name=ops&role=read", 200, "\"valid\"");
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
	free(all);
}

static int setup(void **)
{
	return api_rig_open((struct api_deps){.config_path = "/etc/weir/weir.yaml"});
}

TEST_GROUP(setup, api_rig_close)
