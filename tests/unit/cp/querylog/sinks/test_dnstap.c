// SPDX-License-Identifier: BSD-3-Clause
#include "controlplane/querylog/sinks/dnstap.h"
#include "controlplane/querylog/sinks/dnstap_frame.h"
#include "tests/unit/cp/querylog/querylog_rig.h"
#include "tests/unit/passed_files.h"
#include "tests/unit/unit.h"

#include <sys/un.h>

static struct querylog_rig rig;
static char path[64];
static int listener = -1;

static void listen_now(void)
{
	struct sockaddr_un a = {.sun_family = AF_UNIX};
	memcpy(a.sun_path, path, strlen(path) + 1);
	listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(bind(listener, (struct sockaddr *)&a, sizeof(a)), 0);
	assert_int_equal(listen(listener, 4), 0);
}

static int setup(void **)
{
	snprintf(path, sizeof(path), "/tmp/weir-dnstap-%d.sock", (int)getpid());
	(void)unlink(path);
	querylog_rig_open(&rig, 11);
	return 0;
}

static int teardown(void **)
{
	close(listener);
	(void)unlink(path);
	querylog_rig_close(&rig);
	return 0;
}

static void read_all(int fd, void *to, size_t len)
{
	for (size_t at = 0; at < len;) {
		struct pollfd p = {.fd = fd, .events = POLLIN};
		assert_int_equal(poll(&p, 1, 60000), 1);
		ssize_t n = recv(fd, (char *)to + at, len - at, 0);
		assert_true(n > 0);
		at += (size_t)n;
	}
}

static void expect_control(int fd, enum dnstap_control wanted)
{
	uint8_t bytes[8 + DNSTAP_CONTROL_MAX];
	enum dnstap_control type;
	size_t used;
	read_all(fd, bytes, 8);
	uint32_t len = get_u32(bytes + 4);
	assert_true(len <= DNSTAP_CONTROL_MAX);
	read_all(fd, bytes + 8, len);
	assert_int_equal(dnstap_control_read(bytes, 8 + len, &type, &used), 0);
	assert_int_equal(type, wanted);
}

static void say(int fd, enum dnstap_control type)
{
	uint8_t bytes[128];
	size_t len = dnstap_frame_control(type, bytes, sizeof(bytes));
	assert_true(len > 0);
	assert_int_equal(send(fd, bytes, len, 0), len);
}

static int accept_one(void)
{
	struct pollfd p = {.fd = listener, .events = POLLIN};
	assert_int_equal(poll(&p, 1, 60000), 1);
	int fd = accept(listener, NULL, NULL);
	assert_true(fd >= 0);
	expect_control(fd, DNSTAP_READY);
	return fd;
}

static int greet(void)
{
	int fd = accept_one();
	say(fd, DNSTAP_ACCEPT);
	expect_control(fd, DNSTAP_START);
	return fd;
}

static struct sink_status await(struct dnstap *d, bool failing)
{
	struct sink_status s;
	WAIT_FOR((sink_thread_status(dnstap_thread(d), &s),
		s.failing == failing && (failing || s.failures || s.why[0] == '\0')));
	return s;
}

static bool give(struct dnstap *d, const struct querylog_batch *b)
{
	const struct querylog_sink sink = sink_thread_sink(dnstap_thread(d));
	bool took = sink.take(sink.arg, b);
	querylog_release(b);
	return took;
}

// One field of a message: its number, and its bytes or value.
struct field {
	unsigned number, wire;
	uint64_t value;
	const uint8_t *bytes;
	size_t len;
};

static uint64_t varint(struct rd *rd)
{
	uint64_t v = 0;
	for (unsigned shift = 0; shift < 64; shift += 7) {
		uint8_t byte = rd_u8(rd);
		v |= (uint64_t)(byte & 0x7f) << shift;
		if (!(byte & 0x80))
			break;
	}
	return v;
}

static bool field_of(const uint8_t *bytes, size_t len, unsigned number, struct field *out)
{
	struct rd rd = rd_init(bytes, len);
	bool found = false;
	while (rd_left(&rd) > 0) {
		struct field f = {0};
		uint64_t tag = varint(&rd);
		f.number = (unsigned)(tag >> 3);
		f.wire = tag & 7;
		if (f.wire == 0) {
			f.value = varint(&rd);
		} else if (f.wire == 5) {
			f.bytes = rd_bytes(&rd, 4);
			f.len = 4;
		} else {
			assert_int_equal(f.wire, 2);
			f.len = varint(&rd);
			f.bytes = rd_bytes(&rd, f.len);
		}
		if (f.number == number) {
			*out = f;
			found = true;
		}
	}
	assert_true(rd_ok(&rd));
	return found;
}

