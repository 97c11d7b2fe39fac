// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// Checks that a client sends well-formed HTTP/1.1. The parsers that serve requests (libevent's, and
// http-parser as Debian builds it) accept bytes that RFC 9112 refuses, and two parsers that read
// one request differently make request smuggling possible. So the checker reads each byte before
// they do, and says how many bytes are beyond doubt. It keeps only what decides where a request
// ends.
//
// In a head it refuses: a line that ends with LF alone, and CR or NUL anywhere but in CRLF; methods
// and field names that are no tokens, so also a space before the colon and lines that begin with a
// space; HTTP/1.1 without exactly one `Host`, and a `Host` that is no host. In a body it refuses: a
// Content-Length that is not digits, or comes twice, or beside Transfer-Encoding; codings other
// than "chunked"; chunks without a valid size or end; a body after another method than POST, where
// servers differ in whether they read it (RFC 9110 9.3.1: it may be a request within a request).
// RFC 9112 2.2, 3, 3.2, 5.1, 5.2, 6, 7.1; tokens and values of RFC 9110 5.5 and 5.6.2.
//
// A checker belongs to one connection and its thread. It allocates nothing and makes no system
// call; a byte takes a few ns.

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <weir/attr.h>

enum {
	HTTP1_HOST_MAX = 261, // 255 bytes of a name, and a port
	HTTP1_WORD_MAX = 18,  // the checker knows no longer field name
};

#define HTTP1_FAULTS(X)                                                              \
	X(none, "nothing is wrong")                                                  \
	X(line_end, "a line of the head does not end with CR and LF")                \
	X(request_line, "the request line is not METHOD TARGET HTTP/1.1")            \
	X(field_name, "the name of a header field has a character that no name has") \
	X(field_value, "the value of a header field has a control character")        \
	X(host, "HTTP/1.1 wants one Host field, with a host")                        \
	X(length, "Content-Length is no number, or not the only length")             \
	X(coding, "Transfer-Encoding is not chunked")                                \
	X(chunk, "a chunk of the body has no size or no end")                        \
	X(body, "a request of another method than POST has a body")

enum http1_fault {
#define X(name, text) HTTP1_##name,
	HTTP1_FAULTS(X)
#undef X
};

struct http1_check {
	uint64_t whole; // requests that are complete and without a fault
	uint64_t left;  // bytes that the body or chunk still has
	uint16_t at;    // bytes that the state has counted
	uint8_t state, then;
	uint8_t fault; // enum http1_fault; nothing is read after a fault
	uint8_t minor; // HTTP/1.0 or HTTP/1.1
	uint8_t field, hosts, lengths, codings;
	uint8_t word_len;
	bool has_body;              // the method may have one
	bool has_blank, is_trailer; // after an empty line before a request; after the last chunk
	uint16_t value_len;
	char word[HTTP1_WORD_MAX], value[HTTP1_HOST_MAX];
};

// A new connection has a zeroed checker. Reads up to the end of a request, or to its first fault.
// Returns the number of bytes beyond doubt. `whole` grows at the end of a request.
ATTR_MUST_CHECK size_t http1_check(struct http1_check *c, const uint8_t *p, size_t n);
const char *http1_fault_text(enum http1_fault fault);
