// SPDX-License-Identifier: BSD-3-Clause
#include "webhook.h"

#include "base/json.h"
#include "base/rdata_text.h"
#include "topk.h"

#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>
#include <weir/clock.h>
#include <weir/dns_proto.h>
#include <weir/heap_site.h>
#include <weir/log.h>
#include <weir/url.h>

enum { MINUTE_MS = 60000 };

enum { WEBHOOK_TOP_MAX = 5, WEBHOOK_TOPK_CAP = 512 };

enum webhook_kind { WEBHOOK_BLOCK, WEBHOOK_ERROR, WEBHOOK_KINDS };

struct webhook_event { // texts are cut
	uint64_t time_us;
	char qname[256], client[64], client_name[64], list[128], verdict[32];
	uint16_t qtype, rcode;
};

// Queries of the next message: their number, and the first few of them.
struct webhook_note {
	uint64_t count;
	unsigned shown;
	struct webhook_event event[WEBHOOK_EVENTS_MAX];
};

enum webhook_list { WEBHOOK_NAMES, WEBHOOK_BLOCKED, WEBHOOK_CLIENTS, WEBHOOK_LISTS };

struct webhook_day {
	uint64_t since_s; // unix time
	uint64_t queries, answered, blocked, failed, nxdomain, cached;
	struct topk *topk[WEBHOOK_LISTS]; // tables of WEBHOOK_TOPK_CAP texts
};

int webhook_post_open(struct webhook_post *p, const struct config_webhook_to *config,
	const struct http_post_settings *s)
{
	struct url url;
	struct http_post_settings post = *s;
	*p = (struct webhook_post){.config = config,
		.room = (uint64_t)config->per_minute * MINUTE_MS,
		.room_ms = clock_mono_ms()};
	if (url_parse(config->url, &url) == 0)
		snprintf(p->shown, sizeof(p->shown), "%.*s", (int)url.host_len, url.host);
	post.ca_file = config->ca_file;
	return http_post_open(&p->post, &post);
}

void webhook_post_close(struct webhook_post *p)
{
	http_post_close(p->post);
	p->post = NULL;
}

void webhook_post_follow(struct webhook_post *p, const struct webhook_post *before)
{
	p->room = before->room;
	p->room_ms = before->room_ms;
	p->last_ms = before->last_ms;
	p->retry = before->retry;
	memcpy(p->why, before->why, sizeof(p->why));
}

bool webhook_post_may_send(struct webhook_post *p, uint64_t now_ms)
{
	uint64_t cap = (uint64_t)p->config->per_minute * MINUTE_MS;
	p->room += (now_ms - p->room_ms) * p->config->per_minute;
	p->room = p->room < cap ? p->room : cap;
	p->room_ms = now_ms;
	return p->room >= MINUTE_MS && now_ms >= p->retry.at_ms
	       && (p->last_ms == 0 || now_ms >= p->last_ms + WEBHOOK_SPACE_MS);
}

bool webhook_post_has_room(const struct webhook_post *p)
{
	return !p->retry.wait_ms && p->room >= MINUTE_MS;
}

// Notes when the message may be tried again, and why it failed. `rc` is http_post's.
static void send_failed(struct webhook_post *p, int rc, const struct http_post_reply *reply,
	struct sink_status *counts)
{
	uint64_t now_ms = clock_mono_ms(), after_s = reply->retry_after_s;
	bool asks = rc == 0 && (reply->status == 429 || reply->status == 503);
	after_s = after_s < WEBHOOK_AFTER_MAX_S ? after_s : WEBHOOK_AFTER_MAX_S;
	sink_thread_retry_after(&p->retry, now_ms);
	if (asks && p->retry.at_ms < now_ms + after_s * 1000)
		p->retry.at_ms = now_ms + after_s * 1000;
	unsigned long long wait_ms = p->retry.at_ms - now_ms;
	counts->failures++;
	if (rc < 0)
		snprintf(p->why, sizeof(p->why), "%.60s: %.90s", p->shown,
			reply->why[0] ? reply->why : strerror(-rc));
	else
		snprintf(p->why, sizeof(p->why), "%.60s: HTTP %u", p->shown, reply->status);
	if (rc == -EKEYREJECTED) {
		counts->untrusted++;
		log_warning("webhook: certificate of %s not trusted; next try in %llu ms", p->why,
			wait_ms);
	} else {
		log_warning("webhook: %s; next try in %llu ms", p->why, wait_ms);
	}
}

