// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// Whom a drop rule would shut out of the control API. A card drops all that comes from the source
// of such a rule (shm/drop_list.h) before weir sees any of it. So a user with the role operate
// could keep admins away, and any user over the network could lose the way back.
//
// A value; the service loop's thread. It has the ADMIN_PLACES_MAX places of admins that asked
// last in this life of the process: an IPv4 address, or the /64 of an IPv6 address, whose hosts
// change theirs. One more takes the place of that of the oldest request.

#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>
#include <weir/config.h>

enum {
	ADMIN_PLACES_MAX = 64,
	// What an operator may drop at most: 65,536 IPv4 addresses, or what a registry gives to one
	// provider of IPv6.
	DROP_OPERATOR_PREFIX_MIN_V4 = 16,
	DROP_OPERATOR_PREFIX_MIN_V6 = 32,
	DROP_OPERATOR_MINUTES_MAX = 60,
	DROP_GUARD_WHY_MAX = 256,
};

struct admin_places {
	unsigned count;
	struct admin_place {
		struct ip_address of; // a prefix without host bits
		uint64_t last_ms;
	} at[ADMIN_PLACES_MAX];
	uint64_t evicted;
};

// An admin asks from there.
void drop_guard_note(
	struct admin_places *p, const struct sockaddr_storage *source, uint64_t now_ms);

struct drop_wish {
	enum control_role role;
	const struct sockaddr_storage *from; // not AF_INET or AF_INET6: the user is on the box
	const struct ip_address *source;
	unsigned minutes;
};

enum drop_verdict { DROP_MAY, DROP_MAY_WARNED, DROP_MAY_NOT };
// May this user have this rule? `why`: what speaks against it, "" of DROP_MAY. Nobody over the
// network may drop the own address. An operator stays below the bounds above, and drops neither a
// place of an admin, nor an entry of control.allow, nor a part of one that is as narrow as these
// bounds, but for single addresses in it. Others may, and are warned.
enum drop_verdict drop_guard(const struct admin_places *p, const struct config_control *c,
	const struct drop_wish *wish, char why[DROP_GUARD_WHY_MAX]);
