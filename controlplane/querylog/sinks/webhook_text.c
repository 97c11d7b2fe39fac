// SPDX-License-Identifier: BSD-3-Clause
#include "webhook_text.h"

#include "base/json.h"
#include "base/rdata_text.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <weir/dns_proto.h>

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

bool webhook_is_error(const struct querylog_row *row)
{
	return (row->is_answered && !row->is_blocked && row->rcode == DNS_RCODE_SERVFAIL)
	       || strcmp(row->verdict.at, "unanswered") == 0;
}

void webhook_note_add(struct webhook_note *n, const struct querylog_row *row)
{
	n->count += row->weight;
	if (n->shown == WEBHOOK_EVENTS_MAX)
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

char *webhook_note_text(enum webhook_form form, const char *box, enum webhook_kind kind,
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

char *webhook_day_text(
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
