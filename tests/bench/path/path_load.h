// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// What the packet path bench asks and what it is answered from: names by number, a pcap file of
// queries, L0 and the rule image made by their real writers in ordinary memory. Names and answers
// are those of tools/loadgen/corpus.h; all numbers come from a seed.

#include "path_policy.h"

#include <weir/dns_cookie.h>
#include <weir/l0_writer.h>
#include <weir/rule_image.h>

struct path_traffic {
	uint32_t frames, first;    // how many, and the number of the first: others are drawn
	uint32_t names, listed;    // how many of each to draw from, evenly
	unsigned listed_percent;   // of the queries
	unsigned missed_percent;   // asked for names that are nowhere, drawn of a million
	unsigned negative_percent; // for names that L0 knows not to exist
	bool zipf;                 // of `names`, number n is drawn in proportion to 1/(n + 1)
	bool ipv6, vlan, edns;     // of all of them
	bool cookies;              // right ones of the one client, IPv4
	bool clients;              // many, drawn evenly from CLIENTS_NETS networks
	bool groups;               // these are in groups
	bool limits;               // and held to a rate
};

// By which those cookies are right, for the next half hour.
void path_cookie_terms(struct dns_cookie_terms *out);
// Writes a pcap file at `path`. False after saying why.
bool path_pcap_write(const char *path, const struct path_traffic *t);

struct path_l0 {
	uint8_t *base;
	size_t size;
	_Atomic uint64_t epoch_now;
	struct epoch_writer epoch;
	struct l0_writer *writer;
	_Atomic uint8_t *marks;
};
// A table of `names` cached names, four A records each, and of the first `negatives` of those that
// do not exist, with the marks for one worker.
enum { PATH_NEGATIVES = 50000 }; // asked for
bool path_l0_fill(struct path_l0 *l, uint32_t names, uint32_t negatives, struct l0_reader *reader);
void path_l0_free(struct path_l0 *l);

// Where clients are: 198.18.0.0/15 or fd53::/48, by /24 or /64.
enum { CLIENTS_NETS = 512 };

// An image of `count` listed names; *image is the caller's to free. All of them in list number 2;
// or over the PATH_LISTS_COMMON lists from there on, each name in one, with a list for each group
// behind them, each name in one of these too.
bool path_rules_build(void **image, uint32_t count, bool for_groups, struct rule_reader *reader);
