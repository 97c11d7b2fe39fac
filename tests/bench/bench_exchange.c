// SPDX-License-Identifier: BSD-3-Clause

// bench_exchange PORT RATE SECONDS: what a miss costs before anyone does anything for it. Sends
// RATE ready-made questions a second to 127.0.0.1:PORT, each from another one of 1,024 connected
// sockets, and takes the replies; waits as the resolver's loop does under load (a look at what is
// ready, at most one in 250 us). Prints "ASKED ANSWERED CPU": CPU in us of this thread for each
// question, user and system. One sendto and one recv for each, and an epoll_wait for some, is all.

#include "bench_tools.h"

#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>

enum { SOCKETS = 1024, READY = 64, REST_US = 250 };

struct exchange {
	int epoll, fd[SOCKETS];
	uint64_t asked, answered;
};

static void open_sockets(struct exchange *x, uint16_t port)
{
	const struct sockaddr_in to = {.sin_family = AF_INET,
		.sin_port = htons(port),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	const struct rlimit files = {SOCKETS + 64, SOCKETS + 64};

	(void)setrlimit(RLIMIT_NOFILE, &files);
	x->epoll = epoll_create1(EPOLL_CLOEXEC);
	for (unsigned i = 0; i < SOCKETS; i++) {
		x->fd[i] = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
		if (x->fd[i] < 0 || connect(x->fd[i], (const struct sockaddr *)&to, sizeof(to)) < 0)
			bench_die("socket");
		struct epoll_event e = {.events = EPOLLIN, .data.fd = x->fd[i]};
		if (epoll_ctl(x->epoll, EPOLL_CTL_ADD, x->fd[i], &e) < 0)
			bench_die("epoll_ctl");
	}
}

static void ask(struct exchange *x)
{
	static uint8_t query[] =
		"\0\0\1\0\0\1\0\0\0\0\0\0\4miss\7example\0\0\1\0"; // A, class IN behind
	uint64_t at = x->asked++;

	query[0] = (uint8_t)(at >> 8);
	query[1] = (uint8_t)at;
	query[sizeof(query) - 1] = 1;
	// Any order will do that no cache can keep up with: 617 and 1,024 have no common divisor.
	(void)send(x->fd[at * 617 % SOCKETS], query, sizeof(query), 0);
}

static void take(struct exchange *x, int wait_ms)
{
	struct epoll_event ready[READY];
	uint8_t reply[2048];
	int n = epoll_wait(x->epoll, ready, READY, wait_ms);

	for (int i = 0; i < n; i++)
		x->answered += recv(ready[i].data.fd, reply, sizeof(reply), 0) > 0;
}

int main(int argc, char **argv)
{
	static struct exchange x;

	if (argc != 4) {
		fputs("usage: bench_exchange PORT RATE SECONDS\n", stderr);
		return 2;
	}
	open_sockets(&x, (uint16_t)atoi(argv[1]));
	const double gap = 1 / atof(argv[2]), begin = bench_clock_s(CLOCK_MONOTONIC);
	const double end = begin + atof(argv[3]), cpu = bench_clock_s(CLOCK_THREAD_CPUTIME_ID);
	double next = begin;
	for (double now = begin; now < end; now = bench_clock_s(CLOCK_MONOTONIC)) {
		for (; next <= now; next += gap)
			ask(&x);
		take(&x, 0);
		(void)nanosleep(&(struct timespec){.tv_nsec = REST_US * 1000}, NULL);
	}
	const double used = bench_clock_s(CLOCK_THREAD_CPUTIME_ID) - cpu;
	take(&x, 100);
	printf("%lu %lu %.2f\n", x.asked, x.answered, used * 1e6 / (double)x.asked);
	return 0;
}
