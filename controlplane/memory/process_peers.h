// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// Sockets summed up by kind and peer, without ports: how many each peer has, in a list of bounded
// length. One peer with thousands is one line.
//
// PROCESS_PEERS_MAX peers are counted separately, in order of appearance; the rest is one sum. A
// few hundred bytes a peer, for one request.

#include "process_sockets.h"

#include <weir/attr.h>

enum { PROCESS_PEERS_MAX = 1024 };

struct process_peer {
	const char *kind;               // as of struct process_socket
	char host[PROCESS_ADDRESS_MAX]; // "": none, as of a listener
	unsigned sockets;
	uint64_t unread, unsent;
};

struct process_peers {
	unsigned count;
	struct process_peer others;           // for which there was no place; no host
	uint16_t slot[4 * PROCESS_PEERS_MAX]; // by hash: number in `peer` and 1; 0: free
	struct process_peer peer[PROCESS_PEERS_MAX];
};

// To be begun with zeros.
void process_peers_add(struct process_peers *p, const struct process_socket *s);