bool webhook_post_send(struct webhook_post *p, const char *text, uint64_t now_ms,
	unsigned timeout_ms, struct sink_status *counts)
{
	struct http_post_reply reply = {0};
	const struct http_post_request request = {.url = p->config->url,
		.header = {"Content-Type: application/json"},
		.body = text,
		.len = strlen(text),
		.timeout_ms = timeout_ms};
	int rc = http_post(p->post, &request, &reply);
	p->room -= MINUTE_MS;
	p->last_ms = now_ms;
	if (rc == 0 && reply.status / 100 == 2) {
		p->retry = (struct sink_retry){0};
		p->why[0] = '\0';
		counts->written++;
		counts->bytes += request.len;
		return true;
	}
	p->is_cut = rc == -ECANCELED;
	if (!p->is_cut)
		send_failed(p, rc, &reply, counts);
	return false;
}

void webhook_content_line(struct webhook_content *c, const char *fmt, ...)
{
	va_list args;
	va_start(args, fmt);
	int n = vsnprintf(c->text + c->len, sizeof(c->text) - c->len, fmt, args);
	va_end(args);
	if (n < 0 || (size_t)n >= sizeof(c->text) - c->len)
		c->text[c->len] = '\0';
	else
		c->len += (size_t)n;
}

const char *webhook_harmless(const char *from, char *out, size_t cap)
{
	snprintf(out, cap, "%s", from);
	for (char *p = out; *p; p++)
		if (*p == '`')
			*p = '\'';
	return out;
}

char *webhook_discord(const struct webhook_content *c)
{
	struct json_out *o = json_out_new();
	struct json_node *root = json_out_root(o);
	json_out_text(o, root, "username", "weir");
	json_out_text(o, root, "content", c->text);
	json_out_array(o, json_out_object(o, root, "allowed_mentions"), "parse");
	return json_out_finish(o);
}

static const char *const kind_names[WEBHOOK_KINDS] = {"block", "error"};
static const char *const list_names[WEBHOOK_LISTS] = {"names", "blocked_names", "clients"};

static bool is_error(const struct querylog_row *row)
{
	return (row->is_answered && !row->is_blocked && row->rcode == DNS_RCODE_SERVFAIL)
	       || strcmp(row->verdict.at, "unanswered") == 0;
}

static void note_add(struct webhook_note *n, const struct querylog_row *row, bool is_shown)
{
	n->count += row->weight;
	if (!is_shown || n->shown == WEBHOOK_EVENTS_MAX)
		return;
	struct webhook_event *e = &n->event[n->shown++];
	*e = (struct webhook_event){
		.time_us = row->time_us, .qtype = row->qtype, .rcode = row->rcode};
	snprintf(e->qname, sizeof(e->qname), "%s", row->qname.at);
	snprintf(e->client, sizeof(e->client), "%s", row->client.at);
	snprintf(e->client_name, sizeof(e->client_name), "%s", row->client_name.at);
	snprintf(e->list, sizeof(e->list), "%s", row->list.at);
	snprintf(e->verdict, sizeof(e->verdict), "%s", row->verdict.at);
}

static char *note_discord(const char *box, enum webhook_kind kind, const struct webhook_note *n)
{
	struct webhook_content c = {0};
	char type[DNS_TYPE_TEXT_MAX], name[256], client[64], more[128];
	webhook_content_line(&c, "**%s**: %" PRIu64 " %s\n", box, n->count,
		kind == WEBHOOK_BLOCK ? "blocked" : "failed");
	for (unsigned i = 0; i < n->shown; i++) {
		const struct webhook_event *e = &n->event[i];
		const char *who = e->client_name[0] ? e->client_name : e->client;
		const char *what = e->list[0] ? e->list : e->verdict;
		webhook_content_line(&c, "`%s` %s for `%s` (`%s`)\n",
			webhook_harmless(e->qname, name, sizeof(name)),
			dns_type_text(e->qtype, type),
			webhook_harmless(who, client, sizeof(client)),
			webhook_harmless(what, more, sizeof(more)));
	}
	return webhook_discord(&c);
}

