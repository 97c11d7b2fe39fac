// SPDX-License-Identifier: BSD-3-Clause
#include "why_steps.h"

#include <arpa/inet.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <weir/rule_reply.h>

// The address that a mode has for the type asked, as text; false: it has none.
static bool address_text(const struct why *w, enum dns_block_mode mode,
	const struct dns_block *block, char out[INET6_ADDRSTRLEN])
{
	static const uint8_t null[16];
	bool custom = mode == DNS_BLOCK_CUSTOM, v4 = w->qtype == DNS_TYPE_A;
	if ((!custom && mode != DNS_BLOCK_NULL) || (!v4 && w->qtype != DNS_TYPE_AAAA))
		return false;
	if (custom && !(block->has & (v4 ? DNS_BLOCK_HAS_V4 : DNS_BLOCK_HAS_V6)))
		return false;
	const uint8_t *bytes = !custom ? null : v4 ? block->v4 : block->v6;
	return inet_ntop(v4 ? AF_INET : AF_INET6, bytes, out, INET6_ADDRSTRLEN) != NULL;
}

static const char *why_ede_text(int ede)
{
	static const char *const names[] = {[DNS_EDE_DNSSEC_BOGUS] = "DNSSEC Bogus",
		[DNS_EDE_SIGNATURE_EXPIRED] = "Signature Expired",
		[DNS_EDE_SIGNATURE_NOT_YET_VALID] = "Signature Not Yet Valid",
		[DNS_EDE_DNSKEY_MISSING] = "DNSKEY Missing",
		[DNS_EDE_RRSIGS_MISSING] = "RRSIGs Missing",
		[DNS_EDE_NO_ZONE_KEY_BIT] = "No Zone Key Bit Set",
		[DNS_EDE_NSEC_MISSING] = "NSEC Missing",
		[DNS_EDE_BLOCKED] = "Blocked",
		[DNS_EDE_FILTERED] = "Filtered"};
	return ede >= 0 && ede < (int)ARRAY_LEN(names) && names[ede] ? names[ede] : "";
}

static void blocked(struct why *w, enum dns_block_mode mode, const struct dns_block *block)
{
	char address[INET6_ADDRSTRLEN];
	const char *text = "NODATA";
	if (mode == DNS_BLOCK_NXDOMAIN)
		text = "NXDOMAIN";
	else if (mode == DNS_BLOCK_REFUSED)
		text = "REFUSED";
	else if (mode == DNS_BLOCK_SERVFAIL)
		text = "SERVFAIL";
	else if (address_text(w, mode, block, address))
		text = address;
	snprintf(w->reply, sizeof(w->reply), "%s", text);
	const bool is_error = mode == DNS_BLOCK_REFUSED || mode == DNS_BLOCK_SERVFAIL;
	w->reply_ttl_s = is_error ? WHY_NO_TTL : block->ttl_s;
}

void why_reply(struct why *w, const struct dns_block *group)
{
	struct rule_decision d = {.reply = RULE_REPLY_GROUP, .typed = w->typed};
	w->reply[0] = 0;
	w->reply_ttl_s = WHY_NO_TTL;
	w->ede = -1;
	if (w->all_blocked) {
		blocked(w, rule_reply_mode(&d, group->mode), group);
		w->ede = DNS_EDE_FILTERED;
		return;
	}
	if (w->decider < 0 || w->is_house || w->verdict == WHY_ALLOWED
		|| w->verdict == WHY_REWRITTEN)
		return;
	const struct why_hit *h = &w->hit[w->decider];
	// The records of a rule are for the name that it is at.
	const bool has_records = w->verdict != WHY_BLOCKED_ANSWER && h->what == WHY_NAME;
	if (h->kind.reply != RULE_REPLY_DATA || has_records)
		d.reply = h->kind.reply;
	if (d.reply == RULE_REPLY_DROP) {
		snprintf(w->reply, sizeof(w->reply), "no answer at all");
		return;
	}
	w->ede = rule_class_ede(h->kind.rule_class);
	if (d.reply == RULE_REPLY_DATA)
		snprintf(w->reply, sizeof(w->reply), "its records; NODATA for types that it lacks");
	else
		blocked(w, rule_reply_mode(&d, group->mode), group);
}

