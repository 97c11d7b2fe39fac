// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// Conditional forwarding: zones with servers of their own. Resolver loop's thread only.
//
// A table of zones is immutable and belongs to a view (views.h): view 0's is everyone's, a group
// with zones of its own has a view with a table of its own, which comes first. The longest zone
// decides; when its servers fail weir tries no other server.
//
// Zones with the same servers, and the same policy of their own if they have any, share one set of
// them (upstream.h), as the health of a server does not depend on the client. A policy is part of
// the set because the set chooses; answers are the same whatever it is, so L1 knows nothing of it.
// A set lives as long as a table or a question that runs needs it; its end is left to
// forwards_sweep, as questions end inside the callbacks of their upstreams. At most
// FORWARD_SETS_MAX, twice what a configuration may have (config.h), so that a reload finds room
// while the questions of the one before it run; then -EBUSY.
//
// In L1 the answers of a zone are named by the hash of its definition (name, and servers in order
// of their addresses), which replaces that of the view: boxes with other servers never share them.
// Cost of a lookup: a binary search for each label of the name, none where there are no zones.

#include "upstream.h"

#include <weir/config.h>

enum {
	FORWARD_SETS_MAX = 2 * CONFIG_FORWARD_SETS_MAX,
	FORWARD_SERVER_TEXT_MAX = SOCKET_ADDRESS_TEXT_MAX + CONFIG_TLS_NAME_MAX + 10
				  + CONFIG_HTTPS_PATH_MAX
				  + CONFIG_PINS_MAX * (1 + 2 * CONFIG_PIN_LEN) + 3,
};

struct forward_set {
	bool live;
	unsigned tables, questions; // that need it
	uint64_t hash;
	struct config_upstreams config; // names apart
	struct config_pick pick;        // the zones' own
	struct upstreams *upstreams;
};

struct forward_zone {
	struct dns_name name;
	uint64_t hash;           // never 0
	struct forward_set *set; // NULL: exempt, its names have the view's servers
	bool ds_is_above;        // its DS comes from the servers of `above`
	struct dns_name above;   // valid with ds_is_above
};

struct forward_table;

struct forwards;
ATTR_MUST_CHECK int forwards_new(struct forwards **out, const struct upstream_shared *shared);
void forwards_free(struct forwards *f); // NULL is fine; every table freed, every ask stopped

// Waits and back-off of all sets, as new ones have them too.
void forwards_configure(struct forwards *f, const struct config_upstreams *how);
void forwards_sweep(struct forwards *f);             // ends unused sets; not from a callback
uint64_t forwards_refused(const struct forwards *f); // sets refused because there was no room
unsigned forwards_count(const struct forwards *f);
size_t forwards_memory(void); // without the sets' own
void forwards_totals(const struct forwards *f, struct upstream_totals *out);

// The servers' addresses, or the host names that they are given by, whatever addresses these have:
// a line each, as given or in the order of their bytes; with the name and the pins (in the order of
// their bytes) of a server over TLS, as nobody else may have made its answers, and with a mark of
// one whose AD is trusted, as its answers are kept with it. The end of `out`, which takes count *
// FORWARD_SERVER_TEXT_MAX bytes.
char *forward_servers_text(
	const struct config_upstream *servers, unsigned count, bool sorted, char *out);
// The bits of a client's address that servers get, because answers depend on them: at most
// FORWARD_SUBNET_TEXT_MAX bytes of text, none where servers get no address.
enum { FORWARD_SUBNET_TEXT_MAX = 16 };
char *forward_subnet_text(const struct config_subnet *subnet, char *out);
// Applies what a zone or group says itself.
void forward_pick(struct config_upstreams *servers, const struct config_pick *pick);
// Zones for which it is the same share a set.
uint64_t forward_servers_hash(const struct config_forward_zone *zone);
// A zone's hash, without a table.
uint64_t forward_zone_hash(const struct config_forward_zone *zone);

// *out is NULL for no zones. -EBUSY, -ENOMEM.
ATTR_MUST_CHECK int forward_table_new(struct forwards *f, const struct config_forward_zone *zones,
	unsigned count, struct forward_table **out);
void forward_table_free(struct forward_table *t); // NULL is fine
// Its zones, from 0 on; NULL: no further.
const struct forward_zone *forward_table_at(const struct forward_table *t, unsigned i);
// The zone that holds the name; NULL: none, or no table.
const struct forward_zone *forward_find(const struct forward_table *t, const struct dns_name *name);
