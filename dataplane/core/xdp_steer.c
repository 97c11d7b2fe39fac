// SPDX-License-Identifier: BSD-3-Clause

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/if_link.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <weir/clock.h>
#include <weir/shm_region.h>
#include <weir/xdp_steer.h>

#define PINS   "/sys/fs/bpf"
#define CLAIMS "/run"
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

// The kinds of objects, by what /proc shows of their descriptors. Both infos begin with type and
// id.
static const char kind_program[] = "anon_inode:bpf-prog", kind_map[] = "anon_inode:bpf-map";

static bool fd_is(int fd, const char *kind, uint32_t id)
{
	char path[32], target[64];
	snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
	ssize_t n = readlink(path, target, sizeof target - 1);
	if (n < 0)
		return false;
	target[n] = '\0';
	struct bpf_map_info map = {0};
	struct bpf_prog_info program = {0};
	uint32_t len = kind == kind_map ? sizeof map : sizeof program;
	void *info = kind == kind_map ? (void *)&map : (void *)&program;
	return strcmp(target, kind) == 0 && bpf_obj_get_info_by_fd(fd, info, &len) == 0
	       && (kind == kind_map ? map.id : program.id) == id;
}

// A descriptor of an object that this process has open already, under another number.
static int fd_borrow(const char *kind, uint32_t id)
{
	DIR *all = opendir("/proc/self/fd");
	int found = -EPERM;
	if (!all)
		return -errno;
	for (const struct dirent *d; found < 0 && (d = readdir(all));) {
		int fd = (int)strtol(d->d_name, NULL, 10);
		if (d->d_name[0] != '.' && fd_is(fd, kind, id)) {
			found = fcntl(fd, F_DUPFD_CLOEXEC, 3);
			if (found < 0)
				found = -errno;
		}
	}
	closedir(all);
	return found;
}

enum { PLACE_MAX = 96 };

// Interfaces are numbered in each network namespace anew.
static const char *place(const char *folder, unsigned ifindex, char out[PLACE_MAX])
{
	struct stat ns = {0};
	(void)stat("/proc/self/ns/net", &ns);
	snprintf(out, PLACE_MAX, "%s/weir_%llu_%u", folder, (unsigned long long)ns.st_ino, ifindex);
	return out;
}

// The pinned program of an earlier life, if it is the one.
static int fd_pinned(unsigned ifindex, uint32_t id)
{
	char path[PLACE_MAX];
	int fd = bpf_obj_get(place(PINS, ifindex, path));
	if (fd < 0)
		return -EPERM;
	if (fd_is(fd, kind_program, id))
		return fd;
	close(fd);
	return -EPERM;
}

static int program_open(unsigned ifindex, uint32_t id)
{
	int fd = bpf_prog_get_fd_by_id(id);
	if (fd < 0 && errno == EPERM)
		fd = fd_borrow(kind_program, id);
	else if (fd < 0)
		return error_of(fd);
	return fd == -EPERM ? fd_pinned(ifindex, id) : fd;
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
	int fd = program_open(ifindex, p.id);
	if (fd == -EPERM) { // nobody's that we know
		p.attached = XDP_FOREIGN;
		*out = p;
		return 0;
	}
	if (fd < 0)
		return fd;
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
	LIBBPF_OPTS(bpf_xdp_attach_opts, attach, .old_prog_fd = program_open(ifindex, p.id));
	if (attach.old_prog_fd < 0) {
		rc = attach.old_prog_fd;
	} else {
		rc = bpf_xdp_detach(
			(int)ifindex, p.native ? XDP_FLAGS_DRV_MODE : XDP_FLAGS_SKB_MODE, &attach);
		if (rc < 0)
			rc = error_of(rc);
		close(attach.old_prog_fd);
	}
	if (rc == 0)
		xdp_steer_unpin(ifindex);
	if (claim >= 0)
		close(claim);
	return rc;
}

// In a directory that is root's alone, or anybody could claim.
int xdp_claim(unsigned ifindex)
{
	char path[PLACE_MAX];
	int rc = process_lock(place(CLAIMS, ifindex, path));
	return rc == -EAGAIN ? -EBUSY : rc;
}

int xdp_claimed(unsigned ifindex)
{
	char path[PLACE_MAX];
	return process_lock_probe(place(CLAIMS, ifindex, path));
}

// The map of that name among those of the program, as a descriptor.
static int map_open(const uint32_t *ids, unsigned count, const char *name)
{
	for (unsigned i = 0; i < count; i++) {
		struct bpf_map_info info = {0};
		uint32_t len = sizeof info;
		int fd = bpf_map_get_fd_by_id(ids[i]);
		if (fd < 0)
			fd = errno == EPERM ? fd_borrow(kind_map, ids[i]) : error_of(fd);
		if (fd < 0)
			return fd;
		if (bpf_obj_get_info_by_fd(fd, &info, &len) == 0 && strcmp(info.name, name) == 0)
			return fd;
		close(fd);
	}
	return -ENOENT;
}

static int map_ids(int fd, uint32_t ids[MAPS_MAX], unsigned *count)
{
	struct bpf_prog_info info = {.nr_map_ids = MAPS_MAX, .map_ids = (uintptr_t)ids};
	uint32_t len = sizeof info;
	int rc = bpf_obj_get_info_by_fd(fd, &info, &len);
	if (rc < 0)
		rc = error_of(rc);
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
	if (rc)
		return rc;
	int program = program_open(ifindex, p.id);
	if (program < 0)
		return program;
	rc = map_ids(program, ids, &count);
	if (rc) {
		close(program);
		return rc;
	}
	struct xdp_steer s = {.ifindex = ifindex,
		.program = p.id,
		.fd = program,
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
	const int fds[] = {s->fd, s->addresses, s->counters, s->gate};
	for (unsigned i = 0; i < ARRAY_LEN(fds); i++) {
		if (fds[i] >= 0)
			close(fds[i]);
	}
	s->fd = s->addresses = s->counters = s->gate = -1;
}

int xdp_steer_pin(const struct xdp_steer *s)
{
	char path[PLACE_MAX];
	xdp_steer_unpin(s->ifindex);
	int rc = bpf_obj_pin(s->fd, place(PINS, s->ifindex, path));
	return rc ? error_of(rc) : 0;
}

void xdp_steer_unpin(unsigned ifindex)
{
	char path[PLACE_MAX];
	(void)unlink(place(PINS, ifindex, path));
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
	// The kernel's clock begins where ours has CLOCK_AHEAD_MS.
	uint64_t kernel_ms = mono_ms > CLOCK_AHEAD_MS ? mono_ms - CLOCK_AHEAD_MS : 0;
	const struct steer_gate gate = {.until_ns = kernel_ms * 1000000};
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
