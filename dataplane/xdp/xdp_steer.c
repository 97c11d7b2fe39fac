// SPDX-License-Identifier: BSD-3-Clause

#include "xdp_place.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/if_link.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <weir/clock.h>
#include <weir/xdp_steer.h>

#define PINS "/sys/fs/bpf"
enum { MAPS_MAX = 16, CPUS_MAX = 1024, PIN_MAX = XDP_PLACE_MAX + 16 };

// The maps that are pinned beside the program.
enum { MAPS = 5 };
static const char *const pinned_maps[MAPS] = {STEER_MAP_ADDRESSES, STEER_MAP_SERVERS,
	STEER_MAP_ASKED, STEER_MAP_COUNTERS, STEER_MAP_GATE};

// libbpf's functions return -1 and set errno in some versions, -errno in others.
static int error_of(int rc)
{
	return rc < -1 ? rc : -errno;
}

// Kinds of objects, as /proc shows their descriptors.
static const char kind_program[] = "anon_inode:bpf-prog", kind_map[] = "anon_inode:bpf-map";

static bool fd_is(int fd, const char *kind, uint32_t id)
{
	char path[32], target[64];
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	ssize_t n = readlink(path, target, sizeof(target) - 1);
	if (n < 0)
		return false;
	target[n] = '\0';
	struct bpf_map_info map = {0};
	struct bpf_prog_info program = {0};
	uint32_t len = kind == kind_map ? sizeof(map) : sizeof(program);
	void *info = kind == kind_map ? (void *)&map : (void *)&program;
	return strcmp(target, kind) == 0 && bpf_obj_get_info_by_fd(fd, info, &len) == 0
	       && (kind == kind_map ? map.id : program.id) == id;
}

// Copies the descriptor of an object that this process has open already.
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

// The path of the program's pin (`map` NULL), or of the pin of one of its maps.
static const char *pin_of(unsigned ifindex, const char *map, char out[PIN_MAX])
{
	char path[XDP_PLACE_MAX];
	snprintf(out, PIN_MAX, "%s%s%s", xdp_place(PINS, ifindex, path), map ? "_" : "",
		map ? map : "");
	return out;
}

// Opens what another process or an earlier run has pinned, if it is that object.
static int fd_pinned(unsigned ifindex, const char *map, uint32_t id)
{
	char path[PIN_MAX];
	int fd = bpf_obj_get(pin_of(ifindex, map, path));
	if (fd < 0)
		return -EPERM;
	if (fd_is(fd, map ? kind_map : kind_program, id))
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
	return fd == -EPERM ? fd_pinned(ifindex, NULL, id) : fd;
}

int xdp_program_find(unsigned ifindex, struct xdp_program *out)
{
	LIBBPF_OPTS(bpf_xdp_query_opts, query);
	struct bpf_prog_info info = {0};
	uint32_t len = sizeof(info);
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
	if (fd == -EPERM) { // not a program of weir
		p.attached = XDP_FOREIGN;
		p.is_hidden = true;
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
	snprintf(p.name, sizeof(p.name), "%.15s", info.name);
	p.attached = strcmp(p.name, STEER_PROGRAM) == 0 ? XDP_OURS : XDP_FOREIGN;
	*out = p;
	return 0;
}

// Detaches the program, but only if it is still attached.
static int program_detach(unsigned ifindex, const struct xdp_program *p)
{
	LIBBPF_OPTS(bpf_xdp_attach_opts, attach, .old_prog_fd = program_open(ifindex, p->id));
	if (attach.old_prog_fd < 0)
		return attach.old_prog_fd;
	int rc = bpf_xdp_detach(
		(int)ifindex, p->native ? XDP_FLAGS_DRV_MODE : XDP_FLAGS_SKB_MODE, &attach);
	if (rc < 0)
		rc = error_of(rc);
	close(attach.old_prog_fd);
	if (rc == 0)
		xdp_steer_unpin(ifindex);
	return rc;
}

int xdp_program_detach(unsigned ifindex, bool force)
{
	struct xdp_program p;
	int claim = xdp_claim(XDP_CLAIMS, ifindex);
	int rc = xdp_program_find(ifindex, &p);
	if (rc == 0 && p.attached == XDP_FOREIGN)
		rc = -EEXIST;
	else if (rc == 0 && p.attached == XDP_OURS
		 && ((claim >= 0 && !xdp_taken(ifindex)) || force))
		rc = program_detach(ifindex, &p);
	else if (rc == 0 && (p.attached == XDP_OURS || claim == -EPERM)) // prevents a start
		rc = claim == -EPERM ? -ENOTUNIQ : claim >= 0 ? -EBUSY : claim;
	if (claim >= 0)
		xdp_claim_end(XDP_CLAIMS, ifindex, claim);
	return rc;
}

// A descriptor of the program's map of that name.
static int map_open(unsigned ifindex, const uint32_t *ids, unsigned count, const char *name)
{
	int rc = -ENOENT;
	for (unsigned i = 0; i < count; i++) {
		struct bpf_map_info info = {0};
		uint32_t len = sizeof(info);
		int fd = bpf_map_get_fd_by_id(ids[i]);
		if (fd < 0)
			fd = errno == EPERM ? fd_borrow(kind_map, ids[i]) : error_of(fd);
		if (fd == -EPERM)
			fd = fd_pinned(ifindex, name, ids[i]);
		if (fd == -EPERM) { // another map, or no permission to open it
			rc = fd;
			continue;
		}
		if (fd < 0)
			return fd;
		if (bpf_obj_get_info_by_fd(fd, &info, &len) == 0 && strcmp(info.name, name) == 0)
			return fd;
		close(fd);
	}
	return rc;
}

static int map_ids(int fd, uint32_t ids[MAPS_MAX], unsigned *count)
{
	struct bpf_prog_info info = {.nr_map_ids = MAPS_MAX, .map_ids = (uintptr_t)ids};
	uint32_t len = sizeof(info);
	int rc = bpf_obj_get_info_by_fd(fd, &info, &len);
	if (rc < 0)
		rc = error_of(rc);
	*count = rc ? 0 : info.nr_map_ids < MAPS_MAX ? info.nr_map_ids : MAPS_MAX;
	return rc;
}

// The descriptors of the maps, in the order of pinned_maps.
static void maps_of(const struct xdp_steer *s, int out[MAPS])
{
	const int maps[MAPS] = {s->addresses, s->servers, s->asked, s->counters, s->gate};
	memcpy(out, maps, sizeof(maps));
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
		.addresses = map_open(ifindex, ids, count, STEER_MAP_ADDRESSES),
		.servers = map_open(ifindex, ids, count, STEER_MAP_SERVERS),
		.asked = map_open(ifindex, ids, count, STEER_MAP_ASKED),
		.counters = map_open(ifindex, ids, count, STEER_MAP_COUNTERS),
		.gate = map_open(ifindex, ids, count, STEER_MAP_GATE)};
	int maps[MAPS];
	maps_of(&s, maps);
	for (unsigned i = 0; i < MAPS; i++) {
		if (maps[i] >= 0)
			continue;
		rc = maps[i];
		xdp_steer_close(&s);
		return rc;
	}
	*out = s;
	return 0;
}

