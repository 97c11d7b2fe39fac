// SPDX-License-Identifier: BSD-3-Clause
// Endpoints of boxes with one configuration (sync/sync.h): POST /sync holds the polls of
// secondaries, GET /fleet shows the boxes and the roll-out, POST /fleet/stop and /fleet/apply stop
// it and continue it. verbs/verb_fleet.c makes a box the primary.
//
// A held poll is a stream, so that it takes no place of the server's exchanges. Its one line is
// sent once there is another version, or when `wait` is over; then the secondary hangs up. Bounds:
// HELD_MAX polls, LIFE_MS for the line to a slow secondary, or STUCK_MS in which nothing leaves,
// and SENT_MAX bytes that wait for all secondaries together, half of them for those with one token:
// one more gets its line at a later look, or once `wait` is over one without a text, as its poll
// would time out. It polls again. A box that becomes a secondary hangs up on all: its epoch is
// another box's from then on.

#include "api/metrics/metrics.h"
#include "api_lines.h"
#include "api_param.h"
#include "api_server.h"

#include <event2/event.h>

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <weir/clock.h>
#include <weir/config/shared.h>
#include <weir/heap_site.h>

enum {
	HELD_MAX = 768,
	LOOK_MS = 250,
	LIFE_MS = SYNC_SEND_S * 1000,
	STUCK_MS = 10000,
	SENT_MAX = 16 << 20,
};
#define NONE_GOOD "the health of no version has held here so far"

struct held {
	LIST_ENTRY(held) link;
	struct api_lines out;
	char box[SYNC_NAME_MAX + 1], from[SYNC_BOX_FROM_MAX];
	char digest[SYNC_DIGEST_LEN + 1]; // that the secondary has
	uint64_t epoch, since_ms, until_ms;
	bool is_sent; // until_ms is when weir hangs up
};

struct api_fleet {
	struct api *api;
	struct event *look;
	LIST_HEAD(, held) polls;
	unsigned count, most;
	uint64_t refused, cut;
	// The line with a text, made once for all secondaries; NULL: not made.
	char *line;
	size_t len;
	unsigned version;
	uint64_t epoch;
	char signature[SYNC_SIGNATURE_LEN + 1];
};

static void line_drop(struct api_fleet *f)
{
	FREE_AND_NULL(f->line);
	f->len = 0;
}

static void held_end(struct api_fleet *f, struct held *h)
{
	f->count--;
	LIST_REMOVE(h, link);
	api_lines_end(&h->out);
	heap_free(h);
	if (f->count > 0)
		return;
	(void)event_del(f->look);
	line_drop(f);
}

// Makes the line of the version that is handed out. False: no memory.
static bool line_make(struct api_fleet *f, const struct sync_offer *o)
{
	if (f->line && f->version == o->version && f->epoch == o->epoch
		&& strcmp(f->signature, o->signature) == 0)
		return true;
	line_drop(f);
	f->line = sync_line_write(o);
	f->len = f->line ? strlen(f->line) : 0;
	f->version = o->version;
	f->epoch = o->epoch;
	memcpy(f->signature, o->signature, sizeof(f->signature));
	return f->line != NULL;
}

// Has the line with a text room beside what waits for all secondaries, and for those of its user?
static bool has_room(const struct api_fleet *f, const struct held *next)
{
	const char *who = http_stream_user(next->out.stream)->who;
	const struct held *h;
	size_t all = 0, own = 0;
	LIST_FOREACH (h, &f->polls, link) {
		const size_t n = h->is_sent ? http_stream_pending(h->out.stream) : 0;
		all += n;
		if (n > 0 && strcmp(http_stream_user(h->out.stream)->who, who) == 0)
			own += n;
	}
	return (all == 0 || all + f->len <= SENT_MAX) && (own == 0 || own + f->len <= SENT_MAX / 2);
}

static bool unchanged_send(struct held *h, const struct sync_offer *o)
{
	struct sync_offer same = *o;
	same.text = NULL;
	char *line = sync_line_write(&same);
	const bool ok = line && api_lines_put(&h->out, line, strlen(line));
	heap_free(line);
	return ok;
}

