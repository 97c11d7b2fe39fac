// SPDX-License-Identifier: BSD-3-Clause
#include "doh_request.h"

#include "doh_base64url.h"

#include <weir/ascii.h>
#include <weir/dns_proto.h>

static bool text_is(const uint8_t *p, size_t n, const char *word)
{
	if (n != strlen(word))
		return false;
	for (size_t i = 0; i < n; i++)
		if (ascii_lower(p[i]) != (uint8_t)word[i])
			return false;
	return true;
}

void doh_request_method(struct doh_request *r, const uint8_t *p, size_t n)
{
	r->method = DOH_METHOD_other;
	r->is_head = n == 4 && memcmp(p, "HEAD", n) == 0;
	if (n == 3 && memcmp(p, "GET", n) == 0)
		r->method = DOH_METHOD_get;
	else if (n == 4 && memcmp(p, "POST", n) == 0)
		r->method = DOH_METHOD_post;
}

static bool header_room(struct doh_request *r, size_t n)
{
	r->header_bytes += n;
	return r->header_bytes <= DOH_HEADERS_MAX;
}

void doh_request_path(struct doh_request *r, struct doh_memory *m, const uint8_t *p, size_t n)
{
	if (header_room(r, n) && !doh_bytes_add(m, &r->path, p, n))
		r->no_memory = true;
}

// Parameters of a media type are passed over: application/dns-message has none.
static bool type_is_message(const uint8_t *p, size_t n)
{
	size_t end = 0;

	while (end < n && p[end] != ';')
		end++;
	while (end > 0 && (p[end - 1] == ' ' || p[end - 1] == '\t'))
		end--;
	return text_is(p, end, "application/dns-message");
}

// Up to the first number that no message has.
static uint64_t length_of(const uint8_t *p, size_t n)
{
	uint64_t length = 0;

	for (size_t i = 0; i < n && p[i] >= '0' && p[i] <= '9' && length <= DOH_MESSAGE_MAX; i++)
		length = length * 10 + (uint64_t)(p[i] - '0');
	return length;
}

void doh_request_field(struct doh_request *r, const uint8_t *name, size_t name_len,
	const uint8_t *value, size_t value_len)
{
	if (!header_room(r, name_len + value_len + DOH_FIELD_COST))
		return;
	if (text_is(name, name_len, "content-type")) {
		r->has_type = type_is_message(value, value_len);
	} else if (text_is(name, name_len, "content-length")) {
		r->has_length = true;
		r->length = length_of(value, value_len);
	} else if (text_is(name, name_len, "content-encoding")) {
		r->is_coded |= !text_is(value, value_len, "identity");
	} else if (text_is(name, name_len, "transfer-encoding")) {
		r->is_coded |= !text_is(value, value_len, "chunked");
	}
}

// The value of `dns`; NULL if there is not exactly one.
static const uint8_t *message_find(const uint8_t *p, const uint8_t *end, size_t *len)
{
	static const char key[] = "dns=";
	const size_t key_len = sizeof(key) - 1;
	const uint8_t *found = NULL;

	while (p < end) {
		const uint8_t *next = memchr(p, '&', (size_t)(end - p));
		const uint8_t *stop = next ? next : end;
		if ((size_t)(stop - p) >= key_len && memcmp(p, key, key_len) == 0) {
			if (found)
				return NULL;
			found = p + key_len;
			*len = (size_t)(stop - found);
		}
		p = stop + 1;
	}
	return found;
}

static enum doh_status get_settle(
	struct doh_request *r, struct doh_memory *m, const uint8_t *query, const uint8_t *end)
{
	size_t text_len = 0, len;
	const uint8_t *text = message_find(query, end, &text_len);

	if (!text)
		return DOH_400;
	uint8_t *out = doh_realloc(m, NULL, text_len + 1);
	if (!out) {
		r->no_memory = true;
		return DOH_503;
	}
	if (!doh_base64url(text, text_len, out, &len)) {
		doh_release(m, out);
		return DOH_400;
	}
	r->message = (struct doh_bytes){.p = out, .len = len, .cap = text_len + 1};
	return DOH_200;
}

// Is it the path, or the path and a name?
static bool path_take(struct doh_request *r, const uint8_t *p, size_t n, const char *path)
{
	const size_t len = strlen(path);

	if (n < len || memcmp(p, path, len) != 0)
		return false;
	p += len;
	n -= len;
	if (n == 0)
		return true;
	if (path[len - 1] != '/') {
		if (*p != '/')
			return false;
		p++;
		n--;
	}
	if (n == 0 || n > DOH_NAME_MAX)
		return false;
	memcpy(r->name, p, n);
	return strspn(r->name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_")
	       == n;
}

// Length of the scheme and authority in front of a path, which are ignored: the certificate has
// already shown the client whom it asks.
static size_t origin_len(const uint8_t *p, size_t n)
{
	static const char scheme[] = "https://";
	size_t at = sizeof(scheme) - 1;

	if (n < at || !text_is(p, at, scheme))
		return 0;
	while (at < n && p[at] != '/' && p[at] != '?')
		at++;
	return at;
}

static enum doh_status settle(struct doh_request *r, struct doh_memory *m, const char *path)
{
	const uint8_t *p = r->path.p;

	if (r->header_bytes > DOH_HEADERS_MAX)
		return DOH_431;
	if (!p)
		return DOH_400;
	const uint8_t *end = p + r->path.len;
	p += origin_len(p, r->path.len);
	const uint8_t *query = memchr(p, '?', (size_t)(end - p));
	const size_t path_len = (size_t)((query ? query : end) - p);
	if (!path_take(r, p, path_len, path))
		return DOH_404;
	if (r->method == DOH_METHOD_get)
		return get_settle(r, m, query ? query + 1 : end, end);
	if (r->method != DOH_METHOD_post)
		return DOH_405;
	if (!r->has_type || r->is_coded)
		return DOH_415;
	return r->has_length && r->length > DOH_MESSAGE_MAX ? DOH_413 : DOH_200;
}

enum doh_status doh_request_headers_end(
	struct doh_request *r, struct doh_memory *m, const char *path)
{
	r->status = settle(r, m, path);
	r->headers_over = true;
	doh_bytes_drop(m, &r->path);
	return r->status;
}

bool doh_request_body(struct doh_request *r, struct doh_memory *m, const uint8_t *p, size_t n)
{
	if (r->status != DOH_200 || r->method != DOH_METHOD_post) {
		r->discarded += n;
		return r->discarded <= DOH_MESSAGE_MAX;
	}
	if (r->message.len + n > DOH_MESSAGE_MAX) {
		r->status = DOH_413;
		return false;
	}
	if (!doh_bytes_add(m, &r->message, p, n))
		r->no_memory = true;
	return !r->no_memory;
}

enum doh_status doh_request_end(struct doh_request *r)
{
	if (r->status == DOH_200 && r->message.len < DNS_HEADER_LEN)
		r->status = DOH_400;
	return r->status;
}

void doh_request_drop(struct doh_request *r, struct doh_memory *m)
{
	doh_bytes_drop(m, &r->path);
	doh_bytes_drop(m, &r->message);
}
