// SPDX-License-Identifier: BSD-3-Clause
// What a hostile client does to a connection of HTTP/2: bounded, ended, and its memory is back.

#include "doh_rig.h"

enum { HEADERS = 1, PRIORITY, RST_STREAM, SETTINGS, PING = 6, WINDOW_UPDATE = 8, CONTINUATION };
enum { UNKNOWN = CONTINUATION + 1 };
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

FIXTURE(rig_by_hand, open_by_hand(&rig))

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

TEST_WITH(test_rapid_reset_is_ended, rig_by_hand, rig_end)
{
	uint8_t head[256], code[4] = {0, 0, 0, NGHTTP2_CANCEL};
	const size_t n = get_headers(head);

	rig.most = 100;
	uint32_t id = 1;
	for (; id < 4000 && doh_conn_end(rig.c) == DOH_OPEN; id += 2) {
		put_frame(&rig, n, HEADERS, END_STREAM | END_HEADERS, id, head);
		put_frame(&rig, 4, RST_STREAM, 0, id, code);
		assert_true(doh_conn_memory(rig.c) < MEMORY_IDLE);
	}
	assert_int_equal(doh_conn_end(rig.c), DOH_END_flood);
	assert_int_equal(goaway_sent(&rig), NGHTTP2_ENHANCE_YOUR_CALM);
	// Reset questions count as long as their answers are owed, so no more were asked.
	assert_true(rig.asked <= DOH_STREAMS_MAX);
	assert_int_equal(rig_counts(&rig).resets_client, DOH_RESETS_BURST + 1);
	assert_int_equal(rig_counts(&rig).goaways, 1);
	rig_answer(&rig, 0, 1);
	assert_int_equal(rig_counts(&rig).unwanted, 1);
}

static void ends_by_protocol(void)
{
	assert_int_equal(goaway_sent(&rig), NGHTTP2_PROTOCOL_ERROR);
	assert_int_equal(doh_conn_end(rig.c), DOH_END_broken);
}

TEST_WITH(test_no_stream_has_a_priority, rig_by_hand, rig_end)
{
	put_frame(&rig, 5, PRIORITY, 0, 1, "\0\0\0\0\x10");
	assert_int_equal(doh_conn_end(rig.c), DOH_OPEN); // of a stream: passed over
	put_frame(&rig, 5, PRIORITY, 0, 0, "\0\0\0\0\x10");
	ends_by_protocol();
}

TEST_WITH(test_streams_go_up, rig_by_hand, rig_end)
{
	uint8_t head[256];
	const size_t n = get_headers(head);
	put_frame(&rig, n, HEADERS, END_STREAM | END_HEADERS, 5, head);
	assert_int_equal(rig.asked, 1);
	put_frame(&rig, n, HEADERS, END_STREAM | END_HEADERS, 3, head);
	assert_int_equal(rig.asked, 1);
	ends_by_protocol();
}

// Fields behind a body, of a stream that is not the newest.
TEST_WITH(test_trailers_of_an_older_stream, rig_by_hand, rig_end)
{
	uint8_t head[256];
	const size_t n = get_headers(head);
	put_frame(&rig, n, HEADERS, END_HEADERS, 1, head);
	put_frame(&rig, n, HEADERS, END_STREAM | END_HEADERS, 3, head);
	put_frame(&rig, 4, HEADERS, END_STREAM | END_HEADERS, 1, "\0\1x");
	assert_int_equal(goaway_sent(&rig), UINT32_MAX);
	assert_int_equal(rig.asked, 2);
}

// Of a stream that weir reset, which the client cannot know yet (RFC 9113 5.1). One that was never
// opened stays an error.
TEST_WITH(test_trailers_of_a_stream_that_was_reset, rig_by_hand, rig_end)
{
	uint8_t head[256];
	const uint8_t much[4] = {0x7f, 0xff, 0xff, 0xff};
	const size_t n = get_headers(head);
	put_frame(&rig, n, HEADERS, END_HEADERS, 1, head);
	put_frame(&rig, 4, WINDOW_UPDATE, 0, 1, much); // an error of the stream
	assert_int_equal(rig_counts(&rig).resets_server, 1);
	put_frame(&rig, 4, HEADERS, END_STREAM | END_HEADERS, 1, "\0\1x");
	assert_int_equal(goaway_sent(&rig), UINT32_MAX);
	put_frame(&rig, n, HEADERS, END_STREAM | END_HEADERS, 5, head);
	put_frame(&rig, 4, HEADERS, END_STREAM | END_HEADERS, 1, "\0\1x");
	assert_int_equal(goaway_sent(&rig), UINT32_MAX);
	assert_int_equal(rig.asked, 1);
	put_frame(&rig, n, HEADERS, END_STREAM | END_HEADERS, 3, head);
	ends_by_protocol();
}

