// SPDX-License-Identifier: BSD-3-Clause
#include "tcp_rig.h"

#include "controlplane/frontend/frontend_tcp_shared.h"

#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include <weir/bytes.h>
#include <weir/dns_proto.h>

enum { PORT = 53053, PORT_DOT, PORT_DOH, LATER_MAX = 4096, ORDER_AT = DNS_HEADER_LEN };

struct config_tcp tcp_config;
bool tcp_rig_dot, tcp_rig_doh;
static struct frontend_tcp_shared *shared;
static struct loop *loop;
static struct frontend_tcp *server;
static pthread_t thread;
static struct socket_address address;
static _Atomic unsigned asked;
static struct later {
	struct frontend_session *session; // NULL: it has ended
	uint16_t id;
	char order;
} later[LATER_MAX];
static unsigned later_count;
static uint8_t room[REPLY_HEADROOM + TCP_MESSAGE_MAX + REPLY_TAILROOM];

static struct frontend_reply reply_make(uint16_t id, size_t len)
{
	uint8_t *msg = room + REPLY_HEADROOM;
	memset(msg, (int)(id & 0xff), len);
	put_u16(msg, id); // also where it has no bytes
	return (struct frontend_reply){.msg = msg, .len = (uint16_t)len};
}

static struct frontend_reply opt_make(uint16_t id)
{
	struct frontend_reply r = reply_make(id, DNS_HEADER_LEN + DNS_OPT_FIXED_LEN);
	memset(r.msg + 2, 0, r.len - 2U);
	r.opt = DNS_HEADER_LEN;
	put_u16(r.msg + DNS_HEADER_LEN + 1, DNS_TYPE_OPT);
	return r;
}

static enum frontend_outcome engine_ask(struct frontend *, struct frontend_session *s,
	const union client_address *client, const uint8_t *msg, size_t len,
	struct frontend_reply *out)
{
	assert_int_equal(client->any.sa_family, AF_INET);
	asked++;
	if (len <= ORDER_AT)
		return FRONTEND_BROKEN;
	uint16_t id = get_u16(msg);
	switch (msg[ORDER_AT]) {
	case TCP_NONE:
		return FRONTEND_NO_REPLY;
	case TCP_LATER:
	case TCP_LATER_BIG:
	case TCP_LOST:
		assert_true(later_count < LATER_MAX);
		later[later_count++] = (struct later){s, id, (char)msg[ORDER_AT]};
		return FRONTEND_LATER;
	case TCP_BIG:
		*out = reply_make(id, TCP_BIG_LEN);
		return FRONTEND_REPLY;
	case TCP_OPT:
		*out = opt_make(id);
		s->complete(s, out);
		return FRONTEND_REPLY;
	default:
		*out = reply_make(id, len);
		return FRONTEND_REPLY;
	}
}

static void engine_begin(struct frontend_session *s)
{
	s->pending = 0;
}

static void engine_end(struct frontend *, struct frontend_session *s)
{
	for (unsigned i = 0; i < later_count; i++)
		if (later[i].session == s)
			later[i].session = NULL;
}

static bool engine_admits(struct frontend *, const union client_address *client, bool over_tls)
{
	return ntohl(client->v4.sin_addr.s_addr) - (0x7f000000 + TCP_DENIED_HOST) > over_tls;
}

static void on_release(void *)
{
	static const size_t len_of[128] = {
		[TCP_LATER] = DNS_HEADER_LEN, [TCP_LATER_BIG] = TCP_BIG_LEN};
	for (unsigned i = later_count; i-- > 0;) {
		struct frontend_session *s = later[i].session;
		struct frontend_reply r = reply_make(later[i].id, len_of[later[i].order & 0x7f]);
		if (s)
			s->reply(s, NULL, &r);
	}
	later_count = 0;
}

static void *loop_thread(void *)
{
	assert_int_equal(loop_run(loop), 0);
	return NULL;
}

// Runs it on the loop and waits for it.
static struct wait {
	void (*fn)(void *arg);
	void *arg;
	sem_t done;
} wait;
static void on_wait(void *)
{
	wait.fn(wait.arg);
	sem_post(&wait.done);
}

static void on_loop(void (*fn)(void *arg), void *arg)
{
	wait.fn = fn;
	wait.arg = arg;
	assert_int_equal(loop_call(loop, on_wait, NULL), 0);
	while (sem_wait(&wait.done) < 0)
		assert_int_equal(errno, EINTR);
}

static struct frontend_tcp_settings settings(void)
{
	return (struct frontend_tcp_settings){.tcp = tcp_config,
		.serves = {{tcp_config.enabled, PORT}, {tcp_rig_dot, PORT_DOT},
			{tcp_rig_doh, PORT_DOH}},
		.doh = {"/dns-query", tcp_config.pipelined, 1000 * tcp_config.query_timeout_s,
			TCP_WAIT_MS}};
}

void tcp_rig_certify(struct tls_server *certificates)
{
	if (!shared)
		assert_int_equal(frontend_tcp_shared_new(&shared, 1), 0);
	frontend_tcp_shared_certify(shared, certificates, "");
}

