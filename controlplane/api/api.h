// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// The control API: HTTP and JSON on a unix socket, for weirctl. docs/reference/openapi.json lists
// all endpoints. Each has the paths /NAME and /v1/NAME here, but only /v1/NAME on `control.listen`
// (remote/api_control.c), where it needs the role that struct api_endpoint names.
//
// Runs on the service loop. The socket has mode 0600, or 0660 and the group `group` if that is set.
// The client's credentials are checked, too (root, this uid, a member of `group`), and each change
// is logged with them. A refusal is {"error": "..."} with a 4xx or 5xx status, except refusals of
// libevent itself (http_server.h). Bounds: API_REQUESTS_MAX requests being served and
// API_CONNECTIONS_MAX connections, streams included (one more of either is 503, counted), 8 KiB of
// header, 64 KiB of body, 2 s for a client that neither sends nor reads, API_CONNECTION_MS for one
// that is slow (http_conns.h), API_RATE_BURST requests at once and API_RATE_MAX a second of each
// local user (http_server.h; one more is 429). A reply that waits for another loop has a deadline
// (504), and is dropped when its client has hung up.

#include "api_reasons.h"
#include "base/loop.h"
#include "client_names/client_names.h"
#include "events/events.h"
#include "events/out/event_outs.h"
#include "frontend/frontends.h"
#include "memory/memory_meter.h"
#include "memory/toggles.h"
#include "policy/group_masks.h"
#include "querylog/clickhouse/clickhouse.h"
#include "querylog/querylog.h"
#include "querylog/sinks/tail.h"
#include "querylog/sinks/top.h"
#include "querylog/store/query_store.h"
#include "querylog/watch.h"
#include "resolver/resolvers.h"
#include "rules/rules.h"
#include "shm/publish.h"
#include "sync/sync.h"
#include "updates/updates.h"
#include "versions/apply.h"

enum {
	API_REQUESTS_MAX = 16,
	API_CONNECTIONS_MAX = 32,
	API_CONNECTION_MS = 30000,
	API_RATE_MAX = 1000,
	API_RATE_BURST = 4000,
	API_WHY_MAX = 256,
	API_RELOAD_WHY_MAX = 896,
};

// Called once on the service loop. `err` 0: the change is in force; -errno: it is refused, and
// `why` says the reason; a positive errno, only after an apply: it is in force, except for what
// `why` says. `needs_restart`: the settings of the new file that need a restart
// (config_needs_restart), or "".
typedef void (*api_config_done)(void *arg, int err, const char *why, const char *needs_restart);

// The configuration file: when it was last read, the result, and its settings that wait for a
// restart.
struct api_reload {
	int64_t tried_unix_s;  // when the last reload ended; 0: no reload since the start
	int64_t loaded_unix_s; // when the file in force was read
	int err;               // result of the last reload
	char why[API_RELOAD_WHY_MAX];
	unsigned restart_count; // settings that wait for a restart
	char restart[512];      // their keys
};

// A change of the configuration that runs: the file read again, or a toggle.
enum { API_CHANGES_MAX = 2 };
struct api_change {
	const char *what, *step;
	uint64_t since_ms;
};

