// SPDX-License-Identifier: BSD-3-Clause
#include "api_member_names.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <weir/heap_site.h>

struct member_names {
	unsigned count;
	struct member_name one[]; // sorted by MAC address; a name is empty until it is found
};

static int by_mac(const void *a, const void *b)
{
	const struct member_name *x = a, *y = b;
	return memcmp(&x->mac, &y->mac, sizeof(x->mac));
}

static struct member_name *find(const struct member_names *n, const struct config_mac *mac)
{
	const struct member_name key = {.mac = *mac};
	return bsearch(&key, n->one, n->count, sizeof(n->one[0]), by_mac);
}

static void name_set(
	struct member_names *n, const struct config_mac *mac, const char *name, const char *from)
{
	struct member_name *m = find(n, mac);
	if (!m || *m->name)
		return;
	m->from = from;
	snprintf(m->name, sizeof(m->name), "%s", name);
}

static void lease_take(void *arg, const struct client_entry *e)
{
	struct config_mac mac;
	if (!e->has_mac)
		return;
	memcpy(mac.bytes, e->mac, sizeof(mac.bytes));
	name_set(arg, &mac, e->name, client_from_names[CLIENT_FROM_LEASE]);
}

struct member_names *member_names_new(const struct config *c, struct client_book *book)
{
	size_t count = 0;
	for (unsigned i = 0; i < c->group_count; i++)
		count += c->groups[i].mac_count;
	struct member_names *n =
		count ? heap_calloc(1, sizeof(*n) + count * sizeof(n->one[0])) : NULL;
	if (!n)
		return NULL;
	for (unsigned i = 0; i < c->group_count; i++)
		for (unsigned k = 0; k < c->groups[i].mac_count; k++)
			n->one[n->count++].mac = c->groups[i].macs[k];
	qsort(n->one, n->count, sizeof(n->one[0]), by_mac);
	for (unsigned i = 0; i < c->client_count; i++)
		for (unsigned k = 0; k < c->clients[i].mac_count; k++)
			name_set(n, &c->clients[i].macs[k], c->clients[i].name, "clients");
	if (book)
		client_book_house(book, time(NULL), lease_take, n);
	return n;
}

void member_names_free(struct member_names *n)
{
	heap_free(n);
}

const struct member_name *member_name_of(const struct member_names *n, const struct config_mac *mac)
{
	const struct member_name *m = n ? find(n, mac) : NULL;
	return m && *m->name ? m : NULL;
}
