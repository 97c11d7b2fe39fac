// SPDX-License-Identifier: BSD-3-Clause
#include "shm_internal.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <unistd.h>

enum { PIECE = 1 << 20 };

static int write_all(int fd, const uint8_t *from, size_t len)
{
	while (len > 0) {
		ssize_t n = write(fd, from, len);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n < 0 ? -errno : -EIO;
		from += n;
		len -= (size_t)n;
	}
	return 0;
}

static int send_all(int fd, int from, size_t len)
{
	off_t at = 0;
	while (len > 0) {
		ssize_t n = sendfile(fd, from, &at, len);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n < 0 ? -errno : -EIO;
		len -= (size_t)n;
	}
	return 0;
}

static void give_back(const struct region_fill *fill, size_t at, size_t len)
{
	if (fill->give_back)
		(void)madvise((uint8_t *)(uintptr_t)fill->from + at, len, MADV_DONTNEED);
}

int shm_fill_file(int fd, size_t size, const struct region_fill *fill, struct shm_huge *huge)
{
	static const uint8_t zeros[SHM_PAGE];
	// Pages freed as they are copied never exist twice.
	shm_huge_make(huge, fill->give_back ? SHM_PAGE : size);
	int err = write_all(fd, zeros, sizeof(zeros));
	if (!err && !fill->from)
		err = send_all(fd, fill->fd, fill->len);
	for (size_t at = 0; fill->from && at < fill->len && !err; at += PIECE) {
		size_t len = fill->len - at < PIECE ? fill->len - at : PIECE;
		shm_huge_make(huge, SHM_PAGE + at + len);
		err = write_all(fd, (const uint8_t *)fill->from + at, len);
		give_back(fill, at, len);
	}
	if (!err)
		shm_huge_make(huge, size);
	for (size_t at = SHM_PAGE + fill->len; at < size && !err;) {
		size_t len = size - at < SHM_PAGE ? size - at : SHM_PAGE;
		err = write_all(fd, zeros, len);
		at += len;
	}
	return err;
}

int shm_fill_memory(uint8_t *to, const struct region_fill *fill)
{
	for (size_t at = 0; at < fill->len;) {
		size_t len = fill->len - at < PIECE ? fill->len - at : PIECE;
		ssize_t n = (ssize_t)len;
		if (fill->from) {
			memcpy(to + at, (const uint8_t *)fill->from + at, len);
			give_back(fill, at, len);
		} else {
			n = pread(fill->fd, to + at, len, (off_t)at);
		}
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n < 0 ? -errno : -EIO;
		at += (size_t)n;
	}
	return 0;
}
