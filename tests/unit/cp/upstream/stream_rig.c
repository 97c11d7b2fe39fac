// SPDX-License-Identifier: BSD-3-Clause
#include "stream_rig.h"

#include "tests/unit/unit.h"

#include <event2/event.h>

#include <sys/syscall.h>
#include <weir/dns_answer.h>

struct stream_rig rig;
static struct dns_answer answer;
static struct timespec now = {.tv_sec = 1000};

// In place of the C library's, for libevent too.
int clock_gettime(clockid_t id, struct timespec *out)
{
	if (id == CLOCK_REALTIME)
		return (int)syscall(SYS_clock_gettime, id, out);
	*out = now;
	return 0;
}

static unsigned number_of(const uint8_t *name)
{
	unsigned n = 0;
	for (unsigned i = 2; i < 6; i++)
		n = n * 10 + name[i] - '0';
	return n;
}

static enum upstream_take on_reply(struct upstream_ask *a, const uint8_t *msg, size_t len)
{
	struct dns_query q = {
		.qtype = DNS_TYPE_A, .qclass = DNS_CLASS_IN, .question_len = a->question_len};
	const struct dns_answer_rules limits = {.max_s = 86400, .negative_s = 3600};
	struct rd r = rd_init(a->question, a->question_len);
	size_t i = (size_t)(a - rig.ask);

	assert_int_equal(dns_name_read(&r, &q.name), 0);
	if (dns_answer_read(msg, len, &q, &limits, &answer) < 0)
		return UPSTREAM_IGNORED;
	if (answer.truncated)
		return UPSTREAM_TRUNCATED;
	if (answer.kind == DNS_ANSWER_FAILURE)
		return UPSTREAM_FAILED;
	assert_int_equal(get_u32(answer.bytes + answer.len - 4), i);
	assert_false(rig.replied[i] || rig.ended[i]);
	rig.replied[i] = true;
	rig.ttl_s = answer.ttl_s;
	upstream_ask_stop(a);
	return UPSTREAM_TAKEN;
}

static void on_ended(struct upstream_ask *a, enum upstream_end why)
{
	size_t i = (size_t)(a - rig.ask);
	assert_false(rig.replied[i] || rig.ended[i]);
	rig.ended[i] = true;
	rig.why = why;
}

static void on_note(struct upstream_ask *, const struct trace_event *e)
{
	rig.steps[e->step]++;
}

static const unsigned watched = 1;
static const struct upstream_callbacks callbacks = {
	.reply = on_reply, .ended = on_ended, .note = on_note, .watched = &watched};

static size_t question_end(const uint8_t *q, size_t len)
{
	size_t i = DNS_HEADER_LEN;
	while (i < len && q[i] != 0)
		i += q[i] + 1u;
	assert_true(i + 5 <= len);
	return i + 5;
}

static void serve_udp(void)
{
	uint8_t q[600];
	struct sockaddr_in peer;
	socklen_t peer_len = sizeof(peer);
	ssize_t n;

	while ((n = recvfrom(
			rig.udp, q, sizeof(q), MSG_DONTWAIT, (struct sockaddr *)&peer, &peer_len))
		>= DNS_HEADER_LEN) {
		put_u16(q + 2, DNS_FLAG_QR | DNS_FLAG_RD | DNS_FLAG_RA | DNS_FLAG_TC);
		put_u16(q + 10, 0);
		size_t end = question_end(q, (size_t)n);
		sendto(rig.udp, q, end, 0, (struct sockaddr *)&peer, peer_len);
	}
}

static void accept_all(void)
{
	int fd;
	while (rig.listener >= 0 && (fd = accept(rig.listener, NULL, NULL)) >= 0) {
		assert_true(rig.conns < STREAM_CONNS);
		rig.conn[rig.conns++] = fd;
	}
}

void turn(void)
{
	serve_udp();
	event_base_loop(loop_base(rig.loop), EVLOOP_NONBLOCK);
	accept_all();
}

void wait_for(bool (*condition)(const void *arg), const void *arg)
{
	WAIT_FOR((turn(), condition(arg)));
}

void clock_turn(unsigned ms)
{
	for (; ms; ms -= ms < 50 ? ms : 50) {
		now.tv_nsec += (ms < 50 ? ms : 50) * 1000000L;
		now.tv_sec += now.tv_nsec / 1000000000;
		now.tv_nsec %= 1000000000;
		turn();
	}
	turn();
}

