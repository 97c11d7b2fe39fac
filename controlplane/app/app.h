// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// The process: configuration, shared memory, the loops and their modules. They start in this order
// and stop in the opposite order. Each resolver and each frontend has a loop and a thread; the
// service loop runs on the main thread. SIGTERM and SIGINT stop the process, SIGHUP reloads the
// configuration. The service loop owns `struct app`, unless a field says otherwise.
//
// A reload first reads and checks the whole file. Then the resolvers apply upstreams, limits and
// TTL limits on their loops, the workers get their settings through the directory, and a build
// makes the new rules. A change of toggles may run beside a reload that waits for its lists; each
// waits while the resolvers have the other's configuration. The result names settings that need a
// restart: those that differ from the start.

#include "api/api.h"
#include "base/clock_grace.h"
#include "base/config_files.h"
#include "base/wheel.h"
#include "client_names/client_names.h"
#include "events/out/event_outs.h"
#include "frontend/frontend_tcp_shared.h"
#include "l1/local_changes.h"
#include "memory/toggles.h"
#include "policy/group_hosts.h"
#include "policy/group_masks.h"
#include "policy/policy_build.h"
#include "querylog/clickhouse/clickhouse.h"
#include "querylog/querylog.h"
#include "querylog/sinks/dnstap.h"
#include "querylog/sinks/request_log.h"
#include "querylog/sinks/sink_thread.h"
#include "querylog/sinks/tail.h"
#include "querylog/sinks/top.h"
#include "querylog/sinks/webhook.h"
#include "querylog/store/query_store.h"
#include "route/routes.h"
#include "shm/again.h"
#include "sync/sync.h"
#include "tls/tls_server.h"
#include "updates/updates.h"

#include <pthread.h>
#include <weir/attr.h>

struct event;

enum { APP_WHY_MAX = 768 }; // bytes of the reason why the process, or a part of it, does not start

// Certificates as read from their files (app_certificates.c).
struct app_certificates {
	struct tls_server *server; // NULL: no certificates; `why` says why if some are configured
	char why[TLS_WHY_MAX];
	struct tls_watch watch;
};

// A configuration on its way to the resolvers and frontends and back. From loop_call until the way
// back has run only their loops write and read it, so it holds all results.
struct reload_message {
	struct loop_return back;
	struct config *read; // the new configuration; NULL: only the toggles change
	struct config *next; // configuration with the toggles applied; not in force yet
	struct toggles toggles;
	unsigned tcp_files;
	struct app_certificates certificates; // read with `read`, for the frontends
	int err; // result of the resolvers; below 0: nothing has changed
	struct policy_group group[POLICY_GROUPS_MAX]; // groups with their views filled in
};

struct reload;
typedef void reload_ended(const struct reload *r);

struct reload { // owned by the service loop
	struct app *app;
	bool running, of_toggles;  // of_toggles: a change of toggles; no file was read
	bool in_force;             // the new configuration is in force
	struct config_files files; // files that message.read was read from
	bool is_waiting;      // not sent yet: the resolvers have the message of the other change
	api_config_done done; // NULL: no caller, or it has its answer
	void *arg;
	reload_ended *ended; // called instead of `done`, which then only gives an early answer; may
			     // be NULL
	const char *step;    // what the change waits for
	struct wheel_timer look; // looks for threads that hang, while the change runs
	unsigned hung_looks;     // looks in a row that found such threads
	uint64_t since_ms;
	int err;
	char why[APP_WHY_MAX + 64];
	char needs_restart[512];
	struct reload_message message;
};

struct app_flushes { // flushes of changed names that are still to be done
	unsigned running;
	unsigned count;
	struct flush what[LOCAL_CHANGES_MAX];
};

struct app_groups {                                  // the groups as last published
	struct policy_group view[POLICY_GROUPS_MAX]; // groups with their views alone
	struct policy_image image;
	struct group_mask mask[POLICY_GROUPS_MAX]; // masks in `image`
	struct group_pauses pauses;
	struct group_moment moment; // moment that masks are made for
	struct group_hosts hosts;   // addresses of host names in `image`
	struct event *hosts_look;   // timer: has the client book others?
	struct event *look;         // timer: a schedule or a pause changes a mask
	struct event *again;        // timer: has the data plane activated the image?
	struct again lag_again;     // when the image is published again
	bool fails;                 // the newest groups could not be published
};

