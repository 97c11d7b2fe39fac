// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// Makes and frees a struct worker_tables with its mappings.
//
// A set starts as a copy of the one in use; parts are then replaced by newer generations. Mappings
// that two sets share are unmapped only with the last of them. Data of the control plane is checked
// here, once: region headers, geometry, settings; a part that fails does not change the set. Marks
// begin with the visits of an earlier run, if its files exist; the first L0 of a run deletes its
// other files. Main lcore only; blocks (maps files); no DPDK calls.

#include "worker.h"

#include <weir/shm_region.h>

struct tables_set {
	struct worker_tables t; // what workers see; constant once published
	// Of directory.current, and its config_generation; 0: look again.
	uint64_t l0_word, rules_word, policy_word, hops_word, config_word;
	struct region l0, names, policy, hops;
	struct region marks[SHM_WORKERS_MAX];
	unsigned resolvers; // that share the L0; t.l0 has those with rings alone
};

struct tables_source {
	struct shm_paths paths;
	unsigned workers;
	struct worker *const *worker;
	struct worker_rings *rings;       // gets those of all resolvers that share a cache
	uint64_t incarnation;             // this process's, for the marks
	unsigned lcores[SHM_WORKERS_MAX]; // the workers' lcores, on whose nodes their marks lie
};

// Replaces one part by the generation that `word` names (directory.current). 1: it is what the set
// has already; 0: replaced; -errno with `why`, set unchanged.
ATTR_MUST_CHECK int tables_take_l0(struct tables_set *set, const struct tables_source *src,
	uint64_t word, char why[SHM_WHY_MAX]);
ATTR_MUST_CHECK int tables_take_rules(struct tables_set *set, const struct tables_source *src,
	uint64_t word, char why[SHM_WHY_MAX]);
ATTR_MUST_CHECK int tables_take_policy(struct tables_set *set, const struct tables_source *src,
	uint64_t word, char why[SHM_WHY_MAX]);
ATTR_MUST_CHECK int tables_take_hops(struct tables_set *set, const struct tables_source *src,
	uint64_t word, char why[SHM_WHY_MAX]);
// Copies the settings published as `generation`; those of the log are in force. -EAGAIN: overtaken
// while copying, come again.
ATTR_MUST_CHECK int tables_take_config(struct tables_set *set, const struct directory *dir,
	uint64_t generation, char why[SHM_WHY_MAX]);

// After tables_take_l0, and at `*again_ms` unless that is 0: makes rings for all resolvers that
// share the L0. Without room for all (logged once, *again_ms is set) the resolvers with rings get
// the misses of the others, which they answer and do not store. Whether the set changed.
ATTR_MUST_CHECK bool tables_take_rings(struct tables_set *set, const struct tables_source *src,
	uint64_t now_ms, uint64_t *again_ms);

// Unmaps what none of the `count` sets `kept` uses too, unlinks marks that no one needs, frees.
void tables_free(struct tables_set *set, const struct tables_set *const *kept, unsigned count,
	const struct tables_source *src);
