// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// Names of clients by address, as hosts files, DHCP leases and PTR records have them. A name that
// the configuration gives (`clients`) counts before all of these.
//
// The best source of an address wins: hosts, then leases, then PTR. An entry of a file lives until
// a pass over all files no longer finds it (client_book_sweep), a lease's entry at most until the
// lease ends, a PTR entry until its TTL ends. PTR entries without a name are negative answers, and
// questions that wait; they are worse than those with one.
//
// While names of PTR are in use beyond the log (client_book_use_ptr), weir asks for such a name
// again once its TTL has ended, as long as its client was in the log within CLIENT_UNSEEN_S. The
// name stays until a server answers: CLIENT_STALE_S at most.
//
// One table of CLIENT_BOOK_MAX entries in sets of CLIENT_BOOK_WAYS: a put costs one set. In a full
// set an entry of the worst source is evicted, the one that ends first (`evicted`); an entry of a
// worse source than all in the set is refused. Names are made by client_name_clean: printable
// ASCII, at most CLIENT_NAME_MAX - 1 bytes.
//
// Any thread; one lock, held for one set, or for the table by sweep, status, client_book_named,
// client_book_of_mac and client_book_given.

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <weir/attr.h>

enum {
	CLIENT_BOOK_MAX = 8192,
	CLIENT_BOOK_WAYS = 8,
	CLIENT_NAME_MAX = 64,
	CLIENT_BOOK_WANTED = 64, // addresses that wait for a PTR query
	CLIENT_UNSEEN_S = 86400,
	CLIENT_STALE_S = 3600
};

enum client_name_from { CLIENT_FROM_HOSTS, CLIENT_FROM_LEASE, CLIENT_FROM_PTR, CLIENT_FROM_COUNT };
extern const char *const client_from_names[CLIENT_FROM_COUNT]; // "hosts", "lease", "ptr"

struct client_ip {
	uint8_t version;   // 4 or 6
	uint8_t bytes[16]; // IPv4 in the first 4, then zeros
};

struct client_entry {
	struct client_ip address;
	char name[CLIENT_NAME_MAX]; // "": no name
	uint8_t mac[6];
	bool has_mac;
	bool is_cut;   // the name in the file is longer
	uint8_t from;  // enum client_name_from
	uint32_t pass; // pass that found it, for an entry of a file
	uint32_t file; // number of the file that was read then (client_book_file), or of the server
	int64_t ends_s; // unix seconds; 0: never
	int64_t due_s;  // end of the TTL of a PTR record
	int64_t seen_s; // the log looked a PTR entry up; the book's own
};

struct client_book;

ATTR_MUST_CHECK int client_book_open(struct client_book **out); // -ENOMEM, -errno of getrandom
void client_book_close(struct client_book *b);                  // NULL is fine

void client_book_put(struct client_book *b, const struct client_entry *e, int64_t now_s);
// The number of the file whose entries come next; on the thread that puts them.
void client_book_file(struct client_book *b, uint32_t number);
// Drops the lease of pass `pass`: a later line of the file says that it has ended.
void client_book_drop(struct client_book *b, const struct client_ip *a, uint32_t pass);
// Drops entries that another pass over the files found.
void client_book_sweep(struct client_book *b, uint32_t pass);

// False: no name is known. `b` may be NULL.
bool client_book_find(struct client_book *b, unsigned version, const uint8_t bytes[16],
	int64_t now_s, struct client_entry *out);
// Like client_book_find, for the query log: while client_book_ask is on, notes a private address
// without an entry for client_book_wanted.
bool client_book_find_or_ask(struct client_book *b, unsigned version, const uint8_t bytes[16],
	int64_t now_s, struct client_entry *out);
// Finds the address of a name, in any letter case, from the best source.
bool client_book_named(
	struct client_book *b, const char *name, int64_t now_s, struct client_entry *out);

// Finds a lease that has not ended by its MAC address, one of IPv4 first. `b` may be NULL.
bool client_book_of_mac(
	struct client_book *b, const uint8_t mac[6], int64_t now_s, struct client_entry *out);

// Hands on each entry with a name that has not ended, under the lock: `take` must not call the
// book. Names of PTR records only while they are in use: else each ends before weir asks again. `b`
// may be NULL.
void client_book_given(struct client_book *b, int64_t now_s,
	void (*take)(void *arg, const struct client_entry *e), void *arg);

// Like client_book_given, without names of hosts files.
void client_book_house(struct client_book *b, int64_t now_s,
	void (*take)(void *arg, const struct client_entry *e), void *arg);

void client_book_use_ptr(struct client_book *b, bool on);
// Addresses whose PTR names are due, at most `most`, in turn; 0 while these names are not in use.
unsigned client_book_due(
	struct client_book *b, int64_t now_s, struct client_ip *out, unsigned most);
// No server answered: a name that has not ended stays, and is due at `until_s`; an address without
// one has none until then.
void client_book_unanswered(
	struct client_book *b, const struct client_ip *a, int64_t now_s, int64_t until_s);

// The wall clock was set back to `now_s`: ends that were set before lie too far ahead. Names of PTR
// that are in use stay, and are due at once; drops the other entries of PTR, and the addresses that
// wait.
void client_book_set_back(struct client_book *b, int64_t now_s);
// The servers for PTR have changed; `on`: there are servers. Drops all entries of PTR and the
// addresses that wait.
void client_book_ask(struct client_book *b, bool on);
// The next address for a PTR query; passes over addresses that have got a name or left the table.
bool client_book_wanted(struct client_book *b, int64_t now_s, struct client_ip *out);

struct client_book_status {
	unsigned used[CLIENT_FROM_COUNT]; // entries with a name
	unsigned entries;                 // all
	uint64_t evicted, refused;
	unsigned wanted;    // addresses that wait for a PTR query, of CLIENT_BOOK_WANTED
	uint64_t not_asked; // addresses without room among them
	size_t bytes;
};
void client_book_status(struct client_book *b, struct client_book_status *out);

// Makes a name from outside fit to show: drops the final dot, writes bytes that no host name has as
// \xNN, and cuts it at CLIENT_NAME_MAX - 1. False: nothing is left, or the text is an IPv4 address,
// which would stand for another client.
bool client_name_clean(const char *text, size_t len, char out[CLIENT_NAME_MAX]);
