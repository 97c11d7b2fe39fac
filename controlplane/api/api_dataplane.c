// SPDX-License-Identifier: BSD-3-Clause
// Endpoint of the data plane's statistics, with the fields of weir/stats_read.h, for weirctl on
// another machine: on this machine weirctl reads the data plane's memory. Also endpoints of dropped
// sources, and of the watch.

#include "api_clients.h"
#include "api_lines.h"
#include "api_param.h"
#include "api_server.h"
#include "querylog/watch.h"
#include "shm/drop_list.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <weir/clock.h>
#include <weir/heap_site.h>
#include <weir/keyhash.h>
#include <weir/log.h>
#include <weir/stats_read.h>

const struct stats_copy *api_stats_read(struct api *a, char why[SHM_WHY_MAX])
{
	const struct shm_paths *paths = publisher_paths(a->deps.publisher);
	why[0] = '\0';
	if (!a->stats)
		a->stats = heap_malloc(sizeof(*a->stats));
	a->stats_look = 0;
	return a->stats && paths && stats_read(paths, a->stats, why) == 0 ? a->stats : NULL;
}

const struct stats_copy *api_look_stats(const struct api_look *l)
{
	struct api *a = l->api;
	char why[SHM_WHY_MAX];
	if (a->stats_look != a->looks) {
		a->has_stats = api_stats_read(a, why) != NULL;
		a->stats_look = a->looks;
	}
	return a->has_stats ? a->stats : NULL;
}

static void counts_out(struct json_out *o, struct json_node *parent, const char *key,
	const char *const *names, const uint64_t *values, unsigned count)
{
	struct json_node *n = json_out_object(o, parent, key);
	for (unsigned i = 0; i < count; i++)
		if (values[i])
			json_out_count(o, n, names[i], values[i]);
}

static void worker_out(
	struct json_out *o, struct json_node *list, const struct stats_worker_copy *w)
{
	struct json_node *n = json_out_object(o, list, NULL);
#define X(field) json_out_count(o, n, #field, w->field);
	STATS_WORKER_FIELDS(X)
#undef X
	struct json_node *missing = json_out_object(o, n, "mbuf_missing");
	for (unsigned i = 0; i < MBUF_OWNERS; i++)
		if (w->mbuf_missing[i])
			json_out_count(o, missing, stats_owner_name(i), w->mbuf_missing[i]);
	counts_out(o, n, "verdicts", verdict_names, w->verdict, VERDICT_COUNT);
	counts_out(o, n, "counters", counter_names, w->counter, COUNTER_COUNT);
}

static void port_out(struct json_out *o, struct json_node *list, const struct stats_port_copy *p)
{
	char mac[CONFIG_MAC_TEXT_MAX];
	struct json_node *n = json_out_object(o, list, NULL);
	json_out_text(o, n, "name", p->name);
	json_out_text(o, n, "mac", config_mac_text((const struct config_mac *)p->mac, mac));
#define X(field) json_out_count(o, n, #field, p->field);
	STATS_PORT_FIELDS(X)
#undef X
	counts_out(o, n, "steering", steer_counter_names, p->steer, STEER_COUNTERS);
}

static void stats_out(struct json_out *o, struct json_node *n, const struct stats_copy *s)
{
	char incarnation[20];
	snprintf(incarnation, sizeof(incarnation), "%016" PRIx64, s->incarnation);
	json_out_text(o, n, "incarnation", incarnation);
	json_out_text(o, n, "version", s->version);
	json_out_text(o, n, "commit", s->commit);
#define X(field) json_out_count(o, n, #field, s->field);
	STATS_PROCESS_FIELDS(X)
#undef X
	counts_out(o, n, "verdicts", verdict_names, s->verdict, VERDICT_COUNT);
	counts_out(o, n, "counters", counter_names, s->counter, COUNTER_COUNT);
	struct json_node *groups = json_out_array(o, n, "groups");
	for (unsigned i = 0; i < STATS_GROUPS_MAX; i++) {
		if (s->group[i] == 0)
			continue;
		struct json_node *one = json_out_object(o, groups, NULL);
		json_out_count(o, one, "group", i);
		json_out_count(o, one, "queries", s->group[i]);
	}
	struct json_node *workers = json_out_array(o, n, "workers");
	for (unsigned i = 0; i < s->workers; i++)
		worker_out(o, workers, &s->worker[i]);
	struct json_node *ports = json_out_array(o, n, "ports");
	for (unsigned i = 0; i < s->ports; i++)
		port_out(o, ports, &s->port[i]);
}

