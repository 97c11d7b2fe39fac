// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// Facts about this process, and one more, from /proc. Any thread.

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <weir/attr.h>

// A file of /proc, cut at `cap` - 1; its length. "": not readable.
size_t process_text_read(const char *path, char *out, size_t cap);
// Bytes in memory, and of these the ones that no file and no other process has; 0: not readable.
void process_memory(uint64_t *rss, uint64_t *anonymous);
void process_memory_of(pid_t process, uint64_t *rss, uint64_t *anonymous);

enum { PROCESS_THREADS_MAX = 64, PROCESS_NAME_MAX = 20 };

struct process_thread {
	pid_t id;
	char name[PROCESS_NAME_MAX];
	char state;                // letter of /proc: R, S, D
	uint64_t cpu_ms;           // that it ran
	uint64_t waits, preempted; // switches away from it, wanted and not
};

// Threads, up to `cap` of them; returns how many there are.
unsigned process_threads(struct process_thread *out, unsigned cap);

// The sockets of this process, by asking the kernel about each open file: nothing has to be kept
// for it. Any thread; another one may close a file meanwhile, or open another one of that number:
// neither is reported then. Some us each: 12,289 took 61 to 102 ms of CPU on a very busy machine
// (docs/how-to/heap.md).

enum { PROCESS_ADDRESS_MAX = 128 };

struct process_socket {
	int fd;
	const char *kind; // "tcp", "udp", "tcp listener", "unix", "other"
	char local[PROCESS_ADDRESS_MAX], peer[PROCESS_ADDRESS_MAX]; // "" if it has no address
	uint8_t peer_version, peer_bytes[16];
	// A peer may have come to a listener: such a socket inherits its SO_REUSEADDR. libunbound
	// sets it for TCP to servers, too.
	bool may_be_client;
	uint64_t unread, unsent; // bytes that the kernel holds
};

struct process_files_count {
	unsigned files, sockets;
};

// `each` may change what it gets.
void process_sockets(void (*each)(void *arg, struct process_socket *s), void *arg,
	struct process_files_count *out);

// Sockets summed up by kind and peer, without ports: how many each peer has, in a list of bounded
// length. One peer with thousands is one line.
//
// PROCESS_PEERS_MAX peers are counted separately, in order of appearance; the rest is one sum. A
// few hundred bytes a peer, for one request.
enum { PROCESS_PEERS_MAX = 1024 };

struct process_peer {
	const char *kind;               // see struct process_socket
	char host[PROCESS_ADDRESS_MAX]; // "" without one, for example a listener
	unsigned sockets;
	uint64_t unread, unsent;
};

struct process_peers {
	unsigned count;
	struct process_peer others;           // for which there was no place; no host
	uint16_t slot[4 * PROCESS_PEERS_MAX]; // hash table: number in `peer` and 1; 0: free
	struct process_peer peer[PROCESS_PEERS_MAX];
};

// To be begun with zeros.
void process_peers_add(struct process_peers *p, const struct process_socket *s);
