// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// The lists to be fetched, and when each is due. The service loop's, but for a round of fetching:
// its helper thread reads URLs, options and settings, which never change in a set, and writes
// `update`.

#include "base/rng.h"
#include "list_update.h"
#include "lists/rule_build.h"

enum { FETCH_TRIES_MAX = 10, FETCH_RETRY_S = 10, FETCH_RETRY_MAX_S = 3600 };
#define FETCH_NEVER UINT64_MAX

struct fetched { // one list
	char *url;
	char title[RULE_TITLE_MAX];
	unsigned at; // in the status, last time
	struct list_options options;
	const struct config_tsig_key *key; // one of the set's; NULL: none
	struct config_list_tls *tls;       // its own; NULL: none
	bool stored;
	uint64_t next_ms;     // clock_mono_ms
	uint64_t planned_ms;  // the next by the interval
	uint64_t notified_ms; // due by a NOTIFY (list_notify.h); 0: none since its last fetch
	uint64_t try_unix_s, good_unix_s;
	unsigned http_status, failures;
	struct list_fetch_counts counts;
	char why[LIST_FETCH_WHY_MAX];
};

struct fetch_set {
	uint64_t text_hash; // of the configuration
	struct config_update settings;
	unsigned server_count, count;
	struct socket_address server[CONFIG_UPSTREAMS_MAX];
	unsigned key_count;
	struct config_tsig_key *key; // [key_count], wiped at the end
	struct fetched *list;        // [count]
	struct list_update *update;  // [count], of a round
};

// From a configuration, with what is `known` (NULL: nothing) of each of its URLs. NULL: no memory.
struct fetch_set *fetch_set_new(struct fetch_set *known, const struct config *c,
	const char *state_directory, struct rng *rng);
void fetch_set_free(struct fetch_set *s);                                   // NULL is fine
bool fetch_set_has_keys(const struct fetch_set *s, const struct config *c); // and no others
// Takes what came of a fetch, and plans the next. The list; NULL: it is not in the set any more, or
// nothing came of it that counts.
struct fetched *fetch_set_take(
	struct fetch_set *s, struct rng *rng, const struct list_update *from);
// The lists for which a NOTIFY is taken, by their numbers. -ENOMEM. `z` NULL: none is.
struct list_notify;
ATTR_MUST_CHECK int fetch_set_publish(const struct fetch_set *s, struct list_notify *z);
void fetch_set_notice(struct fetch_set *s, struct list_notify *z); // those that became due by one
uint64_t fetch_due_ms(const struct fetched *l);
uint64_t fetch_set_due_ms(const struct fetch_set *s); // of the first list
