// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// Words and bounds of DNS over HTTPS: versions, methods and statuses that weir knows, and how much
// a client may send (doh.h says what happens then).

#include <stdint.h>

enum {
	DOH_PATH_MAX = 128,
	DOH_NAME_MAX = 63, // a client's, behind the path
	DOH_STREAMS_MAX = 100,
	DOH_HEADERS_MAX = 8192, // counted by RFC 9113 6.5.2:
	DOH_FIELD_COST = 32,    // counted for each field besides
	DOH_MESSAGE_MAX = 65535,
	DOH_WINDOW = 262144,
	DOH_ANSWERS_MAX = 262144,
	DOH_MEMORY_MAX = 1048576,
	DOH_BLOCK_MAX = 32768,  // bytes of a header block in HEADERS and CONTINUATION frames
	DOH_RESETS_BURST = 100, // then DOH_RESETS_RATE a second
	DOH_RESETS_RATE = 10,
	DOH_FRAMES_BURST = 1000, // then DOH_FRAMES_RATE a second, and DOH_FRAMES_EACH a request
	DOH_FRAMES_RATE = 50,
	DOH_FRAMES_EACH = 8,
	DOH_FIELDS_EACH = 2048, // bytes of fields that each request has for nothing, counted like
				// DOH_HEADERS_MAX;
	DOH_FIELDS_BURST = 256, // then so many KiB of a connection, and
	DOH_FIELDS_RATE = 32,   // KiB a second
	DOH_PIECE = 4096,       // bytes that doh_conn_take takes at most
};

#define DOH_VERSIONS(X) X(http1) X(http2)
enum doh_version {
#define X(name) DOH_##name,
	DOH_VERSIONS(X)
#undef X
		DOH_VERSION_COUNT
};
extern const char *const doh_http_versions[DOH_VERSION_COUNT];

#define DOH_METHODS(X) X(get) X(post) X(other)
enum doh_method {
#define X(name) DOH_METHOD_##name,
	DOH_METHODS(X)
#undef X
		DOH_METHOD_COUNT
};
extern const char *const doh_http_methods[DOH_METHOD_COUNT];

// X(number, reason, text of the body)
#define DOH_STATUSES(X)                                                                   \
	X(200, "OK", "")                                                                  \
	X(400, "Bad Request", "the request has no DNS query that weir can read\n")        \
	X(403, "Forbidden", "this client or this query gets no answer\n")                 \
	X(404, "Not Found", "DNS over HTTPS has another path\n")                          \
	X(405, "Method Not Allowed", "DNS over HTTPS takes GET and POST\n")               \
	X(408, "Request Timeout", "the request was not complete in time\n")               \
	X(413, "Content Too Large", "a DNS message has at most 65,535 bytes\n")           \
	X(415, "Unsupported Media Type", "the body must be application/dns-message\n")    \
	X(431, "Request Header Fields Too Large", "header fields may have 8,192 bytes\n") \
	X(503, "Service Unavailable", "no answer was found in time\n")

enum doh_status {
#define X(number, reason, text) DOH_##number,
	DOH_STATUSES(X)
#undef X
		DOH_STATUS_COUNT
};
extern const uint16_t doh_http_numbers[DOH_STATUS_COUNT]; // numbers of statuses
