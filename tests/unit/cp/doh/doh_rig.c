// SPDX-License-Identifier: BSD-3-Clause
#include "doh_rig.h"

const uint8_t rig_query[] = "\xab\xcd\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00\x07"
			    "example\x03"
			    "com\x00\x00\x01\x00\x01";

struct body { // of a request, in one piece
	size_t len, sent;
	uint8_t bytes[];
};

void rig_reply(uint8_t out[RIG_REPLY], uint16_t id, uint32_t ttl)
{
	memcpy(out, rig_query, RIG_QUERY);
	put_u16(out, id);
	out[2] = 0x81;
	out[7] = 1;
	memcpy(out + RIG_QUERY, "\xc0\x0c\x00\x01\x00\x01", 6);
	put_u32(out + RIG_QUERY + 6, ttl);
	memcpy(out + RIG_QUERY + 10, "\x00\x04\xc0\x00\x02\x01", 6);
}

static int on_header(nghttp2_session *, const nghttp2_frame *f, const uint8_t *name, size_t,
	const uint8_t *value, size_t, uint8_t, void *arg)
{
	struct rig *r = arg;
	struct rig_response *a = &r->of[f->hd.stream_id];
	const char *n = (const char *)name, *v = (const char *)value;

	if (strcmp(n, ":status") == 0)
		a->status = (unsigned)atoi(v);
	else if (strcmp(n, "content-type") == 0)
		snprintf(a->type, sizeof(a->type), "%s", v);
	else if (strcmp(n, "cache-control") == 0)
		snprintf(a->cache, sizeof(a->cache), "%s", v);
	else if (strcmp(n, "content-length") == 0)
		snprintf(a->length, sizeof(a->length), "%s", v);
	else if (strcmp(n, "allow") == 0)
		snprintf(a->allow, sizeof(a->allow), "%s", v);
	return 0;
}

static int on_data(nghttp2_session *, uint8_t, int32_t id, const uint8_t *p, size_t n, void *arg)
{
	struct rig_response *a = &((struct rig *)arg)->of[id];

	for (size_t i = 0; i < n; i++, a->body++)
		if (a->body < sizeof(a->first))
			a->first[a->body] = p[i];
	return 0;
}

static int on_frame(nghttp2_session *s, const nghttp2_frame *f, void *arg)
{
	struct rig *r = arg;

	if (f->hd.type == NGHTTP2_GOAWAY)
		r->goaway = f->goaway.error_code;
	if (f->hd.type == NGHTTP2_SETTINGS)
		r->streams = nghttp2_session_get_remote_settings(
			s, NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS);
	if (f->hd.stream_id && f->hd.flags & NGHTTP2_FLAG_END_STREAM)
		r->of[f->hd.stream_id].ended = true;
	return 0;
}

static int on_close(nghttp2_session *s, int32_t id, uint32_t code, void *arg)
{
	struct rig *r = arg;

	r->of[id].closed = true;
	r->of[id].error = code;
	free(nghttp2_session_get_stream_user_data(s, id));
	return 0;
}

static void client_open(struct rig *r)
{
	nghttp2_session_callbacks *k;

	assert_int_equal(nghttp2_session_callbacks_new(&k), 0);
	nghttp2_session_callbacks_set_on_header_callback(k, on_header);
	nghttp2_session_callbacks_set_on_data_chunk_recv_callback(k, on_data);
	nghttp2_session_callbacks_set_on_frame_recv_callback(k, on_frame);
	nghttp2_session_callbacks_set_on_stream_close_callback(k, on_close);
	assert_int_equal(nghttp2_session_client_new(&r->client, k, r), 0);
	nghttp2_session_callbacks_del(k);
	assert_int_equal(nghttp2_submit_settings(r->client, NGHTTP2_FLAG_NONE, NULL, 0), 0);
}

void rig_open(struct rig *r, enum doh_version version, bool has_client)
{
	*r = (struct rig){.set = {.path = "/dns-query",
				  .streams = DOH_STREAMS_MAX,
				  .request_ms = 2000,
				  .drain_ms = 10000},
		.now_ms = 1000,
		.goaway = UINT32_MAX};
	r->of = calloc(RIG_STREAMS, sizeof(*r->of));
	r->out = malloc(RIG_TEXT);
	assert_true(r->of && r->out);
	assert_int_equal(doh_new(&r->d, &r->set), 0);
	assert_int_equal(doh_conn_new(&r->c, r->d, version, r->now_ms), 0);
	if (has_client)
		client_open(r);
	rig_pump(r);
}

void rig_close(struct rig *r)
{
	struct doh_status_now now;

	doh_conn_free(r->c);
	doh_status(r->d, &now);
	assert_int_equal(now.bytes, 0);
	assert_int_equal(now.connections, 0);
	doh_free(r->d);
	if (r->client) {
		for (int32_t id = 1; id < RIG_STREAMS; id += 2)
			if (!r->of[id].closed && nghttp2_session_find_stream(r->client, id))
				free(nghttp2_session_get_stream_user_data(r->client, id));
		nghttp2_session_del(r->client);
	}
	free(r->of);
	free(r->out);
}

