// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// What the programs of the benches share: times, the order of figures, an end with a reason, and
// the socket and the counter of a server.

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

static inline uint64_t bench_clock_ns(clockid_t clock)
{
	struct timespec t;
	clock_gettime(clock, &t);
	return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

static inline double bench_clock_s(clockid_t clock)
{
	return (double)bench_clock_ns(clock) * 1e-9;
}

// For qsort, of doubles.
static inline int bench_by_value(const void *a, const void *b)
{
	const double x = *(const double *)a, y = *(const double *)b;
	return (x > y) - (x < y);
}

__attribute__((noreturn)) static inline void bench_die(const char *what)
{
	perror(what);
	exit(2);
}

// An argument.
static inline uint32_t bench_number(const char *text)
{
	char *end;
	unsigned long n = strtoul(text, &end, 10);
	if (*text < '0' || *text > '9' || *end || n > 10000000) {
		fprintf(stderr, "no number: %s\n", text);
		exit(2);
	}
	return (uint32_t)n;
}

// A UDP socket on this address, or on loopback, with room for a burst.
static inline int bench_server(const char *port, const char *address)
{
	const int room = 4 << 20;
	const struct sockaddr_in here = {.sin_family = AF_INET,
		.sin_port = htons((uint16_t)atoi(port)),
		.sin_addr.s_addr = address ? inet_addr(address) : htonl(INADDR_LOOPBACK)};
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0 || bind(fd, (const struct sockaddr *)&here, sizeof(here)) < 0)
		bench_die("socket");
	(void)setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &room, sizeof(room));
	return fd;
}

// A file of numbers, for any process that maps or reads it.
static inline void *bench_counter(const char *path, size_t size)
{
	int file = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0644);
	if (file < 0 || ftruncate(file, (off_t)size) < 0)
		bench_die(path);
	void *counter = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
	if (counter == MAP_FAILED)
		bench_die("mmap");
	return counter;
}
