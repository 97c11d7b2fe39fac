// SPDX-License-Identifier: BSD-3-Clause

// Replies of a Redis server: however the bytes are cut into pieces, and however long nothing is
// asked between these, the replies are the same, and they stay within their bounds. What stays for
// the next reply is small then.

#include "controlplane/l1/redis_wire.h"
#include "fuzz.h"

// What stays: after a reply, and once nothing was asked for long.
enum { KEPT = 64 << 10, KEPT_IDLE = 2 * (16 << 10) };

struct taken {
	uint64_t sum, count;
	int rc;
};

// The bytes of the first of `len` that are one item, of a server that says nothing wrong; 0: more
// are to come. Written independently, from the protocol's description.
static size_t item_len(const uint8_t *p, size_t len)
{
	const uint8_t *end = memmem(p, len, "\r\n", 2);
	if (!end)
		return 0;
	size_t line = (size_t)(end - p) + 2;
	long long n = *p == '$' || *p == '*' ? strtoll((const char *)p + 1, NULL, 10) : -1;
	if (*p == '$' && n >= 0)
		return line + (size_t)n + 2 <= len ? line + (size_t)n + 2 : 0;
	for (size_t item; n > 0; n--, line += item)
		if (line == len || (item = item_len(p + line, len - line)) == 0)
			return 0;
	return line;
}

// Is it a number of whole replies, namely `count`?
static bool is_whole(const uint8_t *p, size_t len, uint64_t count)
{
	size_t at = 0, item = 1;
	for (uint64_t i = 0; i < count; i++, at += item)
		FUZZ_CHECK(at < len && (item = item_len(p + at, len - at)) > 0);
	FUZZ_CHECK(at == len || item_len(p + at, len - at) == 0);
	return at == len;
}

static void add(struct taken *t, const void *bytes, size_t len)
{
	const uint8_t *p = bytes;
	for (size_t i = 0; i < len; i++)
		t->sum = t->sum * 31 + p[i];
}

static void take(struct taken *t, const struct redis_reply *reply, unsigned depth)
{
	enum redis_kind kind = redis_reply_kind(reply);
	int64_t integer = redis_reply_integer(reply);
	unsigned count = redis_reply_count(reply);
	size_t len;
	const char *text = redis_reply_text(reply, &len);
	FUZZ_CHECK(depth <= 8 && kind <= REDIS_ERROR
		   && count <= REDIS_REPLY_MAX / REDIS_ELEMENT_BYTES);
	FUZZ_CHECK(len <= REDIS_REPLY_MAX && (text ? text[len] == '\0' : len == 0));
	FUZZ_CHECK(redis_reply_at(reply, count) == NULL);
	add(t, &kind, sizeof(kind));
	add(t, &integer, sizeof(integer));
	if (text)
		add(t, text, len);
	for (unsigned i = 0; i < count; i++)
		take(t, redis_reply_at(reply, i), depth + 1);
	if (kind != REDIS_ERROR)
		return;
	struct socket_address from = {.ip.version = 4, .port = 1}, to = {.port = 0};
	unsigned slot = 0;
	add(t, &(enum redis_error){redis_error_kind(reply)}, sizeof(enum redis_error));
	FUZZ_CHECK(
		redis_error_where(reply, &from, &slot, &to) < 0 || (slot < 16384 && to.port > 0));
}

static struct taken parse(const uint8_t *data, size_t len, size_t piece, bool idles)
{
	struct redis_reader *r;
	const struct redis_reply *reply;
	struct taken t = {0};
	struct growth growth = {0};
	FUZZ_CHECK(redis_reader_new(&r, REDIS_REPLY_MAX, &growth) == 0);
	for (size_t at = 0; at < len && t.rc == 0; at += piece) {
		FUZZ_CHECK(
			redis_reader_feed(r, data + at, piece < len - at ? piece : len - at) == 0);
		while ((t.rc = redis_reader_next(r, &reply)) == 1) {
			take(&t, reply, 0);
			t.count++;
		}
		FUZZ_CHECK(redis_reader_bytes(r) < (8u << 20));
		if (idles && t.rc == 0)
			redis_reader_idle(r, GROWTH_IDLE_MS);
	}
	uint64_t bytes = growth.bytes;
	redis_reader_idle(r, GROWTH_IDLE_MS - 1);
	FUZZ_CHECK(growth.bytes == bytes);
	redis_reader_idle(r, GROWTH_IDLE_MS);
	if (t.rc == 0 && is_whole(data, len, t.count)) {
		FUZZ_CHECK(bytes <= KEPT && growth.bytes <= KEPT_IDLE);
		FUZZ_CHECK(bytes > KEPT_IDLE || growth.bytes == bytes);
	}
	redis_reader_free(r);
	return t;
}

FUZZ_BODY(data, len)
{
	if (len > REDIS_REPLY_MAX)
		len = REDIS_REPLY_MAX;
	struct taken whole = parse(data, len, len + 1, false);
	struct taken cut = parse(data, len, len ? 1 + data[0] % 7 + len / 256 : 1, true);
	FUZZ_CHECK(whole.rc <= 0 && whole.rc == cut.rc);
	FUZZ_CHECK(whole.sum == cut.sum && whole.count == cut.count);
	return 0;
}
