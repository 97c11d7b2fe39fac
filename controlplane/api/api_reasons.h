// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// Reasons why this box is not ready, or impaired: /ready shows them, and events raise alarms for
// them. A reason has an id and what it is about, which do not change while its text may. Each id
// has a severity and a sentence on what the operator can do (api_reason_kinds);
// docs/reference/reasons.md lists all ids.
//
// Bounds: API_REASONS_MAX reasons at once; one more is left out and counted. Only the service
// loop's thread calls these functions.

#include "events/events.h"

#include <stdbool.h>
#include <weir/attr.h>

enum { API_REASONS_MAX = 32, API_REASON_TEXT_MAX = 1024, API_REASON_ABOUT_MAX = 64 };

// id, severity while clients get answers, what to do
#define API_REASONS(X)                                                                            \
	X(serving, warning,                                                                       \
		"Wait some seconds; if it stays, read journalctl -u weir-controlplane.")          \
	X(drained, info, "Put the box back into service with weirctl undrain.")                   \
	X(dataplane, warning,                                                                     \
		"Start the data plane (systemctl start weir-dataplane), and read its log.")       \
	X(rules_none, warning,                                                                    \
		"Wait for the lists, or set blocking.closed to false to answer without rules.")   \
	X(rules_lag, warning,                                                                     \
		"Look for a hung worker with weirctl status; restart weir-dataplane.")            \
	X(policy_lag, warning,                                                                    \
		"Look for a hung worker with weirctl status; restart weir-dataplane.")            \
	X(hugepages, warning,                                                                     \
		"Let both processes see one hugetlbfs, or set runtime.hugepages to off.")         \
	X(verdict_gap, warning, "Report it as a bug, with the output of weirctl stats.")          \
	X(buffers_missing, warning,                                                               \
		"Restart weir-dataplane before buffers run out, and report it as a bug.")         \
	X(clock, warning,                                                                         \
		"Set it: timedatectl set-ntp true, or date -s; weirctl doctor checks it.")        \
	X(upstreams, warning,                                                                     \
		"Check the path to the servers: weirctl upstream test, weirctl upstreams.")       \
	X(upstream_sets, warning,                                                                 \
		"Look for the servers that are down in weirctl upstreams, and check their path.") \
	X(lists, warning, "See which list fails and why with weirctl blocklist status.")          \
	X(lists_none, warning, "See why no list loads with weirctl blocklist status.")            \
	X(rules, warning, "Read the error with weirctl errors, then weirctl blocklist reload.")   \
	X(rules_held, info, "End the hold with weirctl blocklist reload.")                        \
	X(blocking_off, info, "Set blocking.enabled to true, then weirctl config reload.")        \
	X(blocking_paused, info, "End it with weirctl resume, or wait.")                          \
	X(reload, warning, "Correct the file as the text says, then weirctl config reload.")      \
	X(config_versions, warning,                                                               \
		"Check the state directory's space and rights, or the secret that is missing.")   \
	X(config_health, warning,                                                                 \
		"Apply a better one, roll back, or keep it with weirctl config apply --keep.")    \
	X(metrics_listen, warning,                                                                \
		"Give metrics.listen an address of this box with a free port, and restart.")      \
	X(control_listen, warning,                                                                \
		"Give control.listen addresses of this box with a free port, and restart.")       \
	X(control_certificates, warning,                                                          \
		"Check the certificate files of control or tls; weirctl status has the error.")   \
	X(control_file, warning,                                                                  \
		"Move the file out of the state directory and restart the control plane.")        \
	X(tables, warning, "Report it as a bug, with the output of weirctl mem tables.")          \
	X(memory_unaccounted, warning,                                                            \
		"Look at weirctl mem accounts, and save a weirctl mem snapshot for a report.")    \
	X(memory_grows, warning, "See what grows with weirctl mem alarms.")                       \
	X(memory, warning, "Compare two of weirctl mem snapshot with weirctl mem diff.")          \
	X(query_store, warning, "Check space and permissions of the store's directory.")          \
	X(clickhouse, warning, "Check the server, its address and its password.")                 \
	X(clickhouse_tidy, warning, "Give weir's ClickHouse user the right to ALTER the tables.") \
	X(clickhouse_twin, warning, "Give each box a name of its own with query_log.box.")        \
	X(redis, warning, "Check the server, its address and its password.")                      \
	X(redis_sweep, warning,                                                                   \
		"Read its error in weirctl status, and check the rights of weir's Redis user.")   \
	X(sink, warning, "Check the receiver that weirctl log status names.")                     \
	X(event_output, warning, "Check the receiver that weirctl status names.")                 \
	X(sync_primary, warning,                                                                  \
		"Check the way to the primary and its control.listen: weirctl fleet status.")     \
	X(sync_version, warning,                                                                  \
		"Correct what the text names: room on this box's disk, or another version or a "  \
		"signature of the primary.")                                                      \
	X(sync_rollout, warning,                                                                  \
		"Stopped: weirctl fleet apply continues it. Taken back: correct the change or "   \
		"give it up, then weirctl fleet apply.")                                          \
	X(sync_primaries, warning,                                                                \
		"Point all boxes at one primary; weirctl fleet promote makes a box the primary.")

enum api_reason_id {
#define X(id, severity, advice) API_REASON_##id,
	API_REASONS(X)
#undef X
		API_REASON_IDS
};

struct api_reason_kind {
	const char *id, *advice;
	enum event_severity severity;
};
extern const struct api_reason_kind api_reason_kinds[API_REASON_IDS];

struct api_reason {
	enum api_reason_id id;
	char about[API_REASON_ABOUT_MAX];
	char text[API_REASON_TEXT_MAX];
	bool is_blocking; // new queries should go to another box; else something is impaired
};

struct api_reasons {
	unsigned count, blocking, left_out;
	struct api_reason one[API_REASONS_MAX];
};

// Adds a reason that something is impaired. `about`: which of several objects; "": there is only
// one.
void api_reason_add(struct api_reasons *r, enum api_reason_id id, const char *about,
	const char *fmt, ...) ATTR_PRINTF(4, 5);
// Adds a reason that clients get no answers, or that an operator sends them elsewhere.
void api_reason_block(struct api_reasons *r, enum api_reason_id id, const char *text);

// A reason that blocks is an error, unless its kind has severity info.
enum event_severity api_reason_severity(const struct api_reason *r);
// The name of the reason's alarm in events: the id, and what the reason is about; cut to `cap`.
void api_reason_name(const struct api_reason *r, char *out, unsigned cap);
// The kind of the alarm with this name; NULL: no reason has the name.
const struct api_reason_kind *api_reason_kind_of(const char *name);
