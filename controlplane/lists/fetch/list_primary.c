// SPDX-License-Identifier: BSD-3-Clause
#include "list_primary.h"

#include "base/file_write.h"
#include "base/json.h"
#include "http/http_server.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <weir/clock.h>
#include <weir/heap_site.h>
#include <weir/keyhash.h>
#include <weir/list_file.h>

enum { URL_MAX = 1024, AUTHORIZATION_MAX = 1024, REFUSAL_MAX = 4096 };

// The head.

char *list_head_write(const struct list_stored *s, bool has_body)
{
	char hash[LIST_FILE_ID_LEN + 1];
	struct json_out *o = json_out_new();
	struct json_node *root = json_out_root(o);
	snprintf(hash, sizeof(hash), "%016" PRIx64, s->content_hash);
	json_out_count(o, root, "size", s->size);
	json_out_text(o, root, "hash", hash);
	json_out_count(o, root, "good_unix_s", s->good_unix_s);
	json_out_text(o, root, "etag", s->etag);
	json_out_text(o, root, "last_modified", s->last_modified);
	json_out_bool(o, root, "body", has_body);
	char *json = json_out_finish(o), *line = NULL;
	if (json && asprintf(&line, "%s\n", json) < 0)
		line = NULL;
	heap_free(json);
	return line;
}

// A validator that a server could not have sent counts as absent.
static void validator_read(const struct json_in *v, const char *key, char *out, size_t cap)
{
	const char *text = json_in_text(json_in_get(v, key));
	bool fits = strlen(text) < cap;
	for (const char *at = text; *at; at++)
		fits &= *at >= 0x20 && *at <= 0x7e;
	snprintf(out, cap, "%s", fits ? text : "");
}

static bool hash_read(const char *text, uint64_t *out)
{
	return strlen(text) == LIST_FILE_ID_LEN
	       && strspn(text, "0123456789abcdef") == LIST_FILE_ID_LEN
	       && sscanf(text, "%16" SCNx64, out) == 1;
}

// Reads a head without its end of line. False: malformed.
static bool head_read(const char *line, size_t len, struct list_stored *out, bool *has_body)
{
	char why[JSON_IN_WHY_MAX];
	struct json_in *v = json_in_read(line, len, why);
	const int64_t size = json_in_number(json_in_get(v, "size"));
	const int64_t good_unix_s = json_in_number(json_in_get(v, "good_unix_s"));
	*out = (struct list_stored){.size = (uint64_t)size, .good_unix_s = (uint64_t)good_unix_s};
	*has_body = json_in_flag(json_in_get(v, "body"));
	const bool is_good = json_in_kind(v) == JSON_IN_OBJECT && size >= 0 && good_unix_s > 0
			     && json_in_kind(json_in_get(v, "body")) == JSON_IN_FLAG
			     && hash_read(json_in_text(json_in_get(v, "hash")), &out->content_hash);
	validator_read(v, "etag", out->etag, sizeof(out->etag));
	validator_read(v, "last_modified", out->last_modified, sizeof(out->last_modified));
	json_in_free(v);
	return is_good;
}

// The transfer.

struct take {
	const struct list_fetch_request *request;
	const struct list_stored *before;
	struct list_fetch_result *result;
	struct list_stored *got;
	char head[LIST_HEAD_MAX];
	size_t head_len;
	struct contenthash_state hash;
	uint64_t refusal_len;
	bool has_head, has_body, is_whole;
	int err; // why a hook ended the transfer
};

static int ATTR_PRINTF(3, 4) fail(struct list_fetch_result *r, int err, const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	vsnprintf(r->why, sizeof(r->why), fmt, ap);
	va_end(ap);
	return err;
}

static int head_take(struct take *t)
{
	const uint64_t max = t->request->max_bytes;
	if (!head_read(t->head, t->head_len, t->got, &t->has_body))
		return fail(t->result, -EPROTO, "the primary's reply is malformed");
	if (t->got->good_unix_s <= t->before->good_unix_s)
		return fail(t->result, -EPROTO, "the primary's copy was not confirmed later");
	if (!t->has_body
		&& (!t->before->good_unix_s || t->got->content_hash != t->before->content_hash))
		return fail(t->result, -EPROTO, "the primary has another copy, which it left out");
	if (t->has_body && t->got->size > max)
		return fail(t->result, -EFBIG, "larger than %" PRIu64 " bytes", max);
	t->has_head = true;
	t->is_whole = !t->has_body || t->got->size == 0;
	return 0;
}

// Returns how many bytes belong to the head and its end of line.
static size_t head_feed(struct take *t, const char *bytes, size_t len)
{
	const char *end = memchr(bytes, '\n', len);
	const size_t n = end ? (size_t)(end - bytes) : len;
	if (n > sizeof(t->head) - t->head_len) {
		t->err = fail(t->result, -EPROTO, "the primary's reply is malformed");
		return len;
	}
	memcpy(t->head + t->head_len, bytes, n);
	t->head_len += n;
	if (end)
		t->err = head_take(t);
	return end ? n + 1 : n;
}