void xdp_steer_close(struct xdp_steer *s)
{
	int maps[MAPS];
	maps_of(s, maps);
	for (unsigned i = 0; i < MAPS; i++)
		if (maps[i] >= 0)
			close(maps[i]);
	if (s->fd >= 0)
		close(s->fd);
	s->fd = s->addresses = s->servers = s->asked = s->counters = s->gate = -1;
}

int xdp_steer_pin(const struct xdp_steer *s)
{
	int maps[MAPS];
	char path[PIN_MAX];
	maps_of(s, maps);
	xdp_steer_unpin(s->ifindex);
	int rc = bpf_obj_pin(s->fd, pin_of(s->ifindex, NULL, path));
	for (unsigned i = 0; rc == 0 && i < MAPS; i++)
		rc = bpf_obj_pin(maps[i], pin_of(s->ifindex, pinned_maps[i], path));
	if (rc == 0)
		return 0;
	rc = error_of(rc);
	xdp_steer_unpin(s->ifindex);
	return rc;
}

void xdp_steer_unpin(unsigned ifindex)
{
	char path[PIN_MAX];
	(void)unlink(pin_of(ifindex, NULL, path));
	for (unsigned i = 0; i < MAPS; i++)
		(void)unlink(pin_of(ifindex, pinned_maps[i], path));
}

int xdp_steer_add(struct xdp_steer *s, const struct ip_address *address)
{
	struct steer_address key;
	const uint32_t value = 1;
	xdp_address(&key, address->bytes, address->version);
	int rc = bpf_map_update_elem(s->addresses, &key, &value, BPF_ANY);
	return rc ? error_of(rc) : 0;
}

// Removes the servers of earlier rounds. Reads the next key before it removes a key.
static int others_remove(const struct xdp_steer *s)
{
	struct steer_server key, next;
	int more = bpf_map_get_next_key(s->servers, NULL, &next);
	while (more == 0) {
		uint32_t round = 0;
		key = next;
		more = bpf_map_get_next_key(s->servers, &key, &next);
		if (bpf_map_lookup_elem(s->servers, &key, &round) != 0 || round == s->round)
			continue;
		if (bpf_map_delete_elem(s->servers, &key) != 0)
			return -errno;
	}
	return 0;
}

int xdp_steer_servers(struct xdp_steer *s, const struct steer_server *server, unsigned count)
{
	s->round++;
	for (unsigned i = 0; i < count; i++)
		if (bpf_map_update_elem(s->servers, &server[i], &s->round, BPF_ANY) != 0)
			return -errno;
	return others_remove(s);
}

int xdp_steer_until(struct xdp_steer *s, uint64_t mono_ms, const uint64_t mac[STEER_MACS_MAX])
{
	const uint32_t zero = 0;
	struct steer_gate gate = {.until_ns = clock_kernel_ms(mono_ms) * 1000000,
		.asked_tick = clock_mono_ms() / STEER_ASKED_TICK_MS};
	for (unsigned i = 0; i < STEER_MACS_MAX; i++)
		gate.mac[i] = mac[i];
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
	memcpy(out, sums, sizeof(sums));
	return 0;
}