// Replies with the statistics of the data plane.
static void serve_dataplane(struct api *a, struct http_exchange *x)
{
	char why[SHM_WHY_MAX];
	const struct shm_paths *paths = publisher_paths(a->deps.publisher);
	const struct stats_copy *s = api_stats_read(a, why);
	struct json_out *o = json_out_new();
	struct json_node *root = json_out_root(o);
	const enum process_state state = paths ? dataplane_state(paths, s) : PROCESS_DOWN;
	json_out_text(o, root, "state", process_state_text(state));
	json_out_text(o, root, "why", why);
	if (s)
		stats_out(o, json_out_object(o, root, "stats"), s);
	http_reply(x, 200, json_out_finish(o));
}

static void stats_end(struct api *a)
{
	FREE_AND_NULL(a->stats);
}

const struct api_part api_dataplane_part = {
	.endpoint = {{"/dataplane", serve_dataplane, API_GET, CONTROL_READ, ""}},
	.close = stats_end,
};

// Endpoints for sources whose packets the ports drop.

static struct directory *directory_of(const struct api *a)
{
	return publisher_directory(a->deps.publisher);
}

// Reads the `source` parameter. False: the reply is sent.
static bool source_param(struct http_exchange *x, struct ip_address *out)
{
	if (ip_address_parse(http_param(x, "source"), out) == 0)
		return true;
	api_refuse(x, 400, "source: is not an IP address, with or without /prefix length");
	return false;
}

static void done(struct http_exchange *x, const struct ip_address *source, uint64_t left_ms,
	const char *warning)
{
	char text[SOCKET_ADDRESS_TEXT_MAX];
	struct json_out *o = json_out_new();
	struct json_node *root = json_out_root(o);
	json_out_text(o, root, "source", ip_address_text(source, true, text));
	json_out_count(o, root, "left_ms", left_ms);
	if (warning)
		json_out_text(o, root, "warning", warning);
	http_reply(x, 200, json_out_finish(o));
}

// Checks a drop rule by the sender's role and address. Users of the control socket are admins.
static enum drop_verdict guard(struct api *a, const struct http_exchange *x,
	const struct ip_address *source, unsigned minutes, char why[DROP_GUARD_WHY_MAX])
{
	const struct drop_wish wish = {.role = a->user ? a->user->role : CONTROL_ADMIN,
		.from = http_source(x),
		.source = source,
		.minutes = minutes};
	const struct config *config = a->deps.config_current(a->deps.reload_arg);
	return drop_guard(&a->access->admin_places, &config->control, &wish, why);
}

// Drops all frames of a source for some minutes.
static void serve_drops_add(struct api *a, struct http_exchange *x)
{
	struct ip_address source;
	unsigned minutes;
	char text[SOCKET_ADDRESS_TEXT_MAX], why[DROP_GUARD_WHY_MAX];
	if (!source_param(x, &source)
		|| !api_param_number(x, "minutes", DROP_MINUTES_MAX, &minutes))
		return;
	if (guard(a, x, &source, minutes, why) == DROP_MAY_NOT) {
		api_refuse(x, 403, "%s", why);
		return;
	}
	int rc = drop_list_add(directory_of(a), &source, minutes, clock_mono_ms());
	if (rc == -EINVAL)
		api_refuse(x, 400, "source: at least /%d, or /%d of IPv6", DROP_PREFIX_MIN_V4,
			DROP_PREFIX_MIN_V6);
	else if (rc == -EDOM)
		api_refuse(x, 400, "source: has bits behind its prefix; the whole network is %s",
			ip_address_text(&source, true, text));
	else if (rc < 0)
		api_refuse(x, 409, "%d sources are dropped already", DIRECTORY_DROPS_MAX);
	else
		done(x, &source, minutes * UINT64_C(60000), why);
}

