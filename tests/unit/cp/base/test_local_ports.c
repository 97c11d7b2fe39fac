// SPDX-License-Identifier: BSD-3-Clause
// The ports that the operator reserves, from the kernel's text; that those drawn are as good as
// any, and ids too.

#include "controlplane/base/local_ports.h"
#include "controlplane/base/rng.h"
#include "controlplane/upstream/upstream_udp.h"
#include "tests/unit/unit.h"

#include <math.h>
#include <weir/attr.h>

static struct local_ports parsed(const char *text)
{
	struct local_ports out;
	size_t len = strlen(text);
	char *exact = malloc(len + 1);

	memcpy(exact, text, len);
	char *shrunk = realloc(exact, len ? len : 1); // nothing behind its end may be read
	local_ports_parse(&out, shrunk, len);
	free(shrunk);
	return out;
}

TEST(test_text)
{
	struct local_ports p = parsed("53,1024-1026,60000-65535\n");

	assert_int_equal(p.count, 3);
	assert_true(local_ports_reserved(&p, 53));
	assert_false(local_ports_reserved(&p, 54));
	assert_false(local_ports_reserved(&p, 1023));
	for (uint16_t port = 1024; port <= 1026; port++)
		assert_true(local_ports_reserved(&p, port));
	assert_false(local_ports_reserved(&p, 1027));
	assert_true(local_ports_reserved(&p, 65535));
}

TEST(test_odd_text)
{
	static const struct {
		const char *text;
		unsigned count;
	} cases[] = {
		{"", 0},
		{"\n", 0},
		{"x", 0},
		{"-5", 0},
		{"65536", 0},
		{"99999999999", 0},
		{"8080", 1},
		{"8080,", 1},
		{"8080-", 0},
		{"8080-70000", 0},
		{"1,2,x,3", 2},
		{"1 2", 1},
	};
	for (size_t i = 0; i < ARRAY_LEN(cases); i++)
		assert_int_equal(parsed(cases[i].text).count, cases[i].count);
}

TEST(test_many)
{
	char text[4096];
	size_t used = 0;

	for (unsigned i = 0; i < 200; i++)
		used += (size_t)snprintf(text + used, sizeof(text) - used, "%u,", 2000 + 2 * i);
	struct local_ports p = parsed(text);
	assert_int_equal(p.count, LOCAL_PORT_RANGES_MAX);
	assert_true(local_ports_reserved(&p, 2000 + 2 * (LOCAL_PORT_RANGES_MAX - 1)));
	assert_false(local_ports_reserved(&p, 2000 + 2 * LOCAL_PORT_RANGES_MAX));
}

enum { BINS = 64, DRAWN = 40000, PORT_FIRST = 1024, PORTS = 65536 - PORT_FIRST };

struct drawn {
	unsigned in[BINS];
};

// Chi-square; what random numbers exceed once in a billion runs or less.
static void assert_even(const struct drawn *d, unsigned bins)
{
	double n = 0, sum = 0;
	for (unsigned i = 0; i < bins; i++)
		n += d->in[i];
	for (unsigned i = 0; i < bins; i++)
		sum += (d->in[i] - n / bins) * (d->in[i] - n / bins) / (n / bins);
	assert_true(sum < bins + 8 * sqrt(2.0 * bins));
	assert_true(sum > bins - 5 * sqrt(2.0 * bins)); // nor in turn
}

static unsigned bound_port(struct rng *rng)
{
	static const struct local_ports none;
	const union local_address any = {.v4.sin_family = AF_INET};
	struct sockaddr_in sin;
	socklen_t len = sizeof(sin);
	int fd = socket(AF_INET, SOCK_DGRAM, 0);
	uint16_t bound;

	assert_int_equal(local_port_bind(rng, &none, fd, &any, &bound), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&sin, &len), 0);
	assert_int_equal(bound, ntohs(sin.sin_port));
	close(fd);
	return ntohs(sin.sin_port);
}