// One of the resolvers: what the process gives it, and its thread.
struct app_resolver {
	struct app *app;
	struct loop *loop;
	struct views *views;              // used by the loop of this resolver alone
	struct upstream_port *port;       // sends queries of `views` through workers
	struct recursor *recursor;        // recursion, one of the servers of `views`
	struct upstream_lookups *lookups; // host names of upstreams; first resolver alone
	pthread_t thread;
	bool has_thread;
};

// The thread of a frontend (struct frontends_one).
struct app_frontend {
	struct app *app;
	struct loop *loop;
	pthread_t thread;
	bool has_thread;
};

enum { HOST_NAME_MAX_BYTES = 64 };

struct app_events;   // app_events.h
struct app_versions; // app_versions.h
struct verb_ends;    // verbs/verb_ends.h
struct app_memory;   // app_memory.c
struct memory_meter;
enum { APP_OUTPUTS_MAX = 4 };

struct app_clock { // the grace of the clock, and what is saved for the next one
	struct clock_saved saved;
	char path[SHM_PATH_MAX];
	struct wheel_timer look;
	bool was_on;    // at the last look
	bool is_strict; // nothing has the settings of the grace, or learned by them
	bool is_saving;
	uint64_t began_ms, saved_ms, tried_ms; // clock_mono_ms
};

struct app {
	struct config *started; // configuration of the start, whose settings that need a restart
				// are in force
	struct config *read;    // read last; owns the objects that `current` points to
	struct config_files read_files; // files of `read`; zeros unless all of it is in force
	struct config *current; // the configuration in force: `read` with the toggles applied
	unsigned tcp_files;     // most files that TCP may have open
	struct shm_paths paths;
	struct publisher *publisher;
	struct loop *loop, *service; // loop: that of the first resolver
	struct event *signals[3];
	struct link_server *link;
	struct upstream_book *book; // names of upstreams for rows of the query log
	struct app_resolver resolver[RESOLVERS_MAX];
	struct resolvers resolvers; // all resolvers
	struct ring_mesh *mesh;     // rings between frontends and resolvers
	struct frontends frontends;
	struct app_certificates certificates; // read last; the frontends have `server`
	struct event *certificates_look;
	struct app_frontend frontend[FRONTENDS_MAX];
	struct routes *routes;     // routes to upstream servers
	struct again routes_again; // when the image of the routes is published again
	struct rules *rules;
	struct list_notify *notify; // NOTIFY messages (RFC 1996) for transferred zones
	struct api *api;
	struct app_events *events;
	struct app_versions *versions;
	struct verb_ends *ends; // NULL: the process does not serve yet
	struct querylog *log;
	struct querylog_names *log_names; // the names set last
	struct client_names *client_names;
	struct top *top;
	struct tail *tail;
	struct watch *watch;
	struct toggles toggles;   // toggles in force
	_Atomic bool http_single; // http.keepalive is off; read by threads that send requests
	struct app_memory *memory;
	struct memory_meter *meter;
	struct query_store *store;     // NULL: off
	struct clickhouse *clickhouse; // NULL: off
	bool clickhouse_is_behind;     // the sink could not apply the configuration in force
	struct request_log *requests;  // NULL: off
	struct dnstap *dnstap;         // NULL: off
	struct webhook *webhooks;      // NULL: off
	struct event_outs *event_outs;
	struct updates *updates;
	struct sync *sync;
	struct sink_thread *output[APP_OUTPUTS_MAX];
	unsigned outputs;
	char box[4 * HOST_NAME_MAX_BYTES
		 + 1]; // name of this box in query log, events and audit log
	struct api_deps deps;
	char socket_path[SHM_PATH_MAX + 32];
	int start_err;
	bool is_stopped;       // a signal stopped the process
	struct reload reload;  // change of the configuration file
	struct reload setting; // change of toggles
	bool at_resolver;      // the message of a change is on its way to the resolvers or back
	struct config *late_current, *late_read; // the one before, for late threads
	struct api_reload last_reload;           // result of the last reload of the file
	struct app_groups groups;
	struct app_flushes flushes;
	struct lease_names *leases;    // held: the table whose names were flushed
	struct wheel_timer alive_look; // timer of the watchdog message
	uint64_t alive_ms;             // time of the last watchdog message
	struct app_clock clock;
};

