// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// Safe search: hosts of search engines, and each engine's host with filtered results (engines
// document a CNAME to it). The hosts alone, not names below them; for addresses and HTTPS records,
// so that mail and other services of a domain are not affected. Any thread; no state.

#include "lists/list_rule.h"

#include <weir/config_filter.h>

// The host to resolve in place of `name`, or NULL: the name is no host of an engine with safe
// search.
const char *safe_search_target(
	const struct dns_name *name, const struct config_safe_search *settings);

// Is safe search for queries of this type?
bool safe_search_has_type(uint16_t qtype);

// Rules of class SAFE, one for each host of the engine, which is a source of the rule image. Stops
// with what `take` returns if it is not 0.
int safe_search_rules(enum safe_engine engine, list_rule_take take, void *arg);
