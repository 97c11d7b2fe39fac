// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// The data plane's half of the link and of the worker rings, played by a test: real regions, rings
// and bells of one resolver, worker rings 0 to workers - 1 served by the calling thread.

#include <stdbool.h>
#include <stdint.h>
#include <weir/shm_epoch.h>
#include <weir/shm_msg.h>
#include <weir/shm_region.h>
#include <weir/shm_ring.h>

enum { FAKE_RINGS_MAX = 4 };
enum { FAKE_ANSWER_MAX = sizeof(struct msg_answer) + MSG_DNS_MAX };

struct fake_dataplane {
	struct shm_paths paths;
	unsigned workers;
	uint64_t incarnation;
	int lock_fd, link_fd;
	int bell[FAKE_RINGS_MAX]; // of a worker: rung for answers; -1 until a welcome, as gongs
	int gong;                 // struck for misses
	struct region rings[FAKE_RINGS_MAX];
	struct region halves[FAKE_RINGS_MAX]; // the control plane's, once it has made them
	struct rings_dp_page *dp[FAKE_RINGS_MAX];
	struct ring_producer misses[FAKE_RINGS_MAX];
	struct ring_consumer answers[FAKE_RINGS_MAX];
	uint64_t wakes;   // gongs struck
	uint64_t dropped; // answers that end a wait and are not sent
	struct {          // of the second resolver, if there is one
		int gong;
		struct region rings[FAKE_RINGS_MAX];
		struct region halves[FAKE_RINGS_MAX];
		struct ring_producer misses[FAKE_RINGS_MAX];
		struct ring_consumer answers[FAKE_RINGS_MAX];
	} second;
};

struct fake_answer {
	struct msg_answer head;
	uint8_t dns[MSG_DNS_MAX];
};

void fake_dataplane_open(struct fake_dataplane *f, const struct shm_paths *paths, unsigned workers);
// Makes the rings for the second resolver, which the calls below do not look at.
void fake_dataplane_grow(struct fake_dataplane *f);
// Makes the word that says which life reads (none) in a new file.
void fake_dataplane_reader(const struct fake_dataplane *f);
// Says hello; the welcome's error, or -errno.
int fake_dataplane_link(struct fake_dataplane *f, struct link_welcome *welcome);
// Maps what the control plane has made meanwhile.
void fake_dataplane_look(struct fake_dataplane *f);
void fake_dataplane_close(struct fake_dataplane *f); // as if killed

// Its pieces. The rings of a worker for a resolver, and the worker's page there.
struct rings_dp_page *fake_rings_make(const struct shm_paths *paths, uint64_t incarnation,
	unsigned worker, unsigned resolver, struct region *r, struct region *half,
	struct ring_producer *misses, struct ring_consumer *answers);
// Hello on a new link; the welcome's error, or -errno. Its bells, in their order, are the caller's.
struct fake_bells {
	unsigned count;
	int fd[LINK_BELLS_MAX];
};
int fake_hello(const struct shm_paths *paths, const struct link_hello *hello,
	struct fake_bells *bells, int *link_fd, struct link_welcome *welcome);

// Asks for a name (text, letter case kept) as a client with this port would.
struct fake_miss {
	const char *name;
	uint16_t type, id, client_port;
	unsigned rings;
	uint16_t view;
	uint8_t group;
	uint16_t policy; // generation of the policy image that the group is of; 0: the newest
	uint8_t has_opt; // of enum dns_query_opt
	bool refresh, cd, ad;
	bool hides;             // with an OPT that says so: its address
	uint64_t age_ms;        // since its arrival
	uint32_t client;        // its IPv4 address
	const uint8_t *client6; // its IPv6 address in place of that; NULL: none
	uint32_t trace;         // of who watches
};
bool fake_dataplane_ask(struct fake_dataplane *f, const struct fake_miss *m); // false: ring full
void fake_dataplane_ring(struct fake_dataplane *f); // for worker rings that sleep
// Both, of that miss.
#define FAKE_DATAPLANE_SEND(f, ...) \
	(assert_true(fake_dataplane_ask(f, __VA_ARGS__)), fake_dataplane_ring(f))

// Waits for a query to an upstream on any rings; which rings in *worker.
struct fake_send {
	struct msg_send head;
	uint8_t dns[MSG_DNS_MAX];
};
bool fake_dataplane_send(
	struct fake_dataplane *f, struct fake_send *out, unsigned *worker, unsigned wait_ms);
// Hands over what came from an upstream, and rings. False: ring full.
bool fake_dataplane_hear(struct fake_dataplane *f, unsigned worker, const struct msg_heard *head,
	const uint8_t *dns);

// Waits for an answer that is sent, on any rings.
bool fake_dataplane_answer(struct fake_dataplane *f, struct fake_answer *out, unsigned wait_ms);