// Drops frames of a source no longer.
static void serve_drops_remove(struct api *a, struct http_exchange *x)
{
	struct ip_address source;
	if (!source_param(x, &source))
		return;
	if (drop_list_remove(directory_of(a), &source, clock_mono_ms()) < 0)
		api_unchanged(x, "that source is not dropped");
	else
		done(x, &source, 0, NULL);
}

// Replies with the sources whose frames are dropped.
static void serve_drops(struct api *a, struct http_exchange *x)
{
	struct json_out *o = json_out_new();
	struct json_node *list = json_out_array(o, json_out_root(o), "drops");
	uint64_t now_ms = clock_mono_ms();
	for (unsigned i = 0; i < DIRECTORY_DROPS_MAX; i++) {
		struct ip_address source;
		uint64_t left_ms;
		char text[SOCKET_ADDRESS_TEXT_MAX];
		if (!drop_list_at(directory_of(a), i, now_ms, &source, &left_ms))
			continue;
		struct json_node *n = json_out_object(o, list, NULL);
		json_out_text(o, n, "source", ip_address_text(&source, true, text));
		json_out_count(o, n, "left_ms", left_ms);
	}
	http_reply(x, 200, json_out_finish(o));
}

const struct api_part api_drops_part = {
	.endpoint = {{"/drops", serve_drops, API_GET, CONTROL_READ, ""},
		{"/drops/add", serve_drops_add, API_POST, CONTROL_OPERATE, "source! minutes!"},
		{"/drops/remove", serve_drops_remove, API_POST, CONTROL_OPERATE, "source!"}},
};

// Endpoint that shows queries as workers see them (watch.h), a line of JSON each, for `seconds`.
// weir hangs up on a stuck client (api_lines.h), which ends the watch. There is one watch at a
// time. A watch over the network ends when a request on the control socket or of the same user
// begins another, and after WATCH_SHARE_MS when another user begins one, so that users over the
// network take turns.

enum {
	WATCH_SHARE_MS = 30000,
	WATCH_LATE_MS = 500,
	WATCH_TRACES_LATE_MS = 6000,
	WATCH_PENDING_MAX = 256 * 1024
};

struct api_watch {
	struct api *api;
	struct api_lines out;
	bool is_over, is_traced;
	enum log_clients anonymize; // the watch ends when this setting changes
	uint64_t until_ms, since_ms;
	char lines[WATCH_BUFFER_MAX];
};

static void watch_stop(struct api_watch *w)
{
	static const struct dp_watch none;
	publish_watch(w->api->deps.publisher, &none);
	// If the call fails, the resolver ends the watch itself some seconds after `until_ms`.
	if (w->is_traced)
		(void)!resolvers_watch(w->api->deps.resolvers, NULL, NULL, NULL);
	watch_end(w->api->deps.watch);
	w->api->watcher = NULL;
	api_lines_end(&w->out);
	heap_free(w);
}

// How long the watch goes on before a user with `right` may end it; 0: the user may end it now. No
// user may end a watch of the control socket.
static uint64_t kept_ms(const struct api_watch *w, uint64_t right)
{
	const uint64_t of = http_stream_user(w->out.stream)->right;
	const uint64_t has_ms = clock_mono_ms() - w->since_ms;
	if (!of)
		return WATCH_SHARE_MS;
	return right == 0 || right == of || has_ms >= WATCH_SHARE_MS ? 0 : WATCH_SHARE_MS - has_ms;
}

// Ends the running watch if its client has hung up, which its next tick would notice, or if `x` may
// end it.
static void former_end(struct api *a, const struct http_exchange *x)
{
	const struct http_stream *s = a->watcher ? a->watcher->out.stream : NULL;
	if (s && (!http_stream_is_live(s) || !kept_ms(a->watcher, http_right(x))))
		watch_stop(a->watcher);
}