const char *const why_stage_name[WHY_STAGES] = {
	[WHY_STAGE_CLIENT] = "client",
	[WHY_STAGE_TIME] = "time",
	[WHY_STAGE_LOCAL] = "local",
	[WHY_STAGE_OPERATOR] = "operator",
	[WHY_STAGE_ENTRY] = "entry",
	[WHY_STAGE_IMPORTANT] = "important",
	[WHY_STAGE_ALLOW] = "allow",
	[WHY_STAGE_BLOCK] = "block",
	[WHY_STAGE_PATTERN] = "pattern",
	[WHY_STAGE_SAFE] = "safe",
	[WHY_STAGE_ZONE] = "zone",
	[WHY_STAGE_ANSWER] = "answer",
	[WHY_STAGE_UPSTREAM] = "upstream",
	[WHY_STAGE_REPLY] = "reply",
	[WHY_STAGE_NEXT] = "else",
};

// Adds to a text of WHY_TEXT_MAX bytes, cut where it is full.
static void ATTR_PRINTF(2, 3) add(char *text, const char *fmt, ...)
{
	size_t len = strlen(text);
	va_list ap;
	va_start(ap, fmt);
	vsnprintf(text + len, WHY_TEXT_MAX - len, fmt, ap);
	va_end(ap);
}

static void ATTR_PRINTF(4, 5)
	step(struct why *w, enum why_stage stage, bool decides, const char *fmt, ...)
{
	if (w->steps == WHY_STEPS_MAX)
		return;
	struct why_step *s = &w->step[w->steps++];
	s->stage = stage;
	s->decides = decides;
	va_list ap;
	va_start(ap, fmt);
	vsnprintf(s->text, sizeof(s->text), fmt, ap);
	va_end(ap);
}

static const struct why_line *line_of(const struct why *w, unsigned hit)
{
	for (unsigned i = 0; i < w->lines; i++)
		if (w->line[i].hit == hit)
			return &w->line[i];
	return NULL;
}

// The titles of the operator's entries and other sources without a file describe them.
static bool is_list(const struct why *w, const struct why_hit *h)
{
	for (unsigned i = 0; i < w->sources; i++)
		if (strcmp(w->source[i].title, h->title) == 0)
			return w->source[i].path[0];
	return true;
}

char *why_hit_text(const struct why *w, unsigned hit, char out[WHY_TEXT_MAX])
{
	static const char *const covered[] = {
		[0] = "",
		[RULE_COVERS_SELF] = " itself",
		[RULE_COVERS_BELOW] = ", the names below it",
		[RULE_COVERS_ALL] = " and all below it",
	};
	const struct why_hit *h = &w->hit[hit];
	const struct why_line *l = line_of(w, hit);
	char text[DNS_NAME_TEXT_MAX];
	snprintf(out, WHY_TEXT_MAX, "%s%s: ", is_list(w, h) ? "list " : "", h->title);
	if (l && *l->text) {
		add(out, "%s", l->text);
	} else if (h->what == WHY_PATTERN) {
		add(out, "%s/%s/", h->inverts ? WHY_ALL_BUT : "", h->text);
	} else if (h->what == WHY_ADDRESS) {
		add(out, "%s", h->text);
	} else if (h->kind.globs) {
		add(out, "%s", h->text);
	} else {
		const struct dns_name name = why_hit_name(w, h);
		// A name of unusual bytes may be longer than there is room: cut as any text here.
		add(out, "%.300s%s", dns_name_to_text(&name, text),
			covered[h->kind.covers & RULE_COVERS_ALL]);
	}
	if (l && l->line)
		add(out, " (line %u)", l->line);
	return out;
}