ATTR_MUST_CHECK int app_open(struct app **out, const char *config_path, char why[APP_WHY_MAX]);
ATTR_MUST_CHECK int app_run(struct app *a); // runs until a signal; 0 or -errno
void app_close(struct app *a);              // NULL is fine

// app_clock.c. app_clock_open reads and writes a file, and decides whether the grace is on, before
// anything has the configuration; app_clock_start once the process serves.
void app_clock_open(struct app *a);
void app_clock_start(struct app *a);
void app_clock_close(struct app *a); // saves the time; after the loops
// `read` with the toggles, and with the settings of the grace while it is on; for free(). It points
// into `read`. NULL: no memory.
struct config *app_lay(const struct toggles *toggles, const struct config *read);

// app_resolvers.c. app_resolvers_open opens all but the threads, which start once all else is open
// and end before anything is closed.
void app_recursion_warn(const struct config *c); // warns of a risk of the recursion settings
ATTR_MUST_CHECK int app_resolvers_open(struct app *a, char why[APP_WHY_MAX]);
ATTR_MUST_CHECK int app_resolvers_start(struct app *a);
void app_resolvers_stop(struct app *a);   // stops the threads of the frontends too
void app_resolvers_settle(struct app *a); // runs calls left in mailboxes, while the resolvers exist
void app_resolvers_close(struct app *a);
void app_resolvers_loops_free(struct app *a); // after the last use of the loops
// Routes to upstream servers: the first look is before the resolvers run.
ATTR_MUST_CHECK int app_routes_open(struct app *a, char why[APP_WHY_MAX]);
void app_routes_configure(struct app *a); // applies a->current
void app_routes_close(struct app *a);
// Raises the limit of open files, and finds how many of them TCP may have. -EMFILE: too few files.
ATTR_MUST_CHECK int app_files_raise(struct config *c, unsigned *tcp_files, char why[APP_WHY_MAX]);
// Opens app.frontends, after the resolvers; app_frontends_start starts their threads, after those
// of the resolvers.
ATTR_MUST_CHECK int app_frontends_open(struct app *a, char why[APP_WHY_MAX]);
ATTR_MUST_CHECK int app_frontends_start(struct app *a);
// Ends the threads of the frontends. Returns the number of their loops, which app_resolvers_stop
// settles.
unsigned app_frontends_halt(struct app *a, struct loop *loops[FRONTENDS_MAX]);
void app_frontends_stop(struct app *a);  // ends all sessions, before the query log stops
void app_frontends_close(struct app *a); // before app_resolvers_close
// app_certificates.c, service loop's thread. app_certificates_open runs after
// frontend_tcp_shared_new and before the frontends open.
ATTR_MUST_CHECK int app_certificates_open(struct app *a);
void app_certificates_close(struct app *a);
// Reads the certificates of `c`; logs failures.
void app_certificates_read(struct app *a, const struct config *c, struct app_certificates *out);
// Any thread: uses the certificates for new connections from now on.
void app_certificates_use(struct app *a, struct app_certificates *c);
// Adds an error for each certificate file of `c`, whose texts are `b`, that cannot be used. A fault
// that files of the configuration in force have too is no error: certificates in use stay as they
// are.
void app_certificates_prove(const struct app *a, const struct config *c,
	const struct config_bundle *b, struct config_errors *e);
