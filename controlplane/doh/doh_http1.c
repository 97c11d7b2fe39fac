// SPDX-License-Identifier: BSD-3-Clause

// HTTP/1.1 (RFC 9112) by http-parser: one request at a time.
//
// A connection takes no bytes from the end of a request to the end of its response; what the client
// sends meanwhile, further requests too, waits with the owner. Each byte is checked before the
// parser sees it (http1_check.h); where that, the parser, or weir refuses a request before its end,
// the response is the last one.
#include "base/http1_check.h"
#include "doh_internal.h"

#include <errno.h>
#include <http_parser.h>
#include <stdio.h>
#include <strings.h>

enum {
	NAME_MAX_LEN = 32, // longer names mean nothing here
	VALUE_MAX_LEN = 128,
	HEAD_MAX = 512, // bytes of a response's head
	REFUSE = -1,    // returned by on_headers_end, where 1 and 2 mean something else
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

static void append(uint8_t *to, size_t room, size_t *len, const char *p, size_t n)
{
	if (*len < room)
		memcpy(to + *len, p, n < room - *len ? n : room - *len);
	*len += n;
}

static int on_begin(http_parser *p)
{
	struct doh_conn *c = p->data;
	struct doh_http1 *h = c->http1;

	if (!h->stream)
		h->stream = doh_stream_new(c, 0, h->now_ms);
	h->in_value = h->whole = h->continues = false;
	h->name_len = h->value_len = 0;
	c->begun_ms = 0;
	return h->stream ? 0 : 1;
}

static int on_url(http_parser *p, const char *at, size_t n)
{
	struct doh_conn *c = p->data;
	struct doh_request *r = &c->http1->stream->request;

	doh_request_path(r, &c->memory, (const uint8_t *)at, n);
	if (r->no_memory)
		doh_conn_fail(c, DOH_END_memory);
	return r->no_memory || r->header_bytes > DOH_HEADERS_MAX;
}

static bool name_is(const struct doh_http1 *h, const char *word)
{
	return h->name_len == strlen(word)
	       && strncasecmp((const char *)h->name, word, h->name_len) == 0;
}

// A field is whole when the next one begins, or the header ends.
static void field_end(struct doh_http1 *h)
{
	if (!h->in_value)
		return;
	h->in_value = false;
	const size_t len = h->value_len < VALUE_MAX_LEN ? h->value_len : VALUE_MAX_LEN;
	if (name_is(h, "expect") && len == 12
		&& strncasecmp((const char *)h->value, "100-continue", len) == 0)
		h->continues = true;
	if (h->name_len <= NAME_MAX_LEN && h->value_len <= VALUE_MAX_LEN)
		doh_request_field(&h->stream->request, h->name, h->name_len, h->value, len);
	else
		h->stream->request.header_bytes += h->name_len + h->value_len;
	h->name_len = h->value_len = 0;
}

// Too many bytes of fields, of a field that is not whole too.
static int fields_over(const struct doh_http1 *h)
{
	return h->stream->request.header_bytes + h->name_len + h->value_len > DOH_HEADERS_MAX;
}

static int on_name(http_parser *p, const char *at, size_t n)
{
	struct doh_http1 *h = ((struct doh_conn *)p->data)->http1;

	field_end(h);
	append(h->name, NAME_MAX_LEN, &h->name_len, at, n);
	return fields_over(h);
}

static int on_value(http_parser *p, const char *at, size_t n)
{
	struct doh_http1 *h = ((struct doh_conn *)p->data)->http1;

	h->in_value = true;
	append(h->value, VALUE_MAX_LEN, &h->value_len, at, n);
	return fields_over(h);
}

static bool out_put(struct doh_conn *c, const void *p, size_t n)
{
	const bool fits = doh_bytes_add(&c->memory, &c->http1->out, p, n);

	if (!fits)
		doh_conn_fail(c, DOH_END_memory);
	return fits;
}

static int on_headers_end(http_parser *p)
{
	static const char go_on[] = "HTTP/1.1 100 Continue\r\n\r\n";
	struct doh_conn *c = p->data;
	struct doh_http1 *h = c->http1;
	struct doh_stream *s = h->stream;
	const char *method = http_method_str((enum http_method)p->method);

	field_end(h);
	doh_request_method(&s->request, (const uint8_t *)method, strlen(method));
	const bool is_11 = p->http_major == 1 && p->http_minor == 1;
	doh_stream_headers_end(s, h->now_ms);
	const bool goes_on = s->stage == DOH_RECEIVING && c->end == DOH_OPEN;
	if (goes_on && h->continues && is_11 && s->request.status == DOH_200
		&& (p->content_length != UINT64_MAX || p->flags & F_CHUNKED)
		&& p->content_length != 0)
		(void)out_put(c, go_on, sizeof(go_on) - 1);
	return goes_on ? 0 : REFUSE;
}

static int on_body(http_parser *p, const char *at, size_t n)
{
	struct doh_conn *c = p->data;
	struct doh_stream *s = c->http1->stream;

	(void)doh_stream_body(s, (const uint8_t *)at, n, c->http1->now_ms);
	return s->stage != DOH_RECEIVING || c->end != DOH_OPEN;
}

static int on_end(http_parser *p)
{
	struct doh_conn *c = p->data;
	struct doh_http1 *h = c->http1;

	h->whole = true;
	h->last = !http_should_keep_alive(p);
	http_parser_pause(p, 1);
	doh_stream_end(h->stream, h->now_ms);
	return 0;
}

static const http_parser_settings settings = {.on_message_begin = on_begin,
	.on_url = on_url,
	.on_header_field = on_name,
	.on_header_value = on_value,
	.on_headers_complete = on_headers_end,
	.on_body = on_body,
	.on_message_complete = on_end};

// Nothing more can be read of what the client sends.
static void refuse(struct doh_conn *c)
{
	struct doh_http1 *h = c->http1;

	h->last = true;
	if (!h->stream || c->end != DOH_OPEN)
		doh_conn_fail(c, DOH_END_broken);
	else if (h->stream->stage == DOH_RECEIVING)
		doh_stream_whole(h->stream, fields_over(h) ? DOH_431 : DOH_400, h->now_ms);
}

size_t doh_http1_take(struct doh_conn *c, const uint8_t *p, size_t len, uint64_t now_ms)
{
	struct doh_http1 *h = c->http1;

	if (h->last || h->whole || h->out.len || (h->stream && h->stream->stage != DOH_RECEIVING))
		return 0;
	h->now_ms = now_ms;
	const uint64_t whole = h->check.whole;
	const size_t sound = http1_check(&h->check, p, len); // 0 would be the end for the parser
	const size_t n =
		sound ? http_parser_execute(&h->parser, &settings, (const char *)p, sound) : 0;
	const enum http_errno why = HTTP_PARSER_ERRNO(&h->parser);
	if (h->whole)
		h->last = h->last || h->check.whole == whole; // the parser sees an end, alone
	else if (why != HPE_OK || h->check.fault)
		refuse(c);
	return h->whole || !h->last ? n : len;
}

// The response has left: what the client sends next is the next request.
static void response_end(struct doh_conn *c)
{
	struct doh_http1 *h = c->http1;

	doh_stream_free(h->stream);
	h->stream = NULL;
	h->whole = false;
	if (h->last || c->parting)
		doh_conn_fail(c, h->refused ? DOH_END_broken : DOH_END_client);
	else
		http_parser_pause(&h->parser, 0);
}

size_t doh_http1_out(struct doh_conn *c, const uint8_t **p)
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
		response_end(c);
	return 0;
}