// Returns a malloced text; NULL: no memory.
static char *note_text(enum webhook_form form, const char *box, enum webhook_kind kind,
	const struct webhook_note *n)
{
	char type[DNS_TYPE_TEXT_MAX];
	if (form == WEBHOOK_DISCORD)
		return note_discord(box, kind, n);
	struct json_out *o = json_out_new();
	struct json_node *root = json_out_root(o);
	json_out_text(o, root, "kind", kind_names[kind]);
	json_out_text(o, root, "box", box);
	json_out_count(o, root, "count", n->count);
	struct json_node *list = json_out_array(o, root, "queries");
	for (unsigned i = 0; i < n->shown; i++) {
		const struct webhook_event *e = &n->event[i];
		struct json_node *q = json_out_object(o, list, NULL);
		json_out_count(o, q, "time_us", e->time_us);
		json_out_text(o, q, "qname", e->qname);
		json_out_text(o, q, "qtype", dns_type_text(e->qtype, type));
		json_out_text(o, q, "client", e->client);
		json_out_text(o, q, "client_name", e->client_name);
		json_out_text(o, q, "verdict", e->verdict);
		json_out_text(o, q, "list", e->list);
		json_out_count(o, q, "rcode", e->rcode);
	}
	return json_out_finish(o);
}

static unsigned top_of(const struct topk *s, struct topk_item out[WEBHOOK_TOP_MAX])
{
	struct topk_item room[WEBHOOK_TOPK_CAP];
	return topk_best(s, NULL, room, out, WEBHOOK_TOP_MAX);
}

static char *day_discord(const char *box, const struct webhook_day *d, uint64_t until_s)
{
	struct webhook_content c = {0};
	struct topk_item top[WEBHOOK_TOP_MAX];
	char name[256];
	webhook_content_line(&c,
		"**%s**, the last %" PRIu64 " h: %" PRIu64 " queries, %" PRIu64 " blocked, %" PRIu64
		" from the cache, %" PRIu64 " NXDOMAIN, %" PRIu64 " failed\n",
		box, (until_s - d->since_s + 1800) / 3600, d->queries, d->blocked, d->cached,
		d->nxdomain, d->failed);
	for (unsigned k = 0; k < WEBHOOK_LISTS; k++) {
		unsigned n = top_of(d->topk[k], top);
		for (unsigned i = 0; i < n; i++)
			webhook_content_line(&c, "%s%s: `%s` %" PRIu64 "\n", i ? "" : "top ",
				list_names[k], webhook_harmless(top[i].text, name, sizeof(name)),
				top[i].count);
	}
	return webhook_discord(&c);
}

static char *day_text(
	enum webhook_form form, const char *box, const struct webhook_day *d, uint64_t until_s)
{
	if (form == WEBHOOK_DISCORD)
		return day_discord(box, d, until_s);
	struct json_out *o = json_out_new();
	struct json_node *root = json_out_root(o);
	struct topk_item top[WEBHOOK_TOP_MAX];
	json_out_text(o, root, "kind", "summary");
	json_out_text(o, root, "box", box);
	json_out_count(o, root, "since", d->since_s);
	json_out_count(o, root, "until", until_s);
	JSON_COUNTS(o, root, d, queries, answered, blocked, cached, nxdomain, failed);
	for (unsigned k = 0; k < WEBHOOK_LISTS; k++) {
		struct json_node *list = json_out_array(o, root, list_names[k]);
		unsigned n = top_of(d->topk[k], top);
		for (unsigned i = 0; i < n; i++) {
			struct json_node *item = json_out_object(o, list, NULL);
			json_out_text(o, item, "text", top[i].text);
			json_out_count(o, item, "count", top[i].count);
		}
	}
	return json_out_finish(o);
}

// CLOCK_BACK_S: a smaller step back over a midnight begins no day again.
enum { DAY_S = 86400, CLOCK_BACK_S = 3600 };