static void busy_refuse(struct api *a, struct http_exchange *x, int err)
{
	char when[40] = "";
	a->watches_refused++;
	if (err == -EBUSY && a->watcher && http_stream_user(a->watcher->out.stream)->right)
		snprintf(when, sizeof(when), ": try again in %u s",
			1 + (unsigned)(kept_ms(a->watcher, http_right(x)) / 1000));
	api_refuse(
		x, 503, "%s%s", err == -EBUSY ? "somebody watches already" : strerror(-err), when);
}

static bool lines_send(struct api_watch *w)
{
	uint64_t missed;
	size_t len = watch_take(w->api->deps.watch, w->lines, &missed);
	return api_lines_send(&w->out, w->lines, len, missed);
}

// Whether the watch is complete. After its end messages are on their way to the log thread for a
// moment, and its questions may still be in flight.
static bool is_late(const struct api_watch *w, uint64_t now_ms)
{
	return now_ms > w->until_ms + WATCH_LATE_MS
	       && (watch_waiting(w->api->deps.watch) == 0
		       || now_ms > w->until_ms + WATCH_TRACES_LATE_MS);
}

static void on_tick(int, short, void *arg)
{
	struct api_watch *w = arg;
	uint64_t now_ms = clock_mono_ms();
	enum api_lines_state state = api_lines_look(&w->out, WATCH_PENDING_MAX, now_ms);
	bool ok = state != API_LINES_GONE && state != API_LINES_STUCK
		  && w->anonymize == api_anonymize(w->api);
	if (ok && w->is_over)
		ok = w->out.pending > 0;
	else if (ok && state == API_LINES_ROOM)
		ok = lines_send(w);
	if (ok && !w->is_over && is_late(w, now_ms)) {
		w->is_over = true;
		watch_complete(w->api->deps.watch);
		ok = lines_send(w) && api_lines_put(&w->out, "{\"end\":true}\n", 13);
	}
	if (!ok)
		watch_stop(w);
}

// Reads an address, a prefix, a found name, or a client of the configuration, which must have one
// address or prefix, because workers compare with one. False: the reply is sent.
static bool source_take(
	struct api *a, struct http_exchange *x, const char *text, struct ip_address *out)
{
	if (ip_address_parse(text, out) == 0)
		return true;
	const struct config *c = a->deps.config_current(a->deps.reload_arg);
	const struct config_client *known = config_client_by_name(c, text);
	char address[INET6_ADDRSTRLEN];
	if (api_param_found_client(a, text, address))
		return ip_address_parse(address, out) == 0;
	if (!known) {
		api_param_refuse_client(a, x, text);
		return false;
	}
	if (known->address_count != 1) {
		api_refuse(x, 400, "client: \"%s\" has %u addresses in `clients`: give one of them",
			text, known->address_count);
		return false;
	}
	*out = known->addresses[0];
	return true;
}

// Refuses a watch of a client that the log hides: it would tell whose the hidden text is. False:
// the reply is sent.
static bool source_is_shown(struct api *a, struct http_exchange *x, const struct ip_address *source)
{
	const unsigned bits = querylog_hide_bits(api_anonymize(a), source->version);
	if (source->prefix_len <= bits)
		return true;
	api_refuse(x, 409,
		bits ? "client: query_log.anonymize shows no more than /%u of a client"
		     : "client: query_log.anonymize hides clients",
		bits);
	return false;
}