static bool has_conns(const void *arg)
{
	return rig.conns >= *(const unsigned *)arg;
}

void wait_conns(unsigned count)
{
	wait_for(has_conns, &count);
	assert_int_equal(rig.conns, count);
}

static bool has_queries(const void *arg)
{
	return streams().queries == *(const unsigned *)arg;
}

void wait_queries(unsigned count)
{
	wait_for(has_queries, &count);
}

static bool has_ended(const void *arg)
{
	unsigned n = 0;
	for (unsigned i = 0; i < rig.started; i++)
		n += rig.replied[i] || rig.ended[i];
	return n >= *(const unsigned *)arg;
}

void wait_done(unsigned count)
{
	wait_for(has_ended, &count);
}

static bool is_readable(const void *arg)
{
	struct pollfd p = {.fd = *(const int *)arg, .events = POLLIN};
	return poll(&p, 1, 0) > 0;
}

bool query_is_there(int fd)
{
	return is_readable(&fd);
}

void wait_closed(int fd)
{
	uint8_t byte;
	wait_for(is_readable, &fd);
	assert_true(recv(fd, &byte, 1, 0) <= 0);
}

unsigned ask_more(unsigned count)
{
	unsigned first = rig.started;

	for (unsigned i = first; i < first + count; i++) {
		uint8_t question[20] = "\5q0000\7example\0\0\1\0\1";
		question[2] += (uint8_t)(i / 1000);
		question[3] += (uint8_t)(i / 100 % 10);
		question[4] += (uint8_t)(i / 10 % 10);
		question[5] += (uint8_t)(i % 10);
		assert_true(i < STREAM_ASKS);
		rig.started++;
		const struct upstream_request request = {.callbacks = &callbacks,
			.question = question,
			.question_len = 19,
			.by_tcp = rig.only > 0,
			.only = rig.only,
			.deadline_ms = clock_mono_ms() + 60000};
		upstream_ask_start(rig.up, &rig.ask[i], &request);
		turn();
	}
	return first;
}

void ask_over(unsigned conns, unsigned count)
{
	ask_more(count);
	wait_conns(conns);
}

unsigned replied(unsigned first, unsigned count)
{
	unsigned n = 0;
	for (unsigned i = first; i < first + count; i++)
		n += rig.replied[i];
	return n;
}

static void bytes_read(int fd, uint8_t *out, size_t len)
{
	for (size_t pos = 0; pos < len;) {
		wait_for(is_readable, &fd);
		ssize_t n = recv(fd, out + pos, len - pos, MSG_DONTWAIT);
		assert_true(n > 0);
		pos += (size_t)n;
	}
}

void query_read(int fd, struct stream_query *q)
{
	uint8_t head[2];

	bytes_read(fd, head, 2);
	q->len = get_u16(head);
	assert_in_range(q->len, DNS_HEADER_LEN, sizeof(q->msg));
	bytes_read(fd, q->msg, q->len);
	size_t end = question_end(q->msg, q->len);
	q->number = number_of(q->msg + DNS_HEADER_LEN);
	q->edns = get_u16(q->msg + 10) == 1;
	static const uint8_t option[] = {0, 4, 0, 11, 0, 0};
	q->keepalive = q->len == end + 11 + 4 && memcmp(q->msg + end + 9, option, 6) == 0;
	assert_true(q->keepalive || q->len == end + (q->edns ? 11 : 0));
}

size_t reply_write(const struct stream_query *q, int units, uint8_t out[700])
{
	size_t end = question_end(q->msg, q->len);
	struct wr w = wr_init(out, 700);

	wr_u16(&w, 0);
	wr_u16(&w, get_u16(q->msg));
	wr_u16(&w, DNS_FLAG_QR | DNS_FLAG_RD | DNS_FLAG_RA);
	wr_u16(&w, 1);
	wr_u16(&w, 1);
	wr_u16(&w, 0);
	wr_u16(&w, units >= 0);
	wr_bytes(&w, q->msg + DNS_HEADER_LEN, end - DNS_HEADER_LEN);
	wr_bytes(&w, (const uint8_t[]){0xc0, 12, 0, 1, 0, 1, 0, 0, 1, 0, 0, 4}, 12);
	wr_u32(&w, q->number);
	if (units >= 0) {
		wr_bytes(
			&w, (const uint8_t[]){0, 0, 41, 4, 208, 0, 0, 0, 0, 0, 6, 0, 11, 0, 2}, 15);
		wr_u16(&w, (uint16_t)units);
	}
	put_u16(out, (uint16_t)(w.pos - 2));
	return w.pos;
}

