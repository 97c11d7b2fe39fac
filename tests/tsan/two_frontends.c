// SPDX-License-Identifier: BSD-3-Clause
// Two frontends beside two resolvers in one process, each on a thread of its own, with real sockets
// for TCP and UDP on one address. Clients on other threads ask for the same names at the same time;
// they have more connections than tcp.per_client, so frontends close each other's. Meanwhile
// another thread reads the status of all, and gives them the configuration again.

#include "controlplane/frontend/frontend_shared.h"
#include "controlplane/frontend/frontend_tcp_shared.h"
#include "controlplane/frontend/frontends.h"
#include "tests/unit/wait.h"
#include "two_rig.h"

enum { CLIENTS = 3, KEPT = 6, IN_A_ROW = 8, PER_CLIENT = 4, NAMES = 300 };
enum { PORT = 53056 };

static struct box {
	struct two_box of;
	struct ip_address address;
	struct loop *service;
	struct frontends frontends;
	pthread_t thread[2 * TWO + 1];
} box;
static _Atomic uint64_t answered[2]; // UDP, TCP
static _Atomic unsigned reports, changes;
static _Atomic bool stop;

static void config_fill(void)
{
	struct config *c = &box.of.config;
	const unsigned pid = (unsigned)getpid();

	c->controlplane = (struct config_controlplane){TWO, TWO};
	c->limits.answer_deadline_ms = 4500;
	box.address = (struct ip_address){4, 32, {127, 77, (uint8_t)(pid >> 8), (uint8_t)pid}};
	c->dataplane.addresses[0] = box.address;
	c->dataplane.address_count = 1;
	c->fallback.udp = FALLBACK_ON;
	c->tcp = (struct config_tcp){.enabled = true,
		.connections = 64,
		.per_client = PER_CLIENT,
		.pipelined = 8,
		.queries = 64,
		.idle_timeout_s = 60,
		.query_timeout_s = 60,
		.buffer_kb = 256};
}

static void frontend_start(unsigned i)
{
	struct frontends_one *f = &box.frontends.one[i];
	const struct frontend_tcp_settings set = {
		.tcp = box.of.config.tcp, .serves = {{true, PORT}}};
	const struct frontend_given given = {.number = i,
		.loop = f->loop,
		.resolvers = box.of.mesh,
		.publisher = box.of.publisher,
		.shared = box.frontends.shared};

	CHECK(frontend_open(&f->engine, &given, &box.of.config) == 0);
	CHECK(frontend_udp_open(&f->udp, f->engine, box.of.publisher, f->loop, &box.of.config, PORT)
		== 0);
	const struct frontend_tcp_engine engine = {.frontend = f->engine,
		.ask = frontend_ask,
		.begin = frontend_session_begin,
		.end = frontend_session_end,
		.admits = frontend_admits,
		.since_ms = frontend_streams_since,
		.number = i,
		.shared = box.frontends.tcp_shared};
	CHECK(frontend_tcp_open(
		      &f->tcp, f->loop, &engine, &set, &box.address, 1, FRONTEND_TCP_FILES_ALL)
		== 0);
}

static void *run(void *loop)
{
	CHECK(loop_run(loop) == 0);
	return NULL;
}

static void box_open(void)
{
	two_begin(&box.of);
	box.of.upstream.ttl_s = 1;
	config_fill();
	two_open(&box.of, "frontends", TWO, TWO);
	two_policy(&box.of, "127.0.0.0/8", NULL);
	CHECK(frontend_shared_new(&box.frontends.shared, TWO) == 0);
	CHECK(frontend_tcp_shared_new(&box.frontends.tcp_shared, TWO) == 0);
	box.frontends.count = TWO;
	CHECK(loop_new("service", &box.service) == 0);
	for (unsigned i = 0; i < TWO; i++)
		CHECK(loop_new("frontend", &box.frontends.one[i].loop) == 0);
	for (unsigned i = 0; i < TWO; i++)
		frontend_start(i);
	CHECK(pthread_create(&box.thread[2 * TWO], NULL, run, box.service) == 0);
	for (unsigned i = 0; i < TWO; i++) {
		CHECK(pthread_create(&box.thread[i], NULL, run, box.of.loop[i]) == 0);
		CHECK(pthread_create(&box.thread[TWO + i], NULL, run, box.frontends.one[i].loop)
			== 0);
	}
}

static void box_close(void)
{
	struct loop *loops[2 * TWO + 1] = {box.of.loop[0], box.of.loop[1],
		box.frontends.one[0].loop, box.frontends.one[1].loop, box.service};

	for (unsigned i = 0; i <= 2 * TWO; i++) {
		loop_stop(loops[i]);
		pthread_join(box.thread[i], NULL);
	}
	box.of.resolvers.running = false;
	loops_settle(loops, 2 * TWO + 1);
	for (unsigned i = 0; i < TWO; i++) {
		frontend_tcp_close(box.frontends.one[i].tcp);
		frontend_udp_close(box.frontends.one[i].udp);
		frontend_close(box.frontends.one[i].engine);
	}
	CHECK(box.frontends.tcp_shared->open == 0 && box.frontends.tcp_shared->clients == 0);
	CHECK(box.frontends.tcp_shared->pending.common == 0);
	CHECK(box.frontends.shared->pending.common == 0);
	frontend_tcp_shared_free(box.frontends.tcp_shared);
	frontend_shared_free(box.frontends.shared);
	two_close(&box.of);
	for (unsigned i = TWO; i <= 2 * TWO; i++)
		loop_free(loops[i]);
}

