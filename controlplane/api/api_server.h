// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// The server of the control API, and its parts, each of which has the endpoints, tables and metrics
// of one subject and objects in the replies about the whole program. All on the service loop.

#include "access/access.h"
#include "api.h"
#include "api_listener.h"
#include "api_reasons.h"
#include "base/job_runner.h"
#include "base/json.h"
#include "drain.h"
#include "http/http_server.h"
#include "memory/mem_watch.h"
#include "ready_hold.h"
#include "tls/tls_server.h"

#include <sys/queue.h>
#include <sys/types.h>

struct api_scrape { // the last scrape of metrics; left_out: the sum of all scrapes
	uint64_t took_us, bytes, samples, left_out;
};

// The control API over HTTPS (api_control.c).
struct api_control {
	unsigned count; // addresses
	struct api_listener listener[CONFIG_CONTROL_LISTEN_MAX];
	struct tls_server *tls; // NULL: no good certificates
	char why[TLS_WHY_MAX];  // why newer certificates are not used; "": they are
	struct tls_watch watch;
	struct ip_address allow[CONFIG_CONTROL_ALLOW_MAX]; // control.allow at the start
	// control.clients when `look` last ran.
	unsigned client_count;
	struct config_control_client client[CONFIG_CONTROL_CLIENTS_MAX];
	struct event *look;
	struct http_rate rate; // shared by all addresses
};

// GET /connections asks the kernel about each descriptor. A helper thread does, at most once in
// API_SOCKETS_MS, for all requests that wait by then.
enum { API_SOCKETS_MS = 1000, API_SOCKETS_WAITING_MAX = 4 };
struct api_sockets {
	struct event *next; // begins the next run of the helper
	bool runs;
	uint64_t begun_ms; // when the last run began; 0: never
	unsigned waiting;
	struct http_exchange *exchange[API_SOCKETS_WAITING_MAX];
};

// A managed part that POST /config/restore gets in parts (verbs/verb_restore.c), one at a time.
enum { RESTORE_ID_MAX = 33 };
struct api_restore {
	char *text;       // NULL: no part is here
	unsigned len, of; // bytes that are here, and those of all
	unsigned version; // the one in force that its sender has seen; 0: any
	char who[HTTP_WHO_MAX], id[RESTORE_ID_MAX];
	struct event *end; // gives the text up
	uint64_t since_ms, refused;
};

struct api {
	struct api_deps deps;
	struct http_server *http;
	struct job_runner *whys, *searches; // two runners: an export leaves room for explanations
	struct job_runner *profiles;
	bool is_profiling; // one profile at a time
	gid_t group;       // group of operators; (gid_t)-1: only root and this user
	uint64_t start_ms;
	LIST_HEAD(, api_tail) tails; // api_log.c
	uint64_t tails_refused;      // streams refused: all places, or a user's, are used up
	struct mem_watch *watch;
	struct heap_baselines *baselines;
	struct api_scrape scrape;
	LIST_HEAD(, api_events_reader) event_readers; // api_events.c
	unsigned event_reader_count;
	uint64_t event_readers_refused, event_readers_cut;
	struct drain drain;     // begun by an operator, until undrained or an orderly stop
	unsigned drain_leaving; // connections that it had yet to end at the last api_reasons()
	// Results of the last api_reasons().
	bool is_ready;
	unsigned reason_count[API_REASON_IDS];
	uint64_t reasons_left_out;
	struct ready_hold hold;
	// The state that readiness_save() last wrote for the next process.
	struct ready_hold saved_hold;
	bool saved_drained, is_unsaved;
	struct api_live *live;             // api_live.c; NULL: no reader so far
	struct api_fleet *fleet;           // api_fleet.c; NULL: no secondary so far
	struct api_sync_lists *sync_lists; // api_sync_lists.c; NULL: no list was asked for
	struct api_watch *watcher;         // NULL: no watch runs
	uint64_t watches_refused;
	struct stats_copy *stats; // the data plane's statistics; NULL: not allocated so far
	// The number of looks so far, and the look that last read `stats`; has_stats: it could
	// read.
	uint64_t looks, stats_look;
	bool has_stats;
	uint64_t dumped_ms;                   // when the last heap dump ended; 0: never
	uint64_t doctor_ms;                   // when a check was last asked for; 0: never
	uint64_t rate_ms;                     // when the heap profile's rate last changed; 0: never
	struct api_listener listener;         // metrics.listen
	struct http_rate rate, listener_rate; // limits of the control socket, of metrics.listen
	struct api_sockets sockets;           // api_profile.c
	struct api_restore restore;
	uint64_t hosts_refused; // requests on metrics.listen with another machine's name
	struct access *access;
	// The user of `control` whose request is being served; NULL: another sender's is.
	const struct access_user *user;
	struct api_control control;
};

