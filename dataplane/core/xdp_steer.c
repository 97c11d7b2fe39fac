// SPDX-License-Identifier: BSD-3-Clause

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include <errno.h>
#include <fcntl.h>
#include <linux/if_link.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>
#include <weir/xdp_steer.h>

enum { MAPS_MAX = 16, CPUS_MAX = 1024 };

// The object file itself, so that a binary needs no file of its own version somewhere.
static const uint8_t steer_object[] = {
#include "steer_object.h"
};

// libbpf's functions return -1 and set errno in some versions, -errno in others.
static int error_of(int rc)
{
	return rc < -1 ? rc : -errno;
}

int xdp_program_find(unsigned ifindex, struct xdp_program *out)
{
	LIBBPF_OPTS(bpf_xdp_query_opts, query);
	struct bpf_prog_info info = {0};
	uint32_t len = sizeof info;
	int rc = bpf_xdp_query((int)ifindex, 0, &query);
	if (rc < 0)
		return error_of(rc);
	struct xdp_program p = {.id = query.drv_prog_id   ? query.drv_prog_id
				      : query.skb_prog_id ? query.skb_prog_id
							  : query.hw_prog_id,
		.native = query.drv_prog_id != 0};
	if (p.id == 0) {
		*out = p;
		return 0;
	}
	int fd = bpf_prog_get_fd_by_id(p.id);
	if (fd < 0)
		return error_of(fd);
	rc = bpf_obj_get_info_by_fd(fd, &info, &len);
	if (rc < 0)
		rc = error_of(rc);
	close(fd);
	if (rc)
		return rc;
	snprintf(p.name, sizeof p.name, "%.15s", info.name);
	p.attached = strcmp(p.name, STEER_PROGRAM) == 0 ? XDP_OURS : XDP_FOREIGN;
	*out = p;
	return 0;
}

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
	int rc = write_all(fd, steer_object, sizeof steer_object);
	if (close(fd) != 0 && rc == 0)
		rc = -errno;
	return rc;
}

int xdp_program_detach(unsigned ifindex, bool force)
{
	struct xdp_program p;
	int rc = xdp_program_find(ifindex, &p);
	if (rc)
		return rc;
	if (p.attached == XDP_NONE)
		return 0;
	if (p.attached == XDP_FOREIGN)
		return -EEXIST;
	int claim = xdp_claim(ifindex);
	if (claim < 0 && !force)
		return claim;
	// Only if it still is that program.
	LIBBPF_OPTS(bpf_xdp_attach_opts, attach, .old_prog_fd = bpf_prog_get_fd_by_id(p.id));
	if (attach.old_prog_fd < 0) {
		rc = -errno;
	} else {
		rc = bpf_xdp_detach(
			(int)ifindex, p.native ? XDP_FLAGS_DRV_MODE : XDP_FLAGS_SKB_MODE, &attach);
		if (rc < 0)
			rc = error_of(rc);
		close(attach.old_prog_fd);
	}
	if (claim >= 0)
		close(claim);
	return rc;
}

int xdp_claim(unsigned ifindex)
{
	struct sockaddr_un name = {.sun_family = AF_UNIX};
	int len = snprintf(name.sun_path + 1, sizeof name.sun_path - 1, "weir-xdp-%u", ifindex);
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	socklen_t size = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + (size_t)len);
	if (bind(fd, (const struct sockaddr *)&name, size) == 0)
		return fd;
	int rc = errno == EADDRINUSE ? -EBUSY : -errno;
	close(fd);
	return rc;
}

// The map of that name among those of the program, as a descriptor.
static int map_open(const uint32_t *ids, unsigned count, const char *name)
{
	for (unsigned i = 0; i < count; i++) {
		struct bpf_map_info info = {0};
		uint32_t len = sizeof info;
		int fd = bpf_map_get_fd_by_id(ids[i]);
		if (fd < 0)
			return error_of(fd);
		if (bpf_obj_get_info_by_fd(fd, &info, &len) == 0 && strcmp(info.name, name) == 0)
			return fd;
		close(fd);
	}
	return -ENOENT;
}

