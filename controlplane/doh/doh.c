// SPDX-License-Identifier: BSD-3-Clause
// Connections of DNS over HTTPS: their memory, the requests in progress, HTTP/2, HTTP/1.1, what the
// owner calls, and which question belongs to which request.

#include "doh.h"

#include "base/allowance.h"
#include "base/http1_check.h"
#include "doh_memory.h"
#include "doh_request.h"
#include "doh_response.h"

#include <errno.h>
#include <http_parser.h>
#include <nghttp2/nghttp2.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>
#include <sys/queue.h>
#include <weir/bytes.h>
#include <weir/heap_site.h>

struct doh_library; // what nghttp2 wants once for all sessions

struct doh {
	struct doh_settings set;
	struct doh_counts counts;
	struct growth memory;
	unsigned connections, connections_most;
	struct doh_library *h2;
	struct doh_date date;
};

// A stream is in one of these stages; all but DOH_ASKED have a list, oldest first.
enum doh_stage {
	DOH_RECEIVING, // the request is not whole
	DOH_READY,     // whole, not asked
	DOH_ANSWERING, // a response is not sent whole
	DOH_ASKED,     // has a slot
	DOH_LISTS = DOH_ASKED,
};

struct doh_stream { // a request and its response
	TAILQ_ENTRY(doh_stream) list;
	struct doh_conn *conn;
	int32_t id; // for HTTP/2
	enum doh_stage stage;
	uint16_t slot;      // while DOH_ASKED
	uint64_t since_ms;  // when the stage began
	uint64_t spared_ms; // that does not count, until the request is whole
	size_t window;      // bytes of its body that the window of HTTP/2 still counts
	bool answered;      // whole, but for what the client still sends
	struct doh_request request;
	struct doh_bytes reply; // body of the response
	size_t reply_sent;
};

struct doh_slot {                  // a question that was asked
	struct doh_stream *stream; // NULL: reset since
	uint64_t order;            // the question's; 0: free
	uint16_t id;               // the client's
};

struct doh_conn {
	struct doh *doh;
	enum doh_version version;
	enum doh_end end; // once all is sent
	bool parting;     // no more requests
	struct doh_memory memory;
	size_t answers; // bytes of replies that wait
	unsigned streams, asked, slots;
	uint64_t order;    // the last question's
	uint64_t unasked;  // requests that brought none
	uint64_t begun_ms; // until the client has shown that it speaks HTTP; then 0
	TAILQ_HEAD(doh_stream_list, doh_stream) in[DOH_LISTS];
	struct doh_slot *slot;
	union {
		struct doh_h2 *h2;
		struct doh_http1 *http1;
	};
};

const char *const doh_http_versions[] = {
#define X(name) [DOH_##name] = #name,
	DOH_VERSIONS(X)
#undef X
};

const char *const doh_http_methods[] = {
#define X(name) [DOH_METHOD_##name] = #name,
	DOH_METHODS(X)
#undef X
};

const uint16_t doh_http_numbers[] = {
#define X(number, reason, text) [DOH_##number] = number,
	DOH_STATUSES(X)
#undef X
};

static const struct {
	const char *reason, *text;
} statuses[] = {
#define X(number, reason, text) [DOH_##number] = {reason, text},
	DOH_STATUSES(X)
#undef X
};

static const char *status_text(enum doh_status status)
{
	return statuses[status].text;
}

static const char *status_reason(enum doh_status status)
{
	return statuses[status].reason;
}

static bool memory_has_room(const struct doh_memory *m, size_t had, size_t n)
{
	return m->bytes - had + n <= DOH_MEMORY_MAX;
}

static void memory_count(struct doh_memory *m, size_t had, size_t has)
{
	m->bytes = m->bytes - had + has;
	growth_step(m->all, had, has);
}

void *doh_realloc(struct doh_memory *m, void *p, size_t n)
{
	size_t had = p ? heap_size(p) : 0;

	if (!memory_has_room(m, had, n))
		return NULL;
	void *to = heap_realloc(p, n);
	if (to)
		memory_count(m, had, heap_size(to));
	return to;
}

void doh_release(struct doh_memory *m, void *p)
{
	if (!p)
		return;
	memory_count(m, heap_size(p), 0);
	heap_free(p);
}

// For nghttp2, at heap sites of its own; `memory` is a struct doh_memory.
static void *library_realloc(void *p, size_t n, void *memory)
{
	struct doh_memory *m = memory;
	size_t had = p ? heap_size(p) : 0;

	if (!memory_has_room(m, had, n))
		return NULL;
	void *to = heap_nghttp2_realloc(p, n ? n : 1);
	if (to)
		memory_count(m, had, heap_size(to));
	return to;
}

static void *library_malloc(size_t n, void *memory)
{
	return library_realloc(NULL, n, memory);
}

static void *library_calloc(size_t count, size_t n, void *memory)
{
	size_t all;
	void *p =
		__builtin_mul_overflow(count, n, &all) ? NULL : library_realloc(NULL, all, memory);

	return p ? memset(p, 0, all) : NULL;
}

static void library_free(void *p, void *memory)
{
	doh_release(memory, p);
}

// Ends the connection for a reason, the first one given.
static void conn_fail(struct doh_conn *c, enum doh_end why)
{
	if (c->end == DOH_OPEN)
		c->end = why;
}

// or NULL
static struct doh_stream *stream_new(struct doh_conn *c, int32_t id, uint64_t now_ms)
{
	struct doh_stream *s = doh_realloc(&c->memory, NULL, sizeof(*s));

	if (!s) {
		conn_fail(c, DOH_END_memory);
		return NULL;
	}
	*s = (struct doh_stream){.conn = c, .id = id, .stage = DOH_RECEIVING, .since_ms = now_ms};
	TAILQ_INSERT_TAIL(&c->in[DOH_RECEIVING], s, list);
	c->streams++;
	return s;
}

static void unlist(struct doh_stream *s)
{
	if (s->stage < DOH_LISTS)
		TAILQ_REMOVE(&s->conn->in[s->stage], s, list);
	else
		s->conn->slot[s->slot].stream = NULL;
}

