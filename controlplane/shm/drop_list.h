// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// Sources whose frames the ports of the data plane drop, by the operator's drop rules.
//
// The list is in the directory and nowhere else (struct directory_drops): so it outlives this
// process, and the data plane's main lcore, which reads it ten times a second, needs no other
// process. An entry expires after at most a day; then its place is free. A full list refuses.
// Service loop only.

#include <weir/config.h>
#include <weir/shm_abi.h>

// After a start: clears an entry that an earlier run left half written.
void drop_list_open(struct directory *dir);

// Adds the source, or renews its time. -EINVAL: no such prefix (DROP_PREFIX_MIN_*); -EDOM: it has
// host bits, so a slip would drop far more than is meant; *source is the network then; -ENOSPC:
// DIRECTORY_DROPS_MAX are in force.
ATTR_MUST_CHECK int drop_list_add(
	struct directory *dir, struct ip_address *source, unsigned minutes, uint64_t now_ms);
// Host bits mean nothing here, and are cleared. -ENOENT: none in force.
ATTR_MUST_CHECK int drop_list_remove(
	struct directory *dir, struct ip_address *source, uint64_t now_ms);

// Entry i, i < DIRECTORY_DROPS_MAX. False: free, or over.
bool drop_list_at(const struct directory *dir, unsigned i, uint64_t now_ms,
	struct ip_address *source, uint64_t *left_ms);