static void body_feed(struct take *t, const char *bytes, size_t len)
{
	const uint64_t left = t->got->size - t->result->bytes;
	len = len < left ? len : (size_t)left;
	t->err = file_write_fd(t->request->fd, bytes, len);
	if (t->err < 0)
		(void)fail(t->result, t->err, "cannot write: %s", strerror(-t->err));
	contenthash_update(&t->hash, bytes, len);
	t->result->bytes += len;
	t->is_whole = t->result->bytes == t->got->size;
}

static bool on_body(void *arg, unsigned status, const char *bytes, size_t len)
{
	struct take *t = arg;
	if (status != 200) {
		t->refusal_len += len;
		return t->refusal_len <= REFUSAL_MAX;
	}
	if (!t->has_head) {
		const size_t n = head_feed(t, bytes, len);
		bytes += n;
		len -= n;
	}
	if (!t->err && t->has_head && !t->is_whole && len)
		body_feed(t, bytes, len);
	return !t->err && !t->is_whole;
}

static bool on_wait(void *arg, uint64_t)
{
	struct take *t = arg;
	const _Atomic bool *stop = t->request->stop;
	if (!t->err && stop && atomic_load_explicit(stop, memory_order_relaxed))
		t->err = fail(t->result, -ECANCELED, "stopped");
	return !t->err;
}

static int end_of(struct take *t, int rc, const struct http_transfer_result *got)
{
	struct list_fetch_result *r = t->result;
	r->http_status = got->status;
	r->wire_bytes = got->received;
	if (t->err < 0)
		return t->err;
	if (got->status == 404)
		return fail(r, -ENOENT, "the primary has no newer copy");
	if (got->status && got->status != 200)
		return fail(r, -EPROTO, "HTTP status %u of the primary", got->status);
	if (!t->is_whole)
		return rc < 0 ? fail(r, rc, "%s", got->why)
			      : fail(r, -EPROTO, "the primary ended the reply too early");
	r->not_modified = !t->has_body;
	if (t->has_body && contenthash_finish(&t->hash) != t->got->content_hash)
		return fail(r, -EPROTO, "the list does not have the hash that the primary says");
	snprintf(r->etag, sizeof(r->etag), "%s", t->got->etag);
	snprintf(r->last_modified, sizeof(r->last_modified), "%s", t->got->last_modified);
	return 0;
}

static int transfer(struct take *t, const struct list_primary *p, const char *url,
	const char *addresses, uint64_t deadline_ms)
{
	char authorization[AUTHORIZATION_MAX];
	struct http_transfer_result got = {0};
	struct http_transfer *handle;
	const uint64_t now_ms = clock_mono_ms();
	if (now_ms >= deadline_ms)
		return fail(t->result, -ETIMEDOUT, "too slow");
	if (snprintf(authorization, sizeof(authorization), "Authorization: Bearer %s", p->token)
		>= (int)sizeof(authorization))
		return fail(t->result, -EINVAL, "the token is too long");
	const struct http_transfer_request request = {.url = url,
		.addresses = *addresses ? addresses : NULL,
		.ca_file = *p->ca_file ? p->ca_file : NULL,
		.header = {authorization},
		.connect_ms = LIST_FETCH_CONNECT_MS,
		.timeout_ms = (unsigned)(deadline_ms - now_ms),
		.low_speed_s = t->request->low_speed_s,
		.single = true,
		.hooks = {.on_body = on_body, .on_wait = on_wait},
		.arg = t};
	int rc = http_transfer_open(&handle);
	if (rc < 0)
		return fail(t->result, rc, "%s", strerror(-rc));
	rc = http_transfer(handle, &request, &got);
	http_transfer_close(handle);
	explicit_bzero(authorization, sizeof(authorization));
	return end_of(t, rc, &got);
}

int list_primary_fetch(const struct list_primary *p, const struct list_fetch_request *request,
	const struct list_stored *before, struct list_stored *got, struct list_fetch_result *out)
{
	char url[URL_MAX], addresses[HTTP_HOST_LINE_MAX], why[HTTP_HOST_WHY_MAX];
	struct take t = {.request = request, .before = before, .result = out, .got = got};
	struct http_url host;
	struct bootstrap b = {.server_count = request->server_count,
		.deadline_ms = clock_mono_ms() + request->timeout_ms,
		.stop = request->stop};
	*out = (struct list_fetch_result){0};
	*got = (struct list_stored){0};
	contenthash_begin(&t.hash);
	if (b.server_count > ARRAY_LEN(b.server))
		b.server_count = ARRAY_LEN(b.server);
	if (b.server_count)
		memcpy(b.server, request->servers, b.server_count * sizeof(b.server[0]));
	const int n = snprintf(url, sizeof(url),
		"%s/v1/sync/list?id=%016" PRIx64 "&hash=%016" PRIx64 "&good=%" PRIu64, p->url,
		list_file_id(request->url), before->content_hash, before->good_unix_s);
	if (n < 0 || n >= (int)sizeof(url) || http_url_split(url, &host) < 0)
		return fail(out, -EINVAL, "sync.primary is not a URL with a host");
	const int rc = http_host_addresses(&host, &b, addresses, why);
	if (rc < 0)
		return fail(out, rc, "%s: %s", host.host, why);
	return transfer(&t, p, url, addresses, b.deadline_ms);
}