// Sends the line if there is another version, which the box may have in this wave, or `wait` is
// over. False: no memory.
static bool held_answer(
	struct api_fleet *f, struct held *h, const struct sync_offer *o, uint64_t now_ms)
{
	if (h->is_sent)
		return true;
	const bool is_over = now_ms >= h->until_ms;
	const bool differs = strcmp(o->digest, h->digest) != 0
			     && sync_may_have(f->api->deps.sync, o, h->box, h->from);
	if (!differs && o->epoch == h->epoch && !is_over)
		return true;
	if (differs && !line_make(f, o))
		return false;
	const bool has_text = differs && has_room(f, h);
	if (differs && !has_text && !is_over)
		return true;
	const bool ok = has_text ? api_lines_put(&h->out, f->line, f->len) : unchanged_send(h, o);
	h->is_sent = true;
	h->until_ms = now_ms + LIFE_MS;
	return ok;
}

static void on_look(int, short, void *arg)
{
	struct api_fleet *f = arg;
	const uint64_t now_ms = clock_mono_ms();
	struct sync *sync = f->api->deps.sync;
	const bool is_secondary = sync_is_secondary(sync);
	const struct sync_offer *o = sync_offered(sync);
	for (struct held *h = LIST_FIRST(&f->polls), *next; h; h = next) {
		next = LIST_NEXT(h, link);
		const enum api_lines_state state = api_lines_look(&h->out, SENT_MAX, now_ms);
		const bool is_gone = state == API_LINES_GONE;
		const bool is_late =
			(state == API_LINES_STUCK && now_ms - h->out.moved_ms >= STUCK_MS)
			|| (h->is_sent && now_ms >= h->until_ms);
		f->cut += is_late && !is_gone;
		if (is_secondary || is_gone || is_late || (o && !held_answer(f, h, o, now_ms)))
			held_end(f, h);
	}
}

static struct api_fleet *fleet_of(struct api *a)
{
	if (a->fleet)
		return a->fleet;
	struct api_fleet *f = heap_calloc(1, sizeof(*f));
	if (!f)
		return NULL;
	f->api = a;
	LIST_INIT(&f->polls);
	f->look = event_new(loop_base(a->deps.service), -1, EV_PERSIST, on_look, f);
	if (!f->look) {
		heap_free(f);
		return NULL;
	}
	return a->fleet = f;
}

static void held_begin(struct api_fleet *f, struct http_exchange *x, const struct sync_report *r,
	const struct sync_offer *o, unsigned wait_s)
{
	static const struct timeval every = {.tv_usec = LOOK_MS * 1000};
	struct held *h = heap_calloc(1, sizeof(*h));
	if (!h || api_lines_init(&h->out, f->api->deps.service, NULL, NULL) < 0) {
		heap_free(h);
		http_reply(x, 500, NULL);
		return;
	}
	memcpy(h->box, r->box, sizeof(h->box));
	snprintf(h->from, sizeof(h->from), "%s", http_from(x));
	memcpy(h->digest, r->digest, sizeof(h->digest));
	h->epoch = r->epoch;
	h->since_ms = clock_mono_ms();
	h->until_ms = h->since_ms + wait_s * UINT64_C(1000);
	if (!api_lines_begin(&h->out, x, API_LINES_JSON)) {
		api_lines_end(&h->out);
		heap_free(h);
		return;
	}
	LIST_INSERT_HEAD(&f->polls, h, link);
	if (f->count++ == 0)
		(void)event_add(f->look, &every);
	f->most = f->count > f->most ? f->count : f->most;
	if (!held_answer(f, h, o, h->since_ms))
		held_end(f, h);
}

static bool held_admit(struct api_fleet *f, struct http_exchange *x)
{
	const struct held *h;
	struct api_places places = {0};
	LIST_FOREACH (h, &f->polls, link)
		api_places_count(&places, &h->out, x);
	return api_places_admit(&places, x, HELD_MAX, "held polls", &f->refused);
}

static const char *field(const void *arg, const char *name)
{
	return http_form(arg, name);
}

static void nothing_refuse(struct api *a, struct http_exchange *x)
{
	struct sync_status s;
	sync_status(a->deps.sync, &s);
	if (*s.out_why)
		api_refuse(x, 503, "the version in force is not handed out: %s", s.out_why);
	else
		api_refuse(x, 503, NONE_GOOD ": try again");
}