void tcp_rig_start_files(unsigned files)
{
	const struct frontend_tcp_engine engine = {.ask = engine_ask,
		.begin = engine_begin,
		.end = engine_end,
		.admits = engine_admits,
		.shared = shared};
	unsigned pid = (unsigned)getpid();

	// An address that no other test has, so that nobody has the port.
	address = (struct socket_address){.ip = {.version = 4,
						  .prefix_len = 32,
						  .bytes = {127, (uint8_t)(1 + (pid >> 16) % 250),
							  (uint8_t)(pid >> 8), (uint8_t)pid}},
		.port = PORT};
	sem_init(&wait.done, 0, 0);
	asked = 0;
	later_count = 0;
	assert_int_equal(loop_new("test", &loop), 0);
	const struct frontend_tcp_settings set = settings();
	assert_int_equal(frontend_tcp_open(&server, loop, &engine, &set, &address.ip, 1, files), 0);
	assert_int_equal(pthread_create(&thread, NULL, loop_thread, NULL), 0);
}

void tcp_rig_start(void)
{
	tcp_rig_start_files(FRONTEND_TCP_FILES_ALL);
}

void tcp_rig_stop(void)
{
	loop_stop(loop);
	pthread_join(thread, NULL);
	frontend_tcp_close(server);
	frontend_tcp_shared_free(shared);
	shared = NULL;
	loop_free(loop);
	sem_destroy(&wait.done);
}

static void on_configure(void *)
{
	const struct frontend_tcp_settings set = settings();
	frontend_tcp_configure(server, &set);
}

void tcp_rig_configure(void)
{
	on_loop(on_configure, NULL);
}

static void on_status(void *out)
{
	struct table_registry tables = {0};
	frontend_tcp_status(server, out);
	frontend_tcp_tables(server, &tables);
	assert_int_equal(tables.count, 6);
}

void tcp_rig_status(struct frontend_tcp_status *out)
{
	on_loop(on_status, out);
}

unsigned tcp_rig_asked(void)
{
	return asked;
}

void tcp_rig_release(void)
{
	on_loop(on_release, NULL);
}

void tcp_rig_until_asked(unsigned count)
{
	for (unsigned i = 0; asked < count && i < TCP_WAIT_MS; i++)
		usleep(1000);
	assert_int_equal(asked, count);
}

static int connect_to(uint16_t port, unsigned host, int receive_buffer)
{
	struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(port)};
	struct sockaddr_in from = {
		.sin_family = AF_INET, .sin_addr.s_addr = htonl(0x7f000000 + host)};
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_true(fd >= 0);
	memcpy(&to.sin_addr, address.ip.bytes, 4);
	if (receive_buffer)
		setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &receive_buffer, sizeof(receive_buffer));
	assert_int_equal(bind(fd, (struct sockaddr *)&from, sizeof(from)), 0);
	assert_int_equal(connect(fd, (struct sockaddr *)&to, sizeof(to)), 0);
	return fd;
}

int tcp_connect(unsigned host, int receive_buffer)
{
	return connect_to(PORT, host, receive_buffer);
}

int tcp_connect_kind(enum frontend_tcp_kind kind, unsigned host)
{
	return connect_to((uint16_t)(PORT + kind), host, 0);
}

size_t tcp_message(uint8_t *out, uint16_t id, char order, size_t len)
{
	put_u16(out, (uint16_t)len);
	memset(out + 2, 0, len);
	if (len >= 2)
		put_u16(out + 2, id);
	if (len > ORDER_AT)
		out[2 + ORDER_AT] = (uint8_t)order;
	return 2 + len;
}

void tcp_send(int fd, const void *p, size_t len)
{
	assert_int_equal(send(fd, p, len, MSG_NOSIGNAL), len);
}

void tcp_ask(int fd, uint16_t id, char order)
{
	uint8_t frame[2 + ORDER_AT + 1];
	tcp_send(fd, frame, tcp_message(frame, id, order, ORDER_AT + 1));
}

static bool read_all(int fd, uint8_t *out, size_t len)
{
	for (size_t got = 0; got < len;) {
		struct pollfd p = {.fd = fd, .events = POLLIN};
		assert_int_equal(poll(&p, 1, TCP_WAIT_MS), 1);
		ssize_t n = recv(fd, out + got, len - got, 0);
		if (n <= 0) {
			assert_int_equal(got, 0);
			return false;
		}
		got += (size_t)n;
	}
	return true;
}

size_t tcp_reply(int fd, uint8_t *out)
{
	uint8_t len[2];

	if (!read_all(fd, len, 2))
		return 0;
	assert_true(get_u16(len) > 0);
	assert_true(read_all(fd, out, get_u16(len)));
	return get_u16(len);
}

void tcp_reply_is(int fd, uint16_t id, size_t len)
{
	static uint8_t msg[TCP_MESSAGE_MAX];

	assert_int_equal(tcp_reply(fd, msg), len);
	assert_int_equal(get_u16(msg), id);
	for (size_t i = 2; i < len; i++)
		assert_int_equal(msg[i], id & 0xff);
}

void tcp_is_closed(int fd)
{
	uint8_t byte;

	assert_false(read_all(fd, &byte, 1));
	close(fd);
}

int tcp_rig_each_start(void **)
{
	tcp_config = (struct config_tcp){
		.enabled = true,
		.connections = 64,
		.per_client = 64,
		.pipelined = 100,
		.queries = 1000,
		.idle_timeout_s = 600,
		.query_timeout_s = 60,
		.buffer_kb = 4096,
	};
	tcp_rig_dot = tcp_rig_doh = false;
	return 0;
}

int tcp_rig_each_end(void **)
{
	tcp_rig_stop();
	return 0;
}
