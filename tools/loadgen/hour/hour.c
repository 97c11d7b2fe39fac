// SPDX-License-Identifier: BSD-3-Clause

// bench_hour ADDRESS PORT WINDOW NAMES LISTED
// bench_hour_port DEVICE LCORE CLIENT ADDRESS PORT WINDOW NAMES LISTED
//
// Asks as fast as it is answered, with WINDOW queries in flight: names by Zipf(1.0) of NAMES
// (z<n>.zipf.example), 5% that nobody asked before (f<n>.zipf.example), 2% of a list (d<n>.of<n %
// 1000>.example, n below LISTED), 5% of all over TCP. bench_hour_port sends those over UDP by its
// DPDK port, as the client with that address. Each line "SECONDS SEED" on standard input is a turn,
// which ends with the line "ANSWERED TCP BLOCKED WRONG LOST": a listed name must be NXDOMAIN, every
// other one have an answer; lost is what has no reply after 5 s. SEED draws the names, and names
// new ones. Ends with its input.

#include "udp.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum {
	WINDOW_MAX = 1024,
	CONNECTIONS = 8,
	FRESH_PERCENT = 5,
	LISTED_PERCENT = 2,
	TCP_PERCENT = 5,
	MESSAGE_MAX = 1500, // over TCP
	QUERY_MAX = 96,
	HEADER = 12,
	PATIENCE_MS = 5000,
	SWEEP_MS = 100,
	RCODE_NXDOMAIN = 3,
};

struct slot {
	bool waits, is_listed;
	uint16_t id;    // its number, and above it how often it was used
	int connection; // -1: UDP
	uint64_t sent_ms;
};

struct connection {
	int fd;
	size_t have; // bytes of `in`
	uint8_t in[2 + MESSAGE_MAX];
};

static struct hour {
	struct sockaddr_in to;
	struct pollfd poll[UDP_FDS_MAX + CONNECTIONS]; // of UDP first
	unsigned udp_fds;
	struct connection connection[CONNECTIONS];
	struct slot slot[WINDOW_MAX];
	unsigned free[WINDOW_MAX], free_count, window;
	double *below; // cumulative Zipf
	uint32_t names, listed, fresh;
	uint64_t random, seed;
	uint64_t answered, tcp, blocked, wrong, lost;
	unsigned found; // replies, or connections with some, in the last look
} hour;

static void die(const char *what)
{
	perror(what);
	exit(2);
}

