// SPDX-License-Identifier: BSD-3-Clause
// Streams of several users of a server: how many each may have, and which end when one loses a
// right.

#include "controlplane/api/api_lines.h"
#include "http_server_rig.h"

enum { PLACES = 8 };

static struct api_lines lines[PLACES];
static unsigned begun;
static uint64_t refusals;
static _Atomic unsigned handled;
static uint64_t job_user[2 * PLACES]; // of each request

// "/a7": user a, with right 7.
static void on_request(void *, struct http_exchange *x)
{
	struct api_places places = {0};
	http_set_who(x, "user %c", http_path(x)[1]);
	http_set_right(x, (uint64_t)http_path(x)[2] - '0');
	job_user[handled] = http_job_user(x);
	for (unsigned i = 0; i < begun; i++)
		api_places_count(&places, &lines[i], x);
	if (api_places_admit(&places, x, PLACES, "readers", &refusals)
		&& api_lines_init(&lines[begun], loop, NULL, NULL) == 0
		&& api_lines_begin(&lines[begun], x, API_LINES_JSON))
		begun++;
	handled++;
}

static int fd[PLACES + 3]; // of clients
static unsigned asked;

static void follow(const char *what)
{
	const unsigned before = handled;
	fd[asked] = client_connect();
	client_send(fd[asked++], text_from("GET %s HTTP/1.1\r\nHost: a\r\n\r\n", what));
	WAIT_FOR(handled > before);
}

static void refused(const char *what, const char *why)
{
	follow(what);
	assert_true(client_read(fd[asked - 1], 50) != 0);
	assert_non_null(strstr(reply, "HTTP/1.1 503"));
	assert_non_null(strstr(reply, why));
}

static int setup(void **)
{
	begun = asked = refusals = 0;
	handled = 0;
	return http_server_rig_open(unix_listen(16), (struct http_settings){.exchanges_max = 12,
							     .connections_max = 16,
							     .connection_ms = 10000,
							     .admit = admit_all,
							     .handle = on_request});
}

static void on_end(void *)
{
	for (unsigned i = 0; i < begun; i++)
		api_lines_end(&lines[i]);
	begun = 0;
}

static int teardown(void **state)
{
	assert_int_equal(loop_call(loop, on_end, NULL), 0);
	WAIT_FOR(begun == 0);
	http_server_rig_end();
	loop_free(loop);
	for (unsigned i = 0; i < asked; i++)
		close(fd[i]);
	return own_folder_teardown(state);
}

TEST_WITH(test_no_user_has_all_places, setup, teardown)
{
	for (unsigned i = 0; i < PLACES / 2; i++)
		follow("/a1");
	refused("/a2", "4 readers of this user are there already");
	follow("/b3");
	follow("/c4");
	refused("/d5", "6 readers over the network are there already");
	follow("/e0"); // the control socket has the rest
	follow("/e0");
	refused("/e0", "8 readers are there already");
	assert_int_equal(refusals, 3);
	assert_int_equal(begun, PLACES);
}

// Each login makes another right: all of one user have one share of jobs.
TEST_WITH(test_a_user_has_one_share_of_jobs, setup, teardown)
{
	static const char *const who[] = {"/a1", "/a2", "/b3", "/c0"};
	for (unsigned i = 0; i < ARRAY_LEN(who); i++)
		follow(who[i]);
	assert_int_equal(job_user[0], job_user[1]);
	assert_int_not_equal(job_user[0], job_user[2]);
	assert_int_not_equal(job_user[0], 0);
	assert_int_equal(job_user[3], 0);
}

static bool keeps(const void *arg, uint64_t right)
{
	return right != *(const uint64_t *)arg;
}

static void on_lost(void *)
{
	http_streams_end(server, keeps, &(uint64_t){2});
	handled++;
}

static void on_all_lost(void *)
{
	http_streams_end(server, NULL, NULL);
	handled++;
}

static void call(void (*what)(void *))
{
	const unsigned before = handled;
	assert_int_equal(loop_call(loop, what, NULL), 0);
	WAIT_FOR(handled > before);
}

TEST_WITH(test_who_loses_a_right_loses_its_streams, setup, teardown)
{
	static const char *const who[] = {"/a1", "/a2", "/b3", "/c0"};
	for (unsigned i = 0; i < ARRAY_LEN(who); i++)
		follow(who[i]);
	call(on_lost);
	for (unsigned i = 0; i < ARRAY_LEN(who); i++)
		assert_int_equal(http_stream_is_live(lines[i].stream), i != 1);
	call(on_all_lost);
	for (unsigned i = 0; i < ARRAY_LEN(who); i++)
		assert_false(http_stream_is_live(lines[i].stream));
}
