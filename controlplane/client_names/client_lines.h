// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// Text of files that have names of clients: hosts(5), and the lease files of dnsmasq, ISC dhcpd
// (dhcpd.leases(5)) and Kea (memfile, CSV), for IPv4 and, but for dhcpd, IPv6.
//
// The text is untrusted, as clients choose their names: weir reads it by pieces with a length, and
// counts and passes over a line that does not fit the format. Leases of ISC dhcpd and Kea are
// journals: the last entry of an address counts. Any thread.

#include "client_book.h"

enum { CLIENT_LINE_MAX = 4096 };

enum client_file_kind {
	CLIENT_FILE_HOSTS,
	CLIENT_FILE_LEASES,
	CLIENT_FILE_KEA // leases of Kea alone: a file of another format gives no names
};

struct client_file_counts {
	unsigned names, bad; // entries with a name; lines that do not fit the format
};

// The first line of leases decides their format.
void client_lines_parse(struct client_book *b, enum client_file_kind kind, const char *text,
	size_t len, uint32_t pass, int64_t now_s, struct client_file_counts *out);
