// SPDX-License-Identifier: BSD-3-Clause
#include "path_case.h"

#include <string.h>

#define HOT     .names = 1000, .frames = 1 << 17
#define WARM    .names = 100000, .frames = 1 << 18
#define COLD    .names = 1000000, .frames = 1000000
#define LISTED  .listed = 1000000
#define CLIENTS .clients = true

static const struct path_case cases[] = {
	{.goal = "G1",
		.name = "hits, 1k names",
		.traffic = {HOT},
		.dns_cycles = 105,
		.ratio = 0.35},
	{.goal = "G1", .name = "hits, 100k names", .traffic = {WARM}},
	{.goal = "G5",
		.name = "hits, 1k names, access as shipped",
		.traffic = {HOT},
		.versus = VERSUS_ACCESS},
	{.goal = "G5",
		.name = "hits, 1k names, IPv6, access as shipped",
		.traffic = {HOT, .ipv6 = true},
		.versus = VERSUS_ACCESS},
	{.goal = "G5",
		.name = "hits, 1k names, 1,000 servers by the port",
		.traffic = {HOT},
		.versus = VERSUS_HOPS},
	{.goal = "G5",
		.name = "hits, 1k names, one client, limits",
		.traffic = {HOT, .limits = true},
		.versus = VERSUS_LIMITS},
	{.goal = "G5",
		.name = "hits, 1k names, many clients, limits",
		.traffic = {HOT, CLIENTS, .limits = true},
		.versus = VERSUS_LIMITS},
	{.goal = "G5",
		.name = "hits, 1k names, IPv6, many clients, limits",
		.traffic = {HOT, .ipv6 = true, CLIENTS, .limits = true},
		.versus = VERSUS_LIMITS},
	{.goal = "G5",
		.name = "hits, 1k names, query log sampled",
		.traffic = {HOT},
		.versus = VERSUS_LOG_SAMPLED},
	{.goal = "G5",
		.name = "hits, 1k names, query log, every query",
		.traffic = {HOT},
		.versus = VERSUS_LOG_EVERY},
	{.goal = "G5",
		.name = "hits, 1k names, EDNS",
		.traffic = {HOT, .edns = true},
		.versus = VERSUS_PLAIN},
	{.goal = "G5",
		.name = "hits, 1k names, EDNS with a right cookie",
		.traffic = {HOT, .cookies = true},
		.versus = VERSUS_PLAIN},
	{.goal = "G5",
		.name = "hits, 1k names, IPv6",
		.traffic = {HOT, .ipv6 = true},
		.versus = VERSUS_PLAIN},
	{.goal = "G5",
		.name = "hits, 1k names, VLAN",
		.traffic = {HOT, .vlan = true},
		.versus = VERSUS_PLAIN},
	{.goal = "G5",
		.name = "hits, 1k names, many clients",
		.traffic = {HOT, CLIENTS},
		.versus = VERSUS_PLAIN},
	{.goal = "G5",
		.name = "hits, 1k names, 1,000 prefixes",
		.traffic = {HOT, CLIENTS, .groups = true},
		.versus = VERSUS_GROUPS},
	{.goal = "G5",
		.name = "hits, 1k names, IPv6, many clients",
		.traffic = {HOT, .ipv6 = true, CLIENTS}},
	{.goal = "G5",
		.name = "hits, 1k names, IPv6, 1,000 prefixes",
		.traffic = {HOT, .ipv6 = true, CLIENTS, .groups = true},
		.versus = VERSUS_GROUPS},
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
