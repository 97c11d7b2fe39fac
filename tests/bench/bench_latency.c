// SPDX-License-Identifier: BSD-3-Clause

// bench_latency ADDRESS PORT RATE SECONDS LABEL: how long answers take. Asks for RATE names a
// second that nobody asked before (m<number>-LABEL.miss.example A), at random moments (Poisson),
// each from one of 64 sockets. A query's time is from before its send until the kernel has the
// reply (SO_TIMESTAMPNS), so this program's own wake-up is no part of it. Prints "SENT ANSWERED
// WRONG P50 P99 MOST", times in us. An answer is wrong unless it is NOERROR with a record.

#include "bench_tools.h"

#include <math.h>
#include <poll.h>
#include <stdalign.h>
#include <stdbool.h>
#include <string.h>

enum { SOCKETS = 64, MESSAGE_MAX = 1500, QUERIES_MAX = 1 << 20, PATIENCE_MS = 6000, HEADER = 12 };

struct latency {
	struct pollfd poll[SOCKETS];
	uint64_t sent_ns[QUERIES_MAX]; // of each query, by its number; 0: answered
	double took_us[QUERIES_MAX];
	unsigned sent, answered, wrong;
};

static uint64_t now_ns(void)
{
	return bench_clock_ns(CLOCK_REALTIME);
}

static void open_sockets(struct latency *l, const char *address, uint16_t port)
{
	struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(port)};
	const int on = 1;

	if (inet_pton(AF_INET, address, &to.sin_addr) != 1)
		bench_die(address);
	for (unsigned i = 0; i < SOCKETS; i++) {
		int fd = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
		if (fd < 0 || connect(fd, (const struct sockaddr *)&to, sizeof(to)) < 0
			|| setsockopt(fd, SOL_SOCKET, SO_TIMESTAMPNS, &on, sizeof(on)) < 0)
			bench_die("socket");
		l->poll[i] = (struct pollfd){.fd = fd, .events = POLLIN};
	}
}

// Id and socket are the number's low half.
static void ask(struct latency *l, const char *label)
{
	uint8_t m[128] = {0};
	unsigned number = l->sent++;
	char text[64];
	int len = snprintf(text, sizeof(text), "m%07x-%.40s", number, label);
	size_t at = HEADER;

	m[0] = (uint8_t)(number >> 8);
	m[1] = (uint8_t)number;
	m[2] = 1; // RD
	m[5] = 1;
	m[at++] = (uint8_t)len;
	memcpy(m + at, text, (size_t)len);
	at += (size_t)len;
	memcpy(m + at, "\4miss\7example\0\0\1\0\1", 18);
	l->sent_ns[number] = now_ns();
	(void)!send(l->poll[number % SOCKETS].fd, m, at + 18, 0);
}

static uint64_t arrival_ns(struct msghdr *msg)
{
	struct timespec t = {0};

	for (struct cmsghdr *c = CMSG_FIRSTHDR(msg); c; c = CMSG_NXTHDR(msg, c))
		if (c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_TIMESTAMPNS)
			memcpy(&t, CMSG_DATA(c), sizeof(t));
	return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

static void take(struct latency *l, int fd)
{
	uint8_t m[MESSAGE_MAX];
	alignas(struct cmsghdr) uint8_t control[128];
	unsigned number;

	for (;;) {
		struct iovec iov = {m, sizeof(m)};
		struct msghdr msg = {.msg_iov = &iov,
			.msg_iovlen = 1,
			.msg_control = control,
			.msg_controllen = sizeof(control)};
		ssize_t n = recvmsg(fd, &msg, 0);
		if (n < 0)
			return;
		m[n < MESSAGE_MAX ? n : MESSAGE_MAX - 1] = 0;
		if (n < HEADER + 10 || sscanf((char *)m + HEADER + 1, "m%7x-", &number) != 1
			|| number >= l->sent || l->sent_ns[number] == 0)
			continue;
		uint64_t arrived = arrival_ns(&msg);
		l->took_us[l->answered++] = (double)(arrived - l->sent_ns[number]) / 1e3;
		l->sent_ns[number] = 0;
		l->wrong += (m[3] & 15) != 0 || m[7] == 0;
	}
}

static void wait_until(struct latency *l, uint64_t until_ns)
{
	for (uint64_t now = now_ns(); now < until_ns; now = now_ns()) {
		const struct timespec left = {.tv_sec = (time_t)((until_ns - now) / 1000000000),
			.tv_nsec = (long)((until_ns - now) % 1000000000)};
		if (ppoll(l->poll, SOCKETS, &left, NULL) <= 0)
			continue;
		for (unsigned i = 0; i < SOCKETS; i++)
			if (l->poll[i].revents)
				take(l, l->poll[i].fd);
	}
}

int main(int argc, char **argv)
{
	static struct latency l;

	if (argc != 6) {
		fputs("usage: bench_latency ADDRESS PORT RATE SECONDS LABEL\n", stderr);
		return 2;
	}
	const double rate = atof(argv[3]);
	open_sockets(&l, argv[1], (uint16_t)atoi(argv[2]));
	uint64_t next = now_ns();
	const uint64_t end = next + (uint64_t)(atof(argv[4]) * 1e9);
	while (next < end && l.sent < QUERIES_MAX) {
		wait_until(&l, next);
		ask(&l, argv[5]);
		next += (uint64_t)(-log(1 - drand48()) * 1e9 / rate);
	}
	for (unsigned ms = 0; ms < PATIENCE_MS && l.answered < l.sent; ms++)
		wait_until(&l, now_ns() + 1000000);
	qsort(l.took_us, l.answered, sizeof(*l.took_us), bench_by_value);
	const unsigned n = l.answered;
	printf("%u %u %u %.1f %.1f %.1f\n", l.sent, n, l.wrong, n ? l.took_us[n / 2] : 0,
		n ? l.took_us[(uint64_t)n * 99 / 100] : 0, n ? l.took_us[n - 1] : 0);
	return 0;
}
