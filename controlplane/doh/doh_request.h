// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// A request of DNS over HTTPS (RFC 8484 4.1), whatever version of HTTP it came by: which DNS
// message it has, or with which status it ends. Bytes may come in parts of any size.
//
// GET has the message in the parameter `dns` of the query string, in base64url without padding (RFC
// 4648 5): exactly one such parameter, no other character, no bits left over. POST has it as the
// body, of type application/dns-message. Accept means nothing: there is one format to answer in
// (RFC 9110 12.5.1 lets a server do so). A path is compared byte for byte, without undoing escapes.
// In front of it may stand https:// and any authority (RFC 9112 3.2.2), behind it one more part,
// the name of a client (`/dns-query/kid`), of 1 to DOH_NAME_MAX letters, digits, `-` and `_`:
// whether it is known is for others to say.

#include "doh_memory.h"

struct doh_request {
	enum doh_method method;
	bool is_head;      // the response has no body
	bool has_type;     // content-type: application/dns-message
	bool has_length;   // content-length
	bool is_coded;     // the body is compressed, say
	bool no_memory;    // the connection has to end
	bool headers_over; // the status is settled but for the body's size
	enum doh_status status;
	uint64_t length;             // content-length
	size_t header_bytes;         // bytes of all fields
	struct doh_bytes path;       // ":path", as it came; gone with the headers' end
	char name[DOH_NAME_MAX + 1]; // the client's, behind the path; may be ""
	struct doh_bytes message;
	uint64_t discarded; // bytes of a body that is not needed
};

// Name and value of one header field, name in lower case for HTTP/2, any case for HTTP/1.1.
void doh_request_method(struct doh_request *r, const uint8_t *p, size_t n);
void doh_request_path(struct doh_request *r, struct doh_memory *m, const uint8_t *p, size_t n);
void doh_request_field(struct doh_request *r, const uint8_t *name, size_t name_len,
	const uint8_t *value, size_t value_len);
// DOH_200: go on with the body, if any. Any other status is how it will end.
enum doh_status doh_request_headers_end(
	struct doh_request *r, struct doh_memory *m, const char *path);
// A part of the body. False: more than a message may have; respond without the rest.
bool doh_request_body(struct doh_request *r, struct doh_memory *m, const uint8_t *p, size_t n);
// The body is whole. DOH_200: `message` has 12 bytes or more.
enum doh_status doh_request_end(struct doh_request *r);
void doh_request_drop(struct doh_request *r, struct doh_memory *m);
