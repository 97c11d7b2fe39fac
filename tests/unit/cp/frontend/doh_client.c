// SPDX-License-Identifier: BSD-3-Clause
#include "doh_client.h"

enum { FRAME_HEAD = 9 };

void doh_start(void)
{
	tcp_rig_doh = true;
	tcp_rig_certify(dot_certificate(TLS_RIG_GOOD));
	tcp_rig_start();
}

struct dot doh_connect(const char *alpn)
{
	const int fd = tcp_connect_kind(FRONTEND_TCP_DOH, 1);
	const struct dot d = {fd, tls_side_client(fd, 3, alpn)};
	assert_true(tls_side_turn(d.side));
	return d;
}

void doh_query(uint8_t out[DOH_QUERY], uint16_t id, char order)
{
	uint8_t framed[2 + DOH_QUERY];
	assert_int_equal(tcp_message(framed, id, order, DOH_QUERY), sizeof(framed));
	memcpy(out, framed + 2, DOH_QUERY);
}

void doh_read(struct dot d, void *out, size_t len)
{
	for (size_t got = 0; got < len;) {
		ssize_t n = tls_side_read(d.side, (uint8_t *)out + got, len - got);
		assert_true(n > 0);
		got += (size_t)n;
	}
}

static size_t frame_put(uint8_t *out, size_t len, unsigned type, unsigned flags, uint32_t stream,
	const void *payload)
{
	out[0] = 0;
	put_u16(out + 1, (uint16_t)len);
	out[3] = (uint8_t)type;
	out[4] = (uint8_t)flags;
	put_u32(out + 5, stream);
	if (len)
		memcpy(out + FRAME_HEAD, payload, len);
	return FRAME_HEAD + len;
}

void http2_frame(struct dot d, size_t len, unsigned type, unsigned flags, uint32_t stream,
	const void *payload)
{
	uint8_t out[FRAME_HEAD + DOH_TEXT * 4];
	tls_side_write(d.side, out, frame_put(out, len, type, flags, stream, payload));
}

struct dot http2_connect(void)
{
	static const char preface[] = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
	struct dot d = doh_connect("\2h2\10http/1.1");

	tls_side_write(d.side, preface, sizeof(preface) - 1);
	http2_frame(d, 0, SETTINGS, 0, 0, NULL);
	return d;
}

struct dot http2_start(void)
{
	doh_start();
	return http2_connect();
}

static size_t head_put(uint8_t *out, uint32_t stream, const char *path)
{
	static const char rest[] = "\x01\x01"
				   "a\x0f\x10\x17"
				   "application/dns-message";
	uint8_t head[HTTP2_POST] = {0x83, 0x87, 0x04, (uint8_t)strlen(path)};
	size_t n = 4;

	memcpy(head + n, path, strlen(path));
	n += strlen(path);
	memcpy(head + n, rest, sizeof(rest) - 1);
	return frame_put(out, n + sizeof(rest) - 1, HEADERS, END_HEADERS, stream, head);
}

void http2_head(struct dot d, uint32_t stream)
{
	uint8_t out[HTTP2_POST];
	tls_side_write(d.side, out, head_put(out, stream, "/dns-query"));
}

size_t http2_post_put(uint8_t out[HTTP2_POST], uint32_t stream, const char *path, char order)
{
	uint8_t msg[DOH_QUERY];
	const size_t n = head_put(out, stream, path);

	doh_query(msg, (uint16_t)stream, order);
	return n + frame_put(out + n, sizeof(msg), DATA, END_STREAM, stream, msg);
}

void http2_post(struct dot d, uint32_t stream, char order)
{
	uint8_t out[HTTP2_POST];
	tls_side_write(d.side, out, http2_post_put(out, stream, "/dns-query", order));
}

uint32_t http2_next(struct dot d, unsigned type, size_t at, uint32_t *value)
{
	uint8_t head[FRAME_HEAD], payload[DOH_TEXT * 8];

	do {
		doh_read(d, head, sizeof(head));
		doh_read(d, payload, get_u16(head + 1));
	} while (head[3] != type);
	*value = get_u32(payload + at);
	return get_u32(head + 5);
}