static void h2_consumed(struct doh_conn *c, size_t n);
static void h2_respond(struct doh_stream *s, const struct doh_response *r);
static void http1_respond(struct doh_stream *s, const struct doh_response *r);

static void request_drop(struct doh_stream *s)
{
	doh_request_drop(&s->request, &s->conn->memory);
	if (s->window && s->conn->version == DOH_http2)
		h2_consumed(s->conn, s->window);
	s->window = 0;
}

// the slot stays taken until the reply
static void stream_free(struct doh_stream *s)
{
	struct doh_conn *c = s->conn;

	unlist(s);
	request_drop(s);
	c->answers -= s->reply.len;
	doh_bytes_drop(&c->memory, &s->reply);
	c->streams--;
	doh_release(&c->memory, s);
}

static void stream_move(struct doh_stream *s, enum doh_stage stage, uint64_t now_ms)
{
	unlist(s);
	s->stage = stage;
	s->since_ms = now_ms;
	s->spared_ms = 0;
	if (stage < DOH_LISTS)
		TAILQ_INSERT_TAIL(&s->conn->in[stage], s, list);
}

// DOH_200: with the message; any other status: with its text.
static void stream_respond(struct doh_stream *s, enum doh_status status, const uint8_t *msg,
	size_t len, uint64_t now_ms)
{
	struct doh_conn *c = s->conn;
	struct doh_response r = {.status = status, .body = msg, .len = len};

	if (status == DOH_200) {
		r.max_age_s = doh_max_age(msg, len);
	} else {
		r.body = (const uint8_t *)status_text(status);
		r.len = s->request.is_head ? 0 : strlen(status_text(status));
	}
	request_drop(s);
	stream_move(s, DOH_ANSWERING, now_ms);
	if (!doh_bytes_add(&c->memory, &s->reply, r.body, r.len)) {
		conn_fail(c, DOH_END_memory);
		return;
	}
	c->answers += r.len;
	if (c->answers > DOH_ANSWERS_MAX)
		conn_fail(c, DOH_END_slow_reader);
	c->doh->counts.responses[status]++;
	if (c->version == DOH_http2)
		h2_respond(s, &r);
	else
		http1_respond(s, &r);
}

// The request is whole, or is refused before: it is ready, or gets its response.
static void stream_whole(struct doh_stream *s, enum doh_status status, uint64_t now_ms)
{
	struct doh_conn *c = s->conn;

	c->doh->counts.requests[c->version][s->request.method]++;
	if (status == DOH_200) {
		stream_move(s, DOH_READY, now_ms);
		return;
	}
	c->unasked++;
	stream_respond(s, status, NULL, 0, now_ms);
}

static void stream_headers_end(struct doh_stream *s, uint64_t now_ms)
{
	struct doh_conn *c = s->conn;
	const enum doh_status status =
		doh_request_headers_end(&s->request, &c->memory, c->doh->set.path);

	if (s->request.no_memory)
		conn_fail(c, DOH_END_memory);
	if (status == DOH_413 || status == DOH_431)
		stream_whole(s, status, now_ms);
}

static bool stream_body(struct doh_stream *s, const uint8_t *p, size_t n, uint64_t now_ms)
{
	struct doh_conn *c = s->conn;

	if (s->stage != DOH_RECEIVING || s->answered) {
		s->request.discarded += n;
		return false;
	}
	const bool goes_on = doh_request_body(&s->request, &c->memory, p, n);
	if (s->request.no_memory)
		conn_fail(c, DOH_END_memory);
	else if (!goes_on)
		stream_whole(s, s->request.status == DOH_200 ? DOH_413 : s->request.status, now_ms);
	if (!goes_on || s->request.discarded)
		return false;
	s->window += n;
	return true;
}

// The response has left before the end of its request, of which the rest means nothing.
static void stream_linger(struct doh_stream *s, uint64_t now_ms)
{
	s->answered = true;
	stream_move(s, DOH_RECEIVING, now_ms);
}

static void stream_end(struct doh_stream *s, uint64_t now_ms)
{
	if (s->stage == DOH_RECEIVING && !s->answered)
		stream_whole(s, doh_request_end(&s->request), now_ms);
}

// HTTP/2 (RFC 9113) by nghttp2: a server's session for each connection.
//
// nghttp2 bounds what it keeps of a client: acknowledgements that wait (SETTINGS, PING), entries of
// a SETTINGS frame, CONTINUATION frames; it keeps no closed streams and no priorities. Weir adds
// three paces: of resets and of frames that bring no whole request, either side may cause them, and
// of header fields, for a byte of HPACK may stand for one of 4 KiB that was sent once.

enum {
	ACKS_MAX = 100,
	SETTINGS_MAX = 16,
	WINDOW = DOH_MESSAGE_MAX + 16384, // a stream's: a body that is too long gets its 413
	TABLE_MAX = 4096,                 // for HPACK, RFC 9113 6.5.2
	SETTINGS_COUNT = 4,
	CONTINUATIONS_MAX = 100, // nghttp2 counts one again with each part of its head
};

struct doh_library {
	nghttp2_session_callbacks *callbacks;
	nghttp2_option *option;
};

struct doh_h2 {
	nghttp2_session *session;
	uint64_t now_ms; // when the call in progress began
	struct allowance resets, frames, fields;
	bool in_block;  // between HEADERS and the last CONTINUATION (RFC 9113 4.3)
	size_t block;   // bytes of it so far
	size_t decoded; // bytes of the fields in it
	int32_t newest; // stream that the client opened
	int32_t reset;  // newest one that weir reset
	bool calm;      // GOAWAY with ENHANCE_YOUR_CALM is on its way
};

static void h2_calm(struct doh_conn *c)
{
	if (c->h2->calm)
		return;
	c->h2->calm = true;
	c->doh->counts.goaways++;
	(void)nghttp2_session_terminate_session(c->h2->session, NGHTTP2_ENHANCE_YOUR_CALM);
	conn_fail(c, DOH_END_flood);
}

static struct doh_stream *h2_stream_of(nghttp2_session *session, int32_t id)
{
	return nghttp2_session_get_stream_user_data(session, id);
}