static int client_socket(int type)
{
	const struct timeval patience = {.tv_sec = 10};
	const struct socket_address at = {.ip = box.address, .port = PORT};
	struct sockaddr_storage to;
	socklen_t len;
	const int fd = socket(AF_INET, type, 0);

	CHECK(fd >= 0 && socket_address_to_sockaddr(&at, &to, &len));
	CHECK(setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience)) == 0);
	CHECK(connect(fd, (struct sockaddr *)&to, len) == 0);
	return fd;
}

static void reply_check(const uint8_t *reply, unsigned id, unsigned transport)
{
	CHECK(get_u16(reply) == (uint16_t)id);
	CHECK((get_u16(reply + 2) & DNS_FLAG_RCODE) == DNS_RCODE_NOERROR);
	atomic_fetch_add(&answered[transport], 1);
}

// False: the server has closed the connection for another one of this client.
static bool ask_tcp(int fd, unsigned id)
{
	uint8_t frame[2 + TWO_QUERY_MAX], reply[2 + 512];
	const size_t len = two_query(frame + 2, id, NAMES);

	put_u16(frame, (uint16_t)len);
	if (send(fd, frame, len + 2, MSG_NOSIGNAL) < 0 || recv(fd, reply, 2, MSG_WAITALL) != 2)
		return false;
	const size_t reply_len = get_u16(reply);
	CHECK(reply_len >= 12 && reply_len <= 512);
	if (recv(fd, reply, reply_len, MSG_WAITALL) != (ssize_t)reply_len)
		return false;
	reply_check(reply, id, 1);
	return true;
}

static void ask_udp(int fd, unsigned id)
{
	uint8_t msg[TWO_QUERY_MAX], reply[512];
	const size_t len = two_query(msg, id, NAMES);

	CHECK(send(fd, msg, len, MSG_NOSIGNAL) == (ssize_t)len);
	CHECK(recv(fd, reply, sizeof(reply), 0) > 12); // on loopback none is lost
	reply_check(reply, id, 0);
}

static void *client(void *arg)
{
	const unsigned rounds = *(const unsigned *)arg;
	int fds[KEPT];

	for (unsigned i = 0; i < KEPT; i++)
		fds[i] = client_socket(SOCK_STREAM);
	for (unsigned n = 0; n < rounds; n++) {
		int *fd = &fds[n / IN_A_ROW % KEPT];
		if (!ask_tcp(*fd, n)) {
			close(*fd);
			*fd = client_socket(SOCK_STREAM);
		}
		const int udp = client_socket(SOCK_DGRAM);
		ask_udp(udp, n);
		close(udp);
	}
	for (unsigned i = 0; i < KEPT; i++)
		close(fds[i]);
	return NULL;
}

static void on_report(void *, const struct frontends_status *s)
{
	CHECK(s->tcp.busiest_open <= PER_CLIENT); // of both: all clients have one address
	atomic_fetch_add(&reports, 1);
}

static void on_changed(void *)
{
	atomic_fetch_add(&changes, 1);
}

static void *meddler(void *)
{
	for (unsigned n = 0; !atomic_load(&stop); n++) {
		const unsigned before = atomic_load(&changes), seen = atomic_load(&reports);
		CHECK(frontends_report(&box.frontends, box.service, on_report, NULL) == 0);
		frontends_configure(&box.frontends, &box.of.config, FRONTEND_TCP_FILES_ALL,
			box.service, on_changed, NULL);
		WAIT_FOR(atomic_load(&changes) != before && atomic_load(&reports) != seen);
	}
	return NULL;
}

int main(int argc, char **argv)
{
	unsigned rounds = (unsigned)stress_rounds_of(argc, argv, 2 * CLIENTS);
	pthread_t clients[CLIENTS], other;

	log_init("two_frontends", LOG_LEVEL_ERROR);
	box_open();
	for (unsigned i = 0; i < CLIENTS; i++)
		CHECK(pthread_create(&clients[i], NULL, client, &rounds) == 0);
	CHECK(pthread_create(&other, NULL, meddler, NULL) == 0);
	for (unsigned i = 0; i < CLIENTS; i++)
		pthread_join(clients[i], NULL);
	atomic_store(&stop, true);
	pthread_join(other, NULL);
	box_close();
	CHECK(answered[0] == (uint64_t)CLIENTS * rounds && answered[1] > rounds / 4);
	CHECK(reports > 0 && changes > 0 && box.of.upstream.udp_queries >= NAMES);
	printf("%llu answers over UDP, %llu over TCP\n", (unsigned long long)answered[0],
		(unsigned long long)answered[1]);
	return 0;
}
