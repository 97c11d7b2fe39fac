// SPDX-License-Identifier: BSD-3-Clause
// Polls of secondaries that are slow to read, over the real socket: the streams have the user and
// the bytes that wait as the test says.

#include "controlplane/http/http_server.h"
#include "tests/unit/clock_shift.h"
#include "tests/unit/cp/http/api_rig.h"

#include <weir/config/shared.h>
#include <weir/heap_site.h>

enum { WAITS = 5 << 20, STREAMS_MAX = 12 };

static struct sync *box;
static struct events *events;
static struct http_stream *streams[STREAMS_MAX];
static struct http_stream_user users[STREAMS_MAX];
static _Atomic unsigned stream_count;
static const char *_Atomic next_user;
static _Atomic unsigned bytes_read;
static _Atomic bool is_stuck;

struct http_stream *__real_http_stream_begin(struct http_exchange *x, const char *type);
struct http_stream *__wrap_http_stream_begin(struct http_exchange *x, const char *type);
const struct http_stream_user *__wrap_http_stream_user(const struct http_stream *s);
size_t __wrap_http_stream_pending(const struct http_stream *s);

struct http_stream *__wrap_http_stream_begin(struct http_exchange *x, const char *type)
{
	const unsigned i = stream_count;
	assert_true(i < STREAMS_MAX);
	streams[i] = __real_http_stream_begin(x, type);
	snprintf(users[i].who, sizeof(users[i].who), "%s", next_user);
	stream_count++;
	return streams[i];
}

const struct http_stream_user *__wrap_http_stream_user(const struct http_stream *s)
{
	unsigned i = 0;
	while (streams[i] != s)
		i++;
	return &users[i];
}

// The client reads a byte now and then, unless it is stuck.
size_t __wrap_http_stream_pending(const struct http_stream *)
{
	bytes_read += !is_stuck;
	return WAITS - bytes_read;
}

// A poll by a box of this token, which has the version with this digest; "": none.
static int poll_with(const char *who, const char *digest)
{
	char form[256];
	const int fd = client_connect();
	next_user = who;
	const int len = snprintf(form, sizeof(form),
		"protocol=2&box=box%d&epoch=%d&primary=&digest=%s&version=0&result=none&reason=&"
		"ready=1&unix_ms=1&software=x",
		fd, *digest ? 1 : 0, digest);
	client_send(fd, text_from("POST /sync?wait=30 HTTP/1.1\r\nHost: a\r\nContent-Type: "
				  "application/x-www-form-urlencoded\r\nContent-Length: "
				  "%d\r\n\r\n%s",
				len, form));
	return fd;
}

static int poll_of(const char *who)
{
	return poll_with(who, "");
}

// Half of what may wait is one token's: versions still go to the boxes with other tokens.
TEST(slow_boxes_of_one_token_leave_room_for_others)
{
	const int slow[] = {poll_of("token slow"), poll_of("token slow")};
	for (unsigned i = 0; i < ARRAY_LEN(slow); i++)
		stream_wait(slow[i], "\"unchanged\":false");
	const int third = poll_of("token slow");
	assert_int_equal(client_read(third, 1000), -1);
	assert_non_null(strstr(reply, "200 OK"));
	assert_null(strstr(reply, "unchanged"));
	const int other = poll_of("token other");
	stream_wait(other, "\"unchanged\":false");
	close(slow[0]);
	stream_wait(third, "\"unchanged\":false");
	close(slow[1]);
	close(third);
	close(other);
}

static void looks_pass(void)
{
	const unsigned before = bytes_read;
	WAIT_FOR(bytes_read > before + 2);
}

// The poll of a box would time out while it waits for those before it: it gets a reply, and polls
// again.
TEST(a_poll_that_finds_no_room_ends)
{
	const int slow[] = {poll_of("token slow"), poll_of("token slow")};
	for (unsigned i = 0; i < ARRAY_LEN(slow); i++)
		stream_wait(slow[i], "\"unchanged\":false");
	const int third = poll_of("token slow");
	for (unsigned s = 0; s < SYNC_WAIT_S; s += 5) {
		assert_int_equal(client_read(third, 100), -1);
		looks_pass();
		clock_ahead_by_ms(5000);
	}
	stream_wait(third, "\"unchanged\":true");
	for (unsigned i = 0; i < ARRAY_LEN(slow); i++)
		close(slow[i]);
	close(third);
}

// A box at the end of a slow line has its time, and one that is gone holds nothing for long.
TEST(a_slow_line_has_its_time)
{
	const int slow = poll_of("token slow");
	stream_wait(slow, "\"unchanged\":false");
	for (unsigned s = 0; s < SYNC_SEND_S - 20; s += 5) {
		looks_pass();
		clock_ahead_by_ms(5000);
	}
	looks_pass();
	assert_int_equal(client_read(slow, 300), -1); // not at its end
	is_stuck = true;
	clock_ahead_by_ms(5000);
	assert_int_equal(client_read(slow, 600), -1);
	clock_ahead_by_ms(6000);
	assert_int_equal(client_read(slow, 2000), 0);
	is_stuck = false;
	close(slow);
}

static const struct versions_status *versions_of(void *)
{
	static const struct versions_status v = {
		.in_force = {.number = 1, .result = CONFIG_VERSION_applied}};
	return &v;
}

static const struct config_bundle *bundle_of(void *)
{
	static char text[] = "blocking:\n  deny: [\"a.test\"]\n", file[] = "weir.yaml";
	static const struct config_bundle b = {
		.main = {.path = file, .shown = file, .bytes = text, .len = sizeof(text) - 1}};
	return &b;
}

static bool is_ready(void *)
{
	return true;
}

static void took_back(void *, unsigned, unsigned, const char *)
{
}

static void configure(void *url)
{
	static char none[] = "", name[] = "box1";
	const struct config c = {
		.sync = {.primary = url, .token = none, .ca_file = none, .name = name}};
	sync_configure(box, &c, NULL, 0);
}

// A reply would have the epoch of the new primary, with this box's name.
TEST(a_box_that_becomes_a_secondary_ends_its_held_polls)
{
	static char url[] = "https://box2.test:9953", none[] = "";
	char digest[SYNC_DIGEST_LEN + 1], *text;
	assert_int_equal(config_shared_text(bundle_of(NULL), &text), 0);
	assert_true(sync_digest(text, strlen(text), digest));
	heap_free(text);
	const int held = poll_with("token other", digest);
	assert_int_equal(client_read(held, 600), -1);
	assert_non_null(strstr(reply, "200 OK"));
	assert_int_equal(loop_call(service, configure, url), 0);
	assert_true(client_read(held, 2000) >= 0);
	assert_null(strstr(reply, "unchanged"));
	close(held);
	assert_int_equal(loop_call(service, configure, none), 0);
}

static int setup(void **)
{
	static char none[] = "";
	const struct sync_hooks hooks = {NULL, versions_of, bundle_of, is_ready, took_back, NULL};
	if (api_rig_begin() < 0 || events_open(&events, "box") < 0
		|| sync_open(&box, service, events, api_folder, &hooks) < 0)
		return -1;
	configure(none);
	return api_rig_open((struct api_deps){.sync = box});
}

static int teardown(void **)
{
	api_rig_end();
	sync_close(box);
	events_close(events);
	return api_rig_close(NULL);
}

TEST_GROUP(setup, teardown)
