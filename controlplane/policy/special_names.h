// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// Special-use domain names (IANA's registry) that a resolver answers itself, so that queries for
// them do not leak, and answers do not come from servers that do not know them.
//   RFC 6761  localhost with all below is the loopback address; invalid and test do not exist
//             (test unless the operator says otherwise: 6.2, item 4)
//   RFC 6762  local (22.1, item 4) and the reverse zones of link-local addresses (22.2)
//   RFC 6303  empty reverse zones of private, loopback, link-local and documentation addresses;
//             RFC 7793 adds those of the shared space 100.64.0.0/10
//   RFC 7686  onion does not exist
//   RFC 8375  home.arpa is an empty zone, except its DS, which is resolved (4, item 4), also where
//             the operator forwards home.arpa itself
//   RFC 9665  service.arpa: the same
//   RFC 9462  resolver.arpa has no data (6.4), but for the SVCB records of _dns.resolver.arpa where
//             weir serves clients over TLS or HTTPS (struct designated)
//   RFC 9476  alt is for names that are not the DNS's (2): weir answers them because they reveal
//             facts about clients (4), although a cache need not know them (3.2)
//   RFC 9031 (6tisch.arpa), RFC 9140 (eap-noob.arpa) and its successor (eap.arpa)  do not exist:
//             they are names of CoAP and EAP alone
// weir answers `tls.name`, the target of these SVCB records, with its service addresses: clients
// that know only the name (Private DNS of Android) reach the box although no public server has it.
// `use-application-dns.net` is no registered name: browsers (Mozilla's canary) take NXDOMAIN for it
// as the network's wish that they use its resolver. Apple devices take it so for the names of
// iCloud Private Relay (developer.apple.com, "Prepare your network or web server for iCloud Private
// Relay"). example (RFC 6761 6.5) is resolved as usual, and so is ipv4only.arpa (RFC 8880 7). Pure
// functions.

#include <weir/config.h>

enum special_way {
	SPECIAL_NXDOMAIN, // the name and all below it
	SPECIAL_EMPTY,    // a zone with nothing in it: NODATA, and NXDOMAIN below
	SPECIAL_NODATA,   // the name and all below it
	SPECIAL_LOOPBACK, // A and AAAA, with all below
	SPECIAL_PTR,      // PTR localhost
	SPECIAL_SVCB,     // the encrypted services of this box
	SPECIAL_OWN,      // A and AAAA of this box
};

struct special_name {
	struct dns_name name;
	enum special_way way;
	uint16_t but_type;  // a type that is resolved as usual at the name itself; 0 without one
	const char *source; // "RFC 6303"
};

struct special_settings {
	bool names, test_names, doh_canary, relay_canary; // see struct config_local
	bool designated;                                  // there are SVCB records of this box
	struct dns_name own; // the target of these records; `len` 0: not answered
};
struct special_settings special_settings_of(const struct config *c);

// Number i, from 0 on, of those in force; false: there are no more.
ATTR_MUST_CHECK bool special_name_at(
	const struct special_settings *s, unsigned i, struct special_name *out);
// The DS of a zone is a record of the zone above it, whichever server has the zone itself (RFC 4035
// 3.1.4.1; RFC 8375 4, item 4 C): *above is the name to look for servers by. False for the root,
// and where the name above is a special-use one, whose zone is not public: only the zone's own
// servers can be asked.
ATTR_MUST_CHECK bool special_name_ds_is_above(const struct dns_name *zone, struct dns_name *above);
// The nearest special name that is the name or above it. False: there is no such name.
ATTR_MUST_CHECK bool special_name_of(
	const struct special_settings *s, const struct dns_name *name, struct special_name *out);

// Does an address of a hosts file not count for the name? A loopback name keeps its own address
// (RFC 6761 6.3), and 127.0.0.1 at the box's own name says nothing about its services.
ATTR_MUST_CHECK bool special_skips_hosts(const struct special_settings *s,
	const struct dns_name *name, const struct ip_address *address);

// The encrypted services of this box as SVCB records of `_dns.resolver.arpa` (RFC 9462), from which
// clients that ask over UDP learn to use DNS over TLS (RFC 7858) or HTTPS (RFC 8484).
//
// One record for each service that is on, all with `tls.name` as target. DNS over TLS comes first:
// it costs less. A port is given where it is not the usual one; `dohpath` (RFC 9461) is the path of
// `doh`. The hints are the service addresses of the start, so a client need not resolve the name.
// Without `tls.name` weir has no such record: clients could check no certificate. Pure functions.

enum { DESIGNATED_MAX = 2, DESIGNATED_RDATA_MAX = 800, DESIGNATED_TTL_S = 300 };

struct designated {
	unsigned count;
	struct designated_record {
		uint16_t rdata_len;
		uint8_t rdata[DESIGNATED_RDATA_MAX];
	} record[DESIGNATED_MAX];
};

void special_designated(const struct config *c, struct designated *out);
