// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// The process: configuration, shared memory, the loops and their modules, in the order of their
// start; they stop in the opposite order. Each resolver and each frontend has a loop and a thread,
// the service loop is the main thread. SIGTERM and SIGINT stop, SIGHUP reads the configuration
// again. `struct app` is the service loop's but where a field says otherwise.
//
// A reload reads and checks the whole file first; then the resolvers take upstreams, limits and TTL
// limits on their loops, the workers theirs through the directory, and the rules follow by a build.
// A change of toggles runs beside a reload that waits for its lists; either waits while the
// resolvers have the other's configuration. Settings that need a restart are named, always against
// those of the start.

#include "api/api.h"
#include "base/config_files.h"
#include "base/wheel.h"
#include "client_names/client_names.h"
#include "events/out/event_outs.h"
#include "frontend/frontend_tcp_shared.h"
#include "l1/local_changes.h"
#include "memory/toggles.h"
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
#include "tls/tls_server.h"
#include "updates/updates.h"

#include <pthread.h>
#include <weir/attr.h>

struct event;

enum { APP_WHY_MAX = 768 }; // bytes of the reason why the process, or a part of it, does not start

// Certificates as read from their files (app_certificates.c).
struct app_certificates {
	struct tls_server *server; // NULL: none, `why` says why if there should be any
	char why[TLS_WHY_MAX];
	struct tls_watch watch;
};

// A configuration on its way to the resolvers and frontends and back. Their loops alone write and
// read it from loop_call until the way back has run; whatever it has to say is in here.
struct reload_message {
	struct loop_return back;
	struct config *read; // NULL: of the one that was read before, toggles are others
	struct config *next; // the file's configuration with the toggles; not in force yet
	struct toggles toggles;
	unsigned tcp_files;
	struct app_certificates certificates;         // of `read`; used when the frontends get it
	int err;                                      // of the resolver; below 0: nothing changed
	struct policy_group group[POLICY_GROUPS_MAX]; // views filled in
};

struct reload;
typedef void reload_ended(const struct reload *r);

struct reload { // the service loop's
	struct app *app;
	bool running, of_toggles;  // of_toggles: no file was read
	bool in_force;             // what the file says is
	struct config_files files; // that message.read was read from
	bool is_waiting;           // not sent yet: the resolver has the other one's message
	api_config_done done;      // NULL: no caller, or it knows already
	void *arg;
	reload_ended *ended; // in place of `done`, which then is for an early answer; may be NULL
	const char *step;    // the wait that is in progress
	struct wheel_timer look; // at threads that hang, while it runs
	unsigned hung_looks;     // so many of these in a row found some
	uint64_t since_ms;
	int err;
	char why[APP_WHY_MAX + 64];
	char needs_restart[512];
	struct reload_message message;
};

struct app_flushes { // of changed names, still to be done
	unsigned running;
	unsigned count;
	struct flush what[LOCAL_CHANGES_MAX];
};

struct app_groups {                                  // as published last
	struct policy_group view[POLICY_GROUPS_MAX]; // views alone
	struct policy_image image;
	struct group_mask mask[POLICY_GROUPS_MAX]; // of the image
	struct group_pauses pauses;
	struct group_moment moment; // for which masks are made, of the settings and of the image
	struct event *look;         // when something can change by itself
	struct event *again;        // is the image in force?
	struct again lag_again;     // when it is published again
	bool fails;                 // newer groups are not published
};

