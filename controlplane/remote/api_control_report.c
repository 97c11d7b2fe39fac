// SPDX-License-Identifier: BSD-3-Clause

// How the control API fares on the network: listeners, connections, refusals, the audit log.

#include "api/api_server.h"
#include "api/metrics/metrics.h"

#include <string.h>
#include <weir/clock.h>

// Sums over all addresses.
static void control_counts(const struct api *a, struct http_counts *out)
{
	*out = (struct http_counts){0};
	for (unsigned i = 0; i < a->control.count; i++) {
		struct http_counts one;
		if (!a->control.listener[i].server)
			continue;
		http_server_counts(a->control.listener[i].server, &one);
		http_counts_add(out, &one);
	}
}

static void control_stats(struct json_out *o, struct json_node *root, const struct api_look *l)
{
	const struct api *a = l->api;
	struct http_counts c;
	struct access_thread_counts t;
	struct json_node *n = json_out_object(o, root, "access");
	struct json_node *list = json_out_array(o, n, "listen");
	for (unsigned i = 0; i < a->control.count; i++) {
		const struct api_listener *k = &a->control.listener[i];
		char address[SOCKET_ADDRESS_TEXT_MAX];
		struct json_node *one = json_out_object(o, list, NULL);
		json_out_text(o, one, "address", socket_address_text(&k->set.address, address));
		json_out_bool(o, one, "listening", k->server != NULL);
		json_out_text(o, one, "error", k->error ? strerror(-k->error) : "");
	}
	json_out_text(o, n, "certificates_error", a->control.why);
	control_counts(a, &c);
	json_out_count(o, n, "connections", c.conns.live);
	JSON_COUNTS_AS(o, n, "connections_", &c.conns, made, refused, cut, shut_out);
	JSON_COUNTS(o, n, &c, refused_rate);
	JSON_COUNTS(o, n, a->access, granted);
	struct json_node *refused = json_out_object(o, n, "refused");
	for (unsigned i = 0; i < ACCESS_GRANTED; i++)
		json_out_count(o, refused, access_refusal_names[i], a->access->refused[i]);
	JSON_COUNTS_AS(o, n, "lockouts_", &a->access->lockout, locked, evicted);
	access_thread_counts(a->access->thread, &t);
	JSON_COUNTS_AS(o, n, "audit_", &t, written, lost, failed);
}

// What users of the network cannot do, and why.
static void control_status(struct json_out *o, struct json_node *root, const struct api_look *l)
{
	const struct access *a = l->api->access;
	struct json_node *n = json_out_object(o, root, "access");
	struct json_node *damaged = json_out_array(o, n, "damaged");
	if (a->tokens_damaged)
		json_out_text(o, damaged, NULL, a->tokens_path);
	if (a->passwords_damaged)
		json_out_text(o, damaged, NULL, a->passwords_path);
	const struct tls_server *tls = l->api->control.tls;
	struct json_node *list = json_out_array(o, n, "certificates");
	for (unsigned i = 0; tls && i < tls_server_certificates(tls); i++) {
		struct tls_certificate_about about;
		tls_server_about(tls, i, &about);
		api_certificate_out(o, list, &about);
	}
	json_out_text(o, n, "certificates_error", l->api->control.why);
}

static void damaged_look(
	struct api_reasons *r, bool is_damaged, const char *about, const char *path)
{
	if (is_damaged)
		api_reason_add(r, API_REASON_control_file, about,
			"%s is damaged: nothing in it is valid, nothing can be added", path);
}

static void control_degraded(struct api_reasons *r, const struct api_look *l)
{
	const struct api_control *k = &l->api->control;
	const struct access *a = l->api->access;
	damaged_look(r, a->tokens_damaged, "tokens", a->tokens_path);
	damaged_look(r, a->passwords_damaged, "passwords", a->passwords_path);
	for (unsigned i = 0; i < k->count; i++)
		if (k->listener[i].error) {
			api_reason_add(r, API_REASON_control_listen, "",
				"control.listen cannot be listened on");
			break;
		}
	const struct api_deps *d = &l->api->deps;
	if (k->count && k->why[0])
		api_reason_add(r, API_REASON_control_certificates, "",
			"the control API cannot use the files of %s: %s",
			d->config_current(d->reload_arg)->control.count ? "control"
									: "tls and control",
			k->why);
}

