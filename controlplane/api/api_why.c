// SPDX-License-Identifier: BSD-3-Clause
// Endpoint that explains what a client gets for a name. It asks the resolvers for the cached
// answer, then reads the rule image on the service loop. A helper thread (job_runner.h) with copies
// of its input matches patterns and finds the sources' lines.

#include "answer_policy/why/why_config.h"
#include "answer_policy/why/why_find.h"
#include "answer_policy/why/why_out.h"
#include "answer_policy/why/why_read.h"
#include "answer_policy/why/why_steps.h"
#include "api_clients.h"
#include "api_param.h"
#include "base/rdata_text.h"
#include "policy/schedule.h"
#include "rules/rules_job.h"
#include "why_cached.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <weir/heap_site.h>

struct why_call {
	struct api *api;
	struct http_exchange *exchange;
	struct why *why;
	struct why_asked asked;
	struct policy_group policy; // policy of the client's group
	struct why_patterns patterns;
	struct rules_sources *sources;
};

static void call_free(struct why_call *c)
{
	why_free(c->why);
	why_patterns_free(&c->patterns);
	rules_sources_free(c->sources);
	heap_free(c);
}

static void call_fail(struct why_call *c, int err)
{
	if (err == -ENOENT)
		api_refuse(c->exchange, 503, "no rules are loaded yet");
	else
		api_busy(c->exchange, err);
	call_free(c);
}

static int find_lines(void *arg, const _Atomic bool *stop)
{
	struct why_call *c = arg;
	int err = why_patterns_match(c->why, &c->patterns, stop);
	if (err)
		return err;
	why_check(c->why);
	return why_find(c->why, c->sources->source, c->sources->count, stop);
}

static void found(struct why_call *c, int err)
{
	struct why *w = c->why;
	if (err < 0) {
		call_fail(c, err);
		return;
	}
	struct json_out *o = json_out_new();
	const struct api_deps *d = &c->api->deps;
	why_entries_find(w, d->config_current(d->reload_arg));
	why_reply(w, &c->policy.block);
	why_steps(w);
	why_out(o, json_out_root(o), w);
	http_reply(c->exchange, 200, json_out_finish(o));
	call_free(c);
}

static void on_found(void *arg, int err)
{
	struct why_call *c = arg;
	const struct http_turn turn = http_turn_begin(c->exchange);
	found(c, err);
	http_turn_end(&turn);
}

static void words_add(char *text, const char *word, const char *more)
{
	size_t len = strlen(text);
	snprintf(text + len, WHY_TEXT_MAX - len, "%s%s%s", len ? "; " : "", word, more);
}

// Fills in the pauses and schedules of the client's group that apply now.
static void when_fill(struct why *w, const struct api_deps *d, const struct config *config)
{
	struct why_client *c = &w->client;
	const struct config_schedules *s =
		config_group_schedules(config, c->group ? &config->groups[c->group - 1] : NULL);
	char text[SCHEDULE_CHANGE_TEXT_MAX];
	struct group_now now;
	if (!d->group_now)
		return;
	d->group_now(d->reload_arg, c->group, &now);
	memcpy(w->unpaused, now.mask.unpaused, sizeof(w->unpaused));
	snprintf(text, sizeof(text), "%llu s more", (unsigned long long)now.pause_left_s);
	if (now.pause_left_s)
		words_add(c->when, "paused by the operator for ", text);
	for (unsigned i = 0; i < s->count; i++)
		if (now.mask.active >> i & 1)
			words_add(c->when, s->one[i].pause ? "paused by schedule " : "schedule ",
				s->one[i].name);
	if (now.next_change && schedules_change_text(s, time(NULL), text))
		words_add(c->when, "schedules change next on ", text);
}

// Fills in a found name for a client that the configuration does not name.
static void called_fill(const struct why_call *c, struct why_client *client)
{
	const struct ip_address *ip = &c->asked.address;
	struct client_entry found;
	if (!*client->called && c->asked.has_address
		&& client_book_find(
			api_client_book(c->api), ip->version, ip->bytes, time(NULL), &found))
		snprintf(client->called, sizeof(client->called), "%s", found.name);
}

// Finds everything about the client and the name that decides the view, in which the answer is
// cached.
static int view_gather(struct why_call *c, struct why *w)
{
	struct api_deps *d = &c->api->deps;
	const struct config *config = d->config_current(d->reload_arg);
	const struct rule_reader *image = rules_reader(d->rules);
	if (!image)
		return -ENOENT;
	why_client_find(config, &c->asked, &w->client);
	if (d->groups_hosts && c->asked.has_address)
		why_client_host(
			config, d->groups_hosts(d->reload_arg), &c->asked.address, &w->client);
	// No group has it: shown as any other MAC address of a client.
	if (w->client.found != WHY_FOUND_MAC && c->asked.mac_from != WHY_FROM_ASKED
		&& api_anonymize(c->api) != LOG_CLIENTS_WHOLE)
		w->client.mac[0] = '\0';
	called_fill(c, &w->client);
	if (d->groups_current) {
		c->policy = d->groups_current(d->reload_arg)[w->client.group];
		memcpy(w->lists, c->policy.lists, sizeof(w->lists));
		w->client.blocks_all = c->policy.block_all && config->blocking.enabled
				       && !rules_pause_lifts_block_all(d->rules);
	}
	when_fill(w, d, config);
	w->enabled = config->blocking.enabled;
	w->paused_left_ms = UINT64_C(1000) * rules_pause_left_s(d->rules);
	why_way_find(w, config);
	why_read_name(w, 0, image);
	why_check(w);
	w->view = w->safe && c->policy.safe_view ? c->policy.safe_view : c->policy.view;
	return 0;
}