TEST_WITH(test_resets_of_the_server_count, rig_by_hand, rig_end)
{
	uint8_t head[256], much[4] = {0x7f, 0xff, 0xff, 0xff};
	const size_t n = get_headers(head);

	for (uint32_t id = 1; id < 4000 && doh_conn_end(rig.c) == DOH_OPEN; id += 2) {
		put_frame(&rig, n, HEADERS, END_STREAM | END_HEADERS, id, head);
		put_frame(&rig, 4, WINDOW_UPDATE, 0, id, much); // an error of the stream
	}
	assert_int_equal(doh_conn_end(rig.c), DOH_END_flood);
	assert_int_equal(goaway_sent(&rig), NGHTTP2_ENHANCE_YOUR_CALM);
	assert_true(rig_counts(&rig).resets_server <= DOH_RESETS_BURST + 1);
}

TEST_WITH(test_a_client_may_reset_now_and_then, rig_by_hand, rig_end)
{
	uint8_t head[256], code[4] = {0, 0, 0, NGHTTP2_CANCEL};
	const size_t n = get_headers(head);

	for (uint32_t id = 1; id < 800; id += 2) {
		put_frame(&rig, n, HEADERS, END_STREAM | END_HEADERS, id, head);
		put_frame(&rig, 4, RST_STREAM, 0, id, code);
		rig_answer(&rig, rig.asked - 1, 1);
		rig.now_ms += 1000 / DOH_RESETS_RATE;
	}
	assert_int_equal(doh_conn_end(rig.c), DOH_OPEN);
	assert_int_equal(rig_counts(&rig).unwanted, 400);
}

// Of a request, or of trailers, which mean nothing.
static void continuation_flood(bool trailers)
{
	uint8_t junk[16384], head[256];
	size_t most = 0, i;

	// A literal field without indexing after the other: "a: aaa...".
	for (i = 0; i < sizeof(junk); i += 64) {
		memset(junk + i, 'a', 64);
		memcpy(junk + i, "\x00\x01\x61\x3c", 4);
	}
	open_by_hand(&rig);
	if (trailers)
		put_frame(&rig, get_headers(head), HEADERS, END_HEADERS, 1, head);
	put_frame(&rig, sizeof(junk), HEADERS, END_STREAM, 1, junk);
	for (i = 0; i < 1000 && doh_conn_end(rig.c) == DOH_OPEN; i++) {
		put_frame(&rig, sizeof(junk), CONTINUATION, 0, 1, junk);
		most = doh_conn_memory(rig.c) > most ? doh_conn_memory(rig.c) : most;
	}
	assert_int_equal(doh_conn_end(rig.c), DOH_END_flood);
	assert_true(i <= DOH_BLOCK_MAX / sizeof(junk));
	assert_true(most < MEMORY_IDLE + sizeof(junk));
	rig_close(&rig);
}

TEST(test_continuation_flood_is_ended)
{
	continuation_flood(false);
	continuation_flood(true);
	open_by_hand(&rig);
	put_frame(&rig, 1, HEADERS, END_STREAM, 1, "\x82");
	for (unsigned i = 0; i < 1000 && doh_conn_end(rig.c) == DOH_OPEN; i++)
		put_frame(&rig, 0, CONTINUATION, 0, 1, NULL);
	assert_int_equal(doh_conn_end(rig.c), DOH_END_flood);
	rig_close(&rig);
}

// A literal field with indexing, "x: aaa...", of 4,000 bytes and perhaps one that no field has;
// then a byte for each more of it. Of a request or of trailers.
static size_t bomb(uint8_t *out, size_t references, char last)
{
	memcpy(out, "\x40\x01x\x7f\xa1\x1e", 6);
	memset(out + 6, 'a', 4000);
	out[6 + 3999] = (uint8_t)last;
	memset(out + 4006, 0xbe, references);
	return 4006 + references;
}

static void bomb_ends(bool trailers, char last)
{
	uint8_t head[16384], frames[9 + sizeof(head)];
	size_t taken = 0;

	open_by_hand(&rig);
	if (trailers)
		put_frame(&rig, get_headers(head), HEADERS, END_HEADERS, 1, head);
	const size_t len =
		frame(frames, bomb(head, 8000, last), HEADERS, END_STREAM | END_HEADERS, 1, head);
	taken = rig_put(&rig, frames, len);
	assert_int_equal(doh_conn_end(rig.c), DOH_END_flood);
	assert_int_equal(goaway_sent(&rig), NGHTTP2_ENHANCE_YOUR_CALM);
	// It was not decoded to its end first.
	assert_true(taken < 9 + 4006 + 100);
	assert_int_equal(rig.asked, 0);
	rig_close(&rig);
}

