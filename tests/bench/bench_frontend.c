// SPDX-License-Identifier: BSD-3-Clause

// The control plane's own server: what a cached answer costs its loop (CPU time of its
// thread, the best of several rounds), and how many a second a client gets from a UDP socket on
// loopback with 64 queries on their way. One JSON object on stdout.
#include "controlplane/frontend/frontend_udp.h"
#include "tests/unit/cp/frontend/frontend_rig.h"

#include <arpa/inet.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>
#include <weir/clock.h>

enum { NAMES = 4000, ROUNDS = 10, TURN = 20, WINDOW = 64, SPAN_MS = 2000 };

static uint8_t query[NAMES][600];
static size_t query_len[NAMES];

static void die(const char *what)
{
	fprintf(stderr, "bench_frontend: %s\n", what);
	exit(2);
}

static uint64_t cpu_ns(void)
{
	struct timespec t;
	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static void queries_make(void)
{
	for (unsigned i = 0; i < NAMES; i++) {
		char name[32];
		snprintf(name, sizeof(name), "n%u.bench.example", i);
		const struct frontend_rig_query q = {
			.name = name, .type = DNS_TYPE_A, .id = (uint16_t)i, .udp_size = 1232};
		query_len[i] = query_write(query[i], &q);
	}
}

struct pass {
	unsigned names, hits;
	uint64_t best_ns; // of one query
};

static enum frontend_outcome ask_one(unsigned i)
{
	const union client_address client = {.v4 = {.sin_family = AF_INET, .sin_port = 1}};
	struct frontend_reply reply;
	return frontend_ask(rig.frontend, &frontend_session[FRONTEND_TCP], &client, query[i],
		query_len[i], &reply);
}

static void pass_run(void *arg)
{
	struct pass *p = arg;
	p->best_ns = UINT64_MAX;
	for (unsigned k = 0; k < ROUNDS; k++) {
		uint64_t start = cpu_ns();
		p->hits = 0;
		for (unsigned i = 0; i < NAMES; i++)
			p->hits += ask_one(i % p->names) == FRONTEND_REPLY;
		uint64_t each = (cpu_ns() - start) / NAMES;
		p->best_ns = each < p->best_ns ? each : p->best_ns;
	}
	if (p->hits != NAMES)
		p->best_ns = 0;
}

static uint64_t hit_ns(unsigned names)
{
	struct pass p = {.names = names};
	on_loop(pass_run, &p);
	if (p.best_ns == 0)
		die("a query was no hit");
	return p.best_ns;
}

static struct frontend_udp *sockets;
static uint16_t port;
static int opened;

static void sockets_open(void *arg)
{
	(void)arg;
	opened = frontend_udp_open(
		&sockets, rig.frontend, rig.publisher, rig.loop, &rig.config, port);
}

static void sockets_close(void *arg)
{
	(void)arg;
	frontend_udp_close(sockets);
}

static int client_open(struct sockaddr_in *service)
{
	socklen_t len = sizeof(*service);
	*service = (struct sockaddr_in){
		.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0 || bind(fd, (struct sockaddr *)service, len) < 0
		|| getsockname(fd, (struct sockaddr *)service, &len) < 0)
		die("no port is free");
	port = ntohs(service->sin_port);
	close(fd);
	fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	rig.config.fallback.udp = FALLBACK_ON;
	rig.config.dataplane.address_count = 1;
	if (ip_address_parse("127.0.0.1", &rig.config.dataplane.addresses[0]) < 0)
		die("no address");
	on_loop(sockets_open, NULL);
	if (opened < 0 || !sockets || connect(fd, (struct sockaddr *)service, len) < 0)
		die("no socket");
	return fd;
}

// Answers a second, each of them checked.
static uint64_t udp_rate(void)
{
	struct sockaddr_in service;
	int fd = client_open(&service);
	uint64_t start_ms = clock_mono_ms(), now_ms = start_ms, answers = 0;
	unsigned next = 0, away = 0;

	while (now_ms < start_ms + SPAN_MS) {
		struct pollfd p = {.fd = fd, .events = POLLIN};
		uint8_t msg[600];
		for (; away < WINDOW; away++, next = (next + 1) % NAMES)
			if (send(fd, query[next], query_len[next], 0) < 0)
				die("cannot send");
		if (poll(&p, 1, 1000) != 1)
			die("no answer");
		while (recv(fd, msg, sizeof(msg), MSG_DONTWAIT) > 0) {
			if (get_u16(msg + 6) != 1)
				die("an answer is wrong");
			answers++;
			away--;
		}
		now_ms = clock_mono_ms();
	}
	close(fd);
	on_loop(sockets_close, NULL);
	return answers * 1000 / (now_ms - start_ms);
}

static void cache_fill(void)
{
	unsigned later_before = 0;
	for (unsigned i = 0; i < NAMES; i += TURN) {
		for (unsigned k = i; k < i + TURN; k++)
			(void)!frontend_rig_ask_bytes(
				FRONTEND_TCP, "127.0.0.1", query[k], query_len[k]);
		later_before += TURN;
		expect_later(later_before - 1, 3000);
	}
}

int main(void)
{
	rig_setup(NULL);
	fake[0].ttl_s = fake[1].ttl_s = 3600;
	frontend_rig_open();
	frontend_rig_admit_all();
	queries_make();
	cache_fill();
	uint64_t hot = hit_ns(1), all = hit_ns(NAMES);
	printf("{\"frontend_hit_ns\": %llu, \"frontend_hit_4000_names_ns\": %llu, "
	       "\"frontend_udp_per_s\": %llu}\n",
		(unsigned long long)hot, (unsigned long long)all, (unsigned long long)udp_rate());
	frontend_rig_close();
	return rig_teardown(NULL);
}
