// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// A DNS server on 127.0.0.1, UDP and TCP on one random port, in a thread of the test, that behaves
// as told. It answers every A question with 192.0.2.1 unless the mode says otherwise.

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

enum fake_mode {
	FAKE_ANSWER,
	FAKE_SILENT,
	FAKE_SERVFAIL,
	FAKE_REFUSED,
	FAKE_NXDOMAIN,       // without SOA
	FAKE_NO_NAME,        // NXDOMAIN with the SOA of the root: it is kept for ttl_s
	FAKE_TRUNCATE,       // UDP: TC and nothing else; TCP answers
	FAKE_LOWERCASE,      // the question comes back in lower case
	FAKE_WRONG_ID,       // UDP: a reply with another id before each right one
	FAKE_WRONG_QUESTION, // UDP: a reply to another name before the right one
	FAKE_GARBAGE,        // UDP: 200 malformed datagrams before the right one
	FAKE_BAD_BODY,       // UDP: a reply whose records do not parse before the right one
	FAKE_NO_EDNS,        // FORMERR to what has an OPT
	FAKE_NO_EDNS_HEADER, // UDP: the same, as a header alone
	FAKE_NO_SUBNET,      // FORMERR to what has a client's subnet
	FAKE_SUBNET_REFUSED, // REFUSED to it
	FAKE_ALIAS,          // a CNAME to `alias`, and the address of that
	FAKE_ALIAS_ALONE,    // the same without the address; asked for `alias`: its address
	FAKE_REFERRAL,       // the root's NS, and no answer
	FAKE_LEADS_BACK,     // the same, but `alias` has a CNAME to the name asked before
	FAKE_LEADS_ON,       // a CNAME alone, to a name below the one asked
};

enum { FAKE_SEEN_MAX = 4096, FAKE_SUBNET_MAX = 20 };

struct fake_upstream {
	int udp_fd, tcp_fd;
	uint16_t port;
	pthread_t thread;
	_Atomic int mode, ttl_s;
	_Atomic uint32_t address;           // in the answers, host order; 0: 192.0.2.1
	_Atomic unsigned addresses;         // so many, from that one on; 0: one
	_Atomic(const uint8_t *) alias;     // wire form; bytes that stay as they are
	_Atomic(const char *) answers_only; // UDP: no other name gets a reply; NULL: all do
	_Atomic(const char *) silent_below; // UDP: names that end so get no reply; NULL: none
	_Atomic unsigned lost;              // UDP: so many further queries get no reply
	// Of replies to what has a client's subnet: 1 more than its scope, 0: without that option;
	// its bits changed by these, byte by byte. Such a reply has the address 198.18.X.Y, X being
	// the third byte of the client's and Y the source prefix length.
	_Atomic unsigned scope_more;
	_Atomic(const uint8_t *) subnet_change;
	_Atomic int ede;                    // of SERVFAIL and REFUSED (RFC 8914); 0: none
	_Atomic bool sets_ad;               // in each reply
	_Atomic bool held;                  // UDP: replies wait until it is not
	_Atomic int delay_ms, tcp_delay_ms; // of each reply; by TCP one connection at a time
	_Atomic bool stop, refuse_tcp;      // refuse_tcp: closes TCP connections at once
	_Atomic unsigned udp_queries, tcp_queries;
	_Atomic unsigned cd_queries, ad_queries; // of those by UDP, with that bit
	_Atomic unsigned subnet_queries;         // with the option
	_Atomic unsigned subnet_len;             // of it in the last query; 0: it had none
	uint8_t subnet[FAKE_SUBNET_MAX];
	// Of the first queries: what an off-path attacker would have to guess.
	uint16_t id[FAKE_SEEN_MAX], source_port[FAKE_SEEN_MAX];
	uint64_t upper[FAKE_SEEN_MAX]; // its bytes in upper case, as bits modulo 64
	bool upper_seen;               // some question had an upper-case letter
	char last_name[256];           // in lower case, as text, of the last query by UDP
};

void fake_upstream_start(struct fake_upstream *f);
void fake_upstream_stop(struct fake_upstream *f);