// What nghttp2 passes over: a priority of no stream (RFC 9113 6.3), and header fields of a stream
// that was never opened, or is closed, while newer ones were (5.1.1). Up to one that weir reset
// they may be trailers that the client sent before it knew, and are passed over (5.1).
static bool h2_breaks_protocol(
	nghttp2_session *session, const nghttp2_frame_hd *hd, const struct doh_h2 *h)
{
	if (hd->type == NGHTTP2_PRIORITY)
		return hd->stream_id == 0;
	return hd->type == NGHTTP2_HEADERS && hd->stream_id <= h->newest && hd->stream_id > h->reset
	       && !nghttp2_session_find_stream(session, hd->stream_id);
}

static int h2_on_begin_frame(nghttp2_session *session, const nghttp2_frame_hd *hd, void *arg)
{
	struct doh_conn *c = arg;

	if (h2_breaks_protocol(session, hd, c->h2)) {
		(void)nghttp2_session_terminate_session(session, NGHTTP2_PROTOCOL_ERROR);
		conn_fail(c, DOH_END_broken);
	}
	if (hd->type != NGHTTP2_CONTINUATION)
		c->h2->block = c->h2->decoded = 0;
	c->h2->in_block = hd->type == NGHTTP2_HEADERS || hd->type == NGHTTP2_CONTINUATION;
	if (!allowance_take(&c->h2->frames, DOH_FRAMES_RATE, DOH_FRAMES_BURST, c->h2->now_ms))
		h2_calm(c);
	return 0;
}

static int h2_on_begin_headers(nghttp2_session *session, const nghttp2_frame *frame, void *arg)
{
	struct doh_conn *c = arg;

	if (frame->hd.type != NGHTTP2_HEADERS || frame->headers.cat != NGHTTP2_HCAT_REQUEST)
		return 0;
	struct doh_stream *s = stream_new(c, frame->hd.stream_id, c->h2->now_ms);
	if (!s)
		return NGHTTP2_ERR_CALLBACK_FAILURE;
	c->h2->newest = s->id;
	(void)nghttp2_session_set_stream_user_data(session, s->id, s);
	return 0;
}

static size_t h2_paid(size_t decoded)
{
	return decoded > DOH_FIELDS_EACH ? (decoded - DOH_FIELDS_EACH) / 1024 : 0;
}

// Not 0: too many of them. nghttp2 then decodes no more of what it has.
static int h2_count_field(struct doh_conn *c, size_t len)
{
	struct doh_h2 *h = c->h2;
	const size_t before = h2_paid(h->decoded);

	h->decoded += len + DOH_FIELD_COST;
	for (size_t k = h2_paid(h->decoded); k > before; k--)
		if (!allowance_take(&h->fields, DOH_FIELDS_RATE, DOH_FIELDS_BURST, h->now_ms)) {
			h2_calm(c);
			return NGHTTP2_ERR_PAUSE;
		}
	return 0;
}

// One that is no field of HTTP, which nghttp2 leaves out.
static int h2_on_bad_header(nghttp2_session *, const nghttp2_frame *, const uint8_t *,
	size_t name_len, const uint8_t *, size_t value_len, uint8_t, void *arg)
{
	return h2_count_field(arg, name_len + value_len);
}

static bool h2_name_is(const uint8_t *name, size_t len, const char *word)
{
	return len == strlen(word) && memcmp(name, word, len) == 0;
}

static int h2_on_header(nghttp2_session *session, const nghttp2_frame *frame, const uint8_t *name,
	size_t name_len, const uint8_t *value, size_t value_len, uint8_t, void *arg)
{
	struct doh_conn *c = arg;
	struct doh_stream *s = h2_stream_of(session, frame->hd.stream_id);
	const int rc = h2_count_field(c, name_len + value_len);

	if (rc || !s || s->request.headers_over)
		return rc; // trailers mean nothing here
	if (h2_name_is(name, name_len, ":method"))
		doh_request_method(&s->request, value, value_len);
	else if (h2_name_is(name, name_len, ":path"))
		doh_request_path(&s->request, &c->memory, value, value_len);
	doh_request_field(&s->request, name, name_len, value, value_len);
	if (!s->request.no_memory)
		return 0;
	conn_fail(c, DOH_END_memory);
	return NGHTTP2_ERR_CALLBACK_FAILURE;
}

static int h2_on_data(
	nghttp2_session *session, uint8_t, int32_t id, const uint8_t *p, size_t n, void *arg)
{
	struct doh_conn *c = arg;
	struct doh_stream *s = h2_stream_of(session, id);

	if (!s || !stream_body(s, p, n, c->h2->now_ms))
		h2_consumed(c, n);
	return c->end == DOH_END_memory ? NGHTTP2_ERR_CALLBACK_FAILURE : 0;
}

static void h2_count_reset(struct doh_conn *c)
{
	if (!allowance_take(&c->h2->resets, DOH_RESETS_RATE, DOH_RESETS_BURST, c->h2->now_ms))
		h2_calm(c);
}

static int h2_on_frame_sent(nghttp2_session *, const nghttp2_frame *frame, void *arg)
{
	struct doh_conn *c = arg;

	if (frame->hd.type == NGHTTP2_GOAWAY && frame->goaway.error_code != NGHTTP2_NO_ERROR)
		conn_fail(c, DOH_END_broken); // unless it is for another reason
	if (frame->hd.type == NGHTTP2_RST_STREAM && frame->hd.stream_id > c->h2->reset)
		c->h2->reset = frame->hd.stream_id;
	if (frame->hd.type != NGHTTP2_RST_STREAM
		|| frame->rst_stream.error_code == NGHTTP2_NO_ERROR)
		return 0;
	c->doh->counts.resets_server++;
	if (!c->parting)
		h2_count_reset(c);
	return 0;
}

