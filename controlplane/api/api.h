// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// The control API: HTTP and JSON on a unix socket, for weirctl.
//
//   GET  /health  /ready?for=balancer|anycast|human&strict=0|1  /errors  /pending?limit=
//        /status  /stats  /metrics  /groups  /services  /blocklist  /mem
//        /tcp  /log /top?limit= /clients?seconds=&client=&limit= /refresh?minutes=
//        /config/history?version=  /config/show?version=  /config/diff?from=&to= (0: on disk)
//        /why?name=&client=&mac=&vlan=&group=&type=
//        /log/search?limit=&name=&part=&client=&group=&verdict=&rcode=&since=&until=&after=
//        /watch?seconds=&name=&client=&verdict=&frames=0|1  (a stream, from {"begin":true} on)
//        /log/tail?name=&client=&verdict=&group=  (a stream)
//        /log/top?seconds=&client=&limit=
//        /live  (a stream of server-sent events: counters of both processes, each 2 s)
//        /events?after=&follow=0|1  (a stream of server-sent events; not with follow=0)
//        /cache?name=&type=  /cache/stats  /drops
//        /mem/alarms  /memory/slope?seconds=  /memory/history?name=&limit=
//        /entries  /lists  /local
//        /toggles  /heap  /debug/heap (pprof)  /threads  /connections
//        /profile/cpu?seconds=  /profile/alloc  /profile/threads (pprof)
//        /tokens  /audit?limit=
//        /passwords  /user
//   POST /token/create?name=&role=&expires=  /token/revoke?name=
//        /password/set?name=&role=  (password in a form)  /password/remove?name=
//        /session  (a login: user, password in a form)  /session/end
//        /cache/flush?name=&below=0|1  /cache/flush?all=1
//        /blocklist/reload?force=0|1  /blocklist/rollback  /blocklist/pause?minutes=&group=
//        /blocklist/resume?group=  /config/reload  /config/apply?dry_run=0|1&why=
//        /config/rollback?version=&why=  /drops/add?source=&minutes=
//        /drops/remove?source=  /heap/on?sample_lg=  /heap/off
//        /set?toggle=&value=  /drain  /undrain
//        /entries/add?name=&verdict=&group=&seconds=  /entries/remove?name=&verdict=&group=
//        /lists/add?name=&place=&format=&allow=0|1  /lists/remove|enable|disable?name=
//        /local/add?name=&type=&value=&ttl=  /local/remove?name=&type=&value=
//        /groups/add|move?client=&group=  /groups/remove?client=&group=
//        /upstreams/add?server=&name=  /upstreams/remove?server=  (from /entries on also why=)
//
// Each also as /v1/..., and as such alone on the network (api_control.c), where an endpoint takes
// the role that it has in struct api_endpoint. docs/reference/openapi.json lists them all.
//
// Runs on the service loop. The socket is 0600, or 0660 and of `group` when there is one; the
// client's credentials are checked besides (root, this uid, a member of `group`), and every POST is
// logged with them. A refusal is {"error": "..."} with a 4xx or 5xx status, except refusals of
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

// Called once on the service loop. `err` 0; -errno: refused, `why` says the reason; or, of an apply
// alone, a positive errno: in force, except for what `why` says. `needs_restart`: the settings of
// the new file that need a restart (config_needs_restart), "" without any.
typedef void (*api_config_done)(void *arg, int err, const char *why, const char *needs_restart);

// The configuration file: when and how it was last read, and what of it waits for a restart.
struct api_reload {
	int64_t tried_unix_s;  // the last reload; 0: none since the start
	int64_t loaded_unix_s; // when the file in force was read
	int err;               // of the last reload
	char why[API_RELOAD_WHY_MAX];
	unsigned restart_count; // settings
	char restart[512];      // their keys
};

// A change of the configuration that runs: the file read again, or a toggle.
enum { API_CHANGES_MAX = 2 };
struct api_change {
	const char *what, *step;
	uint64_t since_ms;
};