static uint8_t frame[DNSTAP_FRAME_MAX];

// The message within the frame of a row.
static struct field message_of(const struct querylog_row *row)
{
	struct field m;
	size_t len = dnstap_frame_row(row, "box", frame, sizeof(frame));
	assert_true(field_of(frame + 4, len - 4, 14, &m));
	return m;
}

TEST_WITH(test_a_row_as_a_message, setup, teardown)
{
	struct field f, m;
	struct querylog_row row = {.time_us = 1795000000000123,
		.weight = 1,
		.qname = {"www.example", 11},
		.client = {"192.0.2.7", 9},
		.verdict = {"hit", 3},
		.total_us = 999900,
		.qtype = 28,
		.qclass = 1,
		.rcode = 3,
		.ede = QUERYLOG_NO_EDE,
		.client_port = 5353,
		.client_version = 4,
		.client_bytes = {192, 0, 2, 7},
		.is_answered = true};
	size_t len = dnstap_frame_row(&row, "box", frame, sizeof(frame));
	assert_true(len > 4);
	assert_int_equal(get_u32(frame), len - 4);
	assert_true(field_of(frame + 4, len - 4, 1, &f));
	assert_memory_equal(f.bytes, "box", 3);
	assert_true(field_of(frame + 4, len - 4, 15, &f));
	assert_int_equal(f.value, 1);
	assert_true(field_of(frame + 4, len - 4, 14, &m));
	assert_true(field_of(m.bytes, m.len, 1, &f) && f.value == 6);
	assert_true(field_of(m.bytes, m.len, 4, &f) && f.len == 4);
	assert_memory_equal(f.bytes, "\xc0\0\2\7", 4);
	assert_true(field_of(m.bytes, m.len, 6, &f) && f.value == 5353);
	assert_true(field_of(m.bytes, m.len, 8, &f) && f.value == 1795000000);
	assert_true(field_of(m.bytes, m.len, 12, &f) && f.value == 1795000001);
	assert_true(field_of(m.bytes, m.len, 13, &f));
	assert_memory_equal(f.bytes, "\xd8\x59\0\0", 4); // 23,000 ns
	assert_true(field_of(m.bytes, m.len, 14, &f));
	assert_int_equal(f.len, DNS_HEADER_LEN + 13 + 4);
	assert_int_equal(f.bytes[3] & 0xf, 3);
	assert_false(field_of(m.bytes, m.len, 10, &f));
	for (size_t cap = 0; cap < len; cap++)
		assert_int_equal(dnstap_frame_row(&row, "box", frame, cap), 0);
	memset(row.client_bytes, 0, sizeof(row.client_bytes)); // hidden
	row.is_answered = false;
	m = message_of(&row);
	assert_false(field_of(m.bytes, m.len, 4, &f));
	assert_true(field_of(m.bytes, m.len, 1, &f) && f.value == 5);
	assert_true(field_of(m.bytes, m.len, 10, &f));
	row.client.len = 0; // queries without a row
	assert_int_equal(dnstap_frame_row(&row, "box", frame, sizeof(frame)), 0);
}

static const uint8_t asked[] = "bytes of a query";
static uint8_t answer[UINT16_MAX];

static struct querylog_row answered_row(const struct querylog_whole *whole)
{
	return (struct querylog_row){.time_us = 1795000000000123,
		.weight = 1,
		.qname = {"www.example", 11},
		.client = {"fd53::2", 7},
		.verdict = {"hit", 3},
		.qtype = 28,
		.qclass = 1,
		.ede = QUERYLOG_NO_EDE,
		.client_port = 5353,
		.client_version = 6,
		.client_bytes = {0xfd, 0x53, [15] = 2},
		.transport = QUERYLOG_TCP,
		.query_len = sizeof(asked),
		.reply_len = sizeof(answer),
		.is_answered = true,
		.whole = whole};
}

