// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// Response policy zones (draft-vixie-dnsop-dns-rpz): the meaning of a record. The owner is the
// trigger (a name, `*.name`, an address in answers), type and data are the action.

#include "list_parse.h"

struct list_record {
	uint32_t line, ttl_s;
	uint16_t type; // 0: one that nothing here knows
	struct list_text type_text, data;
};

// TTL, class and type in front of the data. False: there is no type.
bool list_record_read(struct list_text rest, struct list_record *record);

bool list_zone_ttl(struct list_text text, uint32_t *ttl_s); // `3600`, `1h30m`

// Gives the rule of the owner p->zone.owner, or refuses it. Records of the apex are the zone's own.
void list_trigger_take(struct list_parser *p, const struct list_record *record);

enum { LIST_OWNER_TEXT_MAX = 260 };
// An owner in UTF-8 as A-labels, in `ascii`, and *owner there; others stay. False: no name.
bool list_trigger_to_ascii(struct list_text *owner, char ascii[LIST_OWNER_TEXT_MAX]);
