// SPDX-License-Identifier: BSD-3-Clause
#include "clickhouse_pack.h"

#include <errno.h>
#include <limits.h>
#include <stdbool.h>
#define ZLIB_CONST // zlib does not write to its input
#include <weir/heap_site.h>
#include <zlib.h>
#include <zstd.h>
#include <zstd_errors.h>

// 15 bits of window, 16 for gzip's own head; level 1 needs no more memory than 8 says.
enum { GZIP_LEVEL = 1, GZIP_WINDOW = 15 + 16, GZIP_MEMORY = 8, GZIP_FRAME = 64, ZSTD_LEVEL = 1 };

const char *const clickhouse_coding_names[CLICKHOUSE_CODINGS] = {"gzip", "zstd"};

struct clickhouse_packer {
	z_stream gzip;
	ZSTD_CCtx *zstd;
};

int clickhouse_packer_open(struct clickhouse_packer **out)
{
	struct clickhouse_packer *p = heap_calloc(1, sizeof(*p));
	if (!p)
		return -ENOMEM;
	p->zstd = ZSTD_createCCtx();
	if (!p->zstd
		|| deflateInit2(&p->gzip, GZIP_LEVEL, Z_DEFLATED, GZIP_WINDOW, GZIP_MEMORY,
			   Z_DEFAULT_STRATEGY)
			   != Z_OK) {
		ZSTD_freeCCtx(p->zstd);
		heap_free(p);
		return -ENOMEM;
	}
	*out = p;
	return 0;
}

void clickhouse_packer_close(struct clickhouse_packer *p)
{
	if (!p)
		return;
	(void)deflateEnd(&p->gzip);
	ZSTD_freeCCtx(p->zstd);
	heap_free(p);
}

size_t clickhouse_pack_max(size_t len)
{
	size_t gzip = len + len / 1000 + GZIP_FRAME, zstd = ZSTD_compressBound(len);
	return gzip > zstd ? gzip : zstd;
}

static ssize_t pack_gzip(z_stream *z, const void *from, size_t len, void *out, size_t cap)
{
	if (len > UINT_MAX || cap > UINT_MAX)
		return -ENOSPC;
	if (deflateReset(z) != Z_OK)
		return -EIO;
	z->next_in = from;
	z->avail_in = (uInt)len;
	z->next_out = out;
	z->avail_out = (uInt)cap;
	int rc = deflate(z, Z_FINISH);
	if (rc == Z_STREAM_END)
		return (ssize_t)(cap - z->avail_out);
	return rc == Z_OK || rc == Z_BUF_ERROR ? -ENOSPC : -EIO;
}

ssize_t clickhouse_pack(struct clickhouse_packer *p, enum clickhouse_coding coding,
	const void *from, size_t len, void *out, size_t cap)
{
	if (coding == CLICKHOUSE_GZIP)
		return pack_gzip(&p->gzip, from, len, out, cap);
	size_t n = ZSTD_compressCCtx(p->zstd, out, cap, from, len, ZSTD_LEVEL);
	if (!ZSTD_isError(n))
		return (ssize_t)n;
	return cap < ZSTD_compressBound(len) ? -ENOSPC : -EIO;
}

// zlib's result does not tell whether `out` is exactly full or the body is too large.
static ssize_t unpack_gzip(const void *from, size_t len, void *out, size_t cap)
{
	z_stream z = {
		.next_in = from, .avail_in = (uInt)len, .next_out = out, .avail_out = (uInt)cap};
	if (len > UINT_MAX || cap > UINT_MAX)
		return -ENOSPC;
	if (inflateInit2(&z, GZIP_WINDOW) != Z_OK)
		return -ENOMEM;
	int rc = inflate(&z, Z_FINISH);
	ssize_t n = (ssize_t)(cap - z.avail_out);
	bool is_whole = rc == Z_STREAM_END && z.avail_in == 0, is_full = z.avail_out == 0;
	(void)inflateEnd(&z);
	return is_whole ? n : rc == Z_MEM_ERROR ? -ENOMEM : is_full ? -ENOSPC : -EBADMSG;
}

ssize_t clickhouse_unpack(
	enum clickhouse_coding coding, const void *from, size_t len, void *out, size_t cap)
{
	if (coding == CLICKHOUSE_GZIP)
		return unpack_gzip(from, len, out, cap);
	size_t n = ZSTD_decompress(out, cap, from, len);
	if (!ZSTD_isError(n))
		return (ssize_t)n;
	switch (ZSTD_getErrorCode(n)) {
	case ZSTD_error_dstSize_tooSmall:
		return -ENOSPC;
	case ZSTD_error_memory_allocation:
		return -ENOMEM;
	default:
		return -EBADMSG;
	}
}
