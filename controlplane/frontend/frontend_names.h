// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// Groups of clients by name (`client_names` of a group): the name in a client's certificate, which
// is a label or stands below `tls.name`; or the name that a client uses for this box, the label
// below `tls.name` that it wants a certificate for (SNI), or the last part of its path over HTTPS.
//
// A table of at most CONFIG_CLIENT_NAMES_MAX names in order, made of a configuration by its caller,
// who owns it. Pure functions; a look-up compares some 8 names. Its group numbers are those of the
// configuration. The frontends get it once the policy image with these groups is published, so an
// image that cannot be published keeps the names of the one before. Between the two a name may mean
// another group, for a moment.

#include <weir/config.h>

struct frontend_names {
	char server[CONFIG_TLS_SERVER_NAME_MAX + 1]; // tls.name; "": not known
	unsigned count;
	struct frontend_name {
		char label[CONFIG_CLIENT_NAME_MAX + 1];
		uint8_t group;
	} one[CONFIG_CLIENT_NAMES_MAX];
};

void frontend_names_of(const struct config *c, struct frontend_names *out);
// The number of the group; 0: no group has this name. In any letter case.
unsigned frontend_names_find(const struct frontend_names *n, const char *label, size_t len);
// The group for a server name: its first label, below tls.name; 0: no group. NULL is fine.
unsigned frontend_names_find_server(const struct frontend_names *n, const char *server);
// The group for the name in a client's certificate, which may be a label alone; 0: no group. NULL
// is fine.
unsigned frontend_names_find_certified(const struct frontend_names *n, const char *name);