static int h2_on_frame(nghttp2_session *session, const nghttp2_frame *frame, void *arg)
{
	struct doh_conn *c = arg;
	struct doh_stream *s = h2_stream_of(session, frame->hd.stream_id);
	const uint8_t type = frame->hd.type;

	if (type == NGHTTP2_SETTINGS)
		c->begun_ms = 0;
	if (type == NGHTTP2_RST_STREAM) {
		c->doh->counts.resets_client++;
		h2_count_reset(c);
	}
	if (!s || (type != NGHTTP2_HEADERS && type != NGHTTP2_DATA))
		return 0;
	if (type == NGHTTP2_HEADERS && frame->headers.cat == NGHTTP2_HCAT_REQUEST)
		stream_headers_end(s, c->h2->now_ms);
	if (frame->hd.flags & NGHTTP2_FLAG_END_STREAM) {
		allowance_add(&c->h2->frames, DOH_FRAMES_EACH);
		stream_end(s, c->h2->now_ms);
	}
	return 0;
}

static int h2_on_close(nghttp2_session *session, int32_t id, uint32_t, void *)
{
	struct doh_stream *s = h2_stream_of(session, id);

	if (s)
		stream_free(s);
	return 0;
}

static ssize_t h2_reply_read(nghttp2_session *session, int32_t id, uint8_t *buf, size_t room,
	uint32_t *flags, nghttp2_data_source *source, void *arg)
{
	const struct doh_conn *c = arg;
	struct doh_stream *s = source->ptr;
	size_t left = s->reply.len - s->reply_sent, n = left < room ? left : room;

	if (n)
		memcpy(buf, s->reply.p + s->reply_sent, n);
	s->reply_sent += n;
	if (n < left)
		return (ssize_t)n;
	*flags |= NGHTTP2_DATA_FLAG_EOF;
	if (nghttp2_session_get_stream_remote_close(session, id) == 0)
		stream_linger(s, c->h2->now_ms);
	return (ssize_t)n;
}

static void h2_respond(struct doh_stream *s, const struct doh_response *r)
{
	struct doh_conn *c = s->conn;
	struct doh_field field[DOH_FIELDS_MAX];
	nghttp2_nv nv[1 + DOH_FIELDS_MAX];
	const unsigned count = doh_response_fields(r, &c->doh->date, field);
	char number[DOH_VALUE_MAX];
	const nghttp2_data_provider body = {.source.ptr = s, .read_callback = h2_reply_read};

	(void)snprintf(number, sizeof(number), "%u", doh_http_numbers[r->status]);
	for (unsigned i = 0; i <= count; i++) {
		const char *name = i == 0 ? ":status" : field[i - 1].name;
		const char *value = i == 0 ? number : field[i - 1].value;
		nv[i] = (nghttp2_nv){.name = (uint8_t *)(uintptr_t)name,
			.value = (uint8_t *)(uintptr_t)value,
			.namelen = strlen(name),
			.valuelen = strlen(value),
			.flags = NGHTTP2_NV_FLAG_NO_COPY_NAME};
	}
	const int rc = nghttp2_submit_response(c->h2->session, s->id, nv, 1 + count, &body);
	if (rc)
		conn_fail(c, nghttp2_is_fatal(rc) ? DOH_END_memory : DOH_END_broken);
}

// bytes of bodies: the window may grow again
static void h2_consumed(struct doh_conn *c, size_t n)
{
	if (c->end != DOH_END_memory && nghttp2_session_consume_connection(c->h2->session, n))
		conn_fail(c, DOH_END_memory);
}

static void h2_reset(struct doh_stream *s, bool refuses)
{
	struct doh_conn *c = s->conn;
	nghttp2_session *session = c->h2->session;
	const uint32_t code = s->answered ? NGHTTP2_NO_ERROR
			      : refuses   ? NGHTTP2_REFUSED_STREAM
					  : NGHTTP2_CANCEL;

	(void)nghttp2_session_set_stream_user_data(session, s->id, NULL);
	if (nghttp2_submit_rst_stream(session, NGHTTP2_FLAG_NONE, s->id, code))
		conn_fail(c, DOH_END_memory);
	stream_free(s);
}

static void h2_part(struct doh_conn *c)
{
	nghttp2_session *session = c->h2->session;

	(void)nghttp2_submit_goaway(session, NGHTTP2_FLAG_NONE,
		nghttp2_session_get_last_proc_stream_id(session), NGHTTP2_NO_ERROR, NULL, 0);
}

static enum doh_end h2_end_of(int rc)
{
	if (rc == NGHTTP2_ERR_NOMEM)
		return DOH_END_memory;
	return rc == NGHTTP2_ERR_FLOODED || rc == NGHTTP2_ERR_TOO_MANY_CONTINUATIONS
		       ? DOH_END_flood
		       : DOH_END_broken;
}

static size_t h2_take(struct doh_conn *c, const uint8_t *p, size_t len, uint64_t now_ms)
{
	struct doh_h2 *h = c->h2;

	h->now_ms = now_ms;
	const ssize_t n = nghttp2_session_mem_recv(h->session, p, len);
	if (n < 0) {
		conn_fail(c, h2_end_of((int)n));
		return 0;
	}
	h->block += (size_t)n;
	if (h->in_block && h->block > DOH_BLOCK_MAX)
		h2_calm(c);
	return (size_t)n;
}

static size_t h2_out(struct doh_conn *c, const uint8_t **p, uint64_t now_ms)
{
	struct doh_h2 *h = c->h2;

	h->now_ms = now_ms;
	const ssize_t n = nghttp2_session_mem_send(h->session, p);
	if (n > 0)
		return (size_t)n;
	if (n < 0)
		conn_fail(c, h2_end_of((int)n));
	else if (!nghttp2_session_want_read(h->session))
		conn_fail(c, DOH_END_client);
	return 0;
}

// -ENOMEM
static int h2_open(struct doh_conn *c)
{
	const struct doh_library *l = c->doh->h2;
	const nghttp2_settings_entry settings[SETTINGS_COUNT] = {
		{NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, c->slots},
		{NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, WINDOW},
		{NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE, DOH_HEADERS_MAX},
		{NGHTTP2_SETTINGS_NO_RFC7540_PRIORITIES, 1}};
	nghttp2_mem mem = {.mem_user_data = &c->memory,
		.malloc = library_malloc,
		.free = library_free,
		.calloc = library_calloc,
		.realloc = library_realloc};

	c->h2 = doh_realloc(&c->memory, NULL, sizeof(*c->h2));
	if (!c->h2)
		return -ENOMEM;
	*c->h2 = (struct doh_h2){.now_ms = c->begun_ms,
		.resets = allowance_full(DOH_RESETS_BURST, c->begun_ms),
		.frames = allowance_full(DOH_FRAMES_BURST, c->begun_ms),
		.fields = allowance_full(DOH_FIELDS_BURST, c->begun_ms)};
	if (nghttp2_session_server_new3(&c->h2->session, l->callbacks, c, l->option, &mem)
		|| nghttp2_submit_settings(
			c->h2->session, NGHTTP2_FLAG_NONE, settings, SETTINGS_COUNT)
		|| nghttp2_session_set_local_window_size(
			c->h2->session, NGHTTP2_FLAG_NONE, 0, DOH_WINDOW))
		return -ENOMEM;
	return 0;
}

