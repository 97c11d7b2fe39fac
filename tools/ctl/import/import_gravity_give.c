// SPDX-License-Identifier: BSD-3-Clause

// Pi-hole's groups as weir's (import_gravity.h).

#include "import_add.h"
#include "import_gravity.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <weir/config.h>

enum { COMBINATIONS_MAX = CONFIG_GROUPS_MAX };

struct combinations {
	const struct gravity *g;
	unsigned count;
	struct gravity_set
		set[COMBINATIONS_MAX]; // the first: clients that the source does not name
	struct import_group *group[COMBINATIONS_MAX];
	bool every; // the first one is a group of every address
};

static bool sets_meet(const struct gravity_set *a, const struct gravity_set *b)
{
	uint64_t both = 0;
	for (size_t i = 0; i < ARRAY_LEN(a->bits); i++)
		both |= a->bits[i] & b->bits[i];
	return both != 0;
}

static unsigned combination_of(struct combinations *c, const struct gravity_set *set)
{
	for (unsigned i = 0; i < c->count; i++)
		if (memcmp(&c->set[i], set, sizeof(*set)) == 0)
			return i;
	if (c->count == COMBINATIONS_MAX)
		return COMBINATIONS_MAX;
	c->set[c->count] = *set;
	return c->count++;
}

static bool applies(const struct combinations *c, const struct gravity_row *r, unsigned i)
{
	return r->enabled && sets_meet(&r->groups, &c->set[i]);
}

// To how many combinations it applies.
static unsigned reach(const struct combinations *c, const struct gravity_row *r)
{
	unsigned n = 0;
	for (unsigned i = 0; i < c->count; i++)
		n += applies(c, r, i);
	return n;
}

static void combinations_find(
	struct import_model *m, const struct gravity *g, struct combinations *c)
{
	const struct gravity_rows *groups = &g->table[GRAVITY_GROUPS];
	const struct gravity_rows *clients = &g->table[GRAVITY_CLIENTS];
	struct gravity_set everyone = {0};
	for (unsigned i = 0; i < groups->count; i++)
		if (groups->row[i].id == 0 && groups->row[i].enabled)
			everyone.bits[i / 64] |= UINT64_C(1) << i % 64;
	*c = (struct combinations){.g = g, .count = 1, .set = {everyone}};
	for (unsigned i = 0; i < clients->count; i++)
		if (combination_of(c, &clients->row[i].groups) == COMBINATIONS_MAX)
			import_miss(m, clients->row[i].text,
				"the client is left out: weir takes %d combinations of groups",
				COMBINATIONS_MAX);
	// Without such a group, clients that are in none have all lists, and what all have.
	for (unsigned t = GRAVITY_LISTS; t <= GRAVITY_DOMAINS; t++)
		for (unsigned i = 0; i < g->table[t].count; i++) {
			const unsigned n = reach(c, &g->table[t].row[i]);
			const bool first = applies(c, &g->table[t].row[i], 0);
			c->every |= t == GRAVITY_LISTS ? n > 0 && !first : first && n < c->count;
		}
}

static void group_name(const struct combinations *c, unsigned i, char *out, size_t cap)
{
	const struct gravity_rows *groups = &c->g->table[GRAVITY_GROUPS];
	size_t n = 0;
	out[0] = '\0';
	for (unsigned k = 0; k < groups->count && n < cap; k++)
		if (c->set[i].bits[k / 64] >> k % 64 & 1)
			n += (size_t)snprintf(
				out + n, cap - n, "%s%s", n ? "+" : "", groups->row[k].text);
	if (n == 0)
		snprintf(out, cap, "no group");
}

static bool has_client(const struct combinations *c, unsigned i)
{
	const struct gravity_rows *clients = &c->g->table[GRAVITY_CLIENTS];
	for (unsigned k = 0; k < clients->count; k++)
		if (memcmp(&clients->row[k].groups, &c->set[i], sizeof(c->set[i])) == 0)
			return true;
	return false;
}

static void groups_make(struct import_model *m, struct combinations *c)
{
	int place[COMBINATIONS_MAX];
	for (unsigned i = 0; i < c->count; i++) {
		char name[200], note[260];
		place[i] = -1;
		if (c->count == 1 || (i == 0 && !c->every && !has_client(c, 0)))
			continue;
		group_name(c, i, name, sizeof(name));
		snprintf(note, sizeof(note), "from Pi-hole: %s%s", name,
			i == 0 && c->every ? "; also clients that it does not name" : "");
		if (import_add_group(m, name, note))
			place[i] = (int)m->group_count - 1;
	}
	for (unsigned i = 0; i < c->count; i++)
		c->group[i] = place[i] < 0 ? NULL : &m->group[place[i]];
	if (!c->every || !c->group[0])
		return;
	import_add_group_client(m, c->group[0], "0.0.0.0/0", "every other client");
	import_add_group_client(m, c->group[0], "::/0", NULL);
}