// Both ends, and both messages byte for byte, of any length.
TEST_WITH(test_a_row_with_messages, setup, teardown)
{
	struct field f, m;
	struct querylog_whole whole = {.query = asked,
		.reply = answer,
		.service_bytes = {0xfd, 0x53, [15] = 0x53},
		.service_version = 6,
		.service_port = 53};
	struct querylog_row row = answered_row(&whole);
	memset(answer, 'r', sizeof(answer));
	assert_true(dnstap_frame_is_whole(&row));
	size_t len = dnstap_frame_row(&row, "box", frame, sizeof(frame));
	assert_true(len > sizeof(answer));
	assert_int_equal(get_u32(frame), len - 4);
	assert_true(field_of(frame + 4, len - 4, 14, &m));
	assert_true(field_of(m.bytes, m.len, 1, &f) && f.value == 6);
	assert_true(field_of(m.bytes, m.len, 2, &f) && f.value == 2);
	assert_true(field_of(m.bytes, m.len, 3, &f) && f.value == 2);
	assert_true(field_of(m.bytes, m.len, 4, &f) && f.len == 16);
	assert_memory_equal(f.bytes, row.client_bytes, 16);
	assert_true(field_of(m.bytes, m.len, 5, &f) && f.len == 16);
	assert_memory_equal(f.bytes, whole.service_bytes, 16);
	assert_true(field_of(m.bytes, m.len, 6, &f) && f.value == 5353);
	assert_true(field_of(m.bytes, m.len, 7, &f) && f.value == 53);
	assert_true(field_of(m.bytes, m.len, 10, &f) && f.len == sizeof(asked));
	assert_memory_equal(f.bytes, asked, sizeof(asked));
	assert_true(field_of(m.bytes, m.len, 14, &f) && f.len == sizeof(answer));
	assert_memory_equal(f.bytes, answer, sizeof(answer));
	row.is_answered = false; // so there is no reply
	assert_true(dnstap_frame_is_whole(&row));
	m = message_of(&row);
	assert_true(field_of(m.bytes, m.len, 1, &f) && f.value == 5);
	assert_true(field_of(m.bytes, m.len, 10, &f) && f.len == sizeof(asked));
	assert_false(field_of(m.bytes, m.len, 14, &f));
	whole.query = whole.reply = NULL; // both ends alone
	row.is_answered = true;
	assert_false(dnstap_frame_is_whole(&row));
	m = message_of(&row);
	assert_true(field_of(m.bytes, m.len, 7, &f) && f.value == 53);
	assert_false(field_of(m.bytes, m.len, 10, &f));
	assert_true(field_of(m.bytes, m.len, 14, &f));
	assert_int_equal(f.len, DNS_HEADER_LEN + 13 + 4);
}

// A balancer may use the other family than the client that it names.
TEST_WITH(test_a_service_of_another_family, setup, teardown)
{
	static const uint8_t mapped[16] = {[10] = 0xff, 0xff, 198, 18, 0, 53};
	struct field f, m;
	struct querylog_whole whole = {
		.service_bytes = {198, 18, 0, 53}, .service_version = 4, .service_port = 53};
	struct querylog_row row = answered_row(&whole);
	m = message_of(&row);
	assert_true(field_of(m.bytes, m.len, 2, &f) && f.value == 2);
	assert_true(field_of(m.bytes, m.len, 5, &f) && f.len == 16);
	assert_memory_equal(f.bytes, mapped, 16);
	row.client_version = 4;
	m = message_of(&row);
	assert_true(field_of(m.bytes, m.len, 5, &f) && f.len == 4);
	assert_memory_equal(f.bytes, whole.service_bytes, 4);
	whole.service_version = 6;
	m = message_of(&row);
	assert_false(field_of(m.bytes, m.len, 5, &f));
	assert_true(field_of(m.bytes, m.len, 7, &f) && f.value == 53);
}

static struct sink_status await_written(struct dnstap *d, uint64_t rows)
{
	struct sink_status s;
	WAIT_FOR((sink_thread_status(dnstap_thread(d), &s), s.written >= rows));
	assert_int_equal(s.written, rows);
	return s;
}

static void read_frame(int fd)
{
	static uint8_t bytes[DNSTAP_FRAME_MAX];
	read_all(fd, bytes, 4);
	assert_in_range(get_u32(bytes), 1, sizeof(bytes));
	read_all(fd, bytes, get_u32(bytes));
}

// One that is connected.
static struct dnstap *greeted(int *fd)
{
	struct dnstap *d;
	listen_now();
	assert_int_equal(dnstap_open(&d, path), 0);
	*fd = greet();
	await(d, false);
	return d;
}

TEST_WITH(test_rows_without_messages_are_counted, setup, teardown)
{
	const struct querylog_whole whole = {.query = asked, .reply = answer, .service_port = 53};
	int fd;
	struct dnstap *d = greeted(&fd);
	for (unsigned i = 0; i < 5; i++) {
		const struct querylog_row row = answered_row(i % 2 ? &whole : NULL);
		assert_true(give(d, querylog_rig_row(&rig, &row)));
		read_frame(fd);
	}
	assert_int_equal(await_written(d, 5).without_messages, 3);
	say(fd, DNSTAP_FINISH);
	dnstap_close(d);
	close(fd);
}