struct target {
	const struct config_webhook *config;
	struct webhook_post to;
	struct webhook_note note[WEBHOOK_KINDS];
	char *summary;  // summary that waits to be sent; NULL: no summary
	unsigned tries; // tries to send the summary
};

struct webhook {
	struct webhook_settings settings;
	struct sink_thread *thread;
	pthread_mutex_t lock; // protects the fields below
	bool has_servers;     // new servers to use from the next message on
	unsigned server_count;
	struct socket_address server[CONFIG_UPSTREAMS_MAX];
	// Fields that the sink's thread alone uses.
	struct target target[CONFIG_WEBHOOKS_MAX];
	bool wants_day;
	struct webhook_day day;
	uint64_t key[2];    // hash key of the tables
	uint64_t forgotten; // `forget` that is done
	struct sink_status now;
	_Atomic bool stop;       // aborts the current message
	_Atomic uint64_t forget; // number of the last batch whose clients and names are to go
};

static int64_t unix_s(const struct webhook *w)
{
	return w->settings.unix_s ? w->settings.unix_s() : (int64_t)time(NULL);
}

static void day_begin(struct webhook *w)
{
	struct webhook_day fresh = {.since_s = (uint64_t)unix_s(w)};
	memcpy(fresh.topk, w->day.topk, sizeof(fresh.topk));
	w->day = fresh;
	for (unsigned k = 0; k < WEBHOOK_LISTS && w->wants_day; k++)
		topk_clear(w->day.topk[k]);
}

static void day_count(
	struct webhook *w, enum webhook_list k, const struct querylog_text *text, uint64_t weight)
{
	if (text->len)
		topk_add(w->day.topk[k], topk_hash(w->key, text->at, text->len), text->at,
			text->len, weight);
}

static void day_add(struct webhook *w, const struct querylog_row *row)
{
	struct webhook_day *d = &w->day;
	d->queries += row->weight;
	d->answered += row->is_answered ? row->weight : 0;
	d->blocked += row->is_blocked ? row->weight : 0;
	d->failed += is_error(row) ? row->weight : 0;
	d->nxdomain += row->is_answered && !row->is_blocked && row->rcode == DNS_RCODE_NXDOMAIN
			       ? row->weight
			       : 0;
	d->cached += row->tier == QUERYLOG_TIER_L0 || row->tier == QUERYLOG_TIER_L1
				     || row->tier == QUERYLOG_TIER_STALE
			     ? row->weight
			     : 0;
	day_count(w, WEBHOOK_NAMES, &row->qname, row->weight);
	day_count(w, WEBHOOK_CLIENTS, row->client_name.len ? &row->client_name : &row->client,
		row->weight);
	if (row->is_blocked)
		day_count(w, WEBHOOK_BLOCKED, &row->qname, row->weight);
}

// Drops clients and names that the log may hide now: a waiting summary is lost, the day begins
// again, and notes keep their counts alone.
static void forget_look(struct webhook *w)
{
	const uint64_t forget = w->forget;
	if (forget == w->forgotten)
		return;
	w->forgotten = forget;
	for (unsigned t = 0; t < w->settings.count; t++) {
		struct target *to = &w->target[t];
		w->now.lost += to->summary != NULL;
		FREE_AND_NULL(to->summary);
		for (unsigned k = 0; k < WEBHOOK_KINDS; k++)
			to->note[k].shown = 0;
	}
	day_begin(w);
}

static void on_forget(void *arg, uint64_t number, uint64_t)
{
	struct webhook *w = arg;
	w->forget = number;
}

static void on_take(void *arg, const struct querylog_batch *b)
{
	struct webhook *w = arg;
	forget_look(w);
	const bool is_shown = b->number > w->forgotten; // else it was queued before
	for (unsigned i = 0; i < b->count; i++) {
		const struct querylog_row *row = &b->row[i];
		bool failed = is_error(row);
		for (unsigned t = 0; t < w->settings.count; t++) {
			struct target *to = &w->target[t];
			if (row->is_blocked && to->config->on_block)
				note_add(&to->note[WEBHOOK_BLOCK], row, is_shown);
			if (failed && to->config->on_error)
				note_add(&to->note[WEBHOOK_ERROR], row, is_shown);
		}
		if (w->wants_day && is_shown)
			day_add(w, row);
	}
}

