// SPDX-License-Identifier: BSD-3-Clause
#include "udp.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>

const char udp_usage[] = "bench_hour";
const unsigned udp_arguments = 0;
const int64_t udp_wait_ns = 100 * 1000 * 1000;

static int fds[UDP_FDS_MAX];

void udp_open(char **arguments, const struct sockaddr_in *to)
{
	(void)arguments;
	for (unsigned i = 0; i < UDP_FDS_MAX; i++) {
		fds[i] = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
		if (fds[i] < 0 || connect(fds[i], (const struct sockaddr *)to, sizeof(*to)) < 0) {
			perror("UDP");
			exit(2);
		}
	}
}

unsigned udp_fds(struct pollfd out[UDP_FDS_MAX])
{
	for (unsigned i = 0; i < UDP_FDS_MAX; i++)
		out[i] = (struct pollfd){.fd = fds[i], .events = POLLIN};
	return UDP_FDS_MAX;
}

void udp_send(const uint8_t *query, size_t len, uint64_t any)
{
	(void)!send(fds[any % UDP_FDS_MAX], query, len, 0);
}

unsigned udp_take(const struct pollfd *ready, udp_reply *reply)
{
	uint8_t m[UDP_PAYLOAD_MAX];
	unsigned count = 0;

	for (unsigned i = 0; i < UDP_FDS_MAX; i++) {
		ssize_t n = -1;
		while (ready[i].revents && (n = recv(fds[i], m, sizeof(m), 0)) >= 0) {
			reply(m, (size_t)n);
			count++;
		}
	}
	return count;
}