// One of the resolvers: what the process gives it, and its thread.
struct app_resolver {
	struct app *app;
	struct loop *loop;
	struct views *views;              // its loop alone uses them
	struct upstream_port *port;       // of these views
	struct recursor *recursor;        // and a server of theirs
	struct upstream_lookups *lookups; // the first one's
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

struct app {
	struct config *started; // as read at start: what settings that need a restart still are
	struct config *read;    // as read last; owns the objects that `current` points to
	struct config_files read_files; // of `read`, if all of it is in force
	struct config *current;         // in force: `read` with the toggles laid over it
	unsigned tcp_files;             // that TCP may have open
	struct shm_paths paths;
	struct publisher *publisher;
	struct loop *loop, *service; // loop: the first resolver's
	struct event *signals[3];
	struct link_server *link;
	struct upstream_book *book; // names of upstreams for rows of the query log
	struct app_resolver resolver[RESOLVERS_MAX];
	struct resolvers resolvers; // all of them
	struct ring_mesh *mesh;     // of frontends and resolvers
	struct frontends frontends;
	struct app_certificates certificates; // as read last; their server is in force
	struct event *certificates_look;
	struct app_frontend frontend[FRONTENDS_MAX];
	struct routes *routes;     // to upstream servers
	struct again routes_again; // when their image is published again
	struct rules *rules;
	struct list_notify *notify; // of rules and frontends
	struct api *api;
	struct app_events *events;
	struct app_versions *versions;
	struct verb_ends *ends; // NULL: the process does not serve yet
	struct querylog *log;
	struct querylog_names *log_names; // as set last
	struct client_names *client_names;
	struct top *top;
	struct tail *tail;
	struct watch *watch;
	struct toggles toggles;   // in force
	_Atomic bool http_single; // of them, for the threads that send
	struct app_memory *memory;
	struct memory_meter *meter;
	struct query_store *store;     // NULL: there is none
	struct clickhouse *clickhouse; // likewise
	bool clickhouse_is_behind;     // it could not take over what is in force
	struct request_log *requests;  // likewise
	struct dnstap *dnstap;         // likewise
	struct webhook *webhooks;      // likewise
	struct event_outs *event_outs;
	struct updates *updates;
	struct sink_thread *output[APP_OUTPUTS_MAX];
	unsigned outputs;
	char box[4 * HOST_NAME_MAX_BYTES + 1]; // in the query log
	struct api_deps deps;
	char socket_path[SHM_PATH_MAX + 32];
	int start_err;
	bool is_stopped;                         // by a signal
	struct reload reload;                    // of the file
	struct reload setting;                   // of toggles
	bool at_resolver;                        // a message of either is on its way there or back
	struct config *late_current, *late_read; // in force before, while a thread may use them
	struct api_reload last_reload;           // of the file
	struct app_groups groups;
	struct app_flushes flushes;
	struct wheel_timer alive_look; // for the watchdog
	uint64_t alive_ms;             // of its last message
};

ATTR_MUST_CHECK int app_open(struct app **out, const char *config_path, char why[APP_WHY_MAX]);
ATTR_MUST_CHECK int app_run(struct app *a); // until a signal; 0 or -errno
void app_close(struct app *a);              // NULL is fine

// app_resolvers.c: all but their threads, which start once all else is open, and end before
// anything is closed.
void app_recursion_warn(const struct config *c); // of what the operator may not know
ATTR_MUST_CHECK int app_resolvers_open(struct app *a, char why[APP_WHY_MAX]);
ATTR_MUST_CHECK int app_resolvers_start(struct app *a);
void app_resolvers_stop(struct app *a);   // the frontends too
void app_resolvers_settle(struct app *a); // runs what was called since, while resolvers are there
void app_resolvers_close(struct app *a);
void app_resolvers_loops_free(struct app *a); // when nothing of them is left
// Routes to upstream servers: the first look is before the resolvers run.
ATTR_MUST_CHECK int app_routes_open(struct app *a, char why[APP_WHY_MAX]);
void app_routes_configure(struct app *a); // by a->current
void app_routes_close(struct app *a);
// The limit of open files, and how many of them TCP may have. -EMFILE: too few.
ATTR_MUST_CHECK int app_files_raise(struct config *c, unsigned *tcp_files, char why[APP_WHY_MAX]);
// app.frontends, once there are resolvers; all but their threads, which start behind the
// resolvers'.
ATTR_MUST_CHECK int app_frontends_open(struct app *a, char why[APP_WHY_MAX]);
ATTR_MUST_CHECK int app_frontends_start(struct app *a);
// Ends the threads. How many loops have stopped, which app_resolvers_stop settles.
unsigned app_frontends_halt(struct app *a, struct loop *loops[FRONTENDS_MAX]);
void app_frontends_stop(struct app *a);  // ends all sessions; while the query log runs
void app_frontends_close(struct app *a); // before the resolver
// app_certificates.c, service loop's thread. Before the frontends open, once they have what they
// share.
ATTR_MUST_CHECK int app_certificates_open(struct app *a);
void app_certificates_close(struct app *a);
// Reads those of a configuration; what fails is logged.
void app_certificates_read(struct app *a, const struct config *c, struct app_certificates *out);
// From now on, for new connections. Any thread.
void app_certificates_use(struct app *a, struct app_certificates *c);
// Adds an error for each file of `c`, whose texts are `b`, that cannot be used. What those of the
// configuration in force lack as well is no reason: they leave the certificates in use as they are.
void app_certificates_prove(const struct app *a, const struct config *c,
	const struct config_bundle *b, struct config_errors *e);
void app_certificates_look(struct app *a); // have the files changed? If so reads and uses them
void app_frontends_loops_free(struct app *a);
// app_log.c: opened behind the resolver, which it is joined to; started before the loops run; names
// whenever the configuration or the lists are others, before the policy image of that generation is
// published; stopped once the resolver's loop has ended.
ATTR_MUST_CHECK int app_log_open(struct app *a, char why[APP_WHY_MAX]);
ATTR_MUST_CHECK int app_store_open(struct app *a, char why[APP_WHY_MAX]); // behind app_log_open
ATTR_MUST_CHECK int app_clickhouse_open(struct app *a, char why[APP_WHY_MAX]); // likewise
// Applies another configuration. -ENOMEM, -EINVAL: the sink is unchanged.
ATTR_MUST_CHECK int app_clickhouse_reload(
	struct app *a, const struct config *before, const struct config *c);
// app_memory.c: behind the api's dependencies, whose meter it makes; stopped before the api is
// closed.
ATTR_MUST_CHECK int app_memory_open(struct app *a, char why[APP_WHY_MAX]);
void app_memory_stop(struct app *a);
void app_memory_close(struct app *a);
// Sinks that write elsewhere; likewise. Closed once the log has stopped.
ATTR_MUST_CHECK int app_outputs_open(struct app *a, char why[APP_WHY_MAX]);
// `c` is in force in place of `before`. -errno: some output of events is as it was.
ATTR_MUST_CHECK int app_outputs_reload(
	struct app *a, const struct config *before, const struct config *c);
void app_outputs_close(struct app *a);
ATTR_MUST_CHECK int app_log_start(struct app *a);
void app_log_names(struct app *a, const struct config *c, uint64_t policy_generation);
void app_log_stop(struct app *a);
void app_log_close(struct app *a);
// Service loop's thread. The moment is now, for the app_groups_publish that follows too.
void app_publish_config(struct app *a, const struct config *c);
ATTR_MUST_CHECK int app_groups_open(struct app *a); // before the first app_groups_publish
void app_groups_close(struct app *a);
// What the control API asks: what is so now; a pause of a group, 0 minutes: its end.
void app_group_now(void *app, unsigned group, struct group_now *out);
int app_group_pause(void *app, const char *name, unsigned minutes);
// Publishes the policy image of `c` unless it is what is current already; with the lists' numbers,
// pauses and schedules as they are now, which goes for app_publish_config too. Service loop's
// thread. What fails is logged and tried again later, and the image before it stays.
int app_groups_publish(struct app *a, const struct config *c);
// Publishes both for the configuration in force, as a new rule image may give its lists other
// numbers.
void app_groups_republish(void *app);
const struct policy_group *app_groups_current(void *app);
const struct config *app_config(void *app);
const struct api_reload *app_last_reload(void *app);
unsigned app_changes(void *app, struct api_change out[API_CHANGES_MAX]);
// The configuration to activate, by an apply (app_apply.h). One at a time: -EBUSY.
struct reload_take {
	struct config *read; // taken, also on failure; NULL: that in force, with what it names
	struct config_files files; // that it was read from; all zero: not from files
	int err;                   // below 0: it was refused, as `why` says; `read` is NULL
	const char *why;
	api_config_done done;
	void *arg;
	reload_ended *ended;
};
ATTR_MUST_CHECK int app_reload_take(struct app *a, const struct reload_take *t);
// Says in the reload's result that the certificates are bad, if they are.
void app_certificates_tell(struct reload *r);
// The configuration is in force, but for what this says; what is wrong with other parts stays in
// the text before it. `joint` stands behind "reloaded" where this is the first.
void app_reload_wrong(struct reload *r, int err, const char *joint, const char *fmt, ...)
	ATTR_PRINTF(4, 5);
int app_toggles(
	void *app, const struct toggles *toggles, api_config_done done, void *arg); // -EBUSY
