// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// Local data as sources of the rule image (docs/how-to/local.md): records, hosts files and local
// zones of everyone, special-use names, and for a group with records or forwarding zones of its own
// a source that repeats all of it with the group's own in front: in the mask of that group it
// replaces everyone's. So lists of two sources that apply to one group never have the same name,
// and the image needs no order among them.
//
// A CNAME is RULE_REPLY_DATA where its chain ends in local data of the same source, else
// RULE_REPLY_RESOLVE (rewrite.h). In a local zone with `unknown: nxdomain` a name that only has
// local names below it exists (RFC 8020): NODATA. Forward zones are rules where an item above them
// would decide otherwise: RULE_REPLY_RESOLVE.
//
// Where leases may have names (house.h) the rule is RULE_REPLY_RESOLVE, nearer than local zones and
// special-use names.
//
// Copies of the configuration; hosts files are read each time that rules are requested, on a helper
// thread. One that cannot be read is logged and contributes nothing.

#include "lists/list_rule.h"

#include <weir/hosts_file.h>
#include <weir/rule_image.h>

// The most that all hosts files have together; weir leaves the rest out and logs that.
enum { LOCAL_HOSTS_NAMES_MAX = 250000 };

#define LOCAL_TITLE_SPECIAL "special-use names"
#define LOCAL_TITLE_DATA    "local data" // a group has "local data of NAME"

struct local_data;

// -ENOMEM, -E2BIG.
ATTR_MUST_CHECK int local_data_new(const struct config *c, struct local_data **out);
void local_data_free(struct local_data *d); // NULL is fine

// The hosts files that local_data_rules reads: their paths; NULL behind the last.
const char *local_data_hosts(const struct local_data *d, unsigned i);
// Could one of them not be read, at any reading? On the thread that reads rules. NULL: no.
bool local_data_unread(const struct local_data *d);

unsigned local_data_sources(const struct local_data *d);
const char *local_data_title(const struct local_data *d, unsigned i);
void *local_data_arg(const struct local_data *d, unsigned i);
// Passes the rules of this source to `take`, in the same order each time; stops at a result other
// than 0 and returns it.
int local_data_rules(void *arg, list_rule_take take, void *take_arg);

// Does a list of class LOCAL with this title apply to a group (NULL: to everyone else)? True for
// titles that are not of here.
bool local_data_applies(
	const struct config *c, const struct config_group *group, const char *title);
