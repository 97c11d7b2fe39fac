// SPDX-License-Identifier: BSD-3-Clause

// HTTP/2 (RFC 9113) by nghttp2: a server's session for each connection.
//
// nghttp2 bounds what it keeps of a client: acknowledgements that wait (SETTINGS, PING), entries of
// a SETTINGS frame, CONTINUATION frames; it keeps no closed streams and no priorities. Weir adds
// three paces: of resets and of frames that bring no whole request, either side may cause them, and
// of header fields, for a byte of HPACK may stand for one of 4 KiB that was sent once.
#include "base/allowance.h"
#include "doh_internal.h"

#include <errno.h>
#include <nghttp2/nghttp2.h>
#include <stdio.h>
#include <stdlib.h>
#include <weir/heap_site.h>

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

static void calm(struct doh_conn *c)
{
	if (c->h2->calm)
		return;
	c->h2->calm = true;
	c->doh->counts.goaways++;
	(void)nghttp2_session_terminate_session(c->h2->session, NGHTTP2_ENHANCE_YOUR_CALM);
	doh_conn_fail(c, DOH_END_flood);
}

static struct doh_stream *stream_of(nghttp2_session *session, int32_t id)
{
	return nghttp2_session_get_stream_user_data(session, id);
}

// What nghttp2 passes over: a priority of no stream (RFC 9113 6.3), and header fields of a stream
// that was never opened, or is closed, while newer ones were (5.1.1). Up to one that weir reset
// they may be trailers that the client sent before it knew, and are passed over (5.1).
static bool breaks_protocol(
	nghttp2_session *session, const nghttp2_frame_hd *hd, const struct doh_h2 *h)
{
	if (hd->type == NGHTTP2_PRIORITY)
		return hd->stream_id == 0;
	return hd->type == NGHTTP2_HEADERS && hd->stream_id <= h->newest && hd->stream_id > h->reset
	       && !nghttp2_session_find_stream(session, hd->stream_id);
}

static int on_begin_frame(nghttp2_session *session, const nghttp2_frame_hd *hd, void *arg)
{
	struct doh_conn *c = arg;

	if (breaks_protocol(session, hd, c->h2)) {
		(void)nghttp2_session_terminate_session(session, NGHTTP2_PROTOCOL_ERROR);
		doh_conn_fail(c, DOH_END_broken);
	}
	if (hd->type != NGHTTP2_CONTINUATION)
		c->h2->block = c->h2->decoded = 0;
	c->h2->in_block = hd->type == NGHTTP2_HEADERS || hd->type == NGHTTP2_CONTINUATION;
	if (!allowance_take(&c->h2->frames, DOH_FRAMES_RATE, DOH_FRAMES_BURST, c->h2->now_ms))
		calm(c);
	return 0;
}

static int on_begin_headers(nghttp2_session *session, const nghttp2_frame *frame, void *arg)
{
	struct doh_conn *c = arg;

	if (frame->hd.type != NGHTTP2_HEADERS || frame->headers.cat != NGHTTP2_HCAT_REQUEST)
		return 0;
	struct doh_stream *s = doh_stream_new(c, frame->hd.stream_id, c->h2->now_ms);
	if (!s)
		return NGHTTP2_ERR_CALLBACK_FAILURE;
	c->h2->newest = s->id;
	(void)nghttp2_session_set_stream_user_data(session, s->id, s);
	return 0;
}

static size_t paid(size_t decoded)
{
	return decoded > DOH_FIELDS_EACH ? (decoded - DOH_FIELDS_EACH) / 1024 : 0;
}

// Not 0: too many of them. nghttp2 then decodes no more of what it has.
static int count_field(struct doh_conn *c, size_t len)
{
	struct doh_h2 *h = c->h2;
	const size_t before = paid(h->decoded);

	h->decoded += len + DOH_FIELD_COST;
	for (size_t k = paid(h->decoded); k > before; k--)
		if (!allowance_take(&h->fields, DOH_FIELDS_RATE, DOH_FIELDS_BURST, h->now_ms)) {
			calm(c);
			return NGHTTP2_ERR_PAUSE;
		}
	return 0;
}

// One that is no field of HTTP, which nghttp2 leaves out.
static int on_bad_header(nghttp2_session *, const nghttp2_frame *, const uint8_t *, size_t name_len,
	const uint8_t *, size_t value_len, uint8_t, void *arg)
{
	return count_field(arg, name_len + value_len);
}

static bool name_is(const uint8_t *name, size_t len, const char *word)
{
	return len == strlen(word) && memcmp(name, word, len) == 0;
}

