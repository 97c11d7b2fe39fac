// SPDX-License-Identifier: BSD-3-Clause
#include "why_reply.h"

#include <arpa/inet.h>
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

const char *why_ede_text(int ede)
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
	else if (address_text(w, mode, block, address))
		text = address;
	snprintf(w->reply, sizeof(w->reply), "%s", text);
	w->reply_ttl_s = mode == DNS_BLOCK_REFUSED ? WHY_NO_TTL : block->ttl_s;
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
	if (w->decider < 0 || w->verdict == WHY_ALLOWED || w->verdict == WHY_REWRITTEN)
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