void app_certificates_look(struct app *a); // reads and uses certificates whose files have changed
void app_frontends_loops_free(struct app *a);
// app_log.c. The query log is opened after the resolvers, which write to it, started before their
// loops run, and stopped once their loops have ended. app_log_names is called whenever the
// configuration or the lists change, before the policy image of that generation is published.
void app_box_name(struct app *a); // sets a->box by the configuration of the start; first
ATTR_MUST_CHECK int app_log_open(struct app *a, char why[APP_WHY_MAX]);
ATTR_MUST_CHECK int app_store_open(struct app *a, char why[APP_WHY_MAX]);      // after app_log_open
ATTR_MUST_CHECK int app_clickhouse_open(struct app *a, char why[APP_WHY_MAX]); // after app_log_open
// Applies a new configuration. -ENOMEM, -EINVAL: the sink is unchanged.
ATTR_MUST_CHECK int app_clickhouse_reload(
	struct app *a, const struct config *before, const struct config *c);
// app_memory.c. app_memory_open makes the meter of api_deps and runs before deps_fill;
// app_memory_stop runs before api_close.
ATTR_MUST_CHECK int app_memory_open(struct app *a, char why[APP_WHY_MAX]);
void app_memory_stop(struct app *a);
void app_memory_close(struct app *a);
// Opens request log, dnstap, webhooks, outputs of events and the update notice, after app_log_open.
// They are closed once the query log has stopped.
ATTR_MUST_CHECK int app_outputs_open(struct app *a, char why[APP_WHY_MAX]);
// `c` is in force in place of `before`. -errno: some output of events is unchanged.
ATTR_MUST_CHECK int app_outputs_reload(
	struct app *a, const struct config *before, const struct config *c);
void app_outputs_close(struct app *a);
ATTR_MUST_CHECK int app_log_start(struct app *a);
// Flushes names of leases that have begun to count. On the service loop, now and then.
void app_leases_look(struct app *a);
void app_log_names(struct app *a, const struct config *c, uint64_t policy_generation);
void app_log_stop(struct app *a);
void app_log_close(struct app *a);
// Service loop's thread: publishes the settings of `c` for the present moment, for which the next
// app_groups_publish makes its masks too.
void app_publish_config(struct app *a, const struct config *c);
// Reads the pauses of groups from before the restart; before the first app_publish_config.
void app_groups_load(struct app *a);
ATTR_MUST_CHECK int app_groups_open(struct app *a); // before the first app_groups_publish
void app_groups_close(struct app *a);
// For the control API: app_group_now reads the present state of a group; app_group_pause pauses a
// group, 0 minutes: ends the pause.
void app_group_now(void *app, unsigned group, struct group_now *out);
int app_group_pause(void *app, const char *name, unsigned minutes);
// Publishes the policy image of `c`, unless the image in force is equal. Like app_publish_config it
// uses the present list numbers, pauses and schedules. Service loop's thread. A failure is logged
// and tried again later; the previous image stays.
int app_groups_publish(struct app *a, const struct config *c);
// Publishes settings and policy image of the configuration in force again, because a new rule image
// may number the lists differently.
void app_groups_republish(void *app);
const struct policy_group *app_groups_current(void *app);
enum { GROUP_HOSTS_LOOK_S = 5 }; // seconds between looks for other addresses of host names
// Addresses of host names in that image.
const struct group_hosts *app_groups_hosts(void *app);
const struct config *app_config(void *app);
const struct api_reload *app_last_reload(void *app);
unsigned app_changes(void *app, struct api_change out[API_CHANGES_MAX]);
// The configuration that an apply (app_apply.h) activates. -EBUSY: another reload is running.
struct reload_take {
	struct config *read; // app_reload_take owns it, also on failure; NULL: re-read the files
			     // named by the one in force
	struct config_files files; // files that it was read from; zeros: not from files
	int err; // below 0: the candidate was refused, as `why` says; `read` is NULL
	const char *why;
	api_config_done done;
	void *arg;
	reload_ended *ended;
};
ATTR_MUST_CHECK int app_reload_take(struct app *a, const struct reload_take *t);
// Adds to the reload's result that the certificates cannot be used, if so.
void app_certificates_tell(struct reload *r);
// Adds a part that is not in force to the result of a reload that is otherwise in force. `joint`
// follows "reloaded" if this part is the first.
void app_reload_wrong(struct reload *r, int err, const char *joint, const char *fmt, ...)
	ATTR_PRINTF(4, 5);
int app_toggles(
	void *app, const struct toggles *toggles, api_config_done done, void *arg); // -EBUSY
