// SPDX-License-Identifier: BSD-3-Clause
// What a hostile client does to a connection of HTTP/2: bounded, ended, and its memory is back.

#include "doh_rig.h"

enum { HEADERS = 1, PRIORITY, RST_STREAM, SETTINGS, PING = 6, WINDOW_UPDATE = 8, CONTINUATION };
enum { END_STREAM = 1, END_HEADERS = 4 };
enum { MEMORY_IDLE = 65536 };

static const char preface[] = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

static size_t frame(uint8_t *out, size_t len, unsigned type, unsigned flags, uint32_t stream,
	const void *payload)
{
	out[0] = (uint8_t)(len >> 16);
	put_u16(out + 1, (uint16_t)len);
	out[3] = (uint8_t)type;
	out[4] = (uint8_t)flags;
	put_u32(out + 5, stream);
	if (len)
		memcpy(out + 9, payload, len);
	return 9 + len;
}

static void put_frame(struct rig *r, size_t len, unsigned type, unsigned flags, uint32_t stream,
	const void *payload)
{
	uint8_t out[9 + 16384];
	(void)rig_put(r, out, frame(out, len, type, flags, stream, payload));
}

static void open_by_hand(struct rig *r)
{
	rig_open(r, DOH_http2, false);
	(void)rig_put(r, preface, sizeof(preface) - 1);
	put_frame(r, 0, SETTINGS, 0, 0, NULL);
}

// Indexed :method GET, :scheme https, a literal :path, a literal :authority.
static size_t get_headers(uint8_t *out)
{
	static const char path[] = RIG_GET;
	const size_t n = sizeof(path) - 1;

	memcpy(out, "\x82\x87\x04", 3);
	out[3] = (uint8_t)n;
	memcpy(out + 4, path, n);
	memcpy(out + 4 + n, "\x01\x01h", 3);
	return 4 + n + 3;
}

// The error code of the GOAWAY that the server sent; UINT32_MAX: none.
static uint32_t goaway_sent(const struct rig *r)
{
	for (size_t at = 0; at + 9 <= r->out_len;) {
		size_t len = (size_t)r->out[at] << 16 | get_u16(r->out + at + 1);
		if (r->out[at + 3] == 7)
			return get_u32(r->out + at + 9 + 4);
		at += 9 + len;
	}
	return UINT32_MAX;
}

TEST(test_rapid_reset_is_ended)
{
	uint8_t head[256], code[4] = {0, 0, 0, NGHTTP2_CANCEL};
	const size_t n = get_headers(head);
	struct rig r;

	open_by_hand(&r);
	r.most = 100;
	uint32_t id = 1;
	for (; id < 4000 && doh_conn_end(r.c) == DOH_OPEN; id += 2) {
		put_frame(&r, n, HEADERS, END_STREAM | END_HEADERS, id, head);
		put_frame(&r, 4, RST_STREAM, 0, id, code);
		assert_true(doh_conn_memory(r.c) < MEMORY_IDLE);
	}
	assert_int_equal(doh_conn_end(r.c), DOH_END_flood);
	assert_int_equal(goaway_sent(&r), NGHTTP2_ENHANCE_YOUR_CALM);
	// Reset questions count as long as their answers are owed, so no more were asked.
	assert_true(r.asked <= DOH_STREAMS_MAX);
	assert_int_equal(rig_counts(&r).resets_client, DOH_RESETS_BURST + 1);
	assert_int_equal(rig_counts(&r).goaways, 1);
	rig_answer(&r, 0, 1);
	assert_int_equal(rig_counts(&r).unwanted, 1);
	rig_close(&r);
}

TEST(test_resets_of_the_server_count)
{
	uint8_t head[256], much[4] = {0x7f, 0xff, 0xff, 0xff};
	const size_t n = get_headers(head);
	struct rig r;

	open_by_hand(&r);
	for (uint32_t id = 1; id < 4000 && doh_conn_end(r.c) == DOH_OPEN; id += 2) {
		put_frame(&r, n, HEADERS, END_STREAM | END_HEADERS, id, head);
		put_frame(&r, 4, WINDOW_UPDATE, 0, id, much); // an error of the stream
	}
	assert_int_equal(doh_conn_end(r.c), DOH_END_flood);
	assert_int_equal(goaway_sent(&r), NGHTTP2_ENHANCE_YOUR_CALM);
	assert_true(rig_counts(&r).resets_server <= DOH_RESETS_BURST + 1);
	rig_close(&r);
}