static void h2_close(struct doh_conn *c)
{
	if (c->h2)
		nghttp2_session_del(c->h2->session); // NULL is fine
	doh_release(&c->memory, c->h2);
}

// Nothing of it is wanted (RFC 9113 5.5).
static int h2_on_unknown(nghttp2_session *, void **, const nghttp2_frame_hd *, void *)
{
	return NGHTTP2_ERR_CANCEL;
}

static void h2_callbacks_set(nghttp2_session_callbacks *k)
{
	nghttp2_session_callbacks_set_on_begin_frame_callback(k, h2_on_begin_frame);
	nghttp2_session_callbacks_set_on_begin_headers_callback(k, h2_on_begin_headers);
	nghttp2_session_callbacks_set_on_header_callback(k, h2_on_header);
	nghttp2_session_callbacks_set_on_invalid_header_callback(k, h2_on_bad_header);
	nghttp2_session_callbacks_set_unpack_extension_callback(k, h2_on_unknown);
	nghttp2_session_callbacks_set_on_data_chunk_recv_callback(k, h2_on_data);
	nghttp2_session_callbacks_set_on_frame_recv_callback(k, h2_on_frame);
	nghttp2_session_callbacks_set_on_frame_send_callback(k, h2_on_frame_sent);
	nghttp2_session_callbacks_set_on_stream_close_callback(k, h2_on_close);
}

// NULL is fine
static void library_end(struct doh_library *l)
{
	if (!l)
		return;
	nghttp2_session_callbacks_del(l->callbacks);
	nghttp2_option_del(l->option);
	heap_free(l);
}

// -ENOMEM
static int library_new(struct doh_library **out)
{
	struct doh_library *l = heap_calloc(1, sizeof(*l));

	*out = NULL;
	if (!l || nghttp2_session_callbacks_new(&l->callbacks) || nghttp2_option_new(&l->option)) {
		library_end(l);
		return -ENOMEM;
	}
	h2_callbacks_set(l->callbacks);
	nghttp2_option_set_no_auto_window_update(l->option, 1);
	nghttp2_option_set_no_closed_streams(l->option, 1);
	// nghttp2 tells h2_on_begin_frame, which counts, of these types alone beside its own.
	for (unsigned type = NGHTTP2_CONTINUATION + 1; type <= UINT8_MAX; type++)
		nghttp2_option_set_user_recv_extension_type(l->option, (uint8_t)type);
	nghttp2_option_set_max_outbound_ack(l->option, ACKS_MAX);
	nghttp2_option_set_max_settings(l->option, SETTINGS_MAX);
	nghttp2_option_set_max_continuations(l->option, CONTINUATIONS_MAX);
	nghttp2_option_set_max_deflate_dynamic_table_size(l->option, TABLE_MAX);
	*out = l;
	return 0;
}

// HTTP/1.1 (RFC 9112) by http-parser: one request at a time.
//
// A connection takes no bytes from the end of a request to the end of its response; what the client
// sends meanwhile, further requests too, waits with the owner. Each byte is checked before the
// parser sees it (http1_check.h); where that, the parser, or weir refuses a request before its end,
// the response is the last one.

enum {
	NAME_MAX_LEN = 32, // longer names mean nothing here
	VALUE_MAX_LEN = 128,
	HEAD_MAX = 512, // bytes of a response's head
	REFUSE = -1,    // returned by http1_on_headers_end, where 1 and 2 mean something else
};

struct doh_http1 {
	http_parser parser;
	struct doh_stream *stream; // the request that is received or answered
	uint64_t now_ms;           // when the call in progress began
	struct http1_check check;
	size_t name_len, value_len; // lengths as received; bytes over the maximum are not kept
	bool in_value;
	bool whole;     // the parser stands at the end of a request
	bool last;      // the response in `out` is the last one
	bool refused;   // the rest of the request is not read
	bool continues; // the client waits for 100 Continue
	uint8_t name[NAME_MAX_LEN], value[VALUE_MAX_LEN];
	struct doh_bytes out;
	bool sent; // `out` was handed out
};

static void http1_append(uint8_t *to, size_t room, size_t *len, const char *p, size_t n)
{
	if (*len < room)
		memcpy(to + *len, p, n < room - *len ? n : room - *len);
	*len += n;
}

static int http1_on_begin(http_parser *p)
{
	struct doh_conn *c = p->data;
	struct doh_http1 *h = c->http1;

	if (!h->stream)
		h->stream = stream_new(c, 0, h->now_ms);
	h->in_value = h->whole = h->continues = false;
	h->name_len = h->value_len = 0;
	c->begun_ms = 0;
	return h->stream ? 0 : 1;
}

static int http1_on_url(http_parser *p, const char *at, size_t n)
{
	struct doh_conn *c = p->data;
	struct doh_request *r = &c->http1->stream->request;

	doh_request_path(r, &c->memory, (const uint8_t *)at, n);
	if (r->no_memory)
		conn_fail(c, DOH_END_memory);
	return r->no_memory || r->header_bytes > DOH_HEADERS_MAX;
}

static bool http1_name_is(const struct doh_http1 *h, const char *word)
{
	return h->name_len == strlen(word)
	       && strncasecmp((const char *)h->name, word, h->name_len) == 0;
}

