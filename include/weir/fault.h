// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// Fault points: one after each store into shared memory (or step of a file's publication) whose
// loss a successor must live with. In a build with -Dfault_points=true a process ends there, as by
// a kill -9 (_exit, nothing flushed or unmapped), at the passage asked for; in any other build
// FAULT_POINT is nothing.
//
// WEIR_FAULT=site:passage in the environment arms one site of one process; it is read once, at
// start. Passages are counted from 1, all threads together; with site:passage:file only while that
// file is there. The idea is SQLite's crash tests.
//
// The list names each site with the group of sites that one scenario of tests/fault/ covers: a site
// that its scenario never passes fails the test, so add one where a store is added, and a workload
// that reaches it three times.

#include "attr.h"

#define FAULT_SITES(X)                                                             \
	/* The cache: its writer's stores into records, index, marks and epoch. */ \
	X(l0_record_written, L0)                                                   \
	X(l0_restamp_written, L0)                                                  \
	X(l0_marks_cleared, L0)                                                    \
	X(l0_number_replaced, L0)                                                  \
	X(l0_overflow_raised, L0)                                                  \
	X(l0_number_stored, L0)                                                    \
	X(l0_tag_stored, L0)                                                       \
	X(l0_tag_cleared, L0)                                                      \
	X(l0_overflow_lowered, L0)                                                 \
	X(l0_retired, L0)                                                          \
	X(l0_batch_closed, L0)                                                     \
	X(l0_batch_freed, L0)                                                      \
	X(l0_recover_cleared, L0)                                                  \
	X(l0_recover_counted, L0)                                                  \
	X(l0_recover_retired, L0)                                                  \
	X(epoch_before_advance, L0)                                                \
	X(epoch_advanced, L0)                                                      \
	/* One ring: the producer's side, then the consumer's. */                  \
	X(ring_pad_written, RING_PRODUCER)                                         \
	X(ring_header_written, RING_PRODUCER)                                      \
	X(ring_before_tail, RING_PRODUCER)                                         \
	X(ring_after_tail, RING_PRODUCER)                                          \
	X(ring_message_copied, RING_CONSUMER)                                      \
	X(ring_before_head, RING_CONSUMER)                                         \
	X(ring_after_head, RING_CONSUMER)                                          \
	X(ring_sleep_stored, RING_CONSUMER)                                        \
	X(ring_awake_stored, RING_CONSUMER)                                        \
	/* Any region's file. */                                                   \
	X(region_name_free, REGION)                                                \
	X(region_file_made, REGION)                                                \
	X(region_space_reserved, REGION)                                           \
	X(region_header_written, REGION)                                           \
	X(region_sum_stored, REGION)                                               \
	X(region_magic_stored, REGION)                                             \
	/* The control plane's directory and generations. */                       \
	X(directory_epoch_stored, PUBLISH)                                         \
	X(directory_incarnation_stored, PUBLISH)                                   \
	X(directory_opened, PUBLISH)                                               \
	X(directory_heartbeat_stored, PUBLISH)                                     \
	X(l0_copied, PUBLISH)                                                      \
	X(l0_secret_stored, PUBLISH)                                               \
	X(l0_switched, PUBLISH)                                                    \
	X(leftover_unlinked, PUBLISH)                                              \
	X(rules_filled, PUBLISH)                                                   \
	X(rules_before_switch, PUBLISH)                                            \
	X(rules_switched, PUBLISH)                                                 \
	X(rules_unlinked, PUBLISH)                                                 \
	X(rules_retired, PUBLISH)                                                  \
	X(worker_evicted_stored, PUBLISH)                                          \
	X(config_slot_written, PUBLISH)                                            \
	X(config_switched, PUBLISH)                                                \
	/* The rule image on disk. */                                              \
	X(store_file_made, STORE)                                                  \
	X(store_written, STORE)                                                    \
	X(store_synced, STORE)                                                     \
	X(store_renamed, STORE)                                                    \
	X(store_folder_synced, STORE)                                              \
	/* Versions of the configuration. */                                       \
	X(version_stored, VERSIONS)                                                \
	X(version_switched, VERSIONS)                                              \
	X(version_settled, VERSIONS)                                               \
	X(version_pruned, VERSIONS)                                                \
	/* Copies of lists. */                                                     \
	X(copy_emptied, COPIES)                                                    \
	X(copy_file_made, COPIES)                                                  \
	X(copy_written, COPIES)                                                    \
	X(copy_dated, COPIES)                                                      \
	X(copy_synced, COPIES)                                                     \
	X(copy_linked, COPIES)                                                     \
	X(copy_renamed, COPIES)                                                    \
	X(copy_pruned, COPIES)                                                     \
	/* Files that the query log keeps for its next life. */                    \
	X(hand_opened, LOG_FILES)                                                  \
	X(hand_before, LOG_FILES)                                                  \
	X(hand_written, LOG_FILES)                                                 \
	X(absent_begun, LOG_FILES)                                                 \
	X(absent_page_written, LOG_FILES)                                          \
	X(absent_before_commit, LOG_FILES)                                         \
	X(absent_written, LOG_FILES)                                               \
	X(absent_dropped, LOG_FILES)                                               \
	/* The control plane's end of the link. */                                 \
	X(link_hello_taken, ATTACH)                                                \
	X(answers_made, ATTACH)                                                    \
	X(reader_mapped, ATTACH)                                                   \
	X(reader_file_stored, ATTACH)                                              \
	X(link_welcome_sent, ATTACH)                                               \
	/* The data plane's regions, activation, epochs and end of the link. */    \
	X(former_rings_unlinked, DATAPLANE)                                        \
	X(stats_filled, DATAPLANE)                                                 \
	X(rings_offline_stored, DATAPLANE)                                         \
	X(rings_made, DATAPLANE)                                                   \
	X(answers_mapped, DATAPLANE)                                               \
	X(answers_told, DATAPLANE)                                                 \
	X(reader_filled, DATAPLANE)                                                \
	X(former_marks_unlinked, DATAPLANE)                                        \
	X(marks_made, DATAPLANE)                                                   \
	X(marks_unlinked, DATAPLANE)                                               \
	X(link_hello_sent, DATAPLANE)                                              \
	X(directory_reader_stored, DATAPLANE)                                      \
	X(activate_directory_handed, DATAPLANE)                                    \
	X(activate_tables_handed, DATAPLANE)                                       \
	X(activated_l0_stored, DATAPLANE)                                          \
	X(activated_rules_stored, DATAPLANE)                                       \
	X(activated_config_stored, DATAPLANE)                                      \
	X(epoch_online_stored, DATAPLANE)                                          \
	X(epoch_offline_stored, DATAPLANE)                                         \
	X(epoch_seen_stored, DATAPLANE)                                            \
	X(epoch_return_stored, DATAPLANE)

enum fault_group {
	FAULT_GROUP_L0,
	FAULT_GROUP_RING_PRODUCER,
	FAULT_GROUP_RING_CONSUMER,
	FAULT_GROUP_REGION,
	FAULT_GROUP_PUBLISH,
	FAULT_GROUP_STORE,
	FAULT_GROUP_VERSIONS,
	FAULT_GROUP_COPIES,
	FAULT_GROUP_LOG_FILES,
	FAULT_GROUP_ATTACH,
	FAULT_GROUP_DATAPLANE,
};

enum fault_site {
#define X(name, group) FAULT_AT_##name,
	FAULT_SITES(X)
#undef X
		FAULT_SITES_COUNT
};

enum { FAULT_EXIT = 86 };

#ifdef WEIR_FAULT_POINTS
#define FAULT_POINT(name) fault_pass(FAULT_AT_##name)
void fault_pass(enum fault_site site);
// For tests that fork: replaces the setting of the environment and restarts the count. Call it
// before any thread starts.
void fault_arm(enum fault_site site, unsigned passage);
#else
#define FAULT_POINT(name) ((void)0)
#endif