// Over all of the range, in the upper and in the lower bits; none tells of the next one, of either
// kind.
TEST(test_ports_and_ids_are_even)
{
	static struct drawn port_high, port_low, port_pair, id_high, id_low, id_pair, both;
	struct rng rng = {0};
	unsigned last_port = 0, last_id = 0;

	for (unsigned i = 0; i < DRAWN; i++) {
		unsigned port = bound_port(&rng) - PORT_FIRST, id = rng_u16(&rng);
		unsigned eighth = port / (PORTS / 8), id_eighth = id >> 13;
		port_high.in[port / 1024]++;
		port_low.in[port % BINS]++;
		id_high.in[id >> 10]++;
		id_low.in[id % BINS]++;
		both.in[eighth * 8 + id_eighth]++;
		if (i) {
			port_pair.in[last_port * 8 + eighth]++;
			id_pair.in[last_id * 8 + id_eighth]++;
		}
		last_port = eighth;
		last_id = id_eighth;
	}
	assert_even(&port_high, PORTS / 1024);
	assert_even(&port_low, BINS);
	assert_even(&port_pair, BINS);
	assert_even(&id_high, BINS);
	assert_even(&id_low, BINS);
	assert_even(&id_pair, BINS);
	assert_even(&both, BINS);
}

static union local_address address(const char *text, unsigned port)
{
	union local_address a = {.v4 = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)}};
	assert_int_equal(inet_pton(AF_INET, text, &a.v4.sin_addr), 1);
	return a;
}

// A program has the one port that is not reserved, on another address: both have it then.
TEST(test_other_addresses_keep_their_ports)
{
	struct rng rng = {0};
	const union local_address other = address("127.0.0.2", 0), peer = address("127.0.0.1", 53);
	const union local_address any = {.v4.sin_family = AF_INET};
	union local_address from, its;
	socklen_t len = sizeof(its);
	uint16_t bound;
	int fd[3];
	for (unsigned i = 0; i < ARRAY_LEN(fd); i++)
		fd[i] = socket(AF_INET, SOCK_DGRAM, 0);
	assert_int_equal(bind(fd[0], &other.any, sizeof(other.v4)), 0);
	assert_int_equal(getsockname(fd[0], &its.any, &len), 0);
	const uint16_t port = ntohs(its.v4.sin_port);
	const struct local_ports all_but_that = {
		.count = 2, .range = {{1024, (uint16_t)(port - 1)}, {(uint16_t)(port + 1), 65535}}};
	assert_int_equal(local_address_to(&peer.any, sizeof(peer.v4), &from), 0);
	assert_int_equal(from.v4.sin_addr.s_addr, peer.v4.sin_addr.s_addr);
	assert_int_equal(from.v4.sin_port, 0);
	// Each try is a thousand draws of 65,536.
	for (unsigned i = 0; i < 2000; i++)
		assert_int_equal(
			local_port_bind(&rng, &all_but_that, fd[1], &any, &bound), -EADDRINUSE);
	int rc = -EADDRINUSE;
	for (unsigned i = 0; i < 2000 && rc == -EADDRINUSE; i++)
		rc = local_port_bind(&rng, &all_but_that, fd[2], &from, &bound);
	assert_int_equal(rc, 0);
	len = sizeof(its);
	assert_int_equal(getsockname(fd[2], &its.any, &len), 0);
	assert_int_equal(ntohs(its.v4.sin_port), port);
	assert_int_equal(its.v4.sin_addr.s_addr, peer.v4.sin_addr.s_addr);
	for (unsigned i = 0; i < ARRAY_LEN(fd); i++)
		close(fd[i]);
}

// An address that the machine does not have.
TEST(test_no_such_address)
{
	static const struct local_ports none;
	struct rng rng = {0};
	const union local_address gone = address("203.0.113.77", 0);
	uint16_t bound;
	int fd = socket(AF_INET, SOCK_DGRAM, 0);
	assert_int_equal(local_port_bind(&rng, &none, fd, &gone, &bound), -EADDRNOTAVAIL);
	close(fd);
}
