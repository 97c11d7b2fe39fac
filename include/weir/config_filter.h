// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// What everyone, or a group of clients, can have beside block lists: blocked services, safe search,
// and schedules. Part of struct config (config.h), which owns all of it.

#include "dns_name.h"
#include "service_names.h"

#include <stdbool.h>

// X(word, enumerator). Only YouTube knows a moderate kind of safe search.
#define SAFE_ENGINES(X)           \
	X(google, GOOGLE)         \
	X(bing, BING)             \
	X(youtube, YOUTUBE)       \
	X(duckduckgo, DUCKDUCKGO) \
	X(yandex, YANDEX)         \
	X(pixabay, PIXABAY)       \
	X(ecosia, ECOSIA)         \
	X(brave, BRAVE)

enum safe_engine {
#define X(word, id) SAFE_ENGINE_##id,
	SAFE_ENGINES(X)
#undef X
		SAFE_ENGINE_COUNT
};

enum safe_level { SAFE_LEVEL_OFF, SAFE_LEVEL_MODERATE, SAFE_LEVEL_STRICT };

struct config_safe_search {
	uint8_t level[SAFE_ENGINE_COUNT]; // enum safe_level
};

// "google"; `engine` below SAFE_ENGINE_COUNT.
const char *safe_engine_word(unsigned engine);
bool config_safe_search_any(const struct config_safe_search *s);

enum {
	CONFIG_SCHEDULES_MAX = 16,     // of one group or of everyone, family time included
	CONFIG_SCHEDULE_NAME_MAX = 23, // bytes; fits a title in the rule image behind its group's
	CONFIG_GROUP_NAME_MAX = 31,    // the same, and as `$client` of a rule (RULE_CLIENT_MAX)
	CONFIG_SCHEDULE_DOMAINS_MAX = 1000,
	CONFIG_DAY_MIN = 24 * 60,
};

// A window of local time on some days of the week, and its effect. Windows of one owner may
// overlap: their effects add up.
struct config_schedule {
	char *name;        // unique for its owner
	uint8_t days;      // on which it begins; bit 0: Monday, bit 6: Sunday
	uint16_t from_min; // of the day, below CONFIG_DAY_MIN
	uint16_t to_min;   // 1..CONFIG_DAY_MIN; below from_min: of the day after
	bool pause;        // lifts permanent blocking, not that of schedules
	bool block_all;    // all but what an allow rule names, and local data
	struct service_set services;
	unsigned list_count, domain_count;
	unsigned *lists;          // indices of blocking.lists
	struct dns_name *domains; // with all names below
};

struct config_schedules {
	unsigned count;
	struct config_schedule *one;
};

struct config_filter {
	struct service_set services;
	struct config_safe_search safe_search;
	struct config_schedules schedules;
};
