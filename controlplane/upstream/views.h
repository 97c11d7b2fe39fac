// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// Views: the ways in which questions are resolved. Resolver loop's thread only.
// docs/explanation/upstreams.md says which groups of clients share a view, and what its number and
// its hash are for.
//
// View 0 is everyone's. Each view has a definition: servers, safe search, zones with other servers,
// names that are resolved under another name. The hash of the definition names the view in L1 and
// is the same on every box; its number is this box's own, and part of the L0 key.
//
// A definition that left the configuration is kept VIEWS_GRACE_MS and until its last question has
// ended, as workers use the old image a moment longer; or, where the new image could not be
// published (no memory), until one is (resolver_groups_published). After that its misses are
// dropped, and the client asks again. Full (VIEWS_MAX, or no number left): the reload is refused,
// nothing changed.

#include "base/table_registry.h"
#include "rewrite.h"
#include "upstream.h"

#include <stdatomic.h>
#include <weir/config.h>
#include <weir/policy.h>

// Conditional forwarding: zones with servers of their own. Resolver loop's thread only.
//
// A table of zones is immutable and belongs to a view: view 0's is everyone's, a group
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

enum {
	FORWARD_SETS_MAX = 2 * CONFIG_FORWARD_SETS_MAX,
	FORWARD_SERVER_TEXT_MAX = SOCKET_ADDRESS_TEXT_MAX + CONFIG_TLS_NAME_MAX + 10
				  + CONFIG_HTTPS_PATH_MAX
				  + CONFIG_PINS_MAX * (1 + 2 * CONFIG_PIN_LEN) + 3,
};

struct forward_set {
	bool live;
	unsigned tables, questions; // tables and questions that need it
	uint64_t hash;
	struct config_upstreams config; // servers have no names
	struct config_pick pick;        // settings of the zones
	struct upstreams *upstreams;
};

struct forward_zone {
	struct dns_name name;
	uint64_t hash;           // never 0
	struct forward_set *set; // NULL: exempt, its names have the view's servers
	bool ds_is_above;        // the zone's DS comes from the servers of `above`
	struct dns_name above;   // valid with ds_is_above
};

struct forward_table;

struct forwards;

// Zones for which the hash is the same share a set.
uint64_t views_servers_hash(const struct config_forward_zone *zone);
// A zone's hash, without a table.
uint64_t views_zone_hash(const struct config_forward_zone *zone);

enum {
	VIEWS_MAX = 384, // views in use and leaving, view 0 and safe views included
	VIEW_NUMBER_MAX = 65535,
	VIEWS_GRACE_MS = 10000,
};

// The zones and names of one view.
struct view_names {
	struct forward_table *zones;    // NULL: no zones
	struct rewrite_table *rewrites; // NULL: no names
};

// The hash of a group's definition, never 0. NULL: everyone. The group's name counts only where it
// has no cache, or records.
uint64_t view_hash(const struct config *config, const struct config_group *group);
// The hash of all that says how everyone's names are resolved: servers, zones, local CNAMEs. Never
// 0.
uint64_t view_everyone_hash(const struct config *config);

struct view {
	uint64_t hash; // hash of the definition
	uint16_t number;
	bool live;     // there is such a view
	bool no_cache; // nothing of it is read from or kept in L0 or L1
	bool own;      // upstreams are not everyone's
	bool is_safe;  // names are those that safe_search_target knows with `safe`
	struct config_safe_search safe;
	struct config_ipv6 ipv6;
	unsigned users;   // questions that use it
	uint64_t left_ms; // when it left the configuration; 0: it is in it
	struct upstreams *upstreams;
	struct view_names names; // everyone's in view 0, else the group's own, which come first
	// `names` once the configuration that is being read is applied. Empty: they stay, as the
	// hash says whether a view has names.
	struct view_names next;
};

struct views;

// `next`: directory.next_view.
ATTR_MUST_CHECK int views_new(struct views **out, const struct upstream_shared *shared,
	const struct config_upstreams *everyone, _Atomic uint32_t *next);
void views_free(struct views *v); // NULL is fine; every ask must be stopped

// Takes the numbers of definitions for the next views_configure: before the first one, those of an
// image of the previous run; in another resolver, those of the first resolver of this process
// before each one.
void views_recover(struct views *v, const struct policy_group *group, unsigned count);

// Would views_configure find room, and a number, for each new view? -EBUSY, -EOVERFLOW.
ATTR_MUST_CHECK int views_have_room(struct views *v, const struct config *config);
// Makes the views those of the configuration. -EBUSY: too many views are leaving, come again later;
// -EOVERFLOW: no number is left; -ENOMEM. Then nothing has changed.
ATTR_MUST_CHECK int views_configure(struct views *v, const struct config *config, uint64_t now_ms);
void views_sweep(struct views *v, uint64_t now_ms); // ends removed views
// All sets of servers get the present addresses of host names. For changes of host_board_turn.
void views_follow_hosts(struct views *v);

struct view *views_find(struct views *v, unsigned number); // NULL: no such view
// The view at a place below VIEWS_MAX; NULL: no view is there. For walks over all of them.
const struct view *views_at(const struct views *v, unsigned place);
struct view *views_everyone(struct views *v);
// The view of a group of the last views_configure, counted from 0. Never NULL.
const struct view *views_of_group(const struct views *v, unsigned group);
// The zone in which a view asks for the name, its own before everyone's; NULL: no zone.
const struct forward_zone *views_zone(
	const struct views *v, const struct view *view, const struct dns_name *name);
// The hash that names the answers to a question of this type in L1: the servers (`zone`, NULL:
// those of the view), and with DNS64 its prefix.
uint64_t view_l1_hash(const struct view *view, const struct forward_zone *zone, uint16_t qtype);
// The number of the view whose servers this view asks for every name: its own, or everyone's.
unsigned view_asks_as(const struct view *view);
// Rewrites the name by the view. -ELOOP.
ATTR_MUST_CHECK int views_rewrite(const struct views *v, const struct view *view,
	const struct dns_name *name, struct rewrite *out);
// The safe view of a group, counted from 1; 0: everyone else. NULL: it has no safe search.
const struct view *views_safe(const struct views *v, unsigned group);
// The totals of all views and zones.
void views_totals(const struct views *v, struct upstream_totals *out);
// Each set of servers in use: everyone's, those of groups, those of forward zones. A set that
// several groups or zones have comes once, with the first of them.
struct views_set {
	struct upstreams *upstreams;
	unsigned group;              // from 1 on, 0: everyone, or any
	bool is_safe;                // for names with safe search
	const struct dns_name *zone; // NULL: not of a zone
};
void views_sets(struct views *v, void (*take)(void *arg, const struct views_set *set), void *arg);

// The tables of all sets of servers, and of views.
void views_tables(const struct views *v, struct table_registry *tables);
// The tables that the process has once: the book, and the shared state of servers.
void views_shared_tables(const struct views *v, struct table_registry *tables);

// Counts changes of everyone's servers, and of validation.
uint32_t views_turn(const struct views *v);
// Does the answer to a question that began at this turn come from the servers that the definition
// of the view names, and is it validated if the definition says so? Else servers or validation
// changed meanwhile, or before, and the answer is not to be kept: a definition that left may come
// back.
bool views_same_servers(const struct views *v, const struct view *view, uint32_t turn);