// The day is over: its summary replaces one that was not sent.
static void day_look(struct webhook *w)
{
	uint64_t now_s = (uint64_t)unix_s(w);
	if (now_s + CLOCK_BACK_S < w->day.since_s) // the clock was ahead: the day goes on
		w->day.since_s = now_s;
	if (!w->wants_day || now_s / DAY_S <= w->day.since_s / DAY_S)
		return;
	for (unsigned t = 0; t < w->settings.count; t++) {
		struct target *to = &w->target[t];
		if (!to->config->summary)
			continue;
		w->now.lost += to->summary != NULL;
		FREE_AND_NULL(to->summary);
		to->tries = 0;
		to->summary = day_text(to->config->to.form, w->settings.box, &w->day, now_s);
		w->now.lost += to->summary == NULL;
	}
	day_begin(w);
}

static void tell_note(struct webhook *w, struct target *t, enum webhook_kind kind, uint64_t now_ms,
	unsigned timeout_ms)
{
	struct webhook_note *n = &t->note[kind];
	char *text = note_text(t->config->to.form, w->settings.box, kind, n);
	if (text && webhook_post_send(&t->to, text, now_ms, timeout_ms, &w->now)) {
		n->count = 0;
		n->shown = 0;
	}
	heap_free(text);
}

static void tell_day(struct webhook *w, struct target *t, uint64_t now_ms, unsigned timeout_ms)
{
	bool done = webhook_post_send(&t->to, t->summary, now_ms, timeout_ms, &w->now);
	if (!done && (w->stop || ++t->tries < WEBHOOK_DAY_TRIES))
		return;
	w->now.lost += !done;
	FREE_AND_NULL(t->summary);
}

// The status shows the failing target that is tried next.
static void show(struct webhook *w)
{
	const struct webhook_post *next = NULL;
	for (unsigned i = 0; i < w->settings.count; i++) {
		const struct webhook_post *to = &w->target[i].to;
		if (to->retry.wait_ms && (!next || to->retry.at_ms < next->retry.at_ms))
			next = to;
	}
	w->now.is_ill = next != NULL;
	snprintf(w->now.why, sizeof(w->now.why), "%s", next ? next->why : "");
	w->now.retry_at_ms = next ? next->retry.at_ms : 0;
	sink_thread_show(w->thread, &w->now);
}

void webhook_name_servers(struct webhook *w, const struct socket_address *servers, unsigned count)
{
	pthread_mutex_lock(&w->lock);
	w->server_count = 0;
	for (unsigned i = 0; i < count && i < ARRAY_LEN(w->server); i++)
		w->server[w->server_count++] = servers[i];
	w->has_servers = true;
	pthread_mutex_unlock(&w->lock);
}

static void servers_take(struct webhook *w)
{
	pthread_mutex_lock(&w->lock);
	for (unsigned i = 0; w->has_servers && i < w->settings.count; i++)
		http_post_name_servers(w->target[i].to.post, w->server, w->server_count);
	w->has_servers = false;
	pthread_mutex_unlock(&w->lock);
}

// Sends one message: the summary first, because it is sent once, then failed queries, then blocked
// ones.
static bool tell(struct webhook *w, struct target *t, uint64_t now_ms, unsigned timeout_ms)
{
	if (t->summary)
		tell_day(w, t, now_ms, timeout_ms);
	else if (t->note[WEBHOOK_ERROR].count)
		tell_note(w, t, WEBHOOK_ERROR, now_ms, timeout_ms);
	else if (t->note[WEBHOOK_BLOCK].count)
		tell_note(w, t, WEBHOOK_BLOCK, now_ms, timeout_ms);
	else
		return false;
	return true;
}

// Sends at most one message to each target, because other targets wait while a slow one is served.
static void on_beat(void *arg, uint64_t now_ms)
{
	struct webhook *w = arg;
	servers_take(w);
	forget_look(w);
	day_look(w);
	for (unsigned i = 0; i < w->settings.count; i++) {
		struct target *t = &w->target[i];
		if (w->stop || !webhook_post_may_send(&t->to, now_ms))
			continue;
		(void)tell(w, t, now_ms, WEBHOOK_TIMEOUT_MS);
	}
	show(w);
}