// A field is whole when the next one begins, or the header ends.
static void http1_field_end(struct doh_http1 *h)
{
	if (!h->in_value)
		return;
	h->in_value = false;
	const size_t len = h->value_len < VALUE_MAX_LEN ? h->value_len : VALUE_MAX_LEN;
	if (http1_name_is(h, "expect") && len == 12
		&& strncasecmp((const char *)h->value, "100-continue", len) == 0)
		h->continues = true;
	if (h->name_len <= NAME_MAX_LEN && h->value_len <= VALUE_MAX_LEN)
		doh_request_field(&h->stream->request, h->name, h->name_len, h->value, len);
	else
		h->stream->request.header_bytes += h->name_len + h->value_len;
	h->name_len = h->value_len = 0;
}

// Too many bytes of fields, of a field that is not whole too.
static int http1_fields_over(const struct doh_http1 *h)
{
	return h->stream->request.header_bytes + h->name_len + h->value_len > DOH_HEADERS_MAX;
}

static int http1_on_name(http_parser *p, const char *at, size_t n)
{
	struct doh_http1 *h = ((struct doh_conn *)p->data)->http1;

	http1_field_end(h);
	http1_append(h->name, NAME_MAX_LEN, &h->name_len, at, n);
	return http1_fields_over(h);
}

static int http1_on_value(http_parser *p, const char *at, size_t n)
{
	struct doh_http1 *h = ((struct doh_conn *)p->data)->http1;

	h->in_value = true;
	http1_append(h->value, VALUE_MAX_LEN, &h->value_len, at, n);
	return http1_fields_over(h);
}

static bool http1_out_put(struct doh_conn *c, const void *p, size_t n)
{
	const bool fits = doh_bytes_add(&c->memory, &c->http1->out, p, n);

	if (!fits)
		conn_fail(c, DOH_END_memory);
	return fits;
}

static int http1_on_headers_end(http_parser *p)
{
	static const char go_on[] = "HTTP/1.1 100 Continue\r\n\r\n";
	struct doh_conn *c = p->data;
	struct doh_http1 *h = c->http1;
	struct doh_stream *s = h->stream;
	const char *method = http_method_str((enum http_method)p->method);

	http1_field_end(h);
	doh_request_method(&s->request, (const uint8_t *)method, strlen(method));
	const bool is_11 = p->http_major == 1 && p->http_minor == 1;
	stream_headers_end(s, h->now_ms);
	const bool goes_on = s->stage == DOH_RECEIVING && c->end == DOH_OPEN;
	if (goes_on && h->continues && is_11 && s->request.status == DOH_200
		&& (p->content_length != UINT64_MAX || p->flags & F_CHUNKED)
		&& p->content_length != 0)
		(void)http1_out_put(c, go_on, sizeof(go_on) - 1);
	return goes_on ? 0 : REFUSE;
}

static int http1_on_body(http_parser *p, const char *at, size_t n)
{
	struct doh_conn *c = p->data;
	struct doh_stream *s = c->http1->stream;

	(void)stream_body(s, (const uint8_t *)at, n, c->http1->now_ms);
	return s->stage != DOH_RECEIVING || c->end != DOH_OPEN;
}

static int http1_on_end(http_parser *p)
{
	struct doh_conn *c = p->data;
	struct doh_http1 *h = c->http1;

	h->whole = true;
	h->last = !http_should_keep_alive(p);
	http_parser_pause(p, 1);
	stream_end(h->stream, h->now_ms);
	return 0;
}

static const http_parser_settings http1_settings = {.on_message_begin = http1_on_begin,
	.on_url = http1_on_url,
	.on_header_field = http1_on_name,
	.on_header_value = http1_on_value,
	.on_headers_complete = http1_on_headers_end,
	.on_body = http1_on_body,
	.on_message_complete = http1_on_end};

// Nothing more can be read of what the client sends.
static void http1_refuse(struct doh_conn *c)
{
	struct doh_http1 *h = c->http1;

	h->last = true;
	if (!h->stream || c->end != DOH_OPEN)
		conn_fail(c, DOH_END_broken);
	else if (h->stream->stage == DOH_RECEIVING)
		stream_whole(h->stream, http1_fields_over(h) ? DOH_431 : DOH_400, h->now_ms);
}

static size_t http1_take(struct doh_conn *c, const uint8_t *p, size_t len, uint64_t now_ms)
{
	struct doh_http1 *h = c->http1;

	if (h->last || h->whole || h->out.len || (h->stream && h->stream->stage != DOH_RECEIVING))
		return 0;
	h->now_ms = now_ms;
	const uint64_t whole = h->check.whole;
	const size_t sound = http1_check(&h->check, p, len); // 0 would be the end for the parser
	const size_t n =
		sound ? http_parser_execute(&h->parser, &http1_settings, (const char *)p, sound)
		      : 0;
	const enum http_errno why = HTTP_PARSER_ERRNO(&h->parser);
	if (h->whole)
		h->last = h->last || h->check.whole == whole; // the parser sees an end, alone
	else if (why != HPE_OK || h->check.fault)
		http1_refuse(c);
	return h->whole || !h->last ? n : len;
}

// The response has left: what the client sends next is the next request.
static void http1_response_end(struct doh_conn *c)
{
	struct doh_http1 *h = c->http1;

	stream_free(h->stream);
	h->stream = NULL;
	h->whole = false;
	if (h->last || c->parting)
		conn_fail(c, h->refused ? DOH_END_broken : DOH_END_client);
	else
		http_parser_pause(&h->parser, 0);
}

static size_t http1_out(struct doh_conn *c, const uint8_t **p)
{
	struct doh_http1 *h = c->http1;

	if (h->out.len && !h->sent) {
		h->sent = true;
		*p = h->out.p;
		return h->out.len;
	}
	if (!h->sent)
		return 0;
	h->sent = false;
	doh_bytes_drop(&c->memory, &h->out);
	if (h->stream && h->stream->stage == DOH_ANSWERING)
		http1_response_end(c);
	return 0;
}

