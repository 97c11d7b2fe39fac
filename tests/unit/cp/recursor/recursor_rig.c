// SPDX-License-Identifier: BSD-3-Clause
#include "recursor_rig.h"

#include "base/loop.h"

#include <event2/event.h>

const uint8_t query[QUERY_LEN] = {ID >> 8, ID & 255, 1, 0x10, 0, 1, 0, 0, 0, 0, 0, 0, 2, 'A', 'b',
	7, 'E', 'x', 'a', 'm', 'p', 'l', 'e', 0, 0, 1, 0, 1};
const uint8_t answer[ANSWER_LEN] = {0, 0, 0x84, 0x20, 0, 1, 0, 1, 0, 0, 0, 0, 2, 'a', 'b', 7, 'e',
	'x', 'a', 'm', 'p', 'l', 'e', 0, 0, 1, 0, 1, 0xc0, 12, 0, 1, 0, 1, 0, 0, 1, 44, 0, 4, 192,
	0, 2, 7};

struct loop *loop;
struct recursor *r;
int client[QUESTIONS + 1];
struct recursor_settings set = {.is_on = true, .root_hints = "", .hash = 1};

static void turn(void)
{
	event_base_loop(loop_base(loop), EVLOOP_NONBLOCK);
}

struct recursor_status now(void)
{
	struct recursor_status s;
	recursor_status(r, &s);
	return s;
}

int client_open(void)
{
	struct sockaddr_in to = {.sin_family = AF_INET,
		.sin_port = htons(recursor_address(r)->port),
		.sin_addr = {htonl(INADDR_LOOPBACK)}};
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	assert_true(fd >= 0);
	assert_int_equal(connect(fd, (struct sockaddr *)&to, sizeof(to)), 0);
	return fd;
}

int recursor_setup(void **)
{
	memset(&library_double, 0, sizeof(library_double));
	assert_int_equal(loop_new("test", &loop), 0);
	assert_int_equal(recursor_new(&r, loop, QUESTIONS), 0);
	assert_int_equal(recursor_configure(r, &set), 0);
	for (unsigned i = 0; i < ARRAY_LEN(client); i++)
		client[i] = client_open();
	return 0;
}

int recursor_teardown(void **)
{
	recursor_free(r);
	r = NULL;
	assert_int_equal(library_double.open, 0);
	for (unsigned i = 0; i < ARRAY_LEN(client); i++)
		close(client[i]);
	loop_free(loop);
	return 0;
}

void send_now(unsigned i, const void *bytes, size_t len)
{
	assert_int_equal(send(client[i], bytes, len, 0), (ssize_t)len);
	turn();
}

size_t reply(unsigned i, uint8_t *out, size_t cap)
{
	ssize_t n = recv(client[i], out, cap, MSG_DONTWAIT);
	return n > 0 ? (size_t)n : 0;
}

void send_zone(unsigned i, char letter, uint16_t id)
{
	uint8_t other[sizeof(query)];

	memcpy(other, query, sizeof(query));
	put_u16(other, id);
	other[DNS_HEADER_LEN + 1] = (uint8_t)letter;
	send_now(i, other, sizeof(other));
}

void expect_servfail(unsigned i)
{
	uint8_t got[512];
	assert_int_equal(reply(i, got, sizeof(got)), sizeof(query));
	assert_int_equal(get_u16(got), ID);
	assert_int_equal(get_u16(got + 2), 0x8192); // QR, RD, RA, CD
	assert_memory_equal(
		got + DNS_HEADER_LEN, query + DNS_HEADER_LEN, sizeof(query) - DNS_HEADER_LEN);
}
