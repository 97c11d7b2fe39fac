// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// Names of DHCP leases, and of PTR records of the router, that weir answers below `local.domain`
// (docs/how-to/local.md), as a table that never changes: client_names makes a new one when a name
// has changed, and publishes it. "Lease" stands for both, unless a PTR record is named.
//
// A client chooses the name that its lease has, so what it may be is narrow: one label of letters,
// digits and hyphens, alone or directly below the domain; no name by which programs find a proxy or
// a tunnel (`wpad`, `isatap`), no `localhost`, no name of this machine. The address is private (RFC
// 1918, RFC 4193). Of two leases of one family with the same name that counts which ends last, and
// one that never ends before all; of two that end together the lower address. A lease counts before
// a PTR record of the same name and family, and of two PTR records that of the lower address: their
// ends move with each query.
//
// At most LEASE_NAMES_MAX names, some 110 bytes each. lease_names_make allocates, on the thread
// that reads the files. lease_names_publish: that thread. lease_names_now: any thread; its lock is
// held for the exchange of a pointer, and taken only after another table was published. The finds:
// any thread that holds the table; O(log names), without allocation. All times are unix seconds.

#include <stdint.h>
#include <weir/config.h>

enum { LEASE_NAMES_MAX = 8192, LEASE_LABEL_MAX = 63, LEASE_PATH_MAX = 256 };

// A lease of a file, or a PTR record.
struct lease_given {
	const char *name; // untrusted; NUL-terminated
	const char *path; // the file; the server's address for a PTR record
	struct ip_address address;
	int64_t ends_s; // 0: it never ends
	bool is_ptr;
};

struct lease_name {
	uint8_t label[1 + LEASE_LABEL_MAX]; // length and lower case, like a label of a name
	struct ip_address address;
	int64_t ends_s;
	uint32_t file; // number of its file or server (lease_names_path)
	bool is_ptr;
};

struct lease_counts {
	unsigned names;     // names that weir answers
	unsigned conflicts; // another lease has the name
	unsigned bad_name;  // no label of a host, or of another domain
	unsigned reserved;  // wpad and so on
	unsigned bad_address;
	unsigned over; // there was no room
};

static inline unsigned lease_counts_refused(const struct lease_counts *c)
{
	return c->bad_name + c->reserved + c->bad_address + c->over;
}

struct lease_names;

// The labels that no lease may have beside the fixed ones: those of this machine.
struct lease_own {
	unsigned count;
	char label[2][LEASE_LABEL_MAX + 1];
};
// The host's name, and `tls.name` where that is directly below the domain.
void lease_own_find(const struct config *c, struct lease_own *out);

// -ENOMEM. Without a domain (no labels) the table is empty.
ATTR_MUST_CHECK int lease_names_make(const struct dns_name *domain, const struct lease_own *own,
	const struct lease_given *given, unsigned count, struct lease_names **out);
void lease_names_release(struct lease_names *t); // NULL is fine
// Takes the caller's hold; NULL: no names from now on.
void lease_names_publish(struct lease_names *t);
// Makes *held, which may be NULL, the published table, and returns it. The caller holds it until it
// passes it here again, or releases it.
const struct lease_names *lease_names_now(struct lease_names **held);

// False for NULL: a table of another domain than the one in force has no names for it.
bool lease_names_are_of(const struct lease_names *t, const struct dns_name *domain);
// The lease of a label (length, then lower case) with an address of that version; NULL: there is
// none now.
const struct lease_name *lease_names_find(
	const struct lease_names *t, const uint8_t *label, unsigned version, int64_t now_s);
const struct lease_name *lease_names_at(
	const struct lease_names *t, const struct ip_address *address, int64_t now_s);
// A server is about to be asked for the PTR record of the address (NULL: no longer): till then
// lease_names_at has no PTR record of it, so that a server which asks weir gets no echo. One
// thread.
void lease_names_asks(const struct ip_address *address);
// Number i of the table, from 0 on; NULL: there are no more.
const struct lease_name *lease_names_nth(const struct lease_names *t, unsigned i);
const char *lease_names_path(const struct lease_names *t, const struct lease_name *l);
// What the table counts of leases, or of PTR records; zeros for NULL.
struct lease_counts lease_names_counts(const struct lease_names *t, bool is_ptr);
size_t lease_names_bytes(const struct lease_names *t); // what the table holds
