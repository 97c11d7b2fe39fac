// SPDX-License-Identifier: BSD-3-Clause
#include "why_out.h"

#include "base/rdata_text.h"
#include "why_steps.h"

#include <string.h>

static const char *const covers_name[RULE_COVERS_ALL + 1] = {"", "self", "below", "all"};
static const char *const found_name[] = {
	[WHY_FOUND_NOBODY] = "nobody",
	[WHY_FOUND_REST] = "rest",
	[WHY_FOUND_PREFIX] = "prefix",
	[WHY_FOUND_MAC] = "mac",
	[WHY_FOUND_VLAN] = "vlan",
	[WHY_FOUND_HOST] = "host",
	[WHY_FOUND_IID] = "iid",
	[WHY_FOUND_GROUP] = "group",
};

static const char *const from_name[WHY_FROMS] = {
	[WHY_FROM_ASKED] = "asked",
	[WHY_FROM_NEIGHBOUR] = "neighbour",
	[WHY_FROM_LEASE] = "lease",
};

static void client_out(struct json_out *o, struct json_node *root, const struct why *w)
{
	const struct why_client *c = &w->client;
	struct json_node *n = json_out_object(o, root, "client");
	json_out_text(o, n, "asked", c->client);
	json_out_text(o, n, "client", c->called);
	json_out_text(o, n, "group", c->name);
	json_out_count(o, n, "group_number", c->group);
	json_out_text(o, n, "found_by", found_name[c->found]);
	json_out_text(o, n, "by", c->by);
	json_out_text(o, n, "mac", c->mac);
	json_out_text(o, n, "mac_from", *c->mac ? from_name[c->mac_from] : "");
	json_out_bool(o, n, "blocking", w->enabled && c->blocking);
	json_out_text(o, n, "schedule", c->when);
	json_out_count(o, n, "pause_left_ms", w->paused_left_ms);
}

static void types_out(struct json_out *o, struct json_node *n, const struct rule_types *t)
{
	char text[DNS_TYPE_TEXT_MAX];
	if (t->count == 0)
		return;
	struct json_node *list = json_out_array(o, n, t->except ? "types_but" : "types");
	for (unsigned i = 0; i < t->count && i < RULE_TYPES_MAX; i++)
		json_out_text(o, list, NULL, dns_type_text(t->type[i], text));
}

static void lines_out(struct json_out *o, struct json_node *n, const struct why *w, unsigned hit)
{
	struct json_node *list = json_out_array(o, n, "lines");
	for (unsigned i = 0; i < w->lines; i++) {
		if (w->line[i].hit != hit)
			continue;
		struct json_node *l = json_out_object(o, list, NULL);
		json_out_count(o, l, "line", w->line[i].line);
		json_out_text(o, l, "text", w->line[i].text);
	}
}

static void entries_out(struct json_out *o, struct json_node *root, const struct why *w)
{
	struct json_node *list = json_out_array(o, root, "entries");
	for (unsigned i = 0; i < w->entries; i++) {
		const struct why_entry *e = &w->entry[i];
		struct json_node *n = json_out_object(o, list, NULL);
		json_out_text(o, n, "name", e->name);
		json_out_text(o, n, "verdict", e->allow ? "allow" : "deny");
		json_out_text(o, n, "group", e->group);
		json_out_bool(o, n, "invert", e->inverts);
		json_out_text(o, n, "type", e->types);
		json_out_text(o, n, "reply", e->reply);
		json_out_count(o, n, "until_unix_s", (uint64_t)e->until);
		json_out_text(o, n, "why", e->why);
	}
}