// Sends messages that only wait for their turn at once, except to targets that fail. An aborted
// message comes last, as it may take all of the time.
static void end_tell(struct webhook *w)
{
	uint64_t until_ms = clock_mono_ms() + WEBHOOK_END_MS, now_ms;
	const unsigned count = w->settings.count;
	for (unsigned i = 0; i < 2 * count; i++) {
		struct target *t = &w->target[i % count];
		if (t->to.is_cut != (i >= count))
			continue;
		while ((now_ms = clock_mono_ms()) < until_ms && webhook_post_has_room(&t->to)
			&& tell(w, t, now_ms, (unsigned)(until_ms - now_ms)))
			;
	}
}

static void on_end(void *arg)
{
	struct webhook *w = arg;
	uint64_t queries = 0, messages = 0;
	atomic_store(&w->stop, false);
	forget_look(w);
	end_tell(w);
	for (unsigned i = 0; i < w->settings.count; i++) {
		const struct target *t = &w->target[i];
		messages += t->summary != NULL;
		for (unsigned k = 0; k < WEBHOOK_KINDS; k++) {
			messages += t->note[k].count > 0;
			queries += t->note[k].count;
		}
	}
	w->now.lost += messages;
	show(w);
	if (messages)
		log_warning("webhook: %" PRIu64 " messages, of %" PRIu64
			    " queries, dropped at shutdown",
			messages, queries);
}

static void parts_free(struct webhook *w)
{
	for (unsigned i = 0; i < w->settings.count; i++) {
		webhook_post_close(&w->target[i].to);
		FREE_AND_NULL(w->target[i].summary);
	}
	for (unsigned k = 0; k < WEBHOOK_LISTS; k++)
		topk_free(w->day.topk[k]);
	pthread_mutex_destroy(&w->lock);
	heap_free(w);
}

static int parts_open(struct webhook *w)
{
	int rc = getrandom(w->key, sizeof(w->key), 0) == (ssize_t)sizeof(w->key) ? 0 : -EIO;
	const struct http_post_settings post = {.server_count = w->settings.server_count,
		.servers = w->settings.servers,
		.single = w->settings.single,
		.stop = &w->stop};
	for (unsigned i = 0; rc == 0 && i < w->settings.count; i++) {
		struct target *t = &w->target[i];
		t->config = &w->settings.targets[i];
		w->wants_day |= t->config->summary;
		rc = webhook_post_open(&t->to, &t->config->to, &post);
	}
	for (unsigned k = 0; rc == 0 && k < WEBHOOK_LISTS && w->wants_day; k++)
		rc = topk_open(&w->day.topk[k], WEBHOOK_TOPK_CAP, 256);
	if (rc == 0)
		day_begin(w);
	return rc;
}

int webhook_open(struct webhook **out, const struct webhook_settings *s)
{
	struct webhook *w = heap_calloc(1, sizeof(*w));
	if (!w)
		return -ENOMEM;
	w->settings = *s;
	pthread_mutex_init(&w->lock, NULL);
	snprintf(w->now.target, sizeof(w->now.target), "%u targets", s->count);
	int rc = parts_open(w);
	size_t bytes = sizeof(*w);
	for (unsigned k = 0; rc == 0 && k < WEBHOOK_LISTS && w->wants_day; k++)
		bytes += topk_bytes(w->day.topk[k]);
	const struct sink_work work = {.name = "webhooks",
		.table = "log_webhooks_queue",
		.bytes = bytes,
		.take = on_take,
		.beat = on_beat,
		.end = on_end,
		.forget = on_forget,
		.arg = w,
		.of_messages = true};
	if (rc == 0)
		rc = sink_thread_start(&w->thread, &work);
	if (rc < 0) {
		parts_free(w);
		return rc;
	}
	*out = w;
	return 0;
}

void webhook_close(struct webhook *w)
{
	if (!w)
		return;
	atomic_store(&w->stop, true);
	sink_thread_stop(w->thread);
	parts_free(w);
}

struct sink_thread *webhook_thread(struct webhook *w)
{
	return w->thread;
}