static int on_header(nghttp2_session *session, const nghttp2_frame *frame, const uint8_t *name,
	size_t name_len, const uint8_t *value, size_t value_len, uint8_t, void *arg)
{
	struct doh_conn *c = arg;
	struct doh_stream *s = stream_of(session, frame->hd.stream_id);
	const int rc = count_field(c, name_len + value_len);

	if (rc || !s || s->request.headers_over)
		return rc; // trailers mean nothing here
	if (name_is(name, name_len, ":method"))
		doh_request_method(&s->request, value, value_len);
	else if (name_is(name, name_len, ":path"))
		doh_request_path(&s->request, &c->memory, value, value_len);
	doh_request_field(&s->request, name, name_len, value, value_len);
	if (!s->request.no_memory)
		return 0;
	doh_conn_fail(c, DOH_END_memory);
	return NGHTTP2_ERR_CALLBACK_FAILURE;
}

static int on_data(
	nghttp2_session *session, uint8_t, int32_t id, const uint8_t *p, size_t n, void *arg)
{
	struct doh_conn *c = arg;
	struct doh_stream *s = stream_of(session, id);

	if (!s || !doh_stream_body(s, p, n, c->h2->now_ms))
		doh_h2_consumed(c, n);
	return c->end == DOH_END_memory ? NGHTTP2_ERR_CALLBACK_FAILURE : 0;
}

static void count_reset(struct doh_conn *c)
{
	if (!allowance_take(&c->h2->resets, DOH_RESETS_RATE, DOH_RESETS_BURST, c->h2->now_ms))
		calm(c);
}

static int on_frame_sent(nghttp2_session *, const nghttp2_frame *frame, void *arg)
{
	struct doh_conn *c = arg;

	if (frame->hd.type == NGHTTP2_GOAWAY && frame->goaway.error_code != NGHTTP2_NO_ERROR)
		doh_conn_fail(c, DOH_END_broken); // unless it is for another reason
	if (frame->hd.type == NGHTTP2_RST_STREAM && frame->hd.stream_id > c->h2->reset)
		c->h2->reset = frame->hd.stream_id;
	if (frame->hd.type != NGHTTP2_RST_STREAM
		|| frame->rst_stream.error_code == NGHTTP2_NO_ERROR)
		return 0;
	c->doh->counts.resets_server++;
	if (!c->parting)
		count_reset(c);
	return 0;
}

static int on_frame(nghttp2_session *session, const nghttp2_frame *frame, void *arg)
{
	struct doh_conn *c = arg;
	struct doh_stream *s = stream_of(session, frame->hd.stream_id);
	const uint8_t type = frame->hd.type;

	if (type == NGHTTP2_SETTINGS)
		c->begun_ms = 0;
	if (type == NGHTTP2_RST_STREAM) {
		c->doh->counts.resets_client++;
		count_reset(c);
	}
	if (!s || (type != NGHTTP2_HEADERS && type != NGHTTP2_DATA))
		return 0;
	if (type == NGHTTP2_HEADERS && frame->headers.cat == NGHTTP2_HCAT_REQUEST)
		doh_stream_headers_end(s, c->h2->now_ms);
	if (frame->hd.flags & NGHTTP2_FLAG_END_STREAM) {
		allowance_add(&c->h2->frames, DOH_FRAMES_EACH);
		doh_stream_end(s, c->h2->now_ms);
	}
	return 0;
}

static int on_close(nghttp2_session *session, int32_t id, uint32_t, void *)
{
	struct doh_stream *s = stream_of(session, id);

	if (s)
		doh_stream_free(s);
	return 0;
}

static ssize_t reply_read(nghttp2_session *session, int32_t id, uint8_t *buf, size_t room,
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
		doh_stream_linger(s, c->h2->now_ms);
	return (ssize_t)n;
}

void doh_h2_respond(struct doh_stream *s, const struct doh_response *r)
{
	struct doh_conn *c = s->conn;
	struct doh_field field[DOH_FIELDS_MAX];
	nghttp2_nv nv[1 + DOH_FIELDS_MAX];
	const unsigned count = doh_response_fields(r, &c->doh->date, field);
	char number[DOH_VALUE_MAX];
	const nghttp2_data_provider body = {.source.ptr = s, .read_callback = reply_read};

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
		doh_conn_fail(c, nghttp2_is_fatal(rc) ? DOH_END_memory : DOH_END_broken);
}

void doh_h2_consumed(struct doh_conn *c, size_t n)
{
	if (c->end != DOH_END_memory && nghttp2_session_consume_connection(c->h2->session, n))
		doh_conn_fail(c, DOH_END_memory);
}

void doh_h2_reset(struct doh_stream *s, bool refuses)
{
	struct doh_conn *c = s->conn;
	nghttp2_session *session = c->h2->session;
	const uint32_t code = s->answered ? NGHTTP2_NO_ERROR
			      : refuses   ? NGHTTP2_REFUSED_STREAM
					  : NGHTTP2_CANCEL;

	(void)nghttp2_session_set_stream_user_data(session, s->id, NULL);
	if (nghttp2_submit_rst_stream(session, NGHTTP2_FLAG_NONE, s->id, code))
		doh_conn_fail(c, DOH_END_memory);
	doh_stream_free(s);
}

