// SPDX-License-Identifier: BSD-3-Clause

// The commands of weirctl, from the rows of all files in the order of the help; and the topics.

#include "lib/ctl.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <weir/heap_site.h>

// The linker sets these to the ends of the section of CTL_COMMANDS.
extern const struct ctl_command __start_ctl_command_list[];
extern const struct ctl_command __stop_ctl_command_list[];

// A command has the place of the last entry that is its verb or both of its words. Commands with
// one place have the order of their file; a command without an entry comes after all others.
static const char *const order[] = {"status", "stats", "ready", "wait", "drain", "undrain",
	"errors", "events", "trace", "capture", "metrics", "ports", "drops", "why", "cache",
	"refresh", "blocklist", "pause", "allow", "deny", "entries", "list", "local", "client",
	"group", "groups", "services", "safe-search", "schedule", "forward-zone", "log", "selftest",
	"mem", "pending", "upstreams", "upstream", "upstream test", "upstream drain",
	"upstream undrain", "tcp", "token", "password", "audit", "log tail", "log status",
	"query-log", "top", "clients", "toggles", "set", "bisect", "heap", "profile", "threads",
	"connections", "mem slope", "mem history", "xdp", "doctor", "setup", "nic", "import",
	"backup", "restore", "config", "fleet", "version", "complete"};

const struct ctl_command **ctl_commands;
unsigned ctl_command_count;

static unsigned place_of(const struct ctl_command *cmd)
{
	char words[64];
	unsigned place = ARRAY_LEN(order);
	snprintf(words, sizeof(words), "%s %s", cmd->word, cmd->second ? cmd->second : "");
	for (unsigned i = 0; i < ARRAY_LEN(order); i++)
		if (strcmp(order[i], cmd->word) == 0 || strcmp(order[i], words) == 0)
			place = i;
	return place;
}

static int compare(const void *a, const void *b)
{
	const struct ctl_command *x = *(const struct ctl_command *const *)a;
	const struct ctl_command *y = *(const struct ctl_command *const *)b;
	const unsigned place_x = place_of(x), place_y = place_of(y);
	if (place_x != place_y)
		return place_x < place_y ? -1 : 1;
	return x < y ? -1 : x > y;
}

bool commands_sort(void)
{
	const struct ctl_command *all = __start_ctl_command_list;
	ctl_command_count = (unsigned)(__stop_ctl_command_list - all);
	ctl_commands = heap_calloc(ctl_command_count, sizeof(*ctl_commands));
	for (unsigned i = 0; ctl_commands && i < ctl_command_count; i++)
		ctl_commands[i] = &all[i];
	if (ctl_commands)
		qsort(ctl_commands, ctl_command_count, sizeof(*ctl_commands), compare);
	return ctl_commands;
}

const struct ctl_topic ctl_topics[] = {
	{"state", "See how the box is",
		"status stats ready wait drain undrain errors events metrics pending"},
	{"queries", "Follow queries, and explain an answer",
		"why top log query-log clients trace capture"},
	{"blocking", "Block and allow names, for all or for a group",
		"blocklist pause resume allow deny block entries list"},
	{"devices", "Name and group devices, block services and times",
		"client group groups services safe-search schedule"},
	{"resolve", "Cache, local records, upstream servers",
		"cache refresh local forward-zone upstreams upstream"},
	{"config", "Change the configuration, back it up, put it back",
		"setup config reload backup restore import"},
	{"access", "Tokens, passwords, the audit log, several boxes", "token password audit fleet"},
	{"machine", "Prepare, check and measure the machine",
		"doctor nic ports drops xdp selftest version"},
	{"memory", "See what uses memory, and what grows", "mem heap"},
	{"debug", "Look into a running control plane",
		"tcp threads connections profile toggles set bisect complete"},
};
const unsigned ctl_topic_count = ARRAY_LEN(ctl_topics);