static void http1_respond(struct doh_stream *s, const struct doh_response *r)
{
	struct doh_conn *c = s->conn;
	struct doh_http1 *h = c->http1;
	struct doh_field field[DOH_FIELDS_MAX];
	const unsigned count = doh_response_fields(r, &c->doh->date, field);
	char head[HEAD_MAX];

	h->refused = !h->whole;
	h->last = h->last || c->parting || h->refused;
	int n = snprintf(head, sizeof(head), "HTTP/1.1 %u %s\r\n", doh_http_numbers[r->status],
		status_reason(r->status));
	for (unsigned i = 0; i < count; i++)
		n += snprintf(head + n, sizeof(head) - (size_t)n, "%s: %s\r\n", field[i].name,
			field[i].value);
	n += snprintf(head + n, sizeof(head) - (size_t)n, "%s\r\n",
		h->last ? "connection: close\r\n" : "");
	if (http1_out_put(c, head, (size_t)n))
		(void)http1_out_put(c, s->reply.p, s->reply.len);
}

// -ENOMEM
static int http1_open(struct doh_conn *c)
{
	c->http1 = doh_realloc(&c->memory, NULL, sizeof(*c->http1));
	if (!c->http1)
		return -ENOMEM;
	memset(c->http1, 0, sizeof(*c->http1));
	http_parser_init(&c->http1->parser, HTTP_REQUEST);
	c->http1->parser.data = c;
	return 0;
}

static void http1_close(struct doh_conn *c)
{
	if (c->http1)
		doh_bytes_drop(&c->memory, &c->http1->out);
	doh_release(&c->memory, c->http1);
}

int doh_new(struct doh **out, const struct doh_settings *settings)
{
	struct doh *d = heap_calloc(1, sizeof(*d));

	*out = NULL;
	if (!d)
		return -ENOMEM;
	if (library_new(&d->h2)) {
		heap_free(d);
		return -ENOMEM;
	}
	doh_configure(d, settings);
	*out = d;
	return 0;
}

void doh_configure(struct doh *d, const struct doh_settings *settings)
{
	d->set = *settings;
	if (d->set.streams > DOH_STREAMS_MAX)
		d->set.streams = DOH_STREAMS_MAX;
}

void doh_free(struct doh *d)
{
	if (!d)
		return;
	library_end(d->h2);
	heap_free(d);
}

void doh_status(const struct doh *d, struct doh_status_now *out)
{
	*out = (struct doh_status_now){.counts = d->counts,
		.connections = d->connections,
		.bytes = d->memory.bytes,
		.bytes_most = d->memory.most,
		.grown = d->memory.grown,
		.shrunk = d->memory.shrunk};
}

void doh_status_add(struct doh_status_now *sum, const struct doh_status_now *one)
{
	struct doh_counts *all = &sum->counts;
	const struct doh_counts *n = &one->counts;

	for (unsigned v = 0; v < DOH_VERSION_COUNT; v++)
		for (unsigned m = 0; m < DOH_METHOD_COUNT; m++)
			all->requests[v][m] += n->requests[v][m];
	for (unsigned i = 0; i < DOH_STATUS_COUNT; i++)
		all->responses[i] += n->responses[i];
	all->resets_client += n->resets_client;
	all->resets_server += n->resets_server;
	all->goaways += n->goaways;
	all->unwanted += n->unwanted;
	sum->connections += one->connections;
	sum->bytes += one->bytes;
	sum->bytes_most += one->bytes_most;
	sum->grown += one->grown;
	sum->shrunk += one->shrunk;
}

// HTTP/1.1 has one request at a time.
static unsigned slots_of(const struct doh *d, enum doh_version version)
{
	return version == DOH_http1 || d->set.streams == 0 ? 1 : d->set.streams;
}

int doh_conn_new(struct doh_conn **out, struct doh *d, enum doh_version version, uint64_t now_ms)
{
	struct doh_memory memory = {.all = &d->memory};
	struct doh_conn *c = doh_realloc(&memory, NULL, sizeof(*c));

	*out = NULL;
	if (!c)
		return -ENOMEM;
	*c = (struct doh_conn){
		.doh = d, .version = version, .memory = memory, .begun_ms = now_ms ? now_ms : 1};
	for (unsigned i = 0; i < DOH_LISTS; i++)
		TAILQ_INIT(&c->in[i]);
	d->connections++;
	if (d->connections > d->connections_most)
		d->connections_most = d->connections;
	c->slots = slots_of(d, version);
	c->slot = doh_realloc(&c->memory, NULL, c->slots * sizeof(*c->slot));
	if (c->slot)
		memset(c->slot, 0, c->slots * sizeof(*c->slot));
	if (!c->slot || (version == DOH_http2 ? h2_open(c) : http1_open(c))) {
		doh_conn_free(c);
		return -ENOMEM;
	}
	*out = c;
	return 0;
}

void doh_conn_free(struct doh_conn *c)
{
	if (!c)
		return;
	for (unsigned i = 0; i < DOH_LISTS; i++)
		while (!TAILQ_EMPTY(&c->in[i]))
			stream_free(TAILQ_FIRST(&c->in[i]));
	for (unsigned i = 0; c->slot && i < c->slots; i++)
		if (c->slot[i].stream)
			stream_free(c->slot[i].stream);
	if (c->version == DOH_http2)
		h2_close(c);
	else
		http1_close(c);
	doh_release(&c->memory, c->slot);
	struct doh_memory memory = c->memory;
	c->doh->connections--;
	doh_release(&memory, c);
}

size_t doh_conn_take(struct doh_conn *c, const uint8_t *p, size_t len, uint64_t now_ms)
{
	size_t n = len < DOH_PIECE ? len : DOH_PIECE;

	if (c->end != DOH_OPEN || n == 0)
		return 0;
	return c->version == DOH_http2 ? h2_take(c, p, n, now_ms) : http1_take(c, p, n, now_ms);
}

bool doh_conn_is_ready(const struct doh_conn *c)
{
	return c->end == DOH_OPEN && !TAILQ_EMPTY(&c->in[DOH_READY]) && c->asked < c->slots;
}

bool doh_conn_next(struct doh_conn *c, struct doh_question *out, uint64_t now_ms)
{
	unsigned i = 0;

	if (!doh_conn_is_ready(c))
		return false;
	struct doh_stream *s = TAILQ_FIRST(&c->in[DOH_READY]);
	while (c->slot[i].order)
		i++;
	uint8_t *msg = s->request.message.p;
	stream_move(s, DOH_ASKED, now_ms);
	s->slot = (uint16_t)i;
	c->slot[i] = (struct doh_slot){.stream = s, .order = ++c->order, .id = get_u16(msg)};
	c->asked++;
	put_u16(msg, s->slot);
	*out = (struct doh_question){
		.msg = msg, .len = s->request.message.len, .id = s->slot, .name = s->request.name};
	return true;
}