// Takes a secondary's report, and sends it another version once there is one.
static void serve_sync(struct api *a, struct http_exchange *x)
{
	struct api_fleet *f = fleet_of(a);
	struct sync_report r;
	char why[SYNC_WHY_MAX];
	unsigned wait_s = 0;
	if (http_param(x, "wait") && !api_param_number(x, "wait", SYNC_WAIT_S, &wait_s))
		return;
	if (!f || !a->deps.sync) {
		http_reply(x, 500, NULL);
		return;
	}
	if (sync_form_read(field, x, &r, why) < 0) {
		api_refuse(x, 400, "%s", why);
		return;
	}
	if (!held_admit(f, x))
		return;
	const int rc = sync_noted(a->deps.sync, &r, http_from(x), http_who(x), why);
	const struct sync_offer *o = rc == 0 ? sync_offered(a->deps.sync) : NULL;
	if (rc == -EPERM)
		api_refuse(x, 409, "%s", why);
	else if (rc < 0)
		http_reply(x, 500, NULL);
	else if (!o)
		nothing_refuse(a, x);
	else
		held_begin(f, x, &r, o, wait_s);
}

static void box_out(struct json_out *o, struct json_node *list, const struct sync_boxes *b,
	unsigned i, const char *digest)
{
	const struct sync_box *box = &b->box[i];
	const struct sync_report *r = &box->report;
	const uint64_t now_ms = clock_mono_ms();
	struct json_node *n = json_out_object(o, list, NULL);
	json_out_text(o, n, "name", r->box);
	json_out_text(o, n, "from", box->from);
	json_out_count(o, n, "seen_ms", now_ms - box->seen_ms);
	json_out_bool(o, n, "away", sync_box_is_away(box, now_ms));
	json_out_bool(o, n, "twin", sync_boxes_has_twin(b, i, now_ms));
	json_out_count(o, n, "epoch", r->epoch);
	json_out_count(o, n, "version", r->version);
	json_out_bool(o, n, "current",
		digest && strcmp(r->digest, digest) == 0 && r->result == SYNC_held);
	json_out_text(o, n, "result", sync_result_names[r->result]);
	json_out_text(o, n, "reason", r->reason);
	json_out_bool(o, n, "ready", r->is_ready);
	json_out_signed(o, n, "clock_ms", box->clock_ms);
	json_out_text(o, n, "software", r->software);
	json_out_count(o, n, "wave", box->wave);
}

static void rollout_out(
	struct json_out *o, struct json_node *primary, const struct sync_waves_status *s)
{
	const struct sync_rollout_kept *k = s->kept;
	struct json_node *n = json_out_object(o, primary, "rollout");
	json_out_text(o, n, "state", sync_rollout_state_names[k->state]);
	JSON_COUNTS(o, n, k, version, base_version, wave);
	JSON_COUNTS(o, n, &s->n, waves, released, held, boxes, waits_ms);
	json_out_bool(o, n, "goes_back", k->goes_back);
	json_out_count(o, n, "since_ms", s->since_ms);
	json_out_text(o, n, "box", k->box);
	json_out_text(o, n, "reason", k->reason);
}

static void secondary_out(struct json_out *o, struct json_node *root, const struct sync_status *s)
{
	char sections[CONFIG_SHARED_NAMES_MAX];
	struct json_node *n = json_out_object(o, root, "secondary");
	json_out_text(o, n, "url", s->url);
	json_out_text(o, n, "primary", s->memory.primary);
	json_out_text(o, n, "sections", config_shared_names(s->sections, sections));
	json_out_count(o, n, "version", s->version);
	json_out_text(o, n, "result", sync_result_names[s->result]);
	json_out_text(o, n, "reason",
		s->result == SYNC_refused || s->result == SYNC_taken_back ? s->memory.reason : "");
	json_out_signed(o, n, "good_unix_s", s->good_unix_s);
	json_out_count(o, n, "silent_ms", s->silent_ms);
	json_out_text(o, n, "why", *s->why ? s->why : s->waits_why);
	JSON_COUNTS(o, n, s, taken, refused, taken_back);
}

static void primary_out(
	struct json_out *o, struct json_node *root, struct sync *sync, const struct sync_status *s)
{
	const struct sync_boxes *b = sync_boxes_of(sync);
	const struct sync_offer *offer = b ? sync_offered(sync) : NULL;
	struct json_node *n = json_out_object(o, root, "primary");
	json_out_count(o, n, "version", offer ? offer->version : 0);
	json_out_text(o, n, "why", *s->out_why ? s->out_why : b && !offer ? NONE_GOOD : "");
	json_out_text(o, n, "rival", s->rival);
	json_out_count(o, n, "rival_epoch", s->rival_epoch);
	rollout_out(o, n, &s->rollout);
	struct json_node *list = json_out_array(o, n, "boxes");
	for (unsigned i = 0; b && i < b->count; i++)
		box_out(o, list, b, i, offer ? offer->digest : NULL);
}

