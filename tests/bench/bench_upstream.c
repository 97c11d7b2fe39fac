// SPDX-License-Identifier: BSD-3-Clause

// bench_upstream PORT COUNTER [ADDRESS]: a DNS server on 127.0.0.1, or that address, which gives
// every question of one A record as an answer, in batches, so that it is not what a miss waits for.
// COUNTER is a file of 8 bytes: the number of answers, for any process that maps or reads it. Ends
// by a signal.

#include "bench_answer.h"
#include "bench_tools.h"

#include <string.h>

enum { BATCH = 64, MESSAGE_MAX = 1500 };

struct batch {
	uint8_t message[BATCH][MESSAGE_MAX];
	struct sockaddr_in from[BATCH];
	struct iovec iov[BATCH];
	struct mmsghdr in[BATCH], out[BATCH];
};

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
	if (argc != 3 && argc != 4) {
		fputs("usage: bench_upstream PORT COUNTER [ADDRESS]\n", stderr);
		return 2;
	}
	int fd = bench_server(argv[1], argv[3]);
	volatile uint64_t *counter = bench_counter(argv[2], sizeof(*counter));
	for (;;)
		*counter += serve(fd, &b);
}
