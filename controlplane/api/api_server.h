// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// The server of the control API, and what the file of each subject gives to it: its endpoints, its
// objects in the replies about the whole program, its tables. All on the service loop.

#include "access/access.h"
#include "api.h"
#include "api_listener.h"
#include "api_reasons.h"
#include "base/job_runner.h"
#include "base/json_out.h"
#include "http/http_server.h"
#include "memory/mem_watch.h"
#include "ready_hold.h"
#include "tls/tls_server.h"

#include <sys/queue.h>
#include <sys/types.h>

struct api_scrape { // of metrics: the last one; left_out: of all
	uint64_t took_us, bytes, samples, left_out;
};

// The control API over HTTPS (api_control.c).
struct api_control {
	unsigned count; // of addresses
	struct api_listener listener[CONFIG_CONTROL_LISTEN_MAX];
	struct tls_server *tls; // NULL: there are no good certificates
	char why[TLS_WHY_MAX];  // why newer ones are not used; "": they are
	struct tls_watch watch;
	struct ip_address allow[CONFIG_CONTROL_ALLOW_MAX]; // as at the start
	// control.clients at the last look.
	unsigned client_count;
	struct config_control_client client[CONFIG_CONTROL_CLIENTS_MAX];
	struct event *look;
	struct http_rate rate; // of all its addresses
};

// GET /connections asks the kernel about each descriptor: a helper does, once in API_SOCKETS_MS for
// all who wait by then.
enum { API_SOCKETS_MS = 1000, API_SOCKETS_WAITING_MAX = 4 };
struct api_sockets {
	struct event *next; // waits until it may begin
	bool runs;
	uint64_t begun_ms; // the last one; 0: none
	unsigned waiting;
	struct http_exchange *exchange[API_SOCKETS_WAITING_MAX];
};

struct api {
	struct api_deps deps;
	struct http_server *http;
	struct job_runner *whys, *searches; // apart: an export leaves room for explanations
	struct job_runner *profiles;
	bool is_profiling; // one at a time
	gid_t group;       // (gid_t)-1: none
	uint64_t start_ms;
	LIST_HEAD(, api_tail) tails; // api_log.c
	uint64_t tails_refused;      // users over the network with too many of them
	struct mem_watch *watch;
	struct heap_baselines *baselines;
	struct api_scrape scrape;
	LIST_HEAD(, api_events_reader) event_readers; // api_events.c
	unsigned event_reader_count;
	uint64_t event_readers_refused, event_readers_cut;
	bool is_drained; // by the operator, until undrained or the process ends
	bool is_ready;   // as the last second's look found it
	unsigned reason_count[API_REASON_IDS]; // as that look found them
	uint64_t reasons_left_out;
	struct ready_hold hold;
	struct api_live *live;     // api_live.c; NULL: no reader yet
	struct api_watch *watcher; // NULL: no watch
	uint64_t watches_refused;
	struct stats_copy *stats;   // room for the data plane's; NULL: not yet
	uint64_t looks, stats_look; // how many there were; the one that read them, if has_stats
	bool has_stats;
	uint64_t dumped_ms;           // when the last heap dump ended; 0: none
	uint64_t rate_ms;             // when the heap profile's rate changed last; 0: not yet
	struct api_listener listener; // of metrics.listen
	struct http_rate rate, listener_rate; // of the control socket; of metrics.listen
	struct api_sockets sockets;           // api_profile.c
	uint64_t hosts_refused;               // its requests by a name that is not the box's
	struct access *access;
	const struct access_user *user; // whose request is handled now; NULL: a local one
	struct api_control control;
};

enum {
	API_DUMP_SPACE_MS = 2000,
	API_SHORT_MS = 2000,
	API_FLUSH_MS = 10000,
	API_CACHE_FLUSH_MS = 15000,
	API_BUILD_MS = 120000
};

enum { API_USER_MAX = HTTP_WHO_MAX + HTTP_FROM_MAX + 4 };

enum api_endpoint_flags {
	API_GET = 0,       // changes nothing
	API_POST = 1 << 0, // changes something
	API_ALWAYS =
		1 << 1, // served while the toggle `api` is off: to look, and to turn it on again
	API_NETWORK = 1 << 2, // served by metrics.listen as well
	API_AUDIT = 1 << 3,   // in the audit log though it changes nothing
	API_OPEN = 1 << 4,    // served over the network before a login: it is the login
};