const char *why_state_text(const struct why_hit *h)
{
	switch (h->state) {
	case WHY_DECIDES:
		return "decides";
	case WHY_OVERRULED:
		return "applies, but another rule comes first";
	case WHY_ADDS:
		return "applies";
	case WHY_EXCEPTS:
		if (rule_kind_opens(&h->kind))
			return "leaves the name to servers: takes away local data above it";
		return h->kind.rule_class == RULE_CLASS_UNREWRITE
			       ? "takes rewrites of that name back"
			       : "takes away what its list blocks above that name";
	case WHY_EXCEPTED:
		if (h->kind.rule_class == RULE_CLASS_LOCAL)
			return "taken away by a zone below it that is left to servers";
		return h->kind.base & RULE_REWRITES ? "taken away by an exception"
						    : "taken away by an exception of its list";
	case WHY_NO_COVER:
		if (h->misses)
			return "is for names that look otherwise";
		return h->kind.covers & RULE_COVERS_SELF ? "is for that name itself alone"
							 : "is for the names below it alone";
	case WHY_NO_TYPE:
		return "is for other query types";
	case WHY_PAUSED:
		return "would apply, but nothing is blocked now";
	default:
		return h->kind.client[0] ? "is for another group of clients"
					 : "is no list of this group, or not now";
	}
}

static enum why_stage stage_of(const struct why_hit *h)
{
	static const uint8_t stages[RULE_CLASSES] = {
		[RULE_CLASS_LOCAL] = WHY_STAGE_LOCAL,
		[RULE_CLASS_OPERATOR_ALLOW] = WHY_STAGE_OPERATOR,
		[RULE_CLASS_OPERATOR_DENY] = WHY_STAGE_OPERATOR,
		[RULE_CLASS_IMPORTANT_ALLOW] = WHY_STAGE_IMPORTANT,
		[RULE_CLASS_IMPORTANT_BLOCK] = WHY_STAGE_IMPORTANT,
		[RULE_CLASS_ALLOW] = WHY_STAGE_ALLOW,
		[RULE_CLASS_BLOCK] = WHY_STAGE_BLOCK,
		[RULE_CLASS_EXCEPT] = WHY_STAGE_BLOCK,
		[RULE_CLASS_UNREWRITE] = WHY_STAGE_BLOCK,
		[RULE_CLASS_SAFE] = WHY_STAGE_SAFE,
	};
	if (h->name || h->what == WHY_ADDRESS)
		return WHY_STAGE_ANSWER;
	if (h->what == WHY_PATTERN)
		return WHY_STAGE_PATTERN;
	return stages[h->kind.rule_class % RULE_CLASSES];
}

// What is known of the MAC address or the address, where it may change the group.
static void client_known(const struct why_client *c, char out[WHY_TEXT_MAX])
{
	static const char *const from[WHY_FROMS] = {
		[WHY_FROM_NEIGHBOUR] = "the kernel's neighbours", [WHY_FROM_LEASE] = "its lease"};
	const bool is_found = *c->mac && from[c->mac_from];
	out[0] = 0;
	if (is_found && c->found == WHY_FOUND_MAC)
		add(out, ", known from %s", from[c->mac_from]);
	else if (is_found)
		add(out, "; no group has its MAC address %s, known from %s", c->mac,
			from[c->mac_from]);
	if (c->lacks_mac)
		add(out, "; its MAC address is not known, and a group with it would come first");
	if (c->lacks_address)
		add(out, "; its address is not known, and a group with it would come first");
}

static void client_step(struct why *w)
{
	const struct why_client *c = &w->client;
	static const char *const found_by[] = {[WHY_FOUND_PREFIX] = "prefix",
		[WHY_FOUND_MAC] = "MAC address",
		[WHY_FOUND_VLAN] = "VLAN",
		[WHY_FOUND_HOST] = "host name",
		[WHY_FOUND_IID] = "interface identifier"};
	char group[WHY_TEXT_MAX], known[WHY_TEXT_MAX];
	client_known(c, known);
	snprintf(group, sizeof(group), "%s%s", *c->name ? "group " : "no group, as everyone else",
		c->name);
	switch (c->found) {
	case WHY_FOUND_NOBODY:
		step(w, WHY_STAGE_CLIENT, false, "none named: a client in no group");
		break;
	case WHY_FOUND_REST:
		step(w, WHY_STAGE_CLIENT, false, "%s is in %s%s", c->client, group, known);
		break;
	case WHY_FOUND_GROUP:
		step(w, WHY_STAGE_CLIENT, false, "%s, as named", group);
		break;
	default:
		step(w, WHY_STAGE_CLIENT, false, "%s is in %s by %s %s%s", c->client, group,
			found_by[c->found], c->by, known);
	}
}

