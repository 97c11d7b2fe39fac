// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// What the files of the local data share: local_data.c (the sources), local_seed.c (what the
// configuration says, in the words of a book), local_hosts.c (what hosts files say).

#include "local_book.h"
#include "local_data.h"
#include "special_names.h"

struct local_source {
	const struct local_data *data;
	struct local_book *seed; // without hosts files
	char title[RULE_TITLE_MAX];
	uint8_t first_voice, last_voice;
	bool hosts;
};

struct local_data {
	struct special_settings special;
	bool hosts_ptr;
	uint32_t ttl_s;
	unsigned hosts_count, zone_count, count;
	char *hosts[CONFIG_HOSTS_FILES_MAX];
	struct dns_name *zones; // whose unknown names do not exist, in order
	struct local_source source[2 + CONFIG_GROUPS_MAX];
};

// local_seed.c
// The zones whose unknown names do not exist, into `d`.
ATTR_MUST_CHECK int local_zones_copy(struct local_data *d, const struct config_local *l);
// All that is said for a group (NULL: for everyone else), without hosts files. -ENOMEM, -E2BIG.
ATTR_MUST_CHECK int local_seed_make(const struct local_data *d, const struct config *c,
	const struct config_group *g, struct local_book **out);
// A record, and that the names between it and the zone above it exist.
ATTR_MUST_CHECK int local_say_data(
	const struct local_data *d, struct local_book *b, const struct local_item *item);

// local_hosts.c
// What all hosts files say. One that cannot be read is logged. -ENOMEM.
ATTR_MUST_CHECK int local_hosts_say(const struct local_data *d, struct local_book *b);
