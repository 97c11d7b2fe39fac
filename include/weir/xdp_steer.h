// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// The steering program of an AF_XDP port (dataplane/xdp/steer.bpf.c) from outside: find it, fill
// its maps, read its counters, take it off an interface.
//
// DPDK's driver loads and attaches the program when the port's queues are set up, over netlink, so
// it outlives whoever attached it. Everything here starts from the interface: which program is
// attached, which maps that one has. The kernel opens those by number only with CAP_SYS_ADMIN; the
// data plane has none, but the descriptors that the driver holds in the same process, and a killed
// one's by their pins. The only file that includes libbpf. Each call is a few system calls and
// waits for nothing; needs CAP_BPF and CAP_NET_ADMIN. Not for workers.

#include "attr.h"
#include "config.h"
#include "steer_abi.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

// File descriptors of the maps of one attached program.
struct xdp_steer {
	unsigned ifindex;
	uint32_t program; // the kernel's number
	int fd, addresses, servers, asked, counters, gate;
	uint32_t round; // round of xdp_steer_servers
};

enum xdp_attached { XDP_NONE, XDP_OURS, XDP_FOREIGN };

struct xdp_program {
	enum xdp_attached attached;
	uint32_t id;
	bool native; // runs in the driver; else generic, behind the allocation of an skb
	char name[16];
	bool is_hidden; // no permission to open it, and no pin that may be read: it may be anyone's
};

// Finds the program that is attached to an interface. 0 or -errno.
ATTR_MUST_CHECK int xdp_program_find(unsigned ifindex, struct xdp_program *out);

// Writes the program (an ELF object that is part of this library) to a file for the driver, mode
// 0600; replaces an existing one. 0 or -errno.
ATTR_MUST_CHECK int xdp_program_write(const char *path);

// Detaches weir's program and removes the claim of a data plane that is gone. 0: detached, or none
// was attached; -EEXIST: another program is attached and stays; -EBUSY: its data plane lives (it
// holds the claim, or a queue), unless `force`; -ENOTUNIQ: something that is no claim has
// its name.
ATTR_MUST_CHECK int xdp_program_detach(unsigned ifindex, bool force);

// Claims an interface for this process, in this network namespace, until xdp_claim_end or the end
// of the process in any way: a lock on a file of `folder`, which is XDP_CLAIMS whatever
// runtime.directory is, so that data planes and weirctl of different users find each other's
// claims. Only root can make that folder, and does here. The descriptor; -EBUSY; -EPERM, -EACCES:
// another user's file is in the way, which xdp_program_detach as root removes; or -errno.
#define XDP_CLAIMS "/run/weir"
ATTR_MUST_CHECK int xdp_claim(const char *folder, unsigned ifindex);
// What such an error means, with the remedy.
const char *xdp_claim_text(int rc);
// Removes the file of the claim and closes the descriptor.
void xdp_claim_end(const char *folder, unsigned ifindex, int fd);
// 1: claimed by a living data plane, 0: not claimed, -errno.
int xdp_claimed(const char *folder, unsigned ifindex);

// Does a process have the first queue of the interface for AF_XDP, in whatever container of this
// network namespace? False where this process may not try. If nobody does, this one has it for a
// moment, and the kernel releases it on a thread of its own.
bool xdp_taken(unsigned ifindex);

// Pins the program on the bpf file system, by which the next process recognises it when this one is
// killed, and its maps (addresses, servers, asked, counters, gate) beside it, by which a process
// without CAP_SYS_ADMIN opens them. Replaces pins of an earlier life. 0 or -errno, then nothing is
// pinned (mostly because /sys/fs/bpf has no bpf file system): weir works without.
ATTR_MUST_CHECK int xdp_steer_pin(const struct xdp_steer *s);
void xdp_steer_unpin(unsigned ifindex);

// -ENOENT: weir's program is not attached.
ATTR_MUST_CHECK int xdp_steer_open(struct xdp_steer *out, unsigned ifindex);
void xdp_steer_close(struct xdp_steer *s);
ATTR_MUST_CHECK int xdp_steer_add(struct xdp_steer *s, const struct ip_address *address);
// The upstream servers that workers ask, and their local addresses, in place of those before; at
// most STEER_SERVERS_MAX of both together. -errno: some of them are not there.
ATTR_MUST_CHECK int xdp_steer_servers(
	struct xdp_steer *s, const struct steer_server *server, unsigned count);
// Maps the table of local ports from which workers asked them. 0 or -errno.
ATTR_MUST_CHECK int xdp_steer_asked(const struct xdp_steer *s, struct steer_asked **out);
void xdp_steer_asked_end(struct steer_asked *asked); // NULL is fine
// An address of 4 or 16 bytes as the maps have it.
void xdp_address(struct steer_address *out, const uint8_t *bytes, unsigned version);
// Steer frames to these MAC addresses (steer_abi.h) until then (clock_mono_ms); 0 shuts the gate.
ATTR_MUST_CHECK int xdp_steer_until(
	struct xdp_steer *s, uint64_t mono_ms, const uint64_t mac[STEER_MACS_MAX]);
// Sums over CPUs since the program was attached.
ATTR_MUST_CHECK int xdp_steer_counters(const struct xdp_steer *s, uint64_t out[STEER_COUNTERS]);