TEST(test_a_client_may_reset_now_and_then)
{
	uint8_t head[256], code[4] = {0, 0, 0, NGHTTP2_CANCEL};
	const size_t n = get_headers(head);
	struct rig r;

	open_by_hand(&r);
	for (uint32_t id = 1; id < 800; id += 2) {
		put_frame(&r, n, HEADERS, END_STREAM | END_HEADERS, id, head);
		put_frame(&r, 4, RST_STREAM, 0, id, code);
		rig_answer(&r, r.asked - 1, 1);
		r.now_ms += 1000 / DOH_RESETS_RATE;
	}
	assert_int_equal(doh_conn_end(r.c), DOH_OPEN);
	assert_int_equal(rig_counts(&r).unwanted, 400);
	rig_close(&r);
}

// Of a request, or of trailers, which mean nothing.
static void continuation_flood(bool trailers)
{
	uint8_t junk[16384], head[256];
	size_t most = 0, i;
	struct rig r;

	// A literal field without indexing after the other: "a: aaa...".
	for (i = 0; i < sizeof(junk); i += 64) {
		memset(junk + i, 'a', 64);
		memcpy(junk + i, "\x00\x01\x61\x3c", 4);
	}
	open_by_hand(&r);
	if (trailers)
		put_frame(&r, get_headers(head), HEADERS, END_HEADERS, 1, head);
	put_frame(&r, sizeof(junk), HEADERS, END_STREAM, 1, junk);
	for (i = 0; i < 1000 && doh_conn_end(r.c) == DOH_OPEN; i++) {
		put_frame(&r, sizeof(junk), CONTINUATION, 0, 1, junk);
		most = doh_conn_memory(r.c) > most ? doh_conn_memory(r.c) : most;
	}
	assert_int_equal(doh_conn_end(r.c), DOH_END_flood);
	assert_true(i <= DOH_BLOCK_MAX / sizeof(junk));
	assert_true(most < MEMORY_IDLE + sizeof(junk));
	rig_close(&r);
}

TEST(test_continuation_flood_is_ended)
{
	struct rig r;

	continuation_flood(false);
	continuation_flood(true);
	open_by_hand(&r);
	put_frame(&r, 1, HEADERS, END_STREAM, 1, "\x82");
	for (unsigned i = 0; i < 1000 && doh_conn_end(r.c) == DOH_OPEN; i++)
		put_frame(&r, 0, CONTINUATION, 0, 1, NULL);
	assert_int_equal(doh_conn_end(r.c), DOH_END_flood);
	rig_close(&r);
}

TEST(test_a_header_may_be_continued_in_any_pieces)
{
	uint8_t head[256], frames[512];
	size_t n = get_headers(head), len = frame(frames, 5, HEADERS, END_STREAM, 1, head);
	struct rig r;

	len += frame(frames + len, 7, CONTINUATION, 0, 1, head + 5);
	len += frame(frames + len, n - 12, CONTINUATION, END_HEADERS, 1, head + 12);
	open_by_hand(&r);
	for (size_t i = 0; i < len; i++)
		assert_int_equal(rig_put(&r, frames + i, 1), 1);
	assert_int_equal(r.asked, 1);
	rig_close(&r);
}

static void flood(unsigned type, size_t len, uint32_t stream)
{
	static const uint8_t payload[8];
	unsigned i;
	struct rig r;

	open_by_hand(&r);
	for (i = 0; i < 10000 && doh_conn_end(r.c) == DOH_OPEN; i++) {
		put_frame(&r, len, type, 0, stream, payload);
		r.out_len = 0;
		assert_true(doh_conn_memory(r.c) < MEMORY_IDLE);
	}
	assert_int_equal(doh_conn_end(r.c), DOH_END_flood);
	assert_true(i <= DOH_FRAMES_BURST);
	rig_close(&r);
}

TEST(test_floods_of_small_frames_are_ended)
{
	flood(PING, 8, 0);
	flood(SETTINGS, 0, 0);
	flood(PRIORITY, 5, 3);
}

TEST(test_acknowledgements_are_not_gathered)
{
	static const uint8_t payload[8];
	size_t most = 0;
	struct rig r;

	open_by_hand(&r);
	r.deaf = true; // as a client that reads nothing
	for (unsigned i = 0; i < 10000 && doh_conn_end(r.c) == DOH_OPEN; i++) {
		put_frame(&r, 8, PING, 0, 0, payload);
		most = doh_conn_memory(r.c) > most ? doh_conn_memory(r.c) : most;
	}
	assert_int_equal(doh_conn_end(r.c), DOH_END_flood);
	assert_true(most < MEMORY_IDLE);
	rig_close(&r);
}