// Linux has the server keep them, from 6.16 on.
TEST_WITH(test_no_files_of_its_server, setup, teardown)
{
	int fd;
	struct dnstap *d = greeted(&fd);
	const bool known = passed_files_known();
	const int rc = known ? passed_files_try(fd) : 0;
	say(fd, DNSTAP_FINISH);
	dnstap_close(d);
	close(fd);
	if (!known)
		skip();
	assert_int_equal(rc, -EPERM);
}

TEST_WITH(test_every_row_arrives, setup, teardown)
{
	int fd;
	struct dnstap *d = greeted(&fd);
	for (unsigned i = 0; i < 3; i++)
		assert_true(give(d, querylog_rig_batch(&rig, 100)));
	for (unsigned i = 0; i < 300; i++)
		read_frame(fd);
	say(fd, DNSTAP_FINISH); // what it will wait for
	(void)await_written(d, 300);
	dnstap_close(d);
	close(fd);
}

TEST_WITH(test_a_receiver_that_goes_and_comes, setup, teardown)
{
	struct dnstap *d;
	assert_int_equal(dnstap_open(&d, path), 0);
	struct sink_status s = await(d, true); // no receiver
	assert_true(s.why[0] != '\0');
	assert_false(give(d, querylog_rig_batch(&rig, 1)));
	listen_now();
	int fd = greet();
	await(d, false);
	uint64_t failures = s.failures;
	close(fd);
	WAIT_FOR(s.failures > failures, sink_thread_status(dnstap_thread(d), &s));
	assert_int_equal(s.failures, failures + 1);
	fd = greet();
	await(d, false);
	say(fd, DNSTAP_FINISH); // out of turn: its end
	await(d, true);
	dnstap_close(d);
	close(fd);
}

static void *read_slowly(void *arg)
{
	static uint8_t bytes[16 * 1024];
	while (recv(*(const int *)arg, bytes, sizeof(bytes), 0) > 0)
		usleep(50000);
	return NULL;
}

// Each piece is taken within its time: all of the queue would take half a minute.
TEST_WITH(test_a_slow_receiver_does_not_keep_the_end, setup, teardown)
{
	pthread_t reader;
	int fd;
	struct dnstap *d = greeted(&fd);
	for (unsigned i = 0; i < SINK_QUEUE; i++)
		assert_true(give(d, querylog_rig_batch(&rig, QUERYLOG_ROWS_MAX)));
	assert_int_equal(pthread_create(&reader, NULL, read_slowly, &fd), 0);
	uint64_t began_ms = clock_mono_ms();
	dnstap_close(d);
	assert_true(clock_mono_ms() - began_ms < 10 * DNSTAP_WAIT_MS);
	pthread_join(reader, NULL);
	close(fd);
}

static uint16_t listen_tcp(uint16_t port)
{
	struct sockaddr_in a = {AF_INET, htons(port), {htonl(INADDR_LOOPBACK)}, {0}};
	socklen_t len = sizeof(a);
	listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &(int){1}, 4), 0);
	assert_int_equal(bind(listener, (struct sockaddr *)&a, sizeof(a)), 0);
	assert_int_equal(listen(listener, 4), 0);
	assert_int_equal(getsockname(listener, (struct sockaddr *)&a, &len), 0);
	return ntohs(a.sin_port);
}

// Nobody listens at first; a receiver takes a row, goes and comes back.
TEST_WITH(test_over_tcp, setup, teardown)
{
	const uint16_t port = listen_tcp(0);
	struct dnstap *d;
	close(listener);
	assert_int_equal(dnstap_open(&d, text_from("tcp:127.0.0.1:%u", port)), 0);
	assert_string_equal(await(d, true).why, strerror(ECONNREFUSED));
	for (unsigned round = 0; round < 2; round++) {
		(void)listen_tcp(port);
		int fd = greet();
		await(d, false);
		assert_true(give(d, querylog_rig_batch(&rig, 1)));
		read_frame(fd);
		(void)await_written(d, round + 1);
		close(fd);
		listener = close(listener) - 1; // none
		await(d, true);
	}
	dnstap_close(d);
}

TEST_WITH(test_another_content_type, setup, teardown)
{
	static const uint8_t wrong[] = {
		0, 0, 0, 0, 0, 0, 0, 15, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 3, 'a', 'b', 'c'};
	struct dnstap *d;
	listen_now();
	assert_int_equal(dnstap_open(&d, path), 0);
	int fd = accept_one();
	assert_int_equal(send(fd, wrong, sizeof(wrong), 0), sizeof(wrong));
	struct sink_status s = await(d, true);
	assert_string_equal(s.why, strerror(EBADMSG));
	dnstap_close(d);
	close(fd);
}