static void rule_out(struct json_out *o, struct json_node *list, const struct why *w, unsigned hit)
{
	const struct why_hit *h = &w->hit[hit];
	char text[DNS_NAME_TEXT_MAX], client[RULE_CLIENT_MAX + 1] = "";
	struct json_node *n = json_out_object(o, list, NULL);
	json_out_text(o, n, "list", h->title);
	json_out_text(o, n, "class", rule_class_name[h->kind.rule_class % RULE_CLASSES]);
	if (h->what == WHY_NAME && !h->kind.globs) {
		const struct dns_name name = why_hit_name(w, h);
		json_out_text(o, n, "name", dns_name_to_text(&name, text));
		json_out_text(o, n, "covers", covers_name[h->kind.covers & RULE_COVERS_ALL]);
	} else {
		json_out_text(o, n, h->what == WHY_ADDRESS ? "address" : "pattern", h->text);
	}
	if (h->inverts)
		json_out_bool(o, n, "invert", true);
	if (h->name)
		json_out_text(o, n, "answer_name", dns_name_to_text(&w->name[h->name], text));
	json_out_text(o, n, "reply", rule_reply_name[h->kind.reply % RULE_REPLIES]);
	types_out(o, n, &h->kind.types);
	memcpy(client, h->kind.client, RULE_CLIENT_MAX);
	if (*client)
		json_out_text(o, n, "for_group", client);
	json_out_text(o, n, "state", why_state_name[h->state]);
	json_out_text(o, n, "why", why_state_text(h));
	lines_out(o, n, w, hit);
}

static void sources_out(struct json_out *o, struct json_node *root, const struct why *w)
{
	struct json_node *list = json_out_array(o, root, "sources");
	for (unsigned i = 0; i < w->sources; i++) {
		struct json_node *n = json_out_object(o, list, NULL);
		json_out_text(o, n, "list", w->source[i].title);
		json_out_text(o, n, "path", w->source[i].path);
		json_out_text(o, n, "note", w->source[i].note);
	}
}

static void reply_out(struct json_out *o, struct json_node *root, const struct why *w)
{
	if (!*w->reply)
		return;
	struct json_node *n = json_out_object(o, root, "reply");
	json_out_text(o, n, "mode", w->reply);
	if (w->reply_ttl_s != WHY_NO_TTL)
		json_out_count(o, n, "ttl", w->reply_ttl_s);
	if (w->ede >= 0)
		json_out_count(o, n, "extended_error", (uint64_t)w->ede);
}

static void bogus_out(struct json_out *o, struct json_node *root, const struct why *w)
{
	if (!w->bogus.is_known)
		return;
	struct json_node *n = json_out_object(o, root, "bogus");
	json_out_count(o, n, "extended_error", (uint64_t)w->bogus.ede);
	json_out_text(o, n, "why", w->bogus.why);
	json_out_count(o, n, "age_s", w->bogus.age_s);
}

void why_out(struct json_out *o, struct json_node *root, const struct why *w)
{
	char text[DNS_NAME_TEXT_MAX], type[DNS_TYPE_TEXT_MAX];
	json_out_text(o, root, "name", dns_name_to_text(&w->name[0], text));
	json_out_text(o, root, "type", dns_type_text(w->qtype, type));
	json_out_text(o, root, "verdict", why_verdict_name[w->verdict]);
	json_out_text(o, root, "headline", w->headline);
	// The verdict does not include rules that are not listed here.
	json_out_bool(o, root, "complete", w->hits_left_out == 0);
	client_out(o, root, w);
	entries_out(o, root, w);
	struct json_node *steps = json_out_array(o, root, "steps");
	for (unsigned i = 0; i < w->steps; i++) {
		struct json_node *n = json_out_object(o, steps, NULL);
		json_out_text(o, n, "step", why_stage_name[w->step[i].stage]);
		json_out_bool(o, n, "decides", w->step[i].decides);
		json_out_text(o, n, "text", w->step[i].text);
	}
	struct json_node *rules = json_out_array(o, root, "rules");
	for (unsigned i = 0; i < w->hits; i++)
		rule_out(o, rules, w, i);
	json_out_text(o, root, "without_it", why_verdict_name[w->next_verdict]);
	json_out_bool(o, root, "safe_search", w->safe);
	json_out_count(o, root, "view", w->view);
	reply_out(o, root, w);
	bogus_out(o, root, w);
	sources_out(o, root, w);
	json_out_count(o, root, "lines_left_out", w->lines_left_out);
}
