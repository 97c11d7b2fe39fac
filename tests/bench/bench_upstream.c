// SPDX-License-Identifier: BSD-3-Clause

// bench_upstream PORT COUNTER: a DNS server on 127.0.0.1 that gives every question of one A record
// as an answer, in batches, so that it is not what a miss waits for. COUNTER is a file of 8 bytes:
// how many it has answered, for whoever maps or reads it. Ends by a signal.

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

enum { BATCH = 64, MESSAGE_MAX = 1500, HEADER = 12, TTL_S = 3600 };

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

// Where the one question ends; 0: there is none to answer.
static size_t question_end(const uint8_t *m, size_t len)
{
	size_t at = HEADER;

	if (len < HEADER || m[2] & 0x80 || m[4] != 0 || m[5] != 1)
		return 0;
	while (at < len && m[at] != 0 && m[at] < 64)
		at += 1u + m[at];
	return at + 5 <= len && m[at] == 0 ? at + 5 : 0;
}

// The message as its own answer, in place; its length, 0: no reply.
static size_t answer(uint8_t *m, size_t len)
{
	static const uint8_t record[] = {
		0xc0, HEADER, 0, 1, 0, 1, 0, 0, TTL_S >> 8, TTL_S & 255, 0, 4, 198, 18, 200, 1};
	size_t end = question_end(m, len);

	if (end == 0 || end + sizeof(record) > MESSAGE_MAX)
		return 0;
	m[2] |= 0x80;
	m[3] = 0x80;
	memset(m + 6, 0, 6);
	m[7] = 1;
	memcpy(m + end, record, sizeof(record));
	return end + sizeof(record);
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
		b->iov[i].iov_len = answer(b->message[i], b->in[i].msg_len);
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

	if (argc != 3) {
		fputs("usage: bench_upstream PORT COUNTER\n", stderr);
		return 2;
	}
	struct sockaddr_in here = {.sin_family = AF_INET,
		.sin_port = htons((uint16_t)atoi(argv[1])),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
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