// Finds everything that must be read on the service loop, by the configuration and the rule image
// in force. A large list of prefixes takes a tenth of a second, for which the user pays.
static int call_gather(struct why_call *c, const struct cache_look *look)
{
	struct api_deps *d = &c->api->deps;
	struct why *w = c->why;
	int err = view_gather(c, w);
	if (err)
		return err;
	const struct rule_reader *image = rules_reader(d->rules);
	if (look)
		why_cached(w, look, c->asked.has_address ? &c->asked.address : NULL);
	for (unsigned i = 1; i < w->names; i++)
		why_read_name(w, i, image);
	why_read_addresses(w, image);
	err = why_patterns_copy(image, &c->patterns);
	if (!err)
		err = rules_sources_new(d->config_current(d->reload_arg), &c->sources);
	return err;
}

// `look`: NULL: no resolver had time for it.
static void call_go_on(struct why_call *c, const struct cache_look *look)
{
	const uint64_t right = http_job_user(c->exchange);
	const bool may = !http_owes(c->exchange) && job_runner_admits(c->api->whys, right);
	int err = may ? call_gather(c, look) : -EAGAIN;
	if (!err)
		err = job_runner_start(c->api->whys, right, find_lines, on_found, c);
	if (err)
		call_fail(c, err);
}

static void on_looked(void *arg, int err, const struct cache_look *look)
{
	struct why_call *c = arg;
	if (!http_is_live(c->exchange)) { // the client is gone, and the API may be closed
		http_reply(c->exchange, 503, NULL);
		call_free(c);
		return;
	}
	const struct http_turn turn = http_turn_begin(c->exchange);
	call_go_on(c, err ? NULL : look);
	http_turn_end(&turn);
}

// Reads the parameters about the client. False: the reply is sent.
static bool asked_take(struct api *a, struct http_exchange *x, struct why_asked *out)
{
	const struct config *config = a->deps.config_current(a->deps.reload_arg);
	const char *client = http_param(x, "client");
	char address[INET6_ADDRSTRLEN];
	const struct why_text t = {
		client && api_param_found_client(a, client, address) ? address : client,
		http_param(x, "mac"), http_param(x, "vlan"), http_param(x, "group")};
	const char *bad;
	if (why_asked_parse(config, &t, out, &bad) == 0)
		return true;
	if (strcmp(bad, "group") == 0)
		api_param_refuse_group(a, x, t.group);
	else if (strcmp(bad, "client") == 0)
		api_param_refuse_client(a, x, t.client);
	else if (strcmp(bad, "vlan") == 0)
		api_refuse(x, 400, "vlan: must be a VLAN number, 1 to 4094");
	else
		api_refuse(x, 400, "mac: is not a MAC address");
	return false;
}

// Adds the MAC address that weir knows of the address asked about, else the address of the lease
// that has the MAC address: workers go by both.
static void asked_complete(const struct api *a, struct why_asked *asked)
{
	const struct config *config = a->deps.config_current(a->deps.reload_arg);
	struct client_entry lease;
	if (why_asked_needs_mac(config, asked)) {
		const enum api_mac_from from = api_client_mac(a, &asked->address, &asked->mac);
		asked->has_mac = from != API_MAC_UNKNOWN;
		asked->mac_from = from == API_MAC_LEASE ? WHY_FROM_LEASE : WHY_FROM_NEIGHBOUR;
	} else if (why_asked_needs_address(config, asked)
		   && client_book_of_mac(
			   api_client_book(a), asked->mac.bytes, time(NULL), &lease)) {
		asked->has_address = true;
		asked->address_from = WHY_FROM_LEASE;
		asked->address = (struct ip_address){.version = lease.address.version,
			.prefix_len = lease.address.version == 4 ? 32 : 128};
		memcpy(asked->address.bytes, lease.address.bytes, sizeof(asked->address.bytes));
	}
}

// Finds the view, which the key of the cached answer needs. The explanation itself is made when the
// answer has come, by the configuration and the rule image of that moment.
static int question_make(struct why_call *c, struct cache_question *q)
{
	struct why *w = NULL;
	int err = why_new(&q->name, q->qtype, &w);
	if (!err)
		err = view_gather(c, w);
	q->view = err ? 0 : w->view;
	if (c->asked.has_address)
		q->client = c->asked.address;
	why_free(w);
	return err;
}

// Explains the answer to a name.
static void serve_why(struct api *a, struct http_exchange *x)
{
	struct cache_question q = {.qtype = DNS_TYPE_A};
	struct why_asked asked;
	const char *type = http_param(x, "type");
	if (!api_param_name(x, &q.name) || !asked_take(a, x, &asked))
		return;
	asked_complete(a, &asked);
	if (type && !dns_type_from_text(type, &q.qtype)) {
		api_refuse(x, 400, "type: is not a record type");
		return;
	}
	struct why_call *c = heap_calloc(1, sizeof(*c));
	int err = c ? why_new(&q.name, q.qtype, &c->why) : -ENOMEM;
	if (err) {
		heap_free(c);
		http_reply(x, 500, NULL);
		return;
	}
	c->api = a;
	c->exchange = x;
	c->asked = asked;
	err = question_make(c, &q);
	if (err) {
		call_fail(c, err);
		return;
	}
	http_defer(x, API_FLUSH_MS);
	// The explanation lacks the cached answer if a resolver is too busy.
	err = resolvers_cache_find(a->deps.resolvers, &q, a->deps.service, on_looked, c);
	if (err)
		call_go_on(c, NULL);
}

const struct api_part api_why_part = {.endpoint = {{"/why", serve_why, API_GET, CONTROL_READ,
					      "name! client mac vlan group type"}}};