struct api_deps { // everything here outlives the API
	struct loop *service;
	struct resolvers *resolvers;
	struct frontends *frontends;
	struct querylog *log;              // NULL: no query log
	struct top *top;                   // may be NULL
	struct tail *tail;                 // may be NULL
	struct client_names *client_names; // may be NULL
	struct watch *watch;               // may be NULL
	struct rules *rules;
	struct publisher *publisher;
	struct query_store *store;                 // NULL: no query store
	struct clickhouse *clickhouse;             // may be NULL
	const struct toggles *toggles;             // toggles in force; NULL: no toggles
	struct memory_meter *meter;                // may be NULL
	const struct upstream_book *book;          // may be NULL
	struct events *events;                     // may be NULL
	struct event_outs *event_outs;             // may be NULL
	const struct updates *updates;             // may be NULL
	struct sync *sync;                         // may be NULL
	const struct event_conditions *conditions; // may be NULL
	const char *socket_path;                   // <run>/control/control.sock
	const char *group;                         // "" or NULL: no group
	// Further sinks of the query log, for their status.
	struct sink_thread *const *outputs;
	unsigned output_count;
	const struct config_metrics *metrics; // settings of metrics.listen; NULL: it is off
	// The control API's settings for the network, of the start; NULL: it is not on the network.
	// If set, config_current is, too.
	const struct config_control *control;
	const char *state_directory; // folder of tokens and the audit log
	const char *box;             // name of this box; NULL: ""
	const char *config_path;
	// The configuration in force, from which a rebuild takes its lists.
	const struct config *(*config_current)(void *reload_arg);
	// The groups of the published policy image, by number; NULL: there are no groups.
	const struct policy_group *(*groups_current)(void *reload_arg);
	// Addresses of host names in that image; NULL: there are no groups.
	const struct group_hosts *(*groups_hosts)(void *reload_arg);
	// The present state of group `group` of the configuration in force (0: everyone else). The
	// function is NULL if groups_current is.
	void (*group_now)(void *reload_arg, unsigned group, struct group_now *out);
	// Calls group_pause_begin, or with 0 minutes group_pause_end; may be NULL.
	int (*group_pause)(void *reload_arg, const char *name, unsigned minutes);
	const struct api_reload *(*last_reload)(void *reload_arg); // NULL: not known
	// Fills in the changes that run and returns their number; NULL: not known.
	unsigned (*changes)(void *reload_arg, struct api_change out[API_CHANGES_MAX]);
	void *reload_arg;
	// Changes the configuration. 0: `done` is called later; -errno: it is not called. -EBUSY:
	// another change runs.
	int (*config_apply)(
		void *reload_arg, const struct apply_request *r, api_config_done done, void *arg);
	const struct versions_status *(*versions)(void *reload_arg); // may be NULL
	// The managed part of the configuration in force, or ""; may be NULL.
	const char *(*managed_text)(void *reload_arg);
	// All texts of the configuration in force; may be NULL.
	const struct config_bundle *(*config_bundle)(void *reload_arg);
	// Applies the toggles to the configuration in force; reads no file. Returns and calls
	// `done` as config_apply does.
	int (*toggles_set)(
		void *reload_arg, const struct toggles *toggles, api_config_done done, void *arg);
};

struct api;
struct access_job;
struct mem_kinds;
struct tls_certificate_files;
struct tls_server_settings;

// Unlinks a socket file without a listener, binds, listens. -EADDRINUSE: the socket has a listener.
ATTR_MUST_CHECK int api_open(struct api **out, const struct api_deps *deps, char why[API_WHY_MAX]);
// Closes all connections, also of requests that wait for a reply, and unlinks the socket. Called on
// the service loop's thread, before the resolver and the rules are closed. A `done` that they call
// later is ignored. Close the loops' mailboxes afterwards, so that no call is left.
void api_close(struct api *a); // NULL is fine
// Puts a version that is to be stored into the audit log. Then `after->done` is called, on the
// service loop or in api_close, whether or not the disk took the entry.
void api_audit_version(struct api *a, const struct config_version *v, struct access_job *after);
// The TLS settings of the control API by `c`, with the certificates of `control`, or else of `tls`.
// `files`: room for the paths of CONFIG_CERTIFICATES_MAX certificates; the settings refer to it.
struct tls_server_settings api_control_tls(
	const struct config *c, struct tls_certificate_files *files);
// Mappings and descriptors of this process; NULL: not known.
const struct mem_kinds *api_kinds(const struct api *a);
// Finds why this box is not ready, or impaired, by the two statuses and the rest of the process.
// Called once a second; /ready?for=anycast and the metrics show the results of these calls.
void api_reasons(struct api *a, const struct resolver_status *s, const struct frontends_status *f,
	struct api_reasons *out);
// Adds all tables that the statuses of resolvers and frontends do not list.
void api_tables(struct api *a, struct table_registry *tables);
