// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// Answers for the clients of one subnet (EDNS Client Subnet, RFC 7871), where L0 has them.
// Resolver loop's thread.
//
// An answer of scope 0, or without the option, is for everyone: it is kept as all others, and
// workers serve it. One of a longer scope, and one to a query that had the source prefix length 0
// (7.3.1: it is for other such queries alone), is kept under a key of its own: that of the question
// with L0_KEY_SUBNET, and a label in front of the name that says the subnet. So the key is exact,
// two subnets never share an answer, and a record says for whom it is after a restart and in a
// table of another size. Keys of workers have no such flag: for them the question is a miss each
// time, and its resolver looks here. Space, eviction (SIEVE), expiry, checks by the answer policy,
// clock steps, flushes and memory accounts are those of L0, whose size bounds them all. A flood of
// questions from many forged subnets therefore does to the cache what one of many names does: SIEVE
// evicts answers that were used once before those that clients ask for again.
//
// A lookup goes from the longest scope to the shortest (7.3.1), through the lengths that answers
// had since this process began: a hash and a line of the table each. Lengths are multiples of 4 or
// the bits that servers get: at most 8 for IPv4, and 16 for 64 bits of IPv6, beside odd bits.
// After a restart it finds older answers once another one of that length has come.
//
// A scoped answer deletes the one for everyone, unless it is for source prefix length 0: otherwise
// workers would go on serving that while it is stale. An answer for everyone leaves the scoped
// ones; it is found first, by workers.

#include <weir/config.h>
#include <weir/l0_table.h>

struct subnet_lengths {
	uint64_t ipv4, ipv6[3]; // bit n: scope prefix length n is in use
};

struct subnet_key {
	struct l0_key key; // key.name is `name`, or the caller's
	uint8_t name[DNS_NAME_MAX];
};

// The key of the answer to `whole` for the first `scope` bits of a subnet. False: the name is too
// long for a key.
bool subnet_key_make(const struct l0_reader *l0, const struct l0_key *whole,
	const struct ip_address *subnet, unsigned scope, struct subnet_key *out);
// The subnet that a record is for; `prefix_len` is the scope. False: the record is for everyone.
bool subnet_of_record(const struct l0_view *v, struct ip_address *out);

void subnet_lengths_add(struct subnet_lengths *l, const struct ip_address *subnet, unsigned scope);
// The longest length in use from `from` down; -1: there is no such length. Length 0 stands alone: a
// client that hides its address gets no answer of another's subnet, and the reverse.
int subnet_lengths_next(const struct subnet_lengths *l, const struct ip_address *subnet, int from);
