// SPDX-License-Identifier: BSD-3-Clause
#include "drop_guard.h"

#include <stdio.h>
#include <string.h>
#include <weir/bytes.h>

// False: it is neither an IPv4 nor an IPv6 address.
static bool address_of(const struct sockaddr_storage *from, struct ip_address *out)
{
	*out = (struct ip_address){0};
	if (from->ss_family == AF_INET) {
		out->version = 4;
		out->prefix_len = 32;
		memcpy(out->bytes, &((const struct sockaddr_in *)from)->sin_addr, 4);
	} else if (from->ss_family == AF_INET6) {
		out->version = 6;
		out->prefix_len = 128;
		memcpy(out->bytes, &((const struct sockaddr_in6 *)from)->sin6_addr, 16);
	}
	return out->version != 0;
}

static bool meets(const struct ip_address *a, const struct ip_address *b)
{
	return ip_address_covers(a, b) || ip_address_covers(b, a);
}

void drop_guard_note(struct admin_places *p, const struct sockaddr_storage *source, uint64_t now_ms)
{
	struct ip_address of;
	unsigned oldest = 0, i = 0;
	if (!address_of(source, &of))
		return;
	if (of.version == 6)
		of.prefix_len = 64;
	(void)ip_address_mask(&of);
	for (; i < p->count && memcmp(&p->at[i].of, &of, sizeof(of)) != 0; i++)
		if (p->at[i].last_ms < p->at[oldest].last_ms)
			oldest = i;
	if (i == ADMIN_PLACES_MAX) {
		i = oldest;
		p->evicted++;
	} else if (i == p->count) {
		p->count++;
	}
	p->at[i] = (struct admin_place){of, now_ms};
}

static unsigned least_of(const struct ip_address *a)
{
	return a->version == 4 ? DROP_OPERATOR_PREFIX_MIN_V4 : DROP_OPERATOR_PREFIX_MIN_V6;
}

static bool is_single(const struct ip_address *a)
{
	return a->prefix_len == (a->version == 4 ? 32 : 128);
}

// What of the entry the source would shut out that an operator may not.
static bool is_entry_shut_out(const struct ip_address *entry, const struct ip_address *source)
{
	if (ip_address_covers(source, entry))
		return true;
	return ip_address_covers(entry, source) && entry->prefix_len >= least_of(entry)
	       && !is_single(source);
}

// NULL: no admin has asked from there.
static const struct admin_place *place_met(
	const struct admin_places *p, const struct ip_address *source)
{
	for (unsigned i = 0; i < p->count; i++)
		if (meets(&p->at[i].of, source))
			return &p->at[i];
	return NULL;
}

static const struct ip_address *entry_met(
	const struct config_control *c, const struct ip_address *source)
{
	for (unsigned i = 0; c->listen_count && i < c->allow_count; i++)
		if (is_entry_shut_out(&c->allow[i], source))
			return &c->allow[i];
	return NULL;
}

// An operator does not learn where admins are.
static bool operator_is_refused(const struct admin_places *p, const struct config_control *c,
	const struct drop_wish *w, char why[DROP_GUARD_WHY_MAX])
{
	char text[SOCKET_ADDRESS_TEXT_MAX];
	const struct ip_address *entry = entry_met(c, w->source);
	if (w->source->prefix_len < least_of(w->source))
		snprintf(why, DROP_GUARD_WHY_MAX,
			"source: an operator may drop /%d at most, or /%d of IPv6: ask an admin",
			DROP_OPERATOR_PREFIX_MIN_V4, DROP_OPERATOR_PREFIX_MIN_V6);
	else if (w->minutes > DROP_OPERATOR_MINUTES_MAX)
		snprintf(why, DROP_GUARD_WHY_MAX,
			"minutes: an operator may drop for %d at most: ask an admin",
			DROP_OPERATOR_MINUTES_MAX);
	else if (place_met(p, w->source))
		snprintf(why, DROP_GUARD_WHY_MAX,
			"source: an admin has asked from there: only an admin may drop it");
	else if (entry)
		snprintf(why, DROP_GUARD_WHY_MAX,
			"source: control.allow has %s: an operator may drop single addresses of it "
			"alone",
			ip_address_text(entry, true, text));
	return why[0] != '\0';
}

static void admin_warn(const struct admin_places *p, const struct config_control *c,
	const struct drop_wish *w, char why[DROP_GUARD_WHY_MAX])
{
	char text[SOCKET_ADDRESS_TEXT_MAX];
	const struct admin_place *place = place_met(p, w->source);
	const struct ip_address *entry = entry_met(c, w->source);
	if (place)
		snprintf(why, DROP_GUARD_WHY_MAX,
			"an admin has asked from %s, and cannot for %u min; weirctl drops remove "
			"takes the rule back",
			ip_address_text(&place->of, true, text), w->minutes);
	else if (entry)
		snprintf(why, DROP_GUARD_WHY_MAX,
			"control.allow has %s, from which nobody can ask for %u min; weirctl drops "
			"remove takes the rule back",
			ip_address_text(entry, true, text), w->minutes);
}

enum drop_verdict drop_guard(const struct admin_places *p, const struct config_control *c,
	const struct drop_wish *wish, char why[DROP_GUARD_WHY_MAX])
{
	char text[SOCKET_ADDRESS_TEXT_MAX];
	struct ip_address own;
	why[0] = '\0';
	if (address_of(wish->from, &own) && ip_address_covers(wish->source, &own)) {
		snprintf(why, DROP_GUARD_WHY_MAX,
			"source: has %s, from which you ask: you could not take it back",
			ip_address_text(&own, false, text));
		return DROP_MAY_NOT;
	}
	if (wish->role < CONTROL_ADMIN)
		return operator_is_refused(p, c, wish, why) ? DROP_MAY_NOT : DROP_MAY;
	admin_warn(p, c, wish, why);
	return why[0] ? DROP_MAY_WARNED : DROP_MAY;
}
