// SPDX-License-Identifier: BSD-3-Clause

// Does another process have an AF_XDP socket on an interface? A claim is a file, which a data plane
// in another container of this network does not see. A queue has one AF_XDP socket at most, so this
// tries to bind one.

#include <errno.h>
#include <linux/if_xdp.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>
#include <weir/xdp_steer.h>

enum { FRAME = 4096, FRAMES = 4 };

// Binds a socket to the queue. -errno.
static int queue_try(int fd, void *frames, unsigned ifindex)
{
	static const int ring[] = {XDP_UMEM_FILL_RING, XDP_UMEM_COMPLETION_RING, XDP_RX_RING};
	const int entries = FRAMES;
	const struct xdp_umem_reg umem = {
		.addr = (uintptr_t)frames, .len = FRAME * FRAMES, .chunk_size = FRAME};
	// The copy mode needs no support of the driver.
	const struct sockaddr_xdp at = {
		.sxdp_family = AF_XDP, .sxdp_ifindex = ifindex, .sxdp_flags = XDP_COPY};
	if (setsockopt(fd, SOL_XDP, XDP_UMEM_REG, &umem, sizeof(umem)) != 0)
		return -errno;
	for (unsigned i = 0; i < ARRAY_LEN(ring); i++)
		if (setsockopt(fd, SOL_XDP, ring[i], &entries, sizeof(entries)) != 0)
			return -errno;
	return bind(fd, (const struct sockaddr *)&at, sizeof(at)) != 0 ? -errno : 0;
}

bool xdp_taken(unsigned ifindex)
{
	int rc = 0, fd = socket(AF_XDP, SOCK_RAW | SOCK_CLOEXEC, 0);
	void *frames = mmap(
		NULL, FRAME * FRAMES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (fd >= 0 && frames != MAP_FAILED)
		rc = queue_try(fd, frames, ifindex);
	if (fd >= 0)
		close(fd);
	if (frames != MAP_FAILED)
		(void)munmap(frames, FRAME * FRAMES);
	return rc == -EBUSY;
}