struct api_endpoint {
	const char *path;
	void (*handle)(struct api *a, struct http_exchange *x);
	unsigned flags;
	enum control_role role; // that it takes; CONTROL_NONE: an admin
	// Names, with blanks between, those in a form behind "form:"; NULL: none.
	const char *params;
};

// A request about the whole program, once all loops have reported their status.
struct api_look {
	struct api *api;
	struct http_exchange *exchange;
	void (*reply)(const struct api_look *l);
	const struct resolver_status *resolver;
	struct frontends_status frontends;
};

// The data plane's statistics (weir/stats_read.h), which take a millisecond or two to read: once
// for a look. NULL: there are none, or no memory. Valid until the next read.
const struct stats_copy *api_look_stats(const struct api_look *l);
// The same outside a look; without any, `why` says why.
const struct stats_copy *api_stats_read(struct api *a, char why[SHM_WHY_MAX]);
// All reasons of this moment (api_health.c).
void api_reasons_find(const struct api_look *l, struct api_reasons *out);
// Which keys a change changes: `live`, `restart_controlplane`, `restart_dataplane`.
void api_change_out(struct json_out *o, struct json_node *n, const struct config_change *c);
// How late a loop was, under `n`.

struct metrics_text;
enum { API_PART_ENDPOINTS_MAX = 6 };

// NULL: it has none of that kind.
struct api_part {
	struct api_endpoint endpoint[API_PART_ENDPOINTS_MAX];
	// Its objects in /status and in /stats.
	void (*status)(struct json_out *o, struct json_node *root, const struct api_look *l);
	void (*stats)(struct json_out *o, struct json_node *root, const struct api_look *l);
	// Adds a reason for each thing that is wrong.
	void (*degraded)(struct api_reasons *reasons, const struct api_look *l);
	void (*metrics)(struct metrics_text *t, const struct api *a);
	void (*tables)(struct api *a, struct table_registry *tables);
	int (*open)(struct api *a);   // when all else of the API is open; -errno
	void (*close)(struct api *a); // ends its streams; also of one that was never opened
};

// Each part is `api_NAME_part`, in api_NAME.c; replies have its objects in this order. `control` is
// the last: its servers are closed when all streams have ended.
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
	X(events)         \
	X(updates)        \
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
extern const struct api_part *const api_parts[]; // NULL is the last

// Serves a request of a user with that role; with API_NETWORK only endpoints that have that flag.
void api_serve(struct api *a, struct http_exchange *x, unsigned flags, enum control_role role);
// The server's `replied`: changes go into the audit log.
void api_replied(void *arg, struct http_exchange *x, unsigned status);
// Its `late`.
void api_late(void *arg, struct http_exchange *x, unsigned status);
// Of a job of the access thread that changes a file, once nothing refuses it any more: the job runs
// once the disk has its entry, or has refused it.
void api_audit_begin(struct api *a, struct http_exchange *x);
// Before what changes something, or is a login: its entries have room, and its user of that role
// may fill the audit log. False: it has been replied to, and changes nothing.
ATTR_MUST_CHECK bool api_change_begin(struct api *a, struct http_exchange *x,
	const struct api_endpoint *e, enum control_role role);
// Is there an endpoint of that path for a client that nobody knows?
bool api_is_open(const struct http_exchange *x);
// A try of x's user that is refused: audited, and replied to.
void api_deny(struct api *a, struct http_exchange *x, enum access_refusal why);
// "uid 0, pid 77" or "token ops, 192.0.2.7", for log lines.
const char *api_user_text(const struct http_exchange *x, char out[API_USER_MAX]);
// Streams over the network whose user has lost the right to them are over: a token or a session
// that has ended (api_control.c).
void api_control_streams_look(struct api *a);
// Asks all loops how they are; then `reply` replies.
void api_look(struct api *a, struct http_exchange *x, void (*reply)(const struct api_look *l));
void api_refuse(struct http_exchange *x, unsigned status, const char *fmt, ...) ATTR_PRINTF(3, 4);
// After a call that was to answer later was refused.
void api_busy(struct http_exchange *x, int err);
