// SPDX-License-Identifier: BSD-3-Clause
// Keepalive and padding: found in queries of any content, written into replies.

#include "controlplane/frontend/frontend_tcp.h"
#include "tests/unit/unit.h"

enum { QUERIES = 20000, QUERY_MAX = 96 };

#define HEADER(additional) 0, 1, 1, 0, 0, 1, 0, 0, 0, 0, 0, additional
#define QUESTION           1, 'a', 0, 0, 1, 0, 1
#define OPT(bytes)         0, 0, 41, 4, 208, 0, 0, 0, 0, 0, bytes
#define COOKIE             0, 10, 0, 2, 7, 7
#define KEEPALIVE          0, 11, 0, 0
#define PADDING            0, 12, 0, 3, 0, 0, 0
#define OTHER              0xc0, 12, 0, 250, 0, 1, 0, 0, 0, 0, 0, 2, 0, 41

static const struct {
	unsigned asked;
	uint8_t len, msg[QUERY_MAX];
} cases[] = {
	{0, 19, {HEADER(0), QUESTION}},
	{0, 30, {HEADER(1), QUESTION, OPT(0)}},
	{TCP_OPTION_KEEPALIVE, 34, {HEADER(1), QUESTION, OPT(4), KEEPALIVE}},
	{TCP_OPTION_KEEPALIVE, 40, {HEADER(1), QUESTION, OPT(10), COOKIE, KEEPALIVE}},
	{0, 36, {HEADER(1), QUESTION, OPT(6), COOKIE}},
	{TCP_OPTION_KEEPALIVE, 48, {HEADER(2), QUESTION, OTHER, OPT(4), KEEPALIVE}},
	{0, 34, {HEADER(0), QUESTION, OPT(4), KEEPALIVE}}, // not counted
	{0, 33, {HEADER(1), QUESTION, OPT(4), KEEPALIVE}}, // cut short
	{0, 33, {HEADER(1), QUESTION, OPT(3), 0, 11, 0}},  // no option, but a part of one
	{TCP_OPTION_PADDING, 37, {HEADER(1), QUESTION, OPT(7), PADDING}},
	{TCP_OPTION_PADDING | TCP_OPTION_KEEPALIVE, 41,
		{HEADER(1), QUESTION, OPT(11), PADDING, KEEPALIVE}},
};

TEST(test_asked)
{
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		uint8_t *msg = malloc(cases[i].len);
		memcpy(msg, cases[i].msg, cases[i].len);
		assert_int_equal(tcp_options_of(msg, cases[i].len), cases[i].asked);
		free(msg);
	}
}

// Nothing is read behind the end, whatever it says.
TEST(test_asked_any)
{
	srand(7828);
	for (unsigned i = 0; i < QUERIES; i++) {
		size_t k = (size_t)rand() % ARRAY_LEN(cases);
		size_t len = (size_t)rand() % (cases[k].len + 1U);
		uint8_t *msg = malloc(len + 1);
		memcpy(msg, cases[k].msg, len);
		for (unsigned n = (unsigned)rand() % 4; n && len; n--)
			msg[(size_t)rand() % len] = (uint8_t)rand();
		uint8_t *exact = realloc(msg, len ? len : 1);
		(void)tcp_options_of(exact, len);
		free(exact);
	}
}

TEST(test_tell)
{
	static const uint8_t before[] = {HEADER(1), QUESTION, OPT(6), COOKIE};
	static const uint8_t after[] = {
		HEADER(1), QUESTION, OPT(12), COOKIE, 0, 11, 0, 2, 0x03, 0xe8};
	uint8_t room[REPLY_HEADROOM + sizeof(before) + REPLY_TAILROOM];
	struct frontend_reply r = {room + REPLY_HEADROOM, sizeof(before), 19};

	memcpy(r.msg, before, sizeof(before));
	tcp_keepalive_tell(&r, 100000);
	assert_int_equal(r.len, sizeof(after));
	assert_memory_equal(r.msg, after, sizeof(after));
	r.opt = 0;
	tcp_keepalive_tell(&r, 100000);
	assert_int_equal(r.len, sizeof(after));
	r.opt = 19;
	tcp_keepalive_tell(&r, UINT32_MAX);
	assert_memory_equal(r.msg + r.len - 2, "\xff\xff", 2);
}

// One that has no room left goes as it is.
TEST(test_tell_full)
{
	uint8_t *room = calloc(1, REPLY_HEADROOM + DNS_MESSAGE_MAX + REPLY_TAILROOM);
	struct frontend_reply r = {room + REPLY_HEADROOM, DNS_MESSAGE_MAX - 5, 12};

	tcp_keepalive_tell(&r, 100000);
	assert_int_equal(r.len, DNS_MESSAGE_MAX - 5);
	r.len = DNS_MESSAGE_MAX - 6;
	tcp_keepalive_tell(&r, 100000);
	assert_int_equal(r.len, DNS_MESSAGE_MAX);
	free(room);
}

TEST(test_padding)
{
	static const uint8_t before[] = {HEADER(1), QUESTION, OPT(6), COOKIE};
	uint8_t msg[2 * TCP_PADDING_BLOCK];
	struct frontend_reply r = {msg, sizeof(before), 19};

	memset(msg, 0xff, sizeof(msg));
	memcpy(msg, before, sizeof(before));
	unsigned pad = tcp_padding_of(&r);
	assert_int_equal(r.len + pad, TCP_PADDING_BLOCK);
	tcp_padding_put(msg, &r, pad);
	assert_int_equal(get_u16(msg + 19 + 9), 6 + pad);
	assert_memory_equal(msg + 30, before + 30, 6);
	assert_int_equal(get_u16(msg + 36), 12);
	assert_int_equal(get_u16(msg + 38), pad - 4);
	for (unsigned i = 40; i < TCP_PADDING_BLOCK; i++)
		assert_int_equal(msg[i], 0);
	assert_int_equal(msg[TCP_PADDING_BLOCK], 0xff);
	r.len = TCP_PADDING_BLOCK - 4; // the option's head fills the block
	assert_int_equal(tcp_padding_of(&r), 4);
	r.len = TCP_PADDING_BLOCK - 3;
	assert_int_equal(tcp_padding_of(&r), TCP_PADDING_BLOCK + 3);
	r.len = 140 * TCP_PADDING_BLOCK - 3; // would be longer than a message may be
	assert_int_equal(tcp_padding_of(&r), 0);
	r.len = sizeof(before);
	r.opt = 0;
	assert_int_equal(tcp_padding_of(&r), 0);
}
