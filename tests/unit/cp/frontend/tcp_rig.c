// SPDX-License-Identifier: BSD-3-Clause
#include "tcp_rig.h"

#include "controlplane/frontend/frontend_tcp_shared.h"

#include <semaphore.h>

enum { PORT = 53053, PORT_DOT, PORT_DOH, LATER_MAX = 4096, ORDER_AT = DNS_HEADER_LEN };

struct config_tcp tcp_config;
bool tcp_rig_dot, tcp_rig_doh;
struct frontend_names tcp_rig_names;
struct config_proxy_protocol tcp_rig_balancers;
_Atomic unsigned tcp_rig_group, tcp_rig_host;
uint64_t tcp_rig_since_ms;
static struct frontend_tcp_shared *shared;
static struct loop *loop;
static struct frontend_tcp *server;
static pthread_t thread;
struct socket_address tcp_rig_address;
static _Atomic unsigned asked, row_most;
static const struct frontend_session *row_of;
static unsigned row;
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
	tcp_rig_group = s->group;
	tcp_rig_host = ntohl(client->v4.sin_addr.s_addr) - 0x7f000000;
	asked++;
	row = s == row_of ? row + 1 : 1;
	row_of = s;
	if (row > row_most)
		row_most = row;
	if (len <= ORDER_AT)
		return FRONTEND_BROKEN;
	uint16_t id = get_u16(msg);
	switch (msg[ORDER_AT]) {
	case TCP_NONE:
		return FRONTEND_NO_REPLY;
	case TCP_BROKEN:
		return FRONTEND_BROKEN;
	case TCP_LATER:
	case TCP_LATER_BIG:
	case TCP_LOST:
	case TCP_DROPPED:
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

static uint64_t engine_since_ms(const struct frontend *)
{
	return tcp_rig_since_ms;
}

static void on_release(void *)
{
	static const size_t len_of[128] = {
		[TCP_LATER] = DNS_HEADER_LEN, [TCP_LATER_BIG] = TCP_BIG_LEN};
	for (unsigned i = later_count; i-- > 0;) {
		struct frontend_session *s = later[i].session;
		struct frontend_reply r = reply_make(later[i].id, len_of[later[i].order & 0x7f]);
		if (later[i].order == TCP_LOST)
			r.msg = NULL;
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
			TCP_WAIT_MS},
		.balancers = tcp_rig_balancers};
}

static struct frontend_tcp_shared *shared_made(void)
{
	if (!shared)
		assert_int_equal(frontend_tcp_shared_new(&shared, 1), 0);
	return shared;
}

void tcp_rig_certify(struct tls_server *certificates)
{
	frontend_tcp_shared_certify(shared_made(), certificates, "");
}

void tcp_rig_name(void)
{
	frontend_tcp_shared_name(shared_made(), &tcp_rig_names);
}

void tcp_rig_start_files(unsigned files)
{
	const struct frontend_tcp_engine engine = {.ask = engine_ask,
		.begin = engine_begin,
		.end = engine_end,
		.admits = engine_admits,
		.since_ms = engine_since_ms,
		.shared = shared_made()};
	unsigned pid = (unsigned)getpid();

	// An address that no other test has, so that nobody has the port.
	tcp_rig_address =
		(struct socket_address){.ip = {.version = 4,
						.prefix_len = 32,
						.bytes = {127, (uint8_t)(1 + (pid >> 16) % 250),
							(uint8_t)(pid >> 8), (uint8_t)pid}},
			.port = PORT};
	tcp_rig_name();
	sem_init(&wait.done, 0, 0);
	asked = row_most = row = 0;
	later_count = 0;
	assert_int_equal(loop_new("test", &loop), 0);
	const struct frontend_tcp_settings set = settings();
	assert_int_equal(
		frontend_tcp_open(&server, loop, &engine, &set, &tcp_rig_address.ip, 1, files), 0);
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

static void on_drain(void *)
{
	frontend_tcp_drain(server);
}

void tcp_rig_drain(enum frontend_tcp_drain drain)
{
	atomic_store(&shared->drain, drain);
	on_loop(on_drain, NULL);
}

static void on_status(void *out)
{
	struct table_registry tables = {0};
	frontend_tcp_status(server, out);
	frontend_tcp_tables(server, &tables);
	assert_int_equal(tables.count, 8);
}

struct wanted {
	const char *name;
	struct table_info table;
};

static void on_table(void *arg)
{
	struct wanted *w = arg;
	struct table_registry tables = {0};
	frontend_tcp_tables(server, &tables);
	for (unsigned i = 0; i < tables.count; i++)
		if (strcmp(tables.table[i].name, w->name) == 0)
			w->table = tables.table[i];
}

struct table_info tcp_rig_table(const char *name)
{
	struct wanted w = {.name = name};
	on_loop(on_table, &w);
	assert_non_null(w.table.name);
	return w.table;
}

void tcp_rig_status(struct frontend_tcp_status *out)
{
	on_loop(on_status, out);
}

unsigned tcp_rig_asked(void)
{
	return asked;
}

unsigned tcp_rig_row(void)
{
	return row_most;
}

static sem_t held, let_go;
static void on_hold(void *)
{
	sem_post(&held);
	sem_wait(&let_go);
}

void tcp_rig_hold(void)
{
	sem_init(&held, 0, 0);
	sem_init(&let_go, 0, 0);
	assert_int_equal(loop_call(loop, on_hold, NULL), 0);
	sem_wait(&held);
}

void tcp_rig_go_on(void)
{
	sem_post(&let_go);
}

void tcp_rig_release(void)
{
	on_loop(on_release, NULL);
}

void tcp_rig_until_asked(unsigned count)
{
	WAIT_FOR(asked >= count);
	assert_int_equal(asked, count);
}

int tcp_rig_each_start(void **)
{
	tcp_config = (struct config_tcp){.enabled = true,
		.connections = 64,
		.per_client = 64,
		.pipelined = 100,
		.queries = 1000,
		.idle_timeout_s = 600,
		.query_timeout_s = 60,
		.buffer_kb = 4096};
	tcp_rig_dot = tcp_rig_doh = false;
	tcp_rig_balancers.from_count = 0;
	return 0;
}

int tcp_rig_each_end(void **)
{
	tcp_rig_stop();
	return 0;
}