void bytes_send(int fd, const uint8_t *bytes, size_t len)
{
	assert_int_equal(send(fd, bytes, len, MSG_NOSIGNAL), len);
}

void reply(int fd, const struct stream_query *q)
{
	uint8_t out[700];
	bytes_send(fd, out, reply_write(q, -1, out));
}

void queries_read(int fd, struct stream_query *q, unsigned count)
{
	for (unsigned i = 0; i < count; i++)
		query_read(fd, &q[i]);
}

void queries_serve(int fd, unsigned count)
{
	struct stream_query q;
	for (unsigned i = 0; i < count; i++)
		query_serve(fd, &q);
}

void query_serve(int fd, struct stream_query *q)
{
	query_read(fd, q);
	reply(fd, q);
}

static bool is_done(const void *arg)
{
	unsigned i = *(const unsigned *)arg;
	return rig.replied[i] || rig.ended[i];
}

void answer_one(unsigned conn, int units)
{
	struct stream_query q;
	uint8_t out[700];
	unsigned first = ask_more(1);

	wait_conns(conn + 1);
	query_read(rig.conn[conn], &q);
	bytes_send(rig.conn[conn], out, reply_write(&q, units, out));
	wait_for(is_done, &first);
	assert_int_equal(replied(first, 1), 1);
}

void conn_end(int fd, bool reset)
{
	const struct linger hard = {.l_onoff = reset};
	setsockopt(fd, SOL_SOCKET, SO_LINGER, &hard, sizeof(hard));
	close(fd);
	for (unsigned i = 0; i < rig.conns; i++)
		if (rig.conn[i] == fd)
			rig.conn[i] = -1;
}

struct upstream_totals totals(void)
{
	struct upstream_totals t;
	upstreams_totals(rig.up, &t);
	return t;
}

struct upstream_streams_stats streams(void)
{
	return totals().streams;
}

struct upstream_status server_status(void)
{
	struct upstream_status s[CONFIG_UPSTREAMS_MAX];
	assert_true(upstreams_status(rig.up, s) > 0);
	return s[0];
}

void stream_configure(void)
{
	upstreams_configure(rig.up, &rig.config);
}

static void server_open(void)
{
	struct sockaddr_in sin = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t len = sizeof(sin);
	int rc = -1;

	for (unsigned i = 0; i < 20 && rc != 0; i++) { // UDP's port may be taken in TCP
		sin.sin_port = 0;
		rig.udp = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
		rig.listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
		assert_int_equal(bind(rig.udp, (struct sockaddr *)&sin, sizeof(sin)), 0);
		getsockname(rig.udp, (struct sockaddr *)&sin, &len);
		rc = bind(rig.listener, (struct sockaddr *)&sin, sizeof(sin));
		if (rc != 0) {
			close(rig.udp);
			close(rig.listener);
		}
	}
	assert_int_equal(rc, 0);
	assert_int_equal(listen(rig.listener, STREAM_CONNS), 0);
	rig.config.server[0].address = socket_here(ntohs(sin.sin_port));
}

int stream_rig_setup(void **)
{
	memset(&rig, 0, sizeof(rig));
	rig.config.count = 1;
	rig.config.first_timeout_ms = 400;
	rig.config.max_sends = 6;
	rig.config.backoff_s = 30;
	server_open();
	assert_int_equal(loop_new("test", &rig.loop), 0);
	assert_int_equal(
		upstreams_new(&rig.up, &(struct upstream_shared){.loop = rig.loop}, &rig.config),
		0);
	return 0;
}

int stream_rig_teardown(void **)
{
	for (unsigned i = 0; i < rig.started; i++)
		upstream_ask_stop(&rig.ask[i]);
	upstreams_free(rig.up);
	loop_free(rig.loop);
	for (unsigned i = 0; i < rig.conns; i++)
		if (rig.conn[i] >= 0)
			close(rig.conn[i]);
	close(rig.udp);
	if (rig.listener >= 0)
		close(rig.listener);
	return 0;
}
