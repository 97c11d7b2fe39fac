// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// What the files of the fetching of lists share: rules_fetch.c (rounds, their timer and thread),
// rules_fetch_set.c (the lists to be fetched, and when each is due).

#include "base/rng.h"
#include "lists/rule_build.h"
#include "rules_fetch.h"

#include <pthread.h>

struct event;
struct fetch_round;

#define FETCH_NEVER UINT64_MAX

struct fetched { // one list
	char *url;
	char title[RULE_TITLE_MAX];
	unsigned at; // in the status, last time
	struct list_options options;
	bool stored;
	uint64_t next_ms; // clock_mono_ms
	uint64_t try_unix_s, good_unix_s;
	unsigned http_status, failures;
	char why[LIST_FETCH_WHY_MAX];
};

struct fetch_set {
	struct config_update update;
	unsigned server_count, count;
	struct socket_address server[CONFIG_UPSTREAMS_MAX];
	struct fetched list[CONFIG_LISTS_MAX];
};

struct rules_fetch {
	struct loop *service;
	char *state_directory;
	void (*done)(void *arg);
	void *arg;
	struct event *timer;
	struct rng rng;
	struct fetch_set *set;
	struct fetch_round *round; // NULL: none runs
	pthread_t thread;
	_Atomic bool stop;
	bool held, all_wanted, all_force;
	struct rules_fetch_status last;
};

// rules_fetch_set.c
// From a configuration, with what is known of each of its URLs. NULL: no memory.
struct fetch_set *fetch_set_new(struct rules_fetch *f, const struct config *c);
struct fetch_set *fetch_set_copy(const struct fetch_set *from); // NULL: no memory
void fetch_set_free(struct fetch_set *s);                       // NULL is fine
struct fetched *fetch_set_find(struct fetch_set *s, const char *url);
// From now, of a list that is good.
uint64_t fetch_interval_ms(struct rules_fetch *f, const struct config_update *u);
// How long to wait after the n-th failure in a row.
uint64_t fetch_retry_ms(struct rules_fetch *f, const struct config_update *u, unsigned failures);
