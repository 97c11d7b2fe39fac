// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// Servers in the notations of the other resolvers, made into weir's:
//
//   9.9.9.9  9.9.9.9#53  9.9.9.9:53  9.9.9.9@53  [2620:fe::fe]:53  udp://  tcp+udp:  tcp://  tcp:
//   tls://dns.quad9.net  tcp-tls:dns.quad9.net:853  9.9.9.9@853#dns.quad9.net (unbound, over TLS)
//   https://dns.quad9.net/dns-query  h3://
//
// What weir cannot ask (sdns://, quic://) is a miss.

#include "import_model.h"

enum { IMPORT_SERVERS_MAX = 16, IMPORT_BOOTSTRAP_MAX = 8 };

// Adds the server to `items`; the same again is nothing. At most IMPORT_SERVERS_MAX of them.
void import_server_add(
	struct import_model *m, struct import_items *items, const char *server, const char *note);
// unbound's notation, with or without TLS for all of them.
void import_server_add_unbound(
	struct import_model *m, struct import_items *items, const char *server, bool over_tls);
// A server that resolves the host names of others: an address alone.
void import_server_add_bootstrap(struct import_model *m, const char *server);
// A server of a zone; for the root it is one of the upstreams. "10.in-addr.arpa" and other names.
void import_server_add_zone(struct import_model *m, const char *zone, const char *server);
// The forward zone of that name, made if it is not there. NULL: refused, a miss.
struct import_zone *import_server_zone(struct import_model *m, const char *zone);
// Does weir need `bootstrap` to find it?
bool import_server_is_named(const char *server);
// The reverse zone of a prefix, cut at a label: "192.168.7.0/24" is 7.168.192.in-addr.arpa.
// False: no prefix, or /0.
bool import_server_reverse(const char *prefix, char *out, size_t cap);
