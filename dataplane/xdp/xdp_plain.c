// SPDX-License-Identifier: BSD-3-Clause

// The parts of the steering program that need no call of libbpf: its object file, and the map that
// workers write.

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include <weir/xdp_steer.h>

// The object file is inside the binary, which so needs no installed file of its version.
static const uint8_t steer_object[] = {
#include "steer_object.h"
};

static int write_all(int fd, const uint8_t *at, size_t left)
{
	while (left > 0) {
		ssize_t n = write(fd, at, left);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n < 0 ? -errno : -EIO;
		at += n;
		left -= (size_t)n;
	}
	return 0;
}

int xdp_program_write(const char *path)
{
	if (unlink(path) != 0 && errno != ENOENT)
		return -errno;
	int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd < 0)
		return -errno;
	int rc = write_all(fd, steer_object, sizeof(steer_object));
	if (close(fd) != 0 && rc == 0)
		rc = -errno;
	return rc;
}

int xdp_steer_asked(const struct xdp_steer *s, struct steer_asked **out)
{
	void *at = mmap(
		NULL, sizeof(struct steer_asked), PROT_READ | PROT_WRITE, MAP_SHARED, s->asked, 0);
	if (at == MAP_FAILED)
		return -errno;
	*out = at;
	return 0;
}

void xdp_steer_asked_end(struct steer_asked *asked)
{
	if (asked)
		(void)munmap(asked, sizeof(*asked));
}

void xdp_address(struct steer_address *out, const uint8_t *bytes, unsigned version)
{
	static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};
	uint8_t whole[sizeof(*out)];
	if (version == 4) {
		memcpy(whole, mapped, sizeof(mapped));
		memcpy(whole + sizeof(mapped), bytes, 4);
	} else {
		memcpy(whole, bytes, sizeof(whole));
	}
	memcpy(out, whole, sizeof(whole));
}
