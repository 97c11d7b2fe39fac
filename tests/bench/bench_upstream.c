// SPDX-License-Identifier: BSD-3-Clause

// bench_upstream PORT COUNTER [ADDRESS]: a DNS server on 127.0.0.1, or that address, which gives
// every question of one A record as an answer, in batches, so that it is not what a miss waits for.
// COUNTER is a file of 8 bytes: the number of answers, for any process that maps or reads it. Ends
// by a signal.

#include "bench_answer.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

enum { BATCH = 64, MESSAGE_MAX = 1500 };

struct batch {
	uint8_t message[BATCH][MESSAGE_MAX];
	struct sockaddr_in from[BATCH];
	struct iovec iov[BATCH];
	struct mmsghdr in[BATCH], out[BATCH];
};

static void die(const char *what)
{
	perror(what);
	exit(2);
}

static unsigned serve(int fd, struct batch *b)
{
	unsigned replies = 0;

	for (unsigned i = 0; i < BATCH; i++) {
		b->iov[i] = (struct iovec){b->message[i], MESSAGE_MAX};
		b->in[i].msg_hdr = (struct msghdr){.msg_name = &b->from[i],
			.msg_namelen = sizeof(b->from[i]),
			.msg_iov = &b->iov[i],
			.msg_iovlen = 1};
	}
	int n = recvmmsg(fd, b->in, BATCH, MSG_WAITFORONE, NULL);
	for (int i = 0; i < n; i++) {
		b->iov[i].iov_len =
			bench_answer(b->message[i], b->in[i].msg_len, sizeof(b->message[i]));
		if (b->iov[i].iov_len > 0)
			b->out[replies++] = b->in[i];
	}
	for (unsigned sent = 0; sent < replies;) {
		int done = sendmmsg(fd, b->out + sent, replies - sent, 0);
		sent += done > 0 ? (unsigned)done : 1;
	}
	return replies;
}

int main(int argc, char **argv)
{
	static struct batch b;
	const int room = 4 << 20;

	if (argc != 3 && argc != 4) {
		fputs("usage: bench_upstream PORT COUNTER [ADDRESS]\n", stderr);
		return 2;
	}
	struct sockaddr_in here = {.sin_family = AF_INET,
		.sin_port = htons((uint16_t)atoi(argv[1])),
		.sin_addr.s_addr = argc == 4 ? inet_addr(argv[3]) : htonl(INADDR_LOOPBACK)};
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0 || bind(fd, (struct sockaddr *)&here, sizeof(here)) < 0)
		die("socket");
	(void)setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &room, sizeof(room));
	int file = open(argv[2], O_RDWR | O_CREAT | O_CLOEXEC, 0644);
	if (file < 0 || ftruncate(file, sizeof(uint64_t)) < 0)
		die(argv[2]);
	volatile uint64_t *counter =
		mmap(NULL, sizeof(*counter), PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
	if (counter == MAP_FAILED)
		die("mmap");
	for (;;)
		*counter += serve(fd, &b);
}