static void audit_metrics(struct metrics_text *t, const struct access *k)
{
	struct access_thread_counts c;
	access_thread_counts(k->thread, &c);
	metrics_family(t, METRICS_COUNTER, "weir_audit_entries_total",
		"Entries made for the audit log, by what they are of.");
	metrics_count(t, METRICS_LABELS({"of", "change"}), k->audit.changes);
	metrics_count(t, METRICS_LABELS({"of", "refused"}), k->audit.refused);
	metrics_one(t, METRICS_COUNTER, "weir_audit_written_total",
		"Entries written to the audit log.", c.written);
	metrics_one(t, METRICS_COUNTER, "weir_audit_lost_total",
		"Entries of the audit log that were lost: no room, or the disk.",
		c.lost + c.failed);
	metrics_one(t, METRICS_COUNTER, "weir_audit_rotated_total",
		"Times that the file of the audit log was full and a new one began.", c.rotated);
	metrics_one(t, METRICS_GAUGE, "weir_audit_log_bytes",
		"Size of the newest file of the audit log.", c.log_bytes);
	metrics_one(t, METRICS_COUNTER, "weir_audit_left_out_total",
		"Refused requests and lock-outs left out of the audit log by its rate limit.",
		k->audit.refused_left_out);
	metrics_one(t, METRICS_COUNTER, "weir_audit_held_back_total",
		"Requests that were refused before any change, as the audit log had no room for "
		"them.",
		k->audit.held_back);
}

static void control_metrics(struct metrics_text *t, const struct api *a)
{
	struct http_counts h;
	control_counts(a, &h);
	metrics_one(t, METRICS_COUNTER, "weir_access_granted_total",
		"Requests of network users with a valid token or certificate.", a->access->granted);
	metrics_family(t, METRICS_COUNTER, "weir_access_refused_total",
		"Requests over the network that were refused, by reason.");
	for (unsigned i = 0; i < ACCESS_GRANTED; i++)
		metrics_count(
			t, METRICS_LABELS({"why", access_refusal_names[i]}), a->access->refused[i]);
	metrics_one(t, METRICS_COUNTER, "weir_access_lockouts_total",
		"Client addresses and users that were locked out of the control API.",
		a->access->lockout.locked + a->access->user_lockout.locked);
	metrics_one(t, METRICS_COUNTER, "weir_access_page_lockouts_total",
		"Times that the refused pages of a client address had no entries in the audit log "
		"for a while.",
		a->access->page_lockout.locked);
	metrics_family(t, METRICS_COUNTER, "weir_access_failures_total",
		"Failed tries that count for a lock-out, by what they count against.");
	metrics_count(t, METRICS_LABELS({"of", "address"}), a->access->lockout.failures);
	metrics_count(t, METRICS_LABELS({"of", "user"}), a->access->user_lockout.failures);
	metrics_count(t, METRICS_LABELS({"of", "page"}), a->access->page_lockout.failures);
	metrics_one(t, METRICS_GAUGE, "weir_access_sessions", "Sessions of browsers that are open.",
		sessions_used(&a->access->sessions));
	metrics_one(t, METRICS_COUNTER, "weir_access_sessions_begun_total",
		"Sessions of browsers that began.", a->access->sessions.begun);
	metrics_one(t, METRICS_COUNTER, "weir_access_requests_total",
		"Complete requests on control.listen.", h.requests);
	metrics_one(t, METRICS_GAUGE, "weir_access_requests_waiting",
		"Requests on control.listen that are being served.", h.waiting);
	metrics_one(t, METRICS_COUNTER, "weir_access_requests_busy_total",
		"Requests on control.listen that got 503, as too many were being served.",
		h.refused_full);
	metrics_one(t, METRICS_COUNTER, "weir_access_requests_fast_total",
		"Requests on control.listen that got 429, as their address or user asked too "
		"often.",
		h.refused_rate);
	metrics_one(t, METRICS_COUNTER, "weir_access_requests_late_total",
		"Requests on control.listen that got 504.", h.timeouts);
	metrics_one(t, METRICS_GAUGE, "weir_access_connections",
		"Open connections on control.listen.", h.conns.live);
	metrics_one(t, METRICS_COUNTER, "weir_access_connections_total",
		"Connections accepted on control.listen.", h.conns.made);
	metrics_one(t, METRICS_COUNTER, "weir_access_connections_slow_total",
		"Connections on control.listen that were closed for being too slow.", h.conns.cut);
	metrics_one(t, METRICS_COUNTER, "weir_access_connections_refused_total",
		"Connections on control.listen that were closed without a handshake.",
		h.conns.refused + h.conns.shut_out);
	audit_metrics(t, a->access);
}

