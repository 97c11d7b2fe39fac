// SPDX-License-Identifier: BSD-3-Clause
// The file of a version: a head, its checksum, then numbers and texts with their lengths.

#include <errno.h>
#include <string.h>
#include <weir/bytes.h>
#include <weir/config/versions.h>
#include <weir/heap_site.h>
#include <weir/keyhash.h>

enum { HEAD_LEN = 16, FORMAT = 1, PATH_LEN_MAX = 4096, FIELDS = 8 };

static const char magic[8] = "WEIRVER";

const char *const config_version_results[CONFIG_VERSION_RESULT_COUNT] = {
#define X(name, text) [CONFIG_VERSION_##name] = #name,
	CONFIG_VERSION_RESULTS(X)
#undef X
};

static void u64_write(struct wr *w, uint64_t v)
{
	wr_u32(w, (uint32_t)(v >> 32));
	wr_u32(w, (uint32_t)v);
}

static uint64_t u64_read(struct rd *r)
{
	const uint64_t high = rd_u32(r);
	return high << 32 | rd_u32(r);
}

static void blob_write(struct wr *w, const char *bytes, size_t len)
{
	wr_u32(w, (uint32_t)len);
	wr_bytes(w, bytes, len);
}

static void words_write(struct wr *w, const char *text)
{
	blob_write(w, text, strlen(text));
}

static void text_write(struct wr *w, const struct config_text *t)
{
	wr_u8(w, t->bytes != NULL);
	if (!t->bytes)
		return;
	words_write(w, t->path);
	blob_write(w, t->bytes, t->len);
}

static void version_write(
	struct wr *w, const struct config_version *v, const struct config_bundle *b)
{
	wr_u32(w, FORMAT);
	wr_u32(w, v->number);
	wr_u32(w, v->before);
	u64_write(w, (uint64_t)v->unix_s);
	wr_u32(w, v->result);
	words_write(w, v->who);
	words_write(w, v->what);
	words_write(w, v->why);
	words_write(w, v->reason);
	words_write(w, v->needs_restart);
	text_write(w, &b->main);
	text_write(w, &b->managed);
	wr_u32(w, b->included_count);
	for (unsigned i = 0; i < b->included_count; i++)
		text_write(w, &b->included[i]);
	wr_u32(w, b->folder_count);
	for (unsigned i = 0; i < b->folder_count; i++)
		words_write(w, b->folders[i]);
	if (b->shared.bytes) // at the end: a version without it is as an older weir writes it
		text_write(w, &b->shared);
}

static size_t text_size(const struct config_text *t)
{
	return t->bytes ? 2 * sizeof(uint32_t) + strlen(t->path) + t->len + 1 : 1;
}

// The most bytes that version_write may write.
static size_t size_most(const struct config_version *v, const struct config_bundle *b)
{
	size_t size = HEAD_LEN + sizeof(*v) + (FIELDS + 2) * sizeof(uint32_t) + text_size(&b->main)
		      + text_size(&b->shared) + text_size(&b->managed);
	for (unsigned i = 0; i < b->included_count; i++)
		size += text_size(&b->included[i]);
	for (unsigned i = 0; i < b->folder_count; i++)
		size += sizeof(uint32_t) + strlen(b->folders[i]);
	return size;
}

char *config_version_text(
	const struct config_version *v, const struct config_bundle *b, size_t *len)
{
	const size_t cap = size_most(v, b);
	char *text = cap <= CONFIG_VERSION_BYTES_MAX ? heap_malloc(cap) : NULL;
	if (!text)
		return NULL;
	struct wr w = wr_init(text + HEAD_LEN, cap - HEAD_LEN);
	version_write(&w, v, b);
	const uint64_t sum = contenthash(text + HEAD_LEN, w.pos);
	struct wr head = wr_init(text, HEAD_LEN);
	wr_bytes(&head, magic, sizeof(magic));
	u64_write(&head, sum);
	*len = HEAD_LEN + w.pos;
	if (wr_ok(&w) && wr_ok(&head))
		return text;
	heap_free(text);
	return NULL;
}

// Reads `most` bytes at most, without a zero, as a string for free(); NULL: it is no such string,
// or no memory.
static char *words_take(struct rd *r, size_t most)
{
	const uint32_t len = rd_u32(r);
	const uint8_t *bytes = len <= most ? rd_bytes(r, len) : NULL;
	if (!bytes || memchr(bytes, '\0', len)) {
		r->bad = true;
		return NULL;
	}
	return heap_strndup((const char *)bytes, len);
}