TEST(test_references_to_a_large_field_are_ended)
{
	bomb_ends(false, 'a');
	bomb_ends(true, 'a');
	bomb_ends(false, '\1');
	bomb_ends(true, '\1');
}

// Nor are they for nothing in many requests, each refused for its size alone.
TEST_WITH(test_large_fields_have_a_pace, rig_by_hand, rig_end)
{
	uint8_t head[16384];
	unsigned refused = 0;

	for (uint32_t id = 1; id < 4000 && doh_conn_end(rig.c) == DOH_OPEN; id += 2) {
		size_t n = get_headers(head);
		n += id == 1 ? bomb(head + n, 2, 'a') : 3;
		if (id > 1)
			memset(head + n - 3, 0xbe, 3);
		put_frame(&rig, n, HEADERS, END_STREAM | END_HEADERS, id, head);
		refused++;
	}
	assert_int_equal(doh_conn_end(rig.c), DOH_END_flood);
	assert_in_range(refused, 20, 30);
	assert_int_equal(rig_counts(&rig).responses[DOH_431], refused - 1);
	assert_int_equal(rig.asked, 0);
}

// Of a browser, say: a KiB of fields with each of very many requests.
TEST_WITH(test_usual_fields_cost_nothing, rig_by_hand, rig_end)
{
	uint8_t head[2048];

	for (uint32_t id = 1; id < 1000; id += 2) {
		size_t n = get_headers(head);
		head[n++] = 0x40;
		memcpy(head + n, "\x01x\x7f\x81\x07", 5);
		memset(head + n + 5, 'a', 1024);
		put_frame(&rig, n + 5 + 1024, HEADERS, END_STREAM | END_HEADERS, id, head);
		rig_answer(&rig, rig.asked - 1, 1);
		rig.out_len = 0;
	}
	assert_int_equal(doh_conn_end(rig.c), DOH_OPEN);
}

TEST_WITH(test_a_header_may_be_continued_in_any_pieces, rig_by_hand, rig_end)
{
	uint8_t head[256], frames[512];
	size_t n = get_headers(head), len = frame(frames, 5, HEADERS, END_STREAM, 1, head);

	len += frame(frames + len, 7, CONTINUATION, 0, 1, head + 5);
	len += frame(frames + len, n - 12, CONTINUATION, END_HEADERS, 1, head + 12);
	for (size_t i = 0; i < len; i++)
		assert_int_equal(rig_put(&rig, frames + i, 1), 1);
	assert_int_equal(rig.asked, 1);
}

static void flood(unsigned type, size_t len, uint32_t stream)
{
	static const uint8_t payload[8];
	unsigned i;

	open_by_hand(&rig);
	for (i = 0; i < 10000 && doh_conn_end(rig.c) == DOH_OPEN; i++) {
		put_frame(&rig, len, type, 0, stream, payload);
		rig.out_len = 0;
		assert_true(doh_conn_memory(rig.c) < MEMORY_IDLE);
	}
	assert_int_equal(doh_conn_end(rig.c), DOH_END_flood);
	assert_true(i <= DOH_FRAMES_BURST);
	rig_close(&rig);
}

TEST(test_floods_of_small_frames_are_ended)
{
	flood(PING, 8, 0);
	flood(SETTINGS, 0, 0);
	flood(PRIORITY, 5, 3);
	flood(UNKNOWN, 8, 0); // the first and the last of them
	flood(UINT8_MAX, 0, 3);
}

TEST_WITH(test_acknowledgements_are_not_gathered, rig_by_hand, rig_end)
{
	static const uint8_t payload[8];
	size_t most = 0;

	rig.deaf = true; // as a client that reads nothing
	for (unsigned i = 0; i < 10000 && doh_conn_end(rig.c) == DOH_OPEN; i++) {
		put_frame(&rig, 8, PING, 0, 0, payload);
		most = doh_conn_memory(rig.c) > most ? doh_conn_memory(rig.c) : most;
	}
	assert_int_equal(doh_conn_end(rig.c), DOH_END_flood);
	assert_true(most < MEMORY_IDLE);
}

TEST_WITH(test_unread_replies_are_bounded, rig_http2, rig_end)
{
	for (unsigned i = 0; i < 10; i++)
		(void)rig_post(&rig);
	rig.deaf = true;
	for (unsigned i = 0; i < 10 && doh_conn_end(rig.c) == DOH_OPEN; i++)
		rig_answer_len(&rig, i, DOH_MESSAGE_MAX);
	assert_int_equal(doh_conn_end(rig.c), DOH_END_slow_reader);
	assert_true(doh_conn_memory(rig.c) < DOH_ANSWERS_MAX + 2 * DOH_MESSAGE_MAX + MEMORY_IDLE);
}