static uint64_t now_ms(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

// splitmix64.
static uint64_t draw(void)
{
	uint64_t x = hour.random += UINT64_C(0x9e3779b97f4a7c15);
	x = (x ^ x >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	x = (x ^ x >> 27) * UINT64_C(0x94d049bb133111eb);
	return x ^ x >> 31;
}

static void zipf_open(void)
{
	double sum = 0;

	hour.below = malloc(hour.names * sizeof(*hour.below));
	if (!hour.below)
		die("memory");
	for (uint32_t i = 0; i < hour.names; i++)
		hour.below[i] = sum += 1.0 / (i + 1);
}

static uint32_t zipf_draw(void)
{
	double at =
		(double)(draw() >> 11) / (double)(UINT64_C(1) << 53) * hour.below[hour.names - 1];
	uint32_t low = 0, high = hour.names - 1;

	while (low < high) {
		uint32_t mid = low + (high - low) / 2;
		if (hour.below[mid] < at)
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}

// The query behind a length of two bytes; its length.
static size_t query_write(uint8_t *out, uint16_t id, struct slot *s)
{
	char text[48];
	unsigned percent = draw() % 100;
	uint32_t number;
	size_t at = 2 + HEADER;

	s->is_listed = percent < LISTED_PERCENT;
	if (s->is_listed) {
		number = (uint32_t)(draw() % hour.listed);
		snprintf(text, sizeof(text), "d%u.of%u.example", (unsigned)number,
			(unsigned)number % 1000);
	} else if (percent < LISTED_PERCENT + FRESH_PERCENT) {
		snprintf(text, sizeof(text), "f%u-%u.zipf.example", (unsigned)hour.fresh++,
			(unsigned)hour.seed);
	} else {
		snprintf(text, sizeof(text), "z%u.zipf.example", (unsigned)zipf_draw());
	}
	memset(out, 0, at);
	out[2] = (uint8_t)(id >> 8);
	out[3] = (uint8_t)id;
	out[4] = 1; // RD
	out[7] = 1;
	for (const char *label = text; *label;) {
		size_t len = strcspn(label, ".");
		out[at++] = (uint8_t)len;
		memcpy(out + at, label, len);
		at += len;
		label += len + (label[len] == '.');
	}
	memcpy(out + at, "\0\0\1\0\1", 5); // the root, A, IN
	at += 5;
	out[0] = 0;
	out[1] = (uint8_t)(at - 2);
	return at - 2;
}

static void connection_open(unsigned i)
{
	const int on = 1;
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd < 0 || connect(fd, (const struct sockaddr *)&hour.to, sizeof(hour.to)) < 0)
		die("TCP");
	(void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	hour.connection[i] = (struct connection){.fd = fd};
	hour.poll[hour.udp_fds + i] = (struct pollfd){.fd = fd, .events = POLLIN};
}

static void connections_open(void)
{
	hour.udp_fds = udp_fds(hour.poll);
	for (unsigned i = 0; i < CONNECTIONS; i++)
		connection_open(i);
}

static void connections_close(void)
{
	for (unsigned i = 0; i < CONNECTIONS; i++)
		close(hour.connection[i].fd);
}

static void slot_free(unsigned i)
{
	hour.slot[i].waits = false;
	hour.free[hour.free_count++] = i;
}

static void lose(unsigned i)
{
	hour.lost++;
	slot_free(i);
}

// The server closed the connection: opens it again; the queries in flight on it are lost.
static void connection_again(unsigned i)
{
	close(hour.connection[i].fd);
	for (unsigned n = 0; n < WINDOW_MAX; n++)
		if (hour.slot[n].waits && hour.slot[n].connection == (int)i)
			lose(n);
	connection_open(i);
}

static void ask(uint64_t now)
{
	uint8_t query[2 + QUERY_MAX];
	unsigned i = hour.free[--hour.free_count];
	struct slot *s = &hour.slot[i];
	bool is_tcp = draw() % 100 < TCP_PERCENT;
	s->id = (uint16_t)((s->id / WINDOW_MAX + 1) * WINDOW_MAX + i);
	size_t len = query_write(query, s->id, s);

	s->waits = true;
	s->sent_ms = now;
	s->connection = is_tcp ? (int)(draw() % CONNECTIONS) : -1;
	if (!is_tcp)
		udp_send(query + 2, len, draw());
	else if (send(hour.connection[s->connection].fd, query, len + 2, MSG_NOSIGNAL)
		 != (ssize_t)len + 2)
		connection_again((unsigned)s->connection);
}

static void reply_take(const uint8_t *m, size_t len, int connection)
{
	uint16_t id = len < HEADER ? 0 : (uint16_t)(m[0] << 8 | m[1]);
	unsigned i = id % WINDOW_MAX;
	const struct slot *s = &hour.slot[i];

	if (len < HEADER || !s->waits || s->id != id || s->connection != connection)
		return;
	unsigned rcode = m[3] & 15;
	hour.answered++;
	hour.tcp += connection >= 0;
	hour.blocked += s->is_listed;
	hour.wrong += s->is_listed ? rcode != RCODE_NXDOMAIN : rcode != 0 || m[7] == 0;
	slot_free(i);
}

static void udp_reply_take(const uint8_t *message, size_t len)
{
	reply_take(message, len, -1);
}

static void tcp_take(unsigned i)
{
	struct connection *c = &hour.connection[i];
	ssize_t n = recv(c->fd, c->in + c->have, sizeof(c->in) - c->have, MSG_DONTWAIT);
	size_t at = 0;

	if (n == 0 || (n < 0 && errno != EAGAIN)) {
		connection_again(i);
		return;
	}
	c->have += n > 0 ? (size_t)n : 0;
	while (c->have - at >= 2) {
		size_t len = (size_t)(c->in[at] << 8 | c->in[at + 1]);
		if (len > MESSAGE_MAX)
			die("a reply over TCP is too long");
		if (c->have - at < 2 + len)
			break;
		reply_take(c->in + at + 2, len, (int)i);
		at += 2 + len;
	}
	memmove(c->in, c->in + at, c->have - at);
	c->have -= at;
}

// Sleeps only after a look that found nothing.
static void replies_take(bool may_sleep)
{
	const struct timespec wait = {.tv_nsec = may_sleep ? udp_wait_ns : 0};

	hour.found = 0;
	(void)ppoll(hour.poll, hour.udp_fds + CONNECTIONS, &wait, NULL);
	hour.found += udp_take(hour.poll, udp_reply_take);
	for (unsigned i = 0; i < CONNECTIONS; i++) {
		if (hour.poll[hour.udp_fds + i].revents) {
			tcp_take(i);
			hour.found++;
		}
	}
}

static void give_up_old(uint64_t now)
{
	for (unsigned i = 0; i < WINDOW_MAX; i++)
		if (hour.slot[i].waits && now - hour.slot[i].sent_ms >= PATIENCE_MS)
			lose(i);
}

static void turn(uint64_t end_ms)
{
	uint64_t swept_ms = now_ms();

	for (uint64_t now = swept_ms; now < end_ms || hour.free_count < hour.window;
		now = now_ms()) {
		while (now < end_ms && hour.free_count > 0)
			ask(now);
		replies_take(hour.udp_fds > 0 || hour.found == 0);
		if (now >= swept_ms + SWEEP_MS) {
			give_up_old(now);
			swept_ms = now;
		}
	}
}

static void turn_report(double seconds, uint64_t seed)
{
	hour.random = hour.seed = seed;
	hour.fresh = 0;
	hour.answered = hour.tcp = hour.blocked = hour.wrong = hour.lost = 0;
	connections_open();
	turn(now_ms() + (uint64_t)(seconds * 1000));
	connections_close();
	printf("%ju %ju %ju %ju %ju\n", (uintmax_t)hour.answered, (uintmax_t)hour.tcp,
		(uintmax_t)hour.blocked, (uintmax_t)hour.wrong, (uintmax_t)hour.lost);
	fflush(stdout);
}

int main(int argc, char **argv)
{
	char **argument = argv + 1 + udp_arguments;
	double seconds;
	uintmax_t seed;

	if (argc != 6 + (int)udp_arguments) {
		fprintf(stderr, "usage: %s ADDRESS PORT WINDOW NAMES LISTED\n", udp_usage);
		return 2;
	}
	hour.to = (struct sockaddr_in){
		.sin_family = AF_INET, .sin_port = htons((uint16_t)atoi(argument[1]))};
	hour.window = (unsigned)strtoul(argument[2], NULL, 10);
	hour.names = (uint32_t)strtoul(argument[3], NULL, 10);
	hour.listed = (uint32_t)strtoul(argument[4], NULL, 10);
	if (inet_pton(AF_INET, argument[0], &hour.to.sin_addr) != 1 || hour.names == 0
		|| hour.listed == 0 || hour.window == 0 || hour.window > WINDOW_MAX) {
		fputs("bench_hour: an IPv4 address, a window up to 1024, and names\n", stderr);
		return 2;
	}
	for (unsigned i = 0; i < hour.window; i++)
		hour.free[hour.free_count++] = i;
	zipf_open();
	udp_open(argv + 1, &hour.to);
	while (scanf("%lf %ju", &seconds, &seed) == 2)
		turn_report(seconds, seed);
	return 0;
}
