// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// The part of the configuration that the query log needs: names of groups, lists and clients,
// exclusions, and how to hide clients. A snapshot, immutable and counted: the service loop makes
// one with each change of the configuration or of the lists, each batch holds the one that its rows
// were made by.

#include "querylog_batch.h"
#include "upstream_book.h"

#include <weir/config.h>
#include <weir/rule_image.h>

struct querylog_names;

// NULL: no memory. The caller holds it. `book`, of the upstreams, outlives every batch; NULL: none.
ATTR_MUST_CHECK struct querylog_names *querylog_names_new(const struct config *c,
	const struct rule_list_info *lists, unsigned list_count, const struct upstream_book *book);
// Before others have it: `n` is of the policy image `policy_generation`; groups of the images
// before it have the names that `before` has for them. Without the call all images have those of
// `c`. A number that no list of `n` has keeps the title that `before` has (rule_numbers.h).
void querylog_names_follow(
	struct querylog_names *n, const struct querylog_names *before, uint64_t policy_generation);
void querylog_names_hold(struct querylog_names *n);
void querylog_names_release(void *names); // NULL is fine; any thread

// `logged`: the group and its image, group_in_image.
struct querylog_text querylog_names_group(const struct querylog_names *n, uint8_t logged);
struct querylog_text querylog_names_list(const struct querylog_names *n, unsigned number);
struct querylog_text querylog_names_upstream(const struct querylog_names *n, unsigned number);
// Whether any of `clients` goes by MAC addresses.
bool querylog_names_has_macs(const struct querylog_names *n);
// Of the one among `clients` that has the MAC address; "" when none has it.
struct querylog_text querylog_names_mac(const struct querylog_names *n, const uint8_t mac[6]);
// Of the longest prefix among `clients` that has the address; linear in those.
struct querylog_text querylog_names_client(
	const struct querylog_names *n, unsigned version, const uint8_t bytes[16]);
bool querylog_names_excludes_client(
	const struct querylog_names *n, unsigned version, const uint8_t bytes[16]);
bool querylog_names_excludes_name(const struct querylog_names *n, const struct dns_name *name);
enum log_clients querylog_names_anonymize(const struct querylog_names *n);