struct api_deps { // all of it outlives the api
	struct loop *service;
	struct resolvers *resolvers;
	const struct frontends *frontends;
	struct querylog *log;              // NULL: no query log
	struct top *top;                   // may be NULL
	struct tail *tail;                 // may be NULL
	struct client_names *client_names; // may be NULL
	struct watch *watch;               // may be NULL
	struct rules *rules;
	struct publisher *publisher;
	struct query_store *store;                 // NULL: no query store
	struct clickhouse *clickhouse;             // may be NULL
	const struct toggles *toggles;             // in force; NULL: there are none
	struct memory_meter *meter;                // may be NULL
	const struct upstream_book *book;          // may be NULL
	struct events *events;                     // may be NULL
	struct event_outs *event_outs;             // may be NULL
	const struct updates *updates;             // may be NULL
	const struct event_conditions *conditions; // may be NULL
	const char *socket_path;                   // <run>/control/control.sock
	const char *group;                         // "" or NULL: no group
	// Further sinks of the query log, for their status.
	struct sink_thread *const *outputs;
	unsigned output_count;
	const struct config_metrics *metrics; // where they are served over the network; NULL: not
	// Where the control API is on the network, as at the start; NULL: nowhere. Then there is
	// config_current.
	const struct config_control *control;
	const char *state_directory; // of tokens and the audit log
	const char *config_path;
	// The configuration in force, from which a rebuild takes its lists.
	const struct config *(*config_current)(void *reload_arg);
	// Its groups as published, by number; NULL: there are none.
	const struct policy_group *(*groups_current)(void *reload_arg);
	// The present state of group `group` of the configuration in force (0: everyone else); NULL
	// if groups_current is.
	void (*group_now)(void *reload_arg, unsigned group, struct group_now *out);
	// group_pause_begin, or, with 0 minutes, group_pause_end; may be NULL.
	int (*group_pause)(void *reload_arg, const char *name, unsigned minutes);
	const struct api_reload *(*last_reload)(void *reload_arg); // NULL: not known
	// Those that run; how many. NULL: not known.
	unsigned (*changes)(void *reload_arg, struct api_change out[API_CHANGES_MAX]);
	void *reload_arg;
	// Changes the configuration: 0 and `done` is called later, or -errno and it is not. A
	// second one while the first runs is -EBUSY.
	int (*config_apply)(
		void *reload_arg, const struct apply_request *r, api_config_done done, void *arg);
	const struct versions_status *(*versions)(void *reload_arg); // NULL: none
	const char *(*managed_text)(void *reload_arg); // of what is in force; may be NULL
	const struct config_bundle *(*config_bundle)(void *reload_arg); // of the same
	// Applies the toggles to the configuration that is in force; reads no file. `done` as
	// above.
	int (*toggles_set)(
		void *reload_arg, const struct toggles *toggles, api_config_done done, void *arg);
};

struct api;
struct access_job;
struct mem_kinds;
struct tls_certificate_files;
struct tls_server_settings;

// Unlinks a socket without a listener, binds, listens. -EADDRINUSE: it has a listener.
ATTR_MUST_CHECK int api_open(struct api **out, const struct api_deps *deps, char why[API_WHY_MAX]);
// Hangs up on everybody, what still waits included, and unlinks the socket. On the service loop's
// thread, before the resolver and the rules are closed; calls of theirs that arrive later (their
// `done`) are ignored: close the loops' mailboxes after it, then nothing is left.
void api_close(struct api *a); // NULL is fine
// Puts a version that is to be stored into the audit log. Then, on the service loop or in
// api_close, `after->done` is called, whether or not the disk took the entry.
void api_audit_version(struct api *a, const struct config_version *v, struct access_job *after);
// The TLS settings of the control API by `c`: its certificates are those of `control`, or else
// those of `tls`. `files`: room for the paths of CONFIG_CERTIFICATES_MAX; the settings refer to it.
struct tls_server_settings api_control_tls(
	const struct config *c, struct tls_certificate_files *files);
// Mappings and descriptors of this process; NULL: not known.
const struct mem_kinds *api_kinds(const struct api *a);
// Why this box is not ready, or impaired, according to these statuses and the rest of the process.
// Called once a second: /ready?for=anycast and the metrics are of these looks.
void api_reasons(struct api *a, const struct resolver_status *s, const struct frontends_status *f,
	struct api_reasons *out);
// All tables that the statuses of resolvers and frontends do not list.
void api_tables(struct api *a, struct table_registry *tables);