static void ask_all(struct rig *r)
{
	struct doh_question q;

	while ((r->most == 0 || r->open < r->most) && doh_conn_next(r->c, &q, r->now_ms)) {
		assert_true(r->asked < RIG_ASKED && q.len >= 12);
		assert_int_equal(get_u16(q.msg), q.id);
		r->question[r->asked].id = q.id;
		r->question[r->asked].len = q.len;
		memcpy(r->question[r->asked].head, q.msg, q.len < RIG_QUERY ? q.len : RIG_QUERY);
		r->asked++;
		r->open++;
	}
}

static size_t send_all(struct rig *r)
{
	const uint8_t *p;
	size_t n, all = 0;

	while (!r->deaf && (n = doh_conn_out(r->c, &p, r->now_ms)) > 0) {
		all += n;
		if (r->client) {
			(void)!nghttp2_session_mem_recv(r->client, p, n);
			continue;
		}
		assert_true(r->out_len + n < RIG_TEXT);
		memcpy(r->out + r->out_len, p, n);
		r->out_len += n;
		r->out[r->out_len] = 0;
	}
	return all;
}

size_t rig_put(struct rig *r, const void *p, size_t n)
{
	size_t taken = 0, one;

	do {
		one = doh_conn_take(r->c, (const uint8_t *)p + taken, n - taken, r->now_ms);
		taken += one;
		ask_all(r);
		one += send_all(r);
	} while (one > 0);
	return taken;
}

void rig_pump(struct rig *r)
{
	const uint8_t *p;
	ssize_t n;
	size_t moved;

	do {
		ask_all(r);
		moved = send_all(r);
		while (r->client && (n = nghttp2_session_mem_send(r->client, &p)) > 0) {
			moved += (size_t)n;
			(void)rig_put(r, p, (size_t)n);
		}
	} while (moved > 0);
}

void rig_answer(struct rig *r, unsigned question, uint32_t ttl)
{
	uint8_t reply[RIG_REPLY];

	rig_reply(reply, r->question[question].id, ttl);
	doh_conn_answer(r->c, reply, sizeof(reply), r->now_ms);
	r->open--;
	rig_pump(r);
}

void rig_answer_len(struct rig *r, unsigned question, size_t len)
{
	uint8_t *reply = calloc(1, len);

	assert_non_null(reply);
	put_u16(reply, r->question[question].id);
	doh_conn_answer(r->c, reply, len, r->now_ms);
	free(reply);
	r->open--;
	rig_pump(r);
}

struct doh_counts rig_counts(const struct rig *r)
{
	struct doh_status_now now;

	doh_status(r->d, &now);
	return now.counts;
}

static ssize_t body_read(nghttp2_session *, int32_t, uint8_t *buf, size_t room, uint32_t *flags,
	nghttp2_data_source *source, void *)
{
	struct body *b = source->ptr;
	size_t left = b->len - b->sent, n = left < room ? left : room;

	memcpy(buf, b->bytes + b->sent, n);
	b->sent += n;
	if (n == left)
		*flags |= NGHTTP2_DATA_FLAG_EOF;
	return (ssize_t)n;
}

static nghttp2_nv nv_of(const char *name, const char *value)
{
	return (nghttp2_nv){.name = (uint8_t *)(uintptr_t)name,
		.value = (uint8_t *)(uintptr_t)value,
		.namelen = strlen(name),
		.valuelen = strlen(value)};
}

int32_t rig_request(struct rig *r, const char *method, const char *path, const char *type,
	const void *body, size_t len)
{
	struct body *b = body ? malloc(sizeof(*b) + len) : NULL;
	nghttp2_nv nv[] = {nv_of(":method", method), nv_of(":scheme", "https"),
		nv_of(":authority", "dns.example"), nv_of(":path", path),
		nv_of("content-type", type ? type : "")};
	nghttp2_data_provider data = {.source.ptr = b, .read_callback = body_read};

	if (b) {
		*b = (struct body){.len = len};
		memcpy(b->bytes, body, len);
	}
	const int32_t id =
		nghttp2_submit_request(r->client, NULL, nv, type ? 5 : 4, b ? &data : NULL, b);
	assert_true(id > 0 && id < RIG_STREAMS);
	rig_pump(r);
	return id;
}

int32_t rig_post(struct rig *r)
{
	return rig_request(
		r, "POST", "/dns-query", "application/dns-message", rig_query, RIG_QUERY);
}

struct rig rig;

int rig_http1(void **)
{
	rig_open(&rig, DOH_http1, false);
	return 0;
}

int rig_http2(void **)
{
	rig_open(&rig, DOH_http2, true);
	return 0;
}

int rig_end(void **)
{
	rig_close(&rig);
	return 0;
}
