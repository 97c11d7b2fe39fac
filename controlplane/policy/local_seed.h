// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// What the configuration and hosts files say of names, in the words of a book (local_book.h). A
// seed is what the sources of one configuration have in common. Files are read on a helper thread.

#include "designated.h"
#include "local_book.h"
#include "special_names.h"

struct local_seed {
	struct special_settings special;
	struct designated designated;
	bool hosts_ptr;
	uint32_t ttl_s;
	unsigned hosts_count, zone_count;
	char *hosts[CONFIG_HOSTS_FILES_MAX];
	struct dns_name *zones; // whose unknown names do not exist, in order
};

ATTR_MUST_CHECK int local_seed_init(struct local_seed *s, const struct config *c); // -ENOMEM
void local_seed_end(struct local_seed *s); // all zero is fine
// All that is said for a group (NULL: for everyone else), without hosts files. -ENOMEM, -E2BIG.
ATTR_MUST_CHECK int local_seed_make(const struct local_seed *s, const struct config *c,
	const struct config_group *g, struct local_book **out);
// What all hosts files say. One that cannot be read is logged. -ENOMEM.
ATTR_MUST_CHECK int local_seed_hosts(
	const struct local_seed *s, struct local_book *b, bool *unread);