void doh_h2_part(struct doh_conn *c)
{
	nghttp2_session *session = c->h2->session;

	(void)nghttp2_submit_goaway(session, NGHTTP2_FLAG_NONE,
		nghttp2_session_get_last_proc_stream_id(session), NGHTTP2_NO_ERROR, NULL, 0);
}

static enum doh_end end_of(int rc)
{
	if (rc == NGHTTP2_ERR_NOMEM)
		return DOH_END_memory;
	return rc == NGHTTP2_ERR_FLOODED || rc == NGHTTP2_ERR_TOO_MANY_CONTINUATIONS
		       ? DOH_END_flood
		       : DOH_END_broken;
}

size_t doh_h2_take(struct doh_conn *c, const uint8_t *p, size_t len, uint64_t now_ms)
{
	struct doh_h2 *h = c->h2;

	h->now_ms = now_ms;
	const ssize_t n = nghttp2_session_mem_recv(h->session, p, len);
	if (n < 0) {
		doh_conn_fail(c, end_of((int)n));
		return 0;
	}
	h->block += (size_t)n;
	if (h->in_block && h->block > DOH_BLOCK_MAX)
		calm(c);
	return (size_t)n;
}

size_t doh_h2_out(struct doh_conn *c, const uint8_t **p, uint64_t now_ms)
{
	struct doh_h2 *h = c->h2;

	h->now_ms = now_ms;
	const ssize_t n = nghttp2_session_mem_send(h->session, p);
	if (n > 0)
		return (size_t)n;
	if (n < 0)
		doh_conn_fail(c, end_of((int)n));
	else if (!nghttp2_session_want_read(h->session))
		doh_conn_fail(c, DOH_END_client);
	return 0;
}

int doh_h2_open(struct doh_conn *c)
{
	const struct doh_library *l = c->doh->h2;
	const nghttp2_settings_entry settings[SETTINGS_COUNT] = {
		{NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, c->slots},
		{NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, WINDOW},
		{NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE, DOH_HEADERS_MAX},
		{NGHTTP2_SETTINGS_NO_RFC7540_PRIORITIES, 1}};
	nghttp2_mem mem = {.mem_user_data = &c->memory,
		.malloc = doh_library_malloc,
		.free = doh_library_free,
		.calloc = doh_library_calloc,
		.realloc = doh_library_realloc};

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

void doh_h2_close(struct doh_conn *c)
{
	if (c->h2)
		nghttp2_session_del(c->h2->session); // NULL is fine
	doh_release(&c->memory, c->h2);
}

// Nothing of it is wanted (RFC 9113 5.5).
static int on_unknown(nghttp2_session *, void **, const nghttp2_frame_hd *, void *)
{
	return NGHTTP2_ERR_CANCEL;
}

static void callbacks_set(nghttp2_session_callbacks *k)
{
	nghttp2_session_callbacks_set_on_begin_frame_callback(k, on_begin_frame);
	nghttp2_session_callbacks_set_on_begin_headers_callback(k, on_begin_headers);
	nghttp2_session_callbacks_set_on_header_callback(k, on_header);
	nghttp2_session_callbacks_set_on_invalid_header_callback(k, on_bad_header);
	nghttp2_session_callbacks_set_unpack_extension_callback(k, on_unknown);
	nghttp2_session_callbacks_set_on_data_chunk_recv_callback(k, on_data);
	nghttp2_session_callbacks_set_on_frame_recv_callback(k, on_frame);
	nghttp2_session_callbacks_set_on_frame_send_callback(k, on_frame_sent);
	nghttp2_session_callbacks_set_on_stream_close_callback(k, on_close);
}

int doh_library_new(struct doh_library **out)
{
	struct doh_library *l = heap_calloc(1, sizeof(*l));

	*out = NULL;
	if (!l || nghttp2_session_callbacks_new(&l->callbacks) || nghttp2_option_new(&l->option)) {
		doh_library_end(l);
		return -ENOMEM;
	}
	callbacks_set(l->callbacks);
	nghttp2_option_set_no_auto_window_update(l->option, 1);
	nghttp2_option_set_no_closed_streams(l->option, 1);
	// nghttp2 tells on_begin_frame, which counts, of these types alone beside its own.
	for (unsigned type = NGHTTP2_CONTINUATION + 1; type <= UINT8_MAX; type++)
		nghttp2_option_set_user_recv_extension_type(l->option, (uint8_t)type);
	nghttp2_option_set_max_outbound_ack(l->option, ACKS_MAX);
	nghttp2_option_set_max_settings(l->option, SETTINGS_MAX);
	nghttp2_option_set_max_continuations(l->option, CONTINUATIONS_MAX);
	nghttp2_option_set_max_deflate_dynamic_table_size(l->option, TABLE_MAX);
	*out = l;
	return 0;
}

void doh_library_end(struct doh_library *l)
{
	if (!l)
		return;
	nghttp2_session_callbacks_del(l->callbacks);
	nghttp2_option_del(l->option);
	heap_free(l);
}