// Shows this box, and the secondaries that poll it.
static void serve_fleet(struct api *a, struct http_exchange *x)
{
	struct sync_status s;
	if (!a->deps.sync) {
		http_reply(x, 500, NULL);
		return;
	}
	if (sync_boxes_of(a->deps.sync))
		(void)sync_offered(a->deps.sync); // the roll-out is of the version in force
	sync_status(a->deps.sync, &s);
	struct json_out *o = json_out_new();
	struct json_node *root = json_out_root(o);
	json_out_text(o, root, "box", s.box);
	json_out_count(o, root, "epoch", s.is_secondary ? s.memory.epoch : s.epoch);
	json_out_text(o, root, "store_why", s.store_why);
	if (s.is_secondary)
		secondary_out(o, root, &s);
	else
		primary_out(o, root, a->deps.sync, &s);
	http_reply(x, 200, json_out_finish(o));
}

// Replies to a change of the roll-out.
static void rollout_reply(struct api *a, struct http_exchange *x, int rc, const char *none)
{
	struct sync_status s;
	if (rc == -EPERM) {
		api_refuse(x, 409, "this box is a secondary: its primary rolls versions out");
		return;
	}
	if (rc < 0) {
		api_refuse(x, 409, "%s", none);
		return;
	}
	struct json_out *o = json_out_new();
	sync_status(a->deps.sync, &s);
	rollout_out(o, json_out_root(o), &s.rollout);
	http_reply(x, 200, json_out_finish(o));
}

// Is the roll-out still the one that the client saw, as far as the request names its version and
// state? Else replies.
static bool rollout_check(struct api *a, struct http_exchange *x)
{
	const char *state = http_param(x, "if_state");
	unsigned version = 0;
	struct sync_status s;
	if (http_param(x, "if_version") && !api_param_number(x, "if_version", INT32_MAX, &version))
		return false;
	if (sync_boxes_of(a->deps.sync))
		(void)sync_offered(a->deps.sync); // the roll-out is of the version in force
	sync_status(a->deps.sync, &s);
	const struct sync_rollout_kept *k = s.rollout.kept;
	const char *is = sync_rollout_state_names[k->state];
	if (s.is_secondary)
		return true; // refused for that
	if (version && version != k->version)
		api_refuse(x, 409,
			"if_version: version %u is the one of the roll-out (%s), not version %u: "
			"look again",
			k->version, is, version);
	else if (state && strcmp(state, is) != 0)
		api_refuse(x, 409,
			"if_state: the roll-out of version %u is %s%s%s, not %.20s: "
			"look again",
			k->version, is, *k->reason ? " " : "", k->reason, state);
	else
		return true;
	return false;
}

// Stops the roll-out, or takes it back from all boxes.
static void serve_stop(struct api *a, struct http_exchange *x)
{
	bool back = false;
	if (!api_param_flag(x, "back", &back))
		return;
	if (!a->deps.sync)
		http_reply(x, 500, NULL);
	else if (rollout_check(a, x))
		rollout_reply(a, x, sync_rollout_halt(a->deps.sync, back, http_who(x)),
			"no version is being rolled out");
}

// Continues a roll-out that is stopped; ends one that was taken back.
static void serve_fleet_apply(struct api *a, struct http_exchange *x)
{
	bool all = false;
	if (!api_param_flag(x, "all", &all))
		return;
	if (!a->deps.sync)
		http_reply(x, 500, NULL);
	else if (rollout_check(a, x))
		rollout_reply(a, x, sync_rollout_resume(a->deps.sync, all),
			"no roll-out is stopped or taken back");
}