TEST_WITH(test_memory_of_a_connection_has_an_end, rig_by_hand, rig_end)
{
	uint8_t head[256], body[16384] = {0};
	size_t n = get_headers(head);

	head[0] = 0x83; // POST
	memcpy(head + n, "\x0f\x10\x17", 3);
	memcpy(head + n + 3, "application/dns-message", 23);
	n += 26;
	for (uint32_t id = 1; id < 200; id += 2)
		put_frame(&rig, n, HEADERS, END_HEADERS, id, head);
	for (uint32_t i = 0; i < 1000 && doh_conn_end(rig.c) == DOH_OPEN; i++) {
		put_frame(&rig, sizeof(body), 0, 0, 1 + 2 * (i % 100), body);
		assert_true(doh_conn_memory(rig.c) <= DOH_MEMORY_MAX);
	}
	// The window of the connection was full long before: more is an error of the client.
	assert_int_not_equal(goaway_sent(&rig), UINT32_MAX);
	assert_int_equal(rig.asked, 0);
}

TEST_WITH(test_a_slow_request_is_reset, rig_by_hand, rig_end)
{
	uint8_t head[256];
	size_t n = get_headers(head);

	head[0] = 0x83;
	put_frame(&rig, n, HEADERS, END_HEADERS, 1, head);
	assert_int_equal(doh_conn_deadline(rig.c), rig.now_ms + rig.set.request_ms);
	rig.now_ms += rig.set.request_ms - 1;
	doh_conn_expire(rig.c, rig.now_ms);
	rig_pump(&rig);
	assert_int_equal(rig_counts(&rig).resets_server, 0);
	rig.now_ms++;
	doh_conn_expire(rig.c, rig.now_ms);
	rig_pump(&rig);
	assert_int_equal(rig_counts(&rig).resets_server, 1);
	assert_true(doh_conn_deadline(rig.c) == UINT64_MAX);
	assert_int_equal(doh_conn_end(rig.c), DOH_OPEN);
}

// A client that keeps its connection from being read stretches no request for ever.
TEST_WITH(test_a_request_is_not_spared_for_ever, rig_by_hand, rig_end)
{
	uint8_t head[256];
	const size_t n = get_headers(head);
	const uint64_t end_ms = rig.now_ms + (uint64_t)DOH_SPARED_MAX * rig.set.request_ms;

	put_frame(&rig, n, HEADERS, END_HEADERS, 1, head);
	while (rig.now_ms < end_ms) {
		assert_int_equal(rig_counts(&rig).resets_server, 0);
		rig.now_ms += rig.set.request_ms / 2;
		doh_conn_spare(rig.c, rig.now_ms);
		doh_conn_expire(rig.c, rig.now_ms);
		rig_pump(&rig);
	}
	assert_int_equal(rig_counts(&rig).resets_server, 1);
}

TEST(test_a_silent_or_foreign_client_ends)
{
	rig_open(&rig, DOH_http2, false);
	(void)rig_put(&rig, preface, 10);
	assert_int_equal(doh_conn_deadline(rig.c), rig.now_ms + rig.set.request_ms);
	doh_conn_expire(rig.c, rig.now_ms + rig.set.request_ms);
	assert_int_equal(doh_conn_end(rig.c), DOH_END_slow_query);
	rig_close(&rig);
	rig_open(&rig, DOH_http2, false);
	(void)rig_put(&rig, "GET / HTTP/1.1\r\n\r\n", 18);
	assert_int_equal(doh_conn_end(rig.c), DOH_END_broken);
	rig_close(&rig);
}

// A client that lets nothing of its responses come, or a byte now and then (CVE-2019-9511).
static void window_ends(bool trickles)
{
	uint8_t head[256], settings[6] = {0, 4, 0, 0, 0, 0}, one[4] = {0, 0, 0, 1};
	const size_t n = get_headers(head);

	open_by_hand(&rig);
	put_frame(&rig, sizeof(settings), SETTINGS, 0, 0, settings);
	put_frame(&rig, n, HEADERS, END_STREAM | END_HEADERS, 1, head);
	rig_answer(&rig, 0, 1);
	const uint64_t end_ms = rig.now_ms + rig.set.drain_ms;
	for (; rig.now_ms < end_ms; rig.now_ms += rig.set.drain_ms / 4) {
		const size_t before = rig.out_len;
		assert_int_equal(doh_conn_deadline(rig.c), end_ms);
		if (trickles)
			put_frame(&rig, sizeof(one), WINDOW_UPDATE, 0, 1, one);
		assert_int_equal(rig.out_len, trickles ? before + 9 + 1 : before);
	}
	doh_conn_expire(rig.c, rig.now_ms);
	assert_int_equal(doh_conn_end(rig.c), DOH_END_slow_reader);
	rig_close(&rig);
}

TEST(test_a_closed_window_has_a_deadline)
{
	window_ends(false);
	window_ends(true);
}