// False: the reply is sent.
static bool filter_take(struct api *a, struct http_exchange *x, struct dp_watch *f,
	unsigned *outcomes, unsigned *seconds)
{
	char verdict[QUERY_TEXT_MAX], client[QUERY_TEXT_MAX];
	bool frames;
	struct ip_address source;
	*f = (struct dp_watch){0};
	*outcomes = 0;
	if (!api_param_text(x, "verdict", verdict, sizeof(verdict))
		|| !api_param_text(x, "client", client, sizeof(client))
		|| !api_param_flag(x, "frames", &frames)
		|| !api_param_number(x, "seconds", WATCH_SECONDS_MAX, seconds))
		return false;
	if (verdict[0] && !watch_verdicts(verdict, &f->verdicts, outcomes)) {
		const char *near = watch_verdict_near(verdict);
		if (near) {
			api_param_refuse_word(x, 400, "verdict", verdict, near);
			return false;
		}
		api_refuse(x, 400,
			"verdict: must be one of those of weirctl stats, malformed, dropped, "
			"servfail, stale, upstream, cached or unanswered");
		return false;
	}
	if (client[0] && (!source_take(a, x, client, &source) || !source_is_shown(a, x, &source)))
		return false;
	if (client[0]) {
		f->client_version = source.version;
		f->client_bits = source.prefix_len;
		memcpy(f->client, source.bytes, sizeof(f->client));
	}
	if (http_param(x, "name")) {
		struct dns_name name;
		if (!api_param_name(x, &name))
			return false;
		f->name_hash = contenthash(name.wire, name.len);
	}
	if (frames && api_anonymize(a) != LOG_CLIENTS_WHOLE) {
		api_refuse(
			x, 409, "frames: have clients' addresses, which query_log.anonymize hides");
		return false;
	}
	if (frames)
		*outcomes = 0; // a frame comes before its result is known
	f->frames = frames;
	return true;
}

// Streams what the workers do with queries, stage by stage.
static void serve_watch(struct api *a, struct http_exchange *x)
{
	struct dp_watch filter;
	struct querylog_hiding hiding;
	unsigned seconds, outcomes;
	if (!filter_take(a, x, &filter, &outcomes, &seconds))
		return;
	former_end(a, x);
	int err = a->deps.watch ? watch_begin(a->deps.watch, outcomes, &filter.id) : -ENOENT;
	if (err < 0) {
		busy_refuse(a, x, err);
		return;
	}
	struct api_watch *w = heap_malloc(sizeof(*w));
	if (!w || api_lines_init(&w->out, a->deps.service, on_tick, w) < 0) {
		heap_free(w);
		watch_end(a->deps.watch);
		http_reply(x, 500, NULL);
		return;
	}
	api_hiding(a, &hiding);
	watch_hide(a->deps.watch, &hiding);
	w->api = a;
	w->is_over = w->is_traced = false;
	w->anonymize = hiding.how;
	w->since_ms = clock_mono_ms();
	w->until_ms = w->since_ms + UINT64_C(1000) * seconds;
	char user[API_USER_MAX];
	log_info("control: a watch%s of %u s by %s", filter.frames ? " with frames" : "", seconds,
		api_user_text(x, user));
	bool is_begun = api_lines_begin(&w->out, x, API_LINES_JSON);
	a->watcher = w;
	// Reports the start at once, because the first query may take long.
	if (!is_begun || !api_lines_put(&w->out, "{\"begin\":true}\n", 15)) {
		watch_stop(w);
		return;
	}
	filter.until_ms = w->until_ms;
	// The resolver watches first, so that it sees the first query that a worker numbers.
	w->is_traced =
		!filter.frames && a->deps.resolvers
		&& resolvers_watch(a->deps.resolvers, &filter, watch_put_trace, a->deps.watch) == 0;
	publish_watch(a->deps.publisher, &filter);
}

static void watch_close(struct api *a)
{
	if (a->watcher)
		watch_stop(a->watcher);
}

static void watch_tables(struct api *a, struct table_registry *tables)
{
	struct watch_counts c;
	if (!a->deps.watch)
		return;
	watch_counts(a->deps.watch, &c);
	table_register(tables,
		&(struct table_info){.name = "watch",
			.owner = "query log",
			.eviction = "refuse; skip queries",
			.lifetime = "life of the connection, 600 s at most",
			TABLE_WORK_FOR(600000),
			.cap = 1,
			.used = c.is_watched,
			.bytes = c.bytes + (c.is_watched ? WATCH_BUFFER_MAX : 0),
			.refused = a->watches_refused,
			.oldest_ms =
				a->watcher ? table_age(a->watcher->since_ms, clock_mono_ms()) : 0,
			.has = TABLE_AGES | TABLE_REFUSES});
}

const struct api_part api_watch_part = {
	.endpoint = {{"/watch", serve_watch, API_GET | API_AUDIT, CONTROL_OPERATE,
		"seconds! name client verdict frames"}},
	.tables = watch_tables,
	.close = watch_close,
};