static void time_step(struct why *w)
{
	const struct why_client *c = &w->client;
	char text[WHY_TEXT_MAX] = "";
	if (!w->enabled)
		add(text, "blocking is switched off (blocking.enabled)");
	if (w->paused_left_ms)
		add(text, "%sblocking is paused for everyone for %llu s more%s", *text ? "; " : "",
			(unsigned long long)(w->paused_left_ms + 999) / 1000,
			c->blocks_all ? ", which does not lift block_all" : "");
	if (!c->blocking && *c->name)
		add(text, "%snothing is blocked in group %s", *text ? "; " : "", c->name);
	if (c->blocks_all)
		add(text,
			"%sonly local data and names that a rule at the name allows are answered, "
			"no "
			"pattern counts",
			*text ? "; " : "");
	if (*c->when)
		add(text, "%s%s", *text ? "; " : "", c->when);
	step(w, WHY_STAGE_TIME, w->all_blocked, "%s", *text ? text : "no pause, no schedule");
}

// One step for the hits of a stage: the first in order of decision, and how many more there are.
static void stage_step(struct why *w, enum why_stage stage)
{
	char text[WHY_TEXT_MAX];
	int first = -1;
	unsigned more = 0;
	for (unsigned i = 0; i < w->hits; i++) {
		if (stage_of(&w->hit[i]) != stage)
			continue;
		// Prefers rules that apply.
		more += first >= 0;
		if (first < 0 || w->hit[i].state < w->hit[first].state)
			first = (int)i;
	}
	if (first < 0) {
		step(w, stage, false, "no rule");
		return;
	}
	why_hit_text(w, (unsigned)first, text);
	add(text, " %s", why_state_text(&w->hit[first]));
	if (more)
		add(text, "; %u more", more);
	step(w, stage, first == w->decider, "%s", text);
}

static bool is_resolved(const struct why *w)
{
	return w->verdict == WHY_PASSED || w->verdict == WHY_ALLOWED
	       || w->verdict == WHY_BLOCKED_ANSWER || w->verdict == WHY_REWRITTEN;
}

static void bogus_step(struct why *w)
{
	const struct why_bogus *b = &w->bogus;
	step(w, WHY_STAGE_ANSWER, false,
		"bogus %llu s ago, so SERVFAIL with extended error %d (%s): %s",
		(unsigned long long)b->age_s, b->ede, why_ede_text(b->ede), b->why);
}

static void answer_step(struct why *w)
{
	if (w->verdict == WHY_BLOCKED_ANSWER) {
		stage_step(w, WHY_STAGE_ANSWER);
		return;
	}
	if (w->bogus.is_known) {
		bogus_step(w);
		return;
	}
	const char *text = "";
	switch (w->cache) {
	case WHY_CACHE_UNASKED:
		text = "not looked for";
		break;
	case WHY_CACHE_NOTHING:
		text = "not in the cache: checked when it arrives";
		break;
	default:
		text = "in the cache; what it leads to is not blocked";
	}
	if (w->verdict == WHY_ALLOWED)
		text = "not checked, as the name is allowed";
	step(w, WHY_STAGE_ANSWER, false, "%s%s%s", text, *w->subnet ? "; for clients of " : "",
		w->subnet);
}

static void resolved_steps(struct why *w)
{
	stage_step(w, WHY_STAGE_PATTERN);
	if (w->safe)
		stage_step(w, WHY_STAGE_SAFE);
	if (*w->zone)
		step(w, WHY_STAGE_ZONE, false, "%s", w->zone);
	answer_step(w);
	if (*w->upstreams)
		step(w, WHY_STAGE_UPSTREAM, false, "%s, in view %u", w->upstreams, w->view);
}