enum {
	API_DUMP_SPACE_MS = 2000,
	API_SHORT_MS = 2000,
	API_FLUSH_MS = 10000,
	API_CACHE_FLUSH_MS = 15000,
	API_BUILD_MS = 120000
};

// Items shown of a long list of GET /groups, whose length is shown, too.
enum { API_ITEMS_MAX = 64 };

enum { API_USER_MAX = HTTP_WHO_MAX + HTTP_FROM_MAX + 4 };

enum api_endpoint_flags {
	API_GET = 0,                 // changes nothing
	API_POST = 1 << 0,           // changes something
	API_ALWAYS = 1 << 1,         // served also while the toggle `api` is off
	API_NETWORK = 1 << 2,        // served by metrics.listen as well
	API_AUDIT = 1 << 3,          // has audit entries though it changes nothing
	API_OPEN = 1 << 4,           // the login itself: served over the network without a user
	API_REPORT = 1 << 6,         // a POST that changes nothing of the box: no audit entries
	API_PUT = 1 << 5 | API_POST, // changes something, by PUT: the body is all that shall be
};

struct api_endpoint {
	const char *path;
	void (*handle)(struct api *a, struct http_exchange *x);
	unsigned flags;
	// Lowest role that may call it; CONTROL_NONE: an admin; CONTROL_SYNC: that and an admin.
	enum control_role role;
	// Names of parameters, with blanks between, and a form's fields as "form:NAME"; NULL: it
	// has no parameter. A request without one that has "!" behind it gets 400, and no handler.
	// With "form:*" other fields of a form are ignored.
	const char *params;
};

// A request about the whole program, for which all loops report their status.
struct api_look {
	struct api *api;
	struct http_exchange *exchange;
	void (*reply)(const struct api_look *l);
	const struct resolver_status *resolver;
	struct frontends_status frontends;
};

// The data plane's statistics (weir/stats_read.h), read once for each look, as a read takes a
// millisecond or two. NULL: there are no statistics, or no memory. Valid until the next read.
const struct stats_copy *api_look_stats(const struct api_look *l);
// Reads the data plane's statistics outside a look. NULL: `why` says why, or is "" without memory.
const struct stats_copy *api_stats_read(struct api *a, char why[SHM_WHY_MAX]);
// Finds all reasons that hold at this moment (api_health.c).
void api_reasons_find(const struct api_look *l, struct api_reasons *out);
// Adds the keys that a change affects: `live`, `restart_controlplane`, `restart_dataplane`.
void api_change_out(struct json_out *o, struct json_node *n, const struct config_change *c);
// The status of the reply to a change that was refused with -errno (app_apply.h).
unsigned api_change_status(int err);
unsigned api_version_in_force(const struct api *a); // 0: not stored as a version
// Is the version of the configuration that the client saw, `seen`, still in force? 0: it named
// none. Else replies which one is, and who made it; `param` named the version.
ATTR_MUST_CHECK bool api_version_is(
	const struct api *a, struct http_exchange *x, const char *param, unsigned seen);
// Adds a certificate to a list: `names`, `until`, in seconds since 1970, and `left_s`.
void api_certificate_out(
	struct json_out *o, struct json_node *list, const struct tls_certificate_about *c);

struct metrics_text;
enum { API_PART_ENDPOINTS_MAX = 8 };