static void words_read(struct rd *r, char *out, size_t cap)
{
	const uint32_t len = rd_u32(r);
	const uint8_t *bytes = len < cap ? rd_bytes(r, len) : NULL;
	r->bad |= !bytes;
	if (!bytes)
		return;
	memcpy(out, bytes, len);
	out[len] = '\0';
}

static int text_take(struct rd *r, struct config_text *out)
{
	if (!rd_u8(r))
		return rd_ok(r) ? 0 : -EBADMSG;
	out->path = words_take(r, PATH_LEN_MAX);
	const uint32_t len = rd_u32(r);
	const uint8_t *bytes = rd_bytes(r, len);
	if (!bytes || (out->path && out->path[0] != '/'))
		return -EBADMSG;
	out->bytes = heap_malloc((size_t)len + 1);
	if (!out->path || !out->bytes)
		return -ENOMEM;
	memcpy(out->bytes, bytes, len);
	out->bytes[len] = '\0';
	out->len = len;
	return 0;
}

static int included_take(struct rd *r, struct config_bundle *b)
{
	const uint32_t count = rd_u32(r);
	if (!rd_ok(r) || count > CONFIG_INCLUDED_MAX)
		return -EBADMSG;
	b->included = heap_calloc(count + 1, sizeof(*b->included));
	if (!b->included)
		return -ENOMEM;
	int rc = 0;
	while (rc == 0 && b->included_count < count) {
		struct config_text *t = &b->included[b->included_count++];
		rc = text_take(r, t);
		if (rc == 0 && !t->bytes)
			rc = -EBADMSG;
	}
	return rc;
}

static int folders_take(struct rd *r, struct config_bundle *b)
{
	const uint32_t count = rd_u32(r);
	if (!rd_ok(r) || count > CONFIG_INCLUDE_MAX)
		return -EBADMSG;
	b->folders = heap_calloc(count + 1, sizeof(*b->folders));
	if (!b->folders)
		return -ENOMEM;
	while (b->folder_count < count) {
		char *folder = words_take(r, PATH_LEN_MAX);
		if (!folder)
			return rd_ok(r) ? -ENOMEM : -EBADMSG;
		b->folders[b->folder_count++] = folder;
	}
	return 0;
}

static void head_read(struct rd *r, struct config_version *v)
{
	r->bad |= rd_u32(r) != FORMAT;
	v->number = rd_u32(r);
	v->before = rd_u32(r);
	v->unix_s = (int64_t)u64_read(r);
	const uint32_t result = rd_u32(r);
	r->bad |= result >= CONFIG_VERSION_RESULT_COUNT || v->number == 0;
	v->result = rd_ok(r) ? (enum config_version_result)result : CONFIG_VERSION_pending;
	words_read(r, v->who, sizeof(v->who));
	words_read(r, v->what, sizeof(v->what));
	words_read(r, v->why, sizeof(v->why));
	words_read(r, v->reason, sizeof(v->reason));
	words_read(r, v->needs_restart, sizeof(v->needs_restart));
}

static int bundle_take(struct rd *r, struct config_bundle *b)
{
	int rc = text_take(r, &b->main);
	if (rc == 0 && !b->main.bytes)
		rc = -EBADMSG;
	if (rc == 0)
		rc = text_take(r, &b->managed);
	if (rc == 0)
		rc = included_take(r, b);
	if (rc == 0)
		rc = folders_take(r, b);
	if (rc == 0 && rd_left(r))
		rc = text_take(r, &b->shared);
	return rc == 0 && rd_left(r) ? -EBADMSG : rc;
}

int config_version_parse(
	const char *text, size_t len, struct config_version *v, struct config_bundle *b)
{
	struct rd r = rd_init(text, len);
	const uint8_t *mark = rd_bytes(&r, sizeof(magic));
	const uint64_t sum = u64_read(&r);
	*v = (struct config_version){0};
	*b = (struct config_bundle){0};
	if (!rd_ok(&r) || memcmp(mark, magic, sizeof(magic)) != 0
		|| sum != contenthash(text + r.pos, len - r.pos))
		return -EBADMSG;
	head_read(&r, v);
	int rc = rd_ok(&r) ? bundle_take(&r, b) : -EBADMSG;
	if (rc < 0) {
		config_bundle_free(b);
		return rc;
	}
	v->digest = config_bundle_digest(b);
	v->disk_digest = config_bundle_disk_digest(b);
	return 0;
}
