// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// Finds names of clients (client_book.h): a separate thread (`weir-names`) checks the files each
// CLIENT_NAMES_LOOK_MS and reads all of them when one has changed; a file that has just changed is
// read again until it has settled (config_files.h), and one that could not be read, because no
// descriptor was free say, until it can be. Leases of Kea are in PATH.2, PATH.1 and PATH, read in
// that order. It asks the servers for PTR, if there are any, for private addresses that are in the
// log without a name: at most CLIENT_NAMES_ASKS a second, the next server when one does not answer.
// Without servers it sends no packet.
//
// With `local.domain` it publishes the names of leases as weir answers them (lease_names.h), after
// each reading; none without a domain, and after the end. With `local.router_names` those of PTR
// records, too, within a second of the server's answer, and asks for them again when their TTL ends
// (client_book.h).
//
// Names from PTR are kept for their TTL, within CLIENT_PTR_LEAST_S and CLIENT_PTR_MOST_S, and an
// address without a name for CLIENT_PTR_NONE_S. All of them are dropped when the servers change,
// and when the wall clock is set back by a minute or more; then the files are read again, too.
//
// client_names_open, _configure and _close on one thread; the rest on any.

#include "client_book.h"
#include "policy/lease_names.h"

#include <weir/config.h>

enum {
	CLIENT_NAMES_LOOK_MS = 5000,
	CLIENT_NAMES_ASKS = 5,
	CLIENT_PTR_LEAST_S = 60,
	CLIENT_PTR_MOST_S = 86400,
	CLIENT_PTR_NONE_S = 3600,
	CLIENT_PTR_FAILED_S = 60,
	CLIENT_FILES_MAX = 56,
	CLIENT_FILE_WHY_MAX = 64,
};

struct client_names;

ATTR_MUST_CHECK int client_names_open(struct client_names **out); // -errno; knows no file yet
// Copies the files and servers of `c`. -ENOMEM: the former ones stay.
ATTR_MUST_CHECK int client_names_configure(struct client_names *n, const struct config *c);
void client_names_close(struct client_names *n); // NULL is fine
struct client_book *client_names_book(struct client_names *n);

struct client_names_file {
	char path[256];
	unsigned names, bad;
	char why[CLIENT_FILE_WHY_MAX]; // "": weir read the file
};

struct client_names_status {
	struct client_book_status book;
	unsigned file_count, servers;
	struct client_names_file file[CLIENT_FILES_MAX]; // not the usual ones that are missing
	uint64_t asked, answered, failed;                // PTR queries
	struct lease_counts leases, router;              // that weir answers, and does not
	size_t lease_bytes;                              // what the table of these holds
};
void client_names_status(struct client_names *n, struct client_names_status *out);
