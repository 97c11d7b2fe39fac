// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// Sources whose frames the ports drop by themselves until a time is over (rte_flow, port_flow.h).
//
// At most DROPS_MAX entries in a linear table, because changes are rare and off the packet path.
// Each entry goes to every client port that accepts it; one that no port accepts is not kept. The
// operator's drop rules come through the directory (drops_take), which is not trusted. Rules end
// with their time, or with the process. Main lcore only.

#include "port_flow.h"

#include <weir/shm_abi.h>

enum { DROPS_MAX = 256, DROPS_WHY_MAX = 128 };

struct drop_entry {
	struct ip_address source;
	uint64_t expires_ms;                     // clock_mono_ms
	struct port_drop rule[CONFIG_PORTS_MAX]; // .plain NULL: that port refused
};

struct drops {
	unsigned port_count;
	uint16_t port_id[CONFIG_PORTS_MAX];
	unsigned count;
	struct drop_entry entry[DROPS_MAX];
	const struct directory *from; // that was read, when its sequence was `taken`
	uint64_t taken;
	uint32_t full;    // additions refused by the cap
	uint32_t refused; // drop rules that the ports refused
};

void drops_init(struct drops *d, const uint16_t *port_ids, unsigned count);
// 0: in force on at least one port. On an existing entry the time replaces the previous one.
// -EINVAL: no such prefix may be dropped (DROP_PREFIX_MIN_*); -ENOSPC: full; -ENOTSUP: no port
// takes it.
ATTR_MUST_CHECK int drops_add(struct drops *d, const struct ip_address *source, uint64_t expires_ms,
	char why[DROPS_WHY_MAX]);
void drops_expire(struct drops *d, uint64_t now_ms);
// Makes the operator's entries those of the directory, if it has changed. An entry that is just
// being written is left to the next call. NULL: no directory; entries stay until they expire.
void drops_take(struct drops *d, const struct directory *dir, uint64_t now_ms);
// Entries that some port does not drop whole: it refused the rule, or the one for tagged frames.
unsigned drops_partial(const struct drops *d);
void drops_clear(struct drops *d); // before the ports stop