TEST(test_unread_replies_are_bounded)
{
	struct rig r;

	rig_open(&r, DOH_http2, true);
	for (unsigned i = 0; i < 10; i++)
		(void)rig_post(&r);
	r.deaf = true;
	for (unsigned i = 0; i < 10 && doh_conn_end(r.c) == DOH_OPEN; i++)
		rig_answer_len(&r, i, DOH_MESSAGE_MAX);
	assert_int_equal(doh_conn_end(r.c), DOH_END_slow_reader);
	assert_true(doh_conn_memory(r.c) < DOH_ANSWERS_MAX + 2 * DOH_MESSAGE_MAX + MEMORY_IDLE);
	rig_close(&r);
}

TEST(test_memory_of_a_connection_has_an_end)
{
	uint8_t head[256], body[16384] = {0};
	size_t n = get_headers(head);
	struct rig r;

	head[0] = 0x83; // POST
	memcpy(head + n, "\x0f\x10\x17", 3);
	memcpy(head + n + 3, "application/dns-message", 23);
	n += 26;
	open_by_hand(&r);
	for (uint32_t id = 1; id < 200; id += 2)
		put_frame(&r, n, HEADERS, END_HEADERS, id, head);
	for (uint32_t i = 0; i < 1000 && doh_conn_end(r.c) == DOH_OPEN; i++) {
		put_frame(&r, sizeof(body), 0, 0, 1 + 2 * (i % 100), body);
		assert_true(doh_conn_memory(r.c) <= DOH_MEMORY_MAX);
	}
	// The window of the connection was full long before: more is an error of the client.
	assert_int_not_equal(goaway_sent(&r), UINT32_MAX);
	assert_int_equal(r.asked, 0);
	rig_close(&r);
}

TEST(test_a_slow_request_is_reset)
{
	struct rig r;
	uint8_t head[256];
	size_t n = get_headers(head);

	open_by_hand(&r);
	head[0] = 0x83;
	put_frame(&r, n, HEADERS, END_HEADERS, 1, head);
	assert_int_equal(doh_conn_deadline(r.c), r.now_ms + r.set.request_ms);
	r.now_ms += r.set.request_ms - 1;
	doh_conn_expire(r.c, r.now_ms);
	rig_pump(&r);
	assert_int_equal(rig_counts(&r).resets_server, 0);
	r.now_ms++;
	doh_conn_expire(r.c, r.now_ms);
	rig_pump(&r);
	assert_int_equal(rig_counts(&r).resets_server, 1);
	assert_true(doh_conn_deadline(r.c) == UINT64_MAX);
	assert_int_equal(doh_conn_end(r.c), DOH_OPEN);
	rig_close(&r);
}

TEST(test_a_silent_or_foreign_client_ends)
{
	struct rig r;

	rig_open(&r, DOH_http2, false);
	(void)rig_put(&r, preface, 10);
	assert_int_equal(doh_conn_deadline(r.c), r.now_ms + r.set.request_ms);
	doh_conn_expire(r.c, r.now_ms + r.set.request_ms);
	assert_int_equal(doh_conn_end(r.c), DOH_END_slow_query);
	rig_close(&r);
	rig_open(&r, DOH_http2, false);
	(void)rig_put(&r, "GET / HTTP/1.1\r\n\r\n", 18);
	assert_int_equal(doh_conn_end(r.c), DOH_END_broken);
	rig_close(&r);
}

// A client that lets nothing of its responses come, or a byte now and then (CVE-2019-9511).
static void window_ends(bool trickles)
{
	uint8_t head[256], settings[6] = {0, 4, 0, 0, 0, 0}, one[4] = {0, 0, 0, 1};
	const size_t n = get_headers(head);
	struct rig r;

	open_by_hand(&r);
	put_frame(&r, sizeof(settings), SETTINGS, 0, 0, settings);
	put_frame(&r, n, HEADERS, END_STREAM | END_HEADERS, 1, head);
	rig_answer(&r, 0, 1);
	const uint64_t end_ms = r.now_ms + r.set.drain_ms;
	for (; r.now_ms < end_ms; r.now_ms += r.set.drain_ms / 4) {
		const size_t before = r.out_len;
		assert_int_equal(doh_conn_deadline(r.c), end_ms);
		if (trickles)
			put_frame(&r, sizeof(one), WINDOW_UPDATE, 0, 1, one);
		assert_int_equal(r.out_len, trickles ? before + 9 + 1 : before);
	}
	doh_conn_expire(r.c, r.now_ms);
	assert_int_equal(doh_conn_end(r.c), DOH_END_slow_reader);
	rig_close(&r);
}

TEST(test_a_closed_window_has_a_deadline)
{
	window_ends(false);
	window_ends(true);
}
