// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// A connection of DNS over HTTPS with a client: nghttp2's, or bytes by hand. Its owner asks at once
// what is whole, and answers when the test says so.

#include "controlplane/doh/doh.h"
#include "tests/unit/unit.h"

#include <nghttp2/nghttp2.h>

enum { RIG_ASKED = 512, RIG_STREAMS = 2048, RIG_TEXT = 1 << 20, RIG_QUERY = 29 };

struct rig_response {
	unsigned status;
	char type[64], cache[64], length[16], allow[32];
	size_t body;
	uint8_t first[64]; // of the body
	bool ended, closed;
	uint32_t error; // when closed
};

struct rig {
	struct doh_settings set;
	struct doh *d;
	struct doh_conn *c;
	uint64_t now_ms;
	unsigned asked;
	struct {
		uint16_t id;
		size_t len;
		uint8_t head[RIG_QUERY];
	} question[RIG_ASKED];
	bool deaf;               // the owner sends nothing
	unsigned most;           // questions that it asks at one time; 0: any number
	unsigned open;           // of these, without an answer
	nghttp2_session *client; // NULL: bytes by hand
	struct rig_response *of; // by stream id
	uint32_t goaway;         // its code; UINT32_MAX: none
	uint32_t streams;        // as the server lets
	uint8_t *out;            // what the server sent, of a client by hand
	size_t out_len;
};

extern struct rig rig;                     // one at a time
extern const uint8_t rig_query[RIG_QUERY]; // www.example.com A, id 0xabcd
enum { RIG_REPLY = 45 };
void rig_reply(uint8_t out[RIG_REPLY], uint16_t id, uint32_t ttl); // to it

void rig_open(struct rig *r, enum doh_version version, bool has_client);
// Frees all, and checks that no memory is left.
void rig_close(struct rig *r);
// Around a case: `rig` open by HTTP/1.1, or with a client of HTTP/2.
int rig_http1(void **state);
int rig_http2(void **state);
int rig_end(void **state);
void rig_pump(struct rig *r); // until nothing moves
// Bytes by hand; returns how many were taken.
size_t rig_put(struct rig *r, const void *p, size_t n);
void rig_answer(struct rig *r, unsigned question, uint32_t ttl);
void rig_answer_len(struct rig *r, unsigned question, size_t len);
struct doh_counts rig_counts(const struct rig *r);

// A request of the nghttp2 client; returns its stream. `body` may be NULL.
int32_t rig_request(struct rig *r, const char *method, const char *path, const char *type,
	const void *body, size_t len);
int32_t rig_post(struct rig *r);

// rig_query in base64url.
#define RIG_GET "/dns-query?dns=q80BAAABAAAAAAAAB2V4YW1wbGUDY29tAAABAAE"
