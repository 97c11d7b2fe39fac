// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// Sources whose frames the ports of the data plane drop, by the operator's drop rules.
//
// Only the directory has the list (struct directory_drops). So the list outlives this process, and
// the data plane's main lcore, which reads it ten times a second, needs no other process. An entry
// expires after at most a day; then its place is free. A full list refuses. Service loop only.

#include <weir/config.h>
#include <weir/shm_abi.h>

// Called at the start: clears all entries if an earlier run left one half written.
void drop_list_open(struct directory *dir);

// Adds the source, or renews its time. -EINVAL: the prefix is too short (DROP_PREFIX_MIN_*), or the
// time is not allowed; -EDOM: the prefix has host bits, so a mistake would drop far more than is
// meant, and *source is now the network; -ENOSPC: DIRECTORY_DROPS_MAX entries are in force.
ATTR_MUST_CHECK int drop_list_add(
	struct directory *dir, struct ip_address *source, unsigned minutes, uint64_t now_ms);
// Removes the source, without its host bits. -ENOENT: no such entry is in force.
ATTR_MUST_CHECK int drop_list_remove(
	struct directory *dir, struct ip_address *source, uint64_t now_ms);

// Reads entry `i`, below DIRECTORY_DROPS_MAX. False: the entry is free or has expired.
bool drop_list_at(const struct directory *dir, unsigned i, uint64_t now_ms,
	struct ip_address *source, uint64_t *left_ms);