static void clients_give(struct import_model *m, struct combinations *c)
{
	const struct gravity_rows *clients = &c->g->table[GRAVITY_CLIENTS];
	bool by_mac = false, by_address = false;
	for (unsigned i = 0; i < clients->count; i++) {
		const struct gravity_row *r = &clients->row[i];
		const unsigned k = combination_of(c, &r->groups);
		struct config_mac mac;
		if (k == COMBINATIONS_MAX || !c->group[k])
			continue;
		const bool is_mac = config_mac_parse(r->text, &mac) == 0;
		if (!import_add_group_client(m, c->group[k], r->text, r->note))
			import_miss(m, r->text,
				"the client is left out: weir puts a client into a group by its "
				"address, MAC or VLAN, and not by a host name or an interface");
		by_mac |= is_mac;
		by_address |= !is_mac;
	}
	if (by_mac && by_address && c->count > 1)
		import_miss(m, "client",
			"a client that is there by its MAC and by its address has the groups of "
			"its "
			"MAC in weir, and those of its address in Pi-hole");
}

static void list_give(struct import_model *m, struct combinations *c, const struct gravity_row *r)
{
	if (!r->enabled) {
		import_miss(m, r->text, "the list is disabled there, so it is left out");
		return;
	}
	if (reach(c, r) == 0) {
		import_miss(m, r->text,
			"the list is of no enabled group that a client has, so it is "
			"left out");
		return;
	}
	const char *name = import_add_list(m, NULL, r->text, r->type == 1, r->note);
	for (unsigned i = 0; name && i < c->count; i++)
		if (c->group[i] && applies(c, r, i))
			import_items_add(m, &c->group[i]->lists, name, NULL);
}

// Pi-hole writes what it calls a wildcard as this expression: the name, and all below it.
static bool is_wildcard(const char *regex, char *out, size_t cap)
{
	static const char head[] = "(\\.|^)", other[] = "(^|\\.)";
	size_t n = 0;
	if (strncmp(regex, head, strlen(head)) != 0 && strncmp(regex, other, strlen(other)) != 0)
		return false;
	for (regex += strlen(head); *regex && n + 1 < cap; regex++) {
		if (strcmp(regex, "$") == 0) {
			out[n] = '\0';
			return n > 0;
		}
		if (regex[0] == '\\' && (regex[1] == '.' || regex[1] == '-'))
			regex++;
		else if (!strchr("abcdefghijklmnopqrstuvwxyz0123456789-_", *regex))
			return false;
		out[n++] = *regex;
	}
	return false;
}

// Where weir has an allow entry by name, it beats every pattern, as Pi-hole wants it. A deny entry
// by name would beat patterns that allow, so all that is denied is a pattern.
static void entry_add(
	struct import_model *m, struct import_items *items, const struct gravity_row *r)
{
	char name[300];
	if (r->type < 2)
		import_add_exact(m, items, r->text, r->note);
	else if (r->type == 2 && is_wildcard(r->text, name, sizeof(name)))
		import_add_name(m, items, name, r->note);
	else
		import_add_pattern(m, items, r->text, r->note);
}

static bool has_options(const char *regex)
{
	return strstr(regex, ";querytype=") || strstr(regex, ";invert") || strstr(regex, ";reply=");
}

static void domain_give(struct import_model *m, struct combinations *c, const struct gravity_row *r)
{
	const bool allow = r->type == 0 || r->type == 2;
	if (!r->enabled || r->type < 0 || r->type > 3) {
		import_miss(m, r->text, "the domain is disabled there, so it is left out");
		return;
	}
	if (r->type >= 2 && has_options(r->text)) {
		import_miss(m, r->text,
			"the expression is left out: patterns of weir have no options; "
			"a line of a list may have ($dnstype)");
		return;
	}
	const unsigned n = reach(c, r);
	if (n == c->count) {
		entry_add(m, allow ? &m->allow : &m->deny, r);
		return;
	}
	if (n == 0)
		import_miss(m, r->text,
			"the domain is of no enabled group that a client has, so it "
			"is left out");
	for (unsigned i = 0; n && i < c->count; i++)
		if (c->group[i] && applies(c, r, i))
			entry_add(m, allow ? &c->group[i]->allow : &c->group[i]->deny, r);
}

static void differences_note(struct import_model *m, const struct gravity *g)
{
	bool denies = false, allows = false;
	for (unsigned i = 0; i < g->table[GRAVITY_DOMAINS].count; i++)
		denies |= g->table[GRAVITY_DOMAINS].row[i].type == 1;
	for (unsigned i = 0; i < g->table[GRAVITY_LISTS].count; i++)
		allows |= g->table[GRAVITY_LISTS].row[i].type == 1;
	if (denies && allows)
		import_miss(m, "domainlist",
			"a name that is denied, and is in a list of names to allow, is blocked in "
			"Pi-hole and allowed in weir");
	if (g->beyond)
		import_miss(m, NULL,
			"a table has more rows than weirctl reads: %d groups, %d others",
			GRAVITY_GROUPS_MAX, GRAVITY_ROWS_MAX);
}

void import_gravity_give(struct import_model *m, const struct gravity *g)
{
	struct combinations c;
	if (g->failed)
		m->failed = true;
	combinations_find(m, g, &c);
	groups_make(m, &c);
	for (unsigned i = 0; i < g->table[GRAVITY_LISTS].count; i++)
		list_give(m, &c, &g->table[GRAVITY_LISTS].row[i]);
	for (unsigned i = 0; i < c.count; i++)
		if (c.group[i])
			c.group[i]->own_lists = true;
	for (unsigned i = 0; i < g->table[GRAVITY_DOMAINS].count; i++)
		domain_give(m, &c, &g->table[GRAVITY_DOMAINS].row[i]);
	clients_give(m, &c);
	differences_note(m, g);
}
