// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// The part of the configuration that the query log needs: names of groups, lists and clients,
// exclusions, and how to hide clients. A snapshot, immutable and counted: the service loop makes
// one with each change of the configuration or of the lists, each batch holds the snapshot that its
// rows were made with.

#include "querylog_batch.h"
#include "upstream_book.h"

#include <weir/config.h>
#include <weir/rule_image.h>

struct querylog_names;

// Makes a snapshot, which the caller holds. NULL: no memory. `book`: the names of upstreams;
// outlives every batch; NULL: upstreams have no names.
ATTR_MUST_CHECK struct querylog_names *querylog_names_new(const struct config *c,
	const struct rule_list_info *lists, unsigned list_count, const struct upstream_book *book);
// Call it before others hold `n`. `n` describes the policy image `policy_generation`; groups of
// earlier images keep their names of `before`. Without the call the groups of all images have the
// names of `c`. A list number that `n` does not use keeps its title of `before` (rule_numbers.h).
void querylog_names_follow(
	struct querylog_names *n, const struct querylog_names *before, uint64_t policy_generation);
void querylog_names_hold(struct querylog_names *n);
void querylog_names_release(void *names); // NULL is fine; any thread

// `logged`: the group and its image, group_in_image.
struct querylog_text querylog_names_group(const struct querylog_names *n, uint8_t logged);
struct querylog_text querylog_names_list(const struct querylog_names *n, unsigned number);
struct querylog_text querylog_names_upstream(const struct querylog_names *n, unsigned number);
// Whether the configuration names any client by MAC address.
bool querylog_names_has_macs(const struct querylog_names *n);
// The name of the client with the MAC address; "" if no client has it.
struct querylog_text querylog_names_mac(const struct querylog_names *n, const uint8_t mac[6]);
// The name of the client with the longest prefix that covers the address; "" if no prefix does.
// Linear in the number of prefixes.
struct querylog_text querylog_names_client(
	const struct querylog_names *n, unsigned version, const uint8_t bytes[16]);
bool querylog_names_excludes_client(
	const struct querylog_names *n, unsigned version, const uint8_t bytes[16]);
bool querylog_names_excludes_name(const struct querylog_names *n, const struct dns_name *name);
enum log_clients querylog_names_anonymize(const struct querylog_names *n);