static void reply_step(struct why *w)
{
	if (!*w->reply)
		return;
	char text[WHY_TEXT_MAX];
	snprintf(text, sizeof(text), "%s", w->reply);
	if (w->reply_ttl_s != WHY_NO_TTL)
		add(text, ", TTL %u s", w->reply_ttl_s);
	if (w->ede >= 0)
		add(text, ", extended error %d (%s)", w->ede, why_ede_text(w->ede));
	step(w, WHY_STAGE_REPLY, false, "%s", text);
}

static const char *verdict_words(enum why_verdict v)
{
	static const char *const words[WHY_VERDICTS] = {
		[WHY_PASSED] = "not blocked",
		[WHY_ALLOWED] = "allowed by",
		[WHY_BLOCKED] = "blocked by",
		[WHY_BLOCKED_ANSWER] = "blocked for what the answer leads to, by",
		[WHY_DROPPED] = "dropped without an answer by",
		[WHY_LOCAL] = "answered from local data, by",
		[WHY_REWRITTEN] = "resolved because of",
	};
	return words[v];
}

static void next_step(struct why *w)
{
	char text[WHY_TEXT_MAX];
	bool paused = w->next >= 0 && w->hit[w->next].state == WHY_PAUSED;
	if (w->decider < 0 && !paused && !w->all_blocked)
		return;
	if (w->next < 0)
		step(w, WHY_STAGE_NEXT, false, "without that %s: not blocked",
			w->all_blocked ? "schedule" : "rule");
	else
		step(w, WHY_STAGE_NEXT, false, "without that %s: %s %s",
			paused           ? "pause"
			: w->all_blocked ? "schedule"
					 : "rule",
			verdict_words(w->next_verdict), why_hit_text(w, (unsigned)w->next, text));
}

static void headline(struct why *w)
{
	char text[WHY_TEXT_MAX];
	char *out = w->headline;
	*out = '\0';
	if (w->is_house)
		add(out, "%s %s", verdict_words(w->verdict), w->local);
	else if (w->decider >= 0)
		snprintf(out, WHY_TEXT_MAX, "%s %s", verdict_words(w->verdict),
			why_hit_text(w, (unsigned)w->decider, text));
	else if (w->all_blocked)
		snprintf(out, WHY_TEXT_MAX, "blocked by a schedule: all but what is allowed");
	else if (w->next >= 0 && w->hit[w->next].state == WHY_PAUSED)
		snprintf(out, WHY_TEXT_MAX, "not blocked now: %s",
			!w->enabled         ? "blocking is switched off"
			: w->paused_left_ms ? "blocking is paused"
					    : "blocking is paused for this group");
	else if (w->hits)
		snprintf(out, WHY_TEXT_MAX, "not blocked: no rule that names it applies here");
	else
		snprintf(out, WHY_TEXT_MAX, "not blocked: no rule names it or a parent of it");
	if (w->bogus.is_known && is_resolved(w))
		add(out, "; but its answer failed DNSSEC validation");
}

// Has local data the name for other types alone (local.missing_types)?
static bool lacks_type(const struct why *w)
{
	if (w->decider >= 0 && w->hit[w->decider].kind.rule_class == RULE_CLASS_LOCAL)
		return false;
	for (unsigned i = 0; i < w->hits; i++)
		if (w->hit[i].kind.rule_class == RULE_CLASS_LOCAL && w->hit[i].state == WHY_NO_TYPE
			&& !w->hit[i].kind.types.except)
			return true;
	return false;
}

void why_steps(struct why *w)
{
	w->steps = 0;
	client_step(w);
	time_step(w);
	if (w->local[0])
		step(w, WHY_STAGE_LOCAL, false, "%s%s", w->local,
			lacks_type(w) ? "; has none of this type, which goes on to lists and "
					"upstreams (local.missing_types: forward)"
				      : "");
	for (unsigned i = 0; i < w->entries; i++)
		step(w, WHY_STAGE_ENTRY, false, "%s", w->entry[i].text);
	for (enum why_stage s = WHY_STAGE_LOCAL; s <= WHY_STAGE_BLOCK; s++) {
		stage_step(w, s);
		if (w->steps && w->step[w->steps - 1].decides)
			break;
	}
	if (is_resolved(w))
		resolved_steps(w);
	reply_step(w);
	next_step(w);
	headline(w);
}