void doh_http1_respond(struct doh_stream *s, const struct doh_response *r)
{
	struct doh_conn *c = s->conn;
	struct doh_http1 *h = c->http1;
	struct doh_field field[DOH_FIELDS_MAX];
	const unsigned count = doh_response_fields(r, &c->doh->date, field);
	char head[HEAD_MAX];

	h->refused = !h->whole;
	h->last = h->last || c->parting || h->refused;
	int n = snprintf(head, sizeof(head), "HTTP/1.1 %u %s\r\n", doh_http_numbers[r->status],
		doh_http_reason(r->status));
	for (unsigned i = 0; i < count; i++)
		n += snprintf(head + n, sizeof(head) - (size_t)n, "%s: %s\r\n", field[i].name,
			field[i].value);
	n += snprintf(head + n, sizeof(head) - (size_t)n, "%s\r\n",
		h->last ? "connection: close\r\n" : "");
	if (out_put(c, head, (size_t)n))
		(void)out_put(c, s->reply.p, s->reply.len);
}

int doh_http1_open(struct doh_conn *c)
{
	c->http1 = doh_realloc(&c->memory, NULL, sizeof(*c->http1));
	if (!c->http1)
		return -ENOMEM;
	memset(c->http1, 0, sizeof(*c->http1));
	http_parser_init(&c->http1->parser, HTTP_REQUEST);
	c->http1->parser.data = c;
	return 0;
}

void doh_http1_close(struct doh_conn *c)
{
	if (c->http1)
		doh_bytes_drop(&c->memory, &c->http1->out);
	doh_release(&c->memory, c->http1);
}
