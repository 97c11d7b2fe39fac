// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// dot_rig.h's server with DNS over HTTPS, and clients of it that write frames of HTTP/2 by hand.

#include "dot_rig.h"

enum { DOH_TEXT = 4096, DOH_QUERY = TCP_SHORTEST };
enum { DATA, HEADERS, RST_STREAM = 3, SETTINGS, GOAWAY = 7, WINDOW_UPDATE, CONTINUATION };
enum { END_STREAM = 1, END_HEADERS = 4 };

void doh_start(void);                     // tcp_rig_start, with TLS_RIG_GOOD
struct dot doh_connect(const char *alpn); // with its handshake
void doh_query(uint8_t out[DOH_QUERY], uint16_t id, char order);
void doh_read(struct dot d, void *out, size_t len);

struct dot http2_connect(void); // with the preface
struct dot http2_start(void);   // doh_start, and one such
void http2_frame(struct dot d, size_t len, unsigned type, unsigned flags, uint32_t stream,
	const void *payload);
void http2_head(struct dot d, uint32_t stream); // of a POST
enum { HTTP2_POST = 128 };                      // bytes are enough
size_t http2_post_put(uint8_t out[HTTP2_POST], uint32_t stream, const char *path, char order);
void http2_post(struct dot d, uint32_t stream, char order);
// The next frame of a type; its stream, and its payload's four bytes from `at` on.
uint32_t http2_next(struct dot d, unsigned type, size_t at, uint32_t *value);