// A member that is NULL: the part does not need it.
struct api_part {
	struct api_endpoint endpoint[API_PART_ENDPOINTS_MAX];
	// Add the part's objects to /status and to /stats.
	void (*status)(struct json_out *o, struct json_node *root, const struct api_look *l);
	void (*stats)(struct json_out *o, struct json_node *root, const struct api_look *l);
	// Adds a reason for each fault.
	void (*degraded)(struct api_reasons *reasons, const struct api_look *l);
	void (*metrics)(struct metrics_text *t, const struct api *a);
	void (*tables)(struct api *a, struct table_registry *tables);
	int (*open)(struct api *a);   // after the rest of the API is open; -errno
	void (*close)(struct api *a); // ends the part's streams; may come without open
};

// Each part is `api_NAME_part`. Replies have the parts' objects in this order. `control` is the
// last: its servers are closed when all streams have ended.
#define API_PARTS(X)      \
	X(health)         \
	X(ready)          \
	X(status)         \
	X(dataplane)      \
	X(state)          \
	X(config)         \
	X(versions)       \
	X(groups)         \
	X(cache)          \
	X(tiers)          \
	X(frontend)       \
	X(clickhouse)     \
	X(log)            \
	X(log_search)     \
	X(log_tail)       \
	X(log_top)        \
	X(clients)        \
	X(top)            \
	X(watch)          \
	X(rules)          \
	X(drops)          \
	X(refresh)        \
	X(why)            \
	X(tcp)            \
	X(upstreams)      \
	X(pending)        \
	X(toggles)        \
	X(entries)        \
	X(lists)          \
	X(local)          \
	X(members)        \
	X(servers)        \
	X(settings)       \
	X(put)            \
	X(restore)        \
	X(fleet_verbs)    \
	X(events)         \
	X(updates)        \
	X(fleet)          \
	X(sync_lists)     \
	X(fleet_top)      \
	X(doctor)         \
	X(live)           \
	X(heap)           \
	X(profile)        \
	X(mem)            \
	X(memory)         \
	X(metrics)        \
	X(access)         \
	X(session)        \
	X(control_report) \
	X(control)
#define X(name) extern const struct api_part api_##name##_part;
API_PARTS(X)
#undef X
extern const struct api_part *const api_parts[]; // NULL ends the array

// Serves a request of a user with `role`, by endpoints that have all of `flags`.
void api_serve(struct api *a, struct http_exchange *x, unsigned flags, enum control_role role);
// `replied` of struct http_settings: writes the audit entry of a change.
void api_replied(void *arg, struct http_exchange *x, unsigned status);
// `late` of struct http_settings: writes the audit entry of a change that ended after its 504.
void api_late(void *arg, struct http_exchange *x, unsigned status);
// Writes the audit entry of a change of a file that nothing refuses any more. The job of the access
// thread that makes the change runs after the disk has taken or refused the entry.
void api_audit_begin(struct api *a, struct http_exchange *x);
// Called before a change or a login: checks that the audit log has room for its entries, and that
// its user, who has `role`, may add them. False: the reply is sent, and nothing may change.
ATTR_MUST_CHECK bool api_change_begin(struct api *a, struct http_exchange *x,
	const struct api_endpoint *e, enum control_role role);
// Whether x's path is that of an API_OPEN endpoint, which needs no user.
bool api_is_open(const struct http_exchange *x);
// Refuses a try of x's user: replies, and writes an audit entry or counts one that is left out.
void api_deny(struct api *a, struct http_exchange *x, enum access_refusal why);
// "uid 0, pid 77" or "token ops, 192.0.2.7", for log lines.
const char *api_user_text(const struct http_exchange *x, char out[API_USER_MAX]);
// Ends streams over the network whose user has lost the right to them, as a token or a session has
// ended (api_control.c).
void api_control_streams_look(struct api *a);
// Asks all loops for their status, then calls `reply`, which replies.
void api_look(struct api *a, struct http_exchange *x, void (*reply)(const struct api_look *l));
void api_refuse(struct http_exchange *x, unsigned status, const char *fmt, ...) ATTR_PRINTF(3, 4);
// Replies with "unchanged", as all is already as the request wants it, and "note": what is so.
void api_unchanged(struct http_exchange *x, const char *note);
// Replies with 503 after an asynchronous call returned `err`.
void api_busy(struct http_exchange *x, int err);
