// SPDX-License-Identifier: BSD-3-Clause

// What a server over TLS costs the resolver: CPU of its side of a handshake, full and resumed, and
// of a query of 128 bytes with its reply, beside the same bytes in clear text; memory of a
// connection. Over a socket pair in one thread, the test's own server on the other end (P-256).
// Prints medians.
#include "tests/unit/cp/tls/tls_pair.h"
#include "tests/unit/unit.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>
#include <weir/mem_account.h>

enum { HANDSHAKES = 1000, QUERIES = 50000, CONNS = 50, QUERY_LEN = 130, READ_MAX = 8 };

static double took[QUERIES];

static double clock_us(void)
{
	struct timespec ts;
	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec * 1e6 + (double)ts.tv_nsec / 1e3;
}

static int by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;
	return (x > y) - (x < y);
}

static double median(unsigned n)
{
	qsort(took, n, sizeof(took[0]), by_value);
	return took[n / 2];
}

// A connection; how long this side was at it.
static double connection_open(bool resumed)
{
	int rc = -EAGAIN;
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, t.fd), 0);
	double since = clock_us(), sum = 0;
	assert_int_equal(tls_conn_connect(&t.conn, t.peer, t.fd[0]), 0);
	sum += clock_us() - since;
	t.side = tls_side_new(t.context, t.fd[1]);
	for (unsigned i = 0; i < READ_MAX && rc == -EAGAIN; i++) {
		since = clock_us();
		rc = tls_conn_handshake(t.conn);
		sum += clock_us() - since;
		(void)tls_side_turn(t.side);
	}
	assert_int_equal(rc, 1);
	assert_int_equal(tls_conn_is_resumed(t.conn), resumed);
	return sum;
}

static double handshakes(bool resumed)
{
	struct tls_peer *keeps_authorities = t.peer;
	for (unsigned i = 0; i < HANDSHAKES; i++) {
		if (!resumed)
			peer_make(&tls_pair_target);
		took[i] = connection_open(resumed);
		exchange(); // tickets
		close_both();
		if (!resumed)
			tls_peer_free(t.peer);
	}
	t.peer = keeps_authorities;
	return median(HANDSHAKES);
}

static double queries_by_tls(void)
{
	uint8_t query[QUERY_LEN] = {0}, got[QUERY_LEN];
	for (unsigned i = 0; i < QUERIES; i++) {
		double since = clock_us();
		assert_int_equal(tls_conn_write(t.conn, query, QUERY_LEN), QUERY_LEN);
		double sum = clock_us() - since;
		assert_int_equal(tls_side_read(t.side, got, QUERY_LEN), QUERY_LEN);
		tls_side_write(t.side, got, QUERY_LEN);
		since = clock_us();
		assert_int_equal(tls_conn_read(t.conn, got, 2), 2);
		assert_int_equal(tls_conn_read(t.conn, got, QUERY_LEN - 2), QUERY_LEN - 2);
		assert_int_equal(tls_conn_read(t.conn, got, 2), -EAGAIN);
		took[i] = sum + clock_us() - since;
	}
	return median(QUERIES);
}

static double queries_in_clear(const int fd[2])
{
	uint8_t query[QUERY_LEN] = {0}, got[QUERY_LEN];
	for (unsigned i = 0; i < QUERIES; i++) {
		double since = clock_us();
		assert_int_equal(send(fd[0], query, QUERY_LEN, MSG_NOSIGNAL), QUERY_LEN);
		double sum = clock_us() - since;
		assert_int_equal(recv(fd[1], got, QUERY_LEN, 0), QUERY_LEN);
		assert_int_equal(send(fd[1], got, QUERY_LEN, MSG_NOSIGNAL), QUERY_LEN);
		since = clock_us();
		assert_int_equal(recv(fd[0], got, 2, 0), 2);
		assert_int_equal(recv(fd[0], got, QUERY_LEN - 2, 0), QUERY_LEN - 2);
		assert_int_equal(recv(fd[0], got, 2, 0), -1);
		took[i] = sum + clock_us() - since;
	}
	return median(QUERIES);
}

static uint64_t library_bytes(void)
{
	const struct heap_site *site[HEAP_SITES_MAX];
	struct mem_sum sum = {0};
	unsigned n = heap_sites(site, HEAP_SITES_MAX);
	for (unsigned i = 0; i < n; i++)
		if (strcmp(site[i]->file, "openssl") == 0)
			mem_sum_add(&sum, site[i]);
	return sum.bytes;
}

// Of this side: it has its buffers only while it reads and writes, the test's server always.
static uint64_t bytes_each(void)
{
	struct tls_conn *conn[CONNS];
	uint64_t sum = 0;
	for (unsigned i = 0; i < CONNS; i++) {
		(void)connection_open(i > 0);
		exchange();
		conn[i] = t.conn;
		tls_side_free(t.side);
		close(t.fd[0]);
		close(t.fd[1]);
	}
	uint64_t before = library_bytes();
	for (unsigned i = 0; i < CONNS; i++)
		tls_conn_close(conn[i]);
	sum = before - library_bytes();
	return sum / CONNS;
}

int main(void)
{
	int fd[2];
	(void)tls_pair_start(NULL);
	t.context = tls_rig_context(TLS_RIG_GOOD);
	peer_make(&tls_pair_target);
	printf("handshake, full: %.0f us\n", handshakes(false));
	(void)connection_open(false);
	exchange();
	close_both();
	printf("handshake, resumed: %.0f us\n", handshakes(true));
	(void)connection_open(true);
	exchange();
	printf("query and reply over TLS: %.2f us\n", queries_by_tls());
	close_both();
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fd), 0);
	printf("the same in clear text: %.2f us\n", queries_in_clear(fd));
	tls_peer_free(t.peer);
	peer_make(&tls_pair_target);
	printf("memory of a connection: %lu bytes\n", bytes_each());
	end();
	return tls_pair_stop(NULL);
}