// Frees the slot of a question; NULL: its request is gone.
static struct doh_stream *question_end(struct doh_conn *c, unsigned i, uint16_t *id)
{
	if (i >= c->slots || c->slot[i].order == 0)
		return NULL;
	struct doh_stream *s = c->slot[i].stream;
	*id = c->slot[i].id;
	c->slot[i].order = 0;
	c->asked--;
	c->doh->counts.unwanted += !s;
	return s;
}

void doh_conn_answer(struct doh_conn *c, uint8_t *msg, size_t len, uint64_t now_ms)
{
	uint16_t id;
	struct doh_stream *s = question_end(c, get_u16(msg), &id);

	if (!s)
		return;
	put_u16(msg, id);
	stream_respond(s, DOH_200, msg, len, now_ms);
}

void doh_conn_refuse(struct doh_conn *c, uint16_t id, enum doh_status status, uint64_t now_ms)
{
	uint16_t client_id;
	struct doh_stream *s = question_end(c, id, &client_id);

	if (s)
		stream_respond(s, status, NULL, 0, now_ms);
}

void doh_conn_unknown(struct doh_conn *c, uint16_t id, uint64_t now_ms)
{
	c->unasked++;
	doh_conn_refuse(c, id, DOH_404, now_ms);
}

void doh_conn_lost(struct doh_conn *c, uint64_t now_ms)
{
	unsigned oldest = c->slots;

	for (unsigned i = 0; i < c->slots; i++)
		if (c->slot[i].order
			&& (oldest == c->slots || c->slot[i].order < c->slot[oldest].order))
			oldest = i;
	if (oldest < c->slots)
		doh_conn_refuse(c, (uint16_t)oldest, DOH_503, now_ms);
}

uint64_t doh_conn_unasked(const struct doh_conn *c)
{
	return c->unasked;
}

static bool is_idle(const struct doh_conn *c)
{
	return c->streams == 0 && c->asked == 0;
}

size_t doh_conn_out(struct doh_conn *c, const uint8_t **p, uint64_t now_ms)
{
	if (c->end == DOH_END_memory) // nghttp2 takes no calls after a fatal error
		return 0;
	size_t n = c->version == DOH_http2 ? h2_out(c, p, now_ms) : http1_out(c, p);

	if (n == 0 && c->parting && is_idle(c))
		conn_fail(c, DOH_END_client);
	return n;
}

enum doh_end doh_conn_end(const struct doh_conn *c)
{
	return c->end;
}

void doh_conn_part(struct doh_conn *c)
{
	struct doh_stream *s;

	if (c->parting)
		return;
	c->parting = true;
	if (c->version != DOH_http2)
		return;
	while ((s = TAILQ_FIRST(&c->in[DOH_READY])) || (s = TAILQ_FIRST(&c->in[DOH_RECEIVING])))
		h2_reset(s, true);
	h2_part(c);
}

bool doh_conn_owes(const struct doh_conn *c)
{
	return c->end == DOH_OPEN && !TAILQ_EMPTY(&c->in[DOH_ANSWERING]);
}

// When a request that is not whole ends.
static uint64_t receiving_end(const struct doh_stream *s)
{
	return s->since_ms + s->spared_ms + s->conn->doh->set.request_ms;
}

uint64_t doh_conn_deadline(const struct doh_conn *c)
{
	const struct doh_stream *receiving = TAILQ_FIRST(&c->in[DOH_RECEIVING]);
	const struct doh_stream *answering = TAILQ_FIRST(&c->in[DOH_ANSWERING]);
	uint64_t at = UINT64_MAX;

	if (c->begun_ms)
		at = c->begun_ms + c->doh->set.request_ms;
	if (receiving && receiving_end(receiving) < at)
		at = receiving_end(receiving);
	if (answering && answering->since_ms + c->doh->set.drain_ms < at)
		at = answering->since_ms + c->doh->set.drain_ms;
	return at;
}

void doh_conn_expire(struct doh_conn *c, uint64_t now_ms)
{
	const struct doh_settings *set = &c->doh->set;
	struct doh_stream *s = TAILQ_FIRST(&c->in[DOH_ANSWERING]);

	if (c->begun_ms && now_ms >= c->begun_ms + set->request_ms)
		conn_fail(c, DOH_END_slow_query);
	if (s && now_ms >= s->since_ms + set->drain_ms)
		conn_fail(c, DOH_END_slow_reader);
	while ((s = TAILQ_FIRST(&c->in[DOH_RECEIVING])) && now_ms >= receiving_end(s)) {
		if (c->version == DOH_http2) {
			h2_reset(s, false);
			continue;
		}
		stream_respond(s, DOH_408, NULL, 0, now_ms);
		conn_fail(c, DOH_END_slow_query);
	}
}

void doh_conn_spare(struct doh_conn *c, uint64_t now_ms)
{
	const uint64_t most_ms = (DOH_SPARED_MAX - 1) * c->doh->set.request_ms;
	struct doh_stream *s;

	TAILQ_FOREACH (s, &c->in[DOH_RECEIVING], list) {
		s->spared_ms = now_ms - s->since_ms;
		if (s->spared_ms > most_ms)
			s->spared_ms = most_ms;
	}
}

size_t doh_conn_memory(const struct doh_conn *c)
{
	return c->memory.bytes;
}

void doh_tables(const struct doh *d, uint64_t cap, struct table_registry *tables)
{
	table_register(tables, &(struct table_info){.name = "doh_connections",
				       .owner = "frontend loop",
				       .eviction = "as tcp_connections",
				       .lifetime = "as tcp_connections",
				       .kind = TABLE_WORK,
				       .cap = cap,
				       .used = d->connections,
				       .bytes = d->memory.bytes,
				       .high = d->connections_most,
				       .grown = d->memory.grown,
				       .shrunk = d->memory.shrunk,
				       .has = TABLE_GROWS});
}