static void connections_table(const struct api *a, struct table_registry *tables)
{
	struct http_counts c;
	if (!a->control.count)
		return;
	control_counts(a, &c);
	table_register(tables, &(struct table_info){.name = "access_connections",
				       .owner = "control.listen",
				       .eviction = "close it without a handshake",
				       .lifetime = "15 s for a request and as long for its reply",
				       .kind = TABLE_WORK,
				       .cap = c.conns.max,
				       .used = c.conns.live,
				       .high = c.conns.most,
				       .descriptors = c.conns.live,
				       .evicted = c.conns.cut,
				       .refused = c.conns.refused + c.conns.shut_out,
				       .oldest_ms = table_age(c.conns.since_ms, clock_mono_ms()),
				       .has = TABLE_AGES | TABLE_EVICTS | TABLE_REFUSES,
				       .bytes = c.conns.bytes});
}

static void lockouts_table(
	const struct lockout *l, struct table_info info, struct table_registry *tables)
{
	info.owner = "control API";
	info.eviction = "replace the one that failed longest ago";
	info.lifetime = "life of the process";
	info.kind = TABLE_CACHE;
	info.cap = LOCKOUT_MAX;
	info.used = info.high = lockout_used(l);
	info.evicted = l->evicted;
	info.has = TABLE_EVICTS;
	info.bytes = sizeof(*l);
	table_register(tables, &info);
}

static void control_tables(struct api *a, struct table_registry *tables)
{
	struct access_thread_counts c;
	access_thread_counts(a->access->thread, &c);
	connections_table(a, tables);
	table_register(tables,
		&(struct table_info){.name = "tokens",
			.owner = "control API",
			.eviction = "replace one that is over, else refuse",
			.lifetime = "until it is revoked or expires",
			.kind = TABLE_FIXED,
			.cap = TOKENS_MAX,
			.used = a->access->tokens.count,
			.bytes = sizeof(struct access) - 3 * sizeof(struct lockout)
				 - sizeof(struct sessions) - sizeof(struct passwords)
				 - sizeof(struct lockout_places) - sizeof(struct admin_places)});
	lockouts_table(&a->access->lockout, (struct table_info){.name = "lockouts"}, tables);
	lockouts_table(
		&a->access->user_lockout, (struct table_info){.name = "user_lockouts"}, tables);
	lockouts_table(
		&a->access->page_lockout, (struct table_info){.name = "page_lockouts"}, tables);
	table_register(tables,
		&(struct table_info){.name = "known_places",
			.owner = "control API",
			.eviction = "replace the oldest one",
			.lifetime =
				"until 8 others of its user or 64 of all came, also over restarts",
			.kind = TABLE_CACHE,
			.cap = LOCKOUT_PLACES_MAX,
			.used = lockout_places_used(&a->access->known_places),
			.high = lockout_places_used(&a->access->known_places),
			.bytes = sizeof(struct lockout_places)});
	table_register(tables, &(struct table_info){.name = "admin_places",
				       .owner = "control API",
				       .eviction = "replace the one that asked longest ago",
				       .lifetime = "life of the process",
				       .kind = TABLE_CACHE,
				       .cap = ADMIN_PLACES_MAX,
				       .used = a->access->admin_places.count,
				       .high = a->access->admin_places.count,
				       .evicted = a->access->admin_places.evicted,
				       .has = TABLE_EVICTS,
				       .bytes = sizeof(struct admin_places)});
	table_register(tables, &(struct table_info){.name = "audit_lines",
				       .owner = "weir-access",
				       .eviction = "lose the line",
				       .lifetime = "until it is written",
				       .kind = TABLE_WORK,
				       .cap = ACCESS_LINES_MAX,
				       .used = c.waiting,
				       .high = c.most,
				       .refused = c.lost,
				       .has = TABLE_REFUSES,
				       .bytes = c.bytes});
}

const struct api_part api_control_report_part = {
	.status = control_status,
	.stats = control_stats,
	.degraded = control_degraded,
	.metrics = control_metrics,
	.tables = control_tables,
};