static void fleet_degraded(struct api_reasons *reasons, const struct api_look *l)
{
	struct sync_status s;
	if (!l->api->deps.sync)
		return;
	sync_status(l->api->deps.sync, &s);
	if (s.is_epoch_refused)
		api_reason_add(reasons, API_REASON_sync_primaries, "", "%s", s.why);
	else if (*s.rival && !s.is_secondary)
		api_reason_add(reasons, API_REASON_sync_primaries, "",
			"%s has epoch %" PRIu64 ", this box has epoch %" PRIu64
			": boxes that follow it get no version here",
			s.rival, s.rival_epoch, s.epoch);
	else if (s.is_secondary && s.silent_ms >= SYNC_SILENT_MS)
		api_reason_add(reasons, API_REASON_sync_primary, "",
			"no good reply of %s for %" PRIu64 " minutes: %s", s.url,
			s.silent_ms / 60000, s.why);
	const struct sync_rollout_kept *k = s.rollout.kept;
	if (k->state == SYNC_ROLLOUT_stopped || k->state == SYNC_ROLLOUT_taken_back)
		api_reason_add(reasons, API_REASON_sync_rollout, "", "version %u %s%s%s: %s",
			k->version,
			k->state == SYNC_ROLLOUT_stopped ? "goes to no further box"
							 : "is taken back from all boxes",
			*k->box ? ", because of " : "", k->box, k->reason);
	if (!s.is_secondary && *s.out_why)
		api_reason_add(reasons, API_REASON_sync_version, "",
			"the version in force is not handed out: %s", s.out_why);
	if (s.is_untrusted)
		api_reason_add(reasons, API_REASON_sync_version, "", "%s: %s", s.url, s.why);
	if (s.is_secondary && (s.result == SYNC_refused || s.result == SYNC_taken_back))
		api_reason_add(reasons, API_REASON_sync_version, "", "version %u of %s: %s",
			s.version, s.memory.primary, s.memory.reason);
	else if (s.is_secondary && *s.waits_why)
		api_reason_add(reasons, API_REASON_sync_version, "", "%s", s.waits_why);
}

static void fleet_metrics(struct metrics_text *t, const struct api *a)
{
	struct sync_status s;
	if (!a->deps.sync)
		return;
	sync_status(a->deps.sync, &s);
	const struct sync_boxes *boxes = sync_boxes_of(a->deps.sync);
	metrics_sync(t, &s, boxes);
	if (boxes && !s.is_secondary)
		metrics_sync_boxes(t, boxes, sync_offered(a->deps.sync));
}

static void fleet_tables(struct api *a, struct table_registry *tables)
{
	static const struct api_fleet none;
	const struct api_fleet *f = a->fleet ? a->fleet : &none;
	const struct sync_boxes *b = a->deps.sync ? sync_boxes_of(a->deps.sync) : NULL;
	const struct held *h;
	uint64_t since_ms = 0;
	LIST_FOREACH (h, &f->polls, link)
		since_ms = h->since_ms; // the newest come first
	table_register(tables,
		&(struct table_info){.name = "sync_polls",
			.owner = "control API",
			.eviction = "refuse; close a stalled secondary",
			.lifetime = "wait of the poll",
			.kind = TABLE_WORK,
			.cap = HELD_MAX,
			.used = f->count,
			.high = f->most,
			.bytes = f->count * sizeof(*h) + (a->fleet ? sizeof(*f) : 0) + f->len,
			.evicted = f->cut,
			.refused = f->refused,
			.oldest_ms = table_age(since_ms, clock_mono_ms()),
			.has = TABLE_AGES | TABLE_EVICTS | TABLE_REFUSES});
	table_register(tables, &(struct table_info){.name = "sync_boxes",
				       .owner = "sync",
				       .eviction = "the box not seen for longest",
				       .lifetime = "7 days after the last poll",
				       .kind = TABLE_CACHE,
				       .cap = SYNC_BOXES_MAX,
				       .used = b ? b->count : 0,
				       .bytes = b ? sizeof(*b) : 0,
				       .evicted = b ? b->evicted : 0,
				       .has = TABLE_EVICTS});
}

static void fleet_close(struct api *a)
{
	struct api_fleet *f = a->fleet;
	if (!f)
		return;
	while (!LIST_EMPTY(&f->polls))
		held_end(f, LIST_FIRST(&f->polls));
	event_free(f->look);
	heap_free(f);
	a->fleet = NULL;
}

const struct api_part api_fleet_part = {
	.endpoint = {{"/sync", serve_sync, API_POST | API_REPORT, CONTROL_SYNC,
			     "wait form:protocol form:box form:epoch form:primary form:digest "
			     "form:version form:result form:reason form:ready form:unix_ms "
			     "form:software form:*"},
		{"/fleet", serve_fleet, API_GET, CONTROL_READ, ""},
		{"/fleet/stop", serve_stop, API_POST, CONTROL_ADMIN, "back if_version if_state"},
		{"/fleet/apply", serve_fleet_apply, API_POST, CONTROL_ADMIN,
			"all if_version if_state"}},
	.degraded = fleet_degraded,
	.metrics = fleet_metrics,
	.tables = fleet_tables,
	.close = fleet_close,
};