static int map_ids(uint32_t program, uint32_t ids[MAPS_MAX], unsigned *count)
{
	struct bpf_prog_info info = {.nr_map_ids = MAPS_MAX, .map_ids = (uintptr_t)ids};
	uint32_t len = sizeof info;
	int fd = bpf_prog_get_fd_by_id(program);
	if (fd < 0)
		return error_of(fd);
	int rc = bpf_obj_get_info_by_fd(fd, &info, &len);
	if (rc < 0)
		rc = error_of(rc);
	close(fd);
	*count = rc ? 0 : info.nr_map_ids < MAPS_MAX ? info.nr_map_ids : MAPS_MAX;
	return rc;
}

int xdp_steer_open(struct xdp_steer *out, unsigned ifindex)
{
	struct xdp_program p;
	uint32_t ids[MAPS_MAX];
	unsigned count;
	int rc = xdp_program_find(ifindex, &p);
	if (rc == 0 && p.attached != XDP_OURS)
		rc = -ENOENT;
	if (rc == 0)
		rc = map_ids(p.id, ids, &count);
	if (rc)
		return rc;
	struct xdp_steer s = {.ifindex = ifindex,
		.program = p.id,
		.addresses = map_open(ids, count, STEER_MAP_ADDRESSES),
		.counters = map_open(ids, count, STEER_MAP_COUNTERS),
		.gate = map_open(ids, count, STEER_MAP_GATE)};
	if (s.addresses < 0 || s.counters < 0 || s.gate < 0) {
		rc = s.addresses < 0 ? s.addresses : s.counters < 0 ? s.counters : s.gate;
		xdp_steer_close(&s);
		return rc;
	}
	*out = s;
	return 0;
}

void xdp_steer_close(struct xdp_steer *s)
{
	const int fds[] = {s->addresses, s->counters, s->gate};
	for (unsigned i = 0; i < ARRAY_LEN(fds); i++) {
		if (fds[i] >= 0)
			close(fds[i]);
	}
	s->addresses = s->counters = s->gate = -1;
}

int xdp_steer_add(struct xdp_steer *s, const struct ip_address *address)
{
	static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};
	uint8_t key[sizeof(struct steer_address)];
	const uint32_t value = 1;
	if (address->version == 4) {
		memcpy(key, mapped, sizeof mapped);
		memcpy(key + sizeof mapped, address->bytes, 4);
	} else {
		memcpy(key, address->bytes, sizeof key);
	}
	int rc = bpf_map_update_elem(s->addresses, key, &value, BPF_ANY);
	return rc ? error_of(rc) : 0;
}

int xdp_steer_until(struct xdp_steer *s, uint64_t mono_ms)
{
	const uint32_t zero = 0;
	const struct steer_gate gate = {.until_ns = mono_ms * 1000000};
	int rc = bpf_map_update_elem(s->gate, &zero, &gate, BPF_ANY);
	return rc ? error_of(rc) : 0;
}

int xdp_steer_counters(const struct xdp_steer *s, uint64_t out[STEER_COUNTERS])
{
	uint64_t per_cpu[CPUS_MAX], sums[STEER_COUNTERS] = {0};
	int cpus = libbpf_num_possible_cpus();
	if (cpus < 0 || cpus > CPUS_MAX)
		return -E2BIG;
	for (uint32_t c = 0; c < STEER_COUNTERS; c++) {
		int rc = bpf_map_lookup_elem(s->counters, &c, per_cpu);
		if (rc)
			return error_of(rc);
		for (int i = 0; i < cpus; i++)
			sums[c] += per_cpu[i];
	}
	memcpy(out, sums, sizeof sums);
	return 0;
}
