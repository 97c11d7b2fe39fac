// SPDX-License-Identifier: BSD-3-Clause
#include "path_case.h"

#include <string.h>

#define HOT     .names = 1000, .frames = 1 << 17
#define WARM    .names = 100000, .frames = 1 << 18
#define COLD    .names = 1000000, .frames = 1000000
#define LISTED  .listed = 1000000
#define CLIENTS .clients = true

// What a feature costs hits of 1,000 names (G5).
#define FEATURE(what, kind, ...)                                                      \
	{                                                                             \
		.goal = "G5", .name = "hits, 1k names, " what,                        \
		.traffic = {HOT __VA_OPT__(, ) __VA_ARGS__}, .versus = VERSUS_##kind, \
	}

static const struct path_case cases[] = {
	{.goal = "G1",
		.name = "hits, 1k names",
		.traffic = {HOT},
		.dns_cycles = 105,
		.ratio = 0.35},
	{.goal = "G1", .name = "hits, 100k names", .traffic = {WARM}},
	FEATURE("access as shipped", ACCESS),
	FEATURE("IPv6, access as shipped", ACCESS, .ipv6 = true),
	FEATURE("1,000 servers by the port", HOPS),
	FEATURE("one client, limits", LIMITS, .limits = true),
	FEATURE("many clients, limits", LIMITS, CLIENTS, .limits = true),
	FEATURE("IPv6, many clients, limits", LIMITS, .ipv6 = true, CLIENTS, .limits = true),
	FEATURE("query log sampled", LOG_SAMPLED),
	FEATURE("query log, every query", LOG_EVERY),
	FEATURE("EDNS", PLAIN, .edns = true),
	FEATURE("EDNS with a right cookie", PLAIN, .cookies = true),
	FEATURE("IPv6", PLAIN, .ipv6 = true),
	FEATURE("VLAN", PLAIN, .vlan = true),
	FEATURE("many clients", PLAIN, CLIENTS),
	FEATURE("1,000 prefixes", GROUPS, CLIENTS, .groups = true),
	FEATURE("IPv6, many clients", ALONE, .ipv6 = true, CLIENTS),
	FEATURE("IPv6, 1,000 prefixes", GROUPS, .ipv6 = true, CLIENTS, .groups = true),
	{.goal = "G5",
		.name = "20% blocked, 64 lists, 32 groups and 1,000 prefixes",
		.traffic = {HOT, LISTED, .listed_percent = 20, CLIENTS, .groups = true},
		.rules = true,
		.versus = VERSUS_GROUPS},
	{.goal = "G5",
		.name = "20% blocked, IPv6, 64 lists, 32 groups and 1,000 prefixes",
		.traffic = {HOT, LISTED, .listed_percent = 20, .ipv6 = true, CLIENTS,
			.groups = true},
		.rules = true,
		.versus = VERSUS_GROUPS},
	{.goal = "G2",
		.name = "hits, 1M names",
		.traffic = {COLD},
		.dns_cycles = 145,
		.ratio = 0.30},
	{.goal = "G2", .name = "hits, 1M names, Zipf", .traffic = {COLD, .zipf = true}},
	{.goal = "G3",
		.name = "hits, 1M names, 1M listed",
		.traffic = {COLD},
		.rules = true,
		.dns_cycles = 180,
		.ratio = 0.25},
	{.goal = "G4",
		.name = "blocked, 1M listed",
		.traffic = {COLD, LISTED, .listed_percent = 100},
		.rules = true,
		.dns_cycles = 145,
		.ratio = 0.30},
	{.goal = "G4",
		.name = "blocked, NXDOMAIN, 1M listed",
		.traffic = {COLD, LISTED, .listed_percent = 100},
		.rules = true,
		.nxdomain = true},
	{.goal = "G4",
		.name = "80% hits of 1M, 20% blocked",
		.traffic = {COLD, LISTED, .listed_percent = 20},
		.rules = true},
	{.goal = "G4",
		.name = "85% hits of 1M, 10% blocked, 5% missed",
		.traffic = {COLD, LISTED, .listed_percent = 10, .missed_percent = 5},
		.rules = true},
	{.goal = "G4",
		.name = "85% hits of 1M, 10% blocked, 5% NXDOMAIN",
		.traffic = {COLD, LISTED, .listed_percent = 10, .negative_percent = 5},
		.rules = true},
	{.goal = "G7", .name = "one at a time, 1k names", .traffic = {HOT}, .alone_us = 0.2},
	{.goal = "G7", .name = "one at a time, 1M names", .traffic = {COLD}, .alone_us = 0.5},
	{.goal = "G7",
		.name = "one at a time, 1M names, 1M listed",
		.traffic = {COLD},
		.rules = true,
		.alone_us = 0.5},
	{.goal = "miss",
		.name = "misses, answered at once",
		.traffic = {WARM, .missed_percent = 100}},
	{.goal = "M5",
		.name = "hits, 1k names, beside 100k misses/s",
		.traffic = {HOT, .missed_percent = 1},
		.versus = VERSUS_MISSES},
	{.goal = "G8",
		.name = "hits, 1M names, 100k writes/s",
		.traffic = {COLD},
		.versus = VERSUS_WRITES},
	{.goal = "G8",
		.name = "80% hits of 1M, 20% blocked, image swap",
		.traffic = {COLD, LISTED, .listed_percent = 20},
		.rules = true,
		.versus = VERSUS_SWAPS},
	{.goal = "G8",
		.name = "80% hits of 1M, 20% blocked, image build and swap",
		.traffic = {COLD, LISTED, .listed_percent = 20},
		.rules = true,
		.versus = VERSUS_BUILDS},
};

static bool is_wanted(const struct path_case *c, const char *goals)
{
	size_t len = strlen(c->goal);
	for (const char *p = goals; p; p = strchr(p, ',')) {
		p += *p == ',';
		if (strncmp(p, c->goal, len) == 0 && (p[len] == ',' || p[len] == '\0'))
			return true;
	}
	return goals == NULL;
}

const struct path_case *path_case_next(const char *goals, unsigned *at)
{
	while (*at < ARRAY_LEN(cases)) {
		const struct path_case *c = &cases[(*at)++];
		if (is_wanted(c, goals))
			return c;
	}
	return NULL;
}

uint32_t path_case_frames(const char *goals)
{
	uint32_t most = 0;
	const struct path_case *c;
	for (unsigned at = 0; (c = path_case_next(goals, &at));) {
		uint32_t frames = c->traffic.frames;
		if (path_case_has_plain(c))
			frames *= 2;
		most = frames > most ? frames : most;
	}
	return most;
}

bool path_case_has_plain(const struct path_case *c)
{
	return c->versus == VERSUS_PLAIN || c->versus == VERSUS_MISSES;
}

struct path_traffic path_case_plain(const struct path_case *c)
{
	return (struct path_traffic){.names = c->traffic.names, .frames = c->traffic.frames};
}
