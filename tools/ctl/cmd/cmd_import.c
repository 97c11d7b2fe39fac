// SPDX-License-Identifier: BSD-3-Clause

// `weirctl import`: converts the configuration of another resolver (docs/how-to/import.md). A
// Python program (tools/import), which replaces this process, does the work: it reads files, asks
// no running service, and runs `weirctl config check` on its result.

#include "lib/ctl.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { PATH_ROOM = 4096 };

static const char python[] = "/usr/bin/python3";

// The program in the build folder of this weirctl, or else the installed program.
static void program_find(const char *weirctl, char out[PATH_ROOM])
{
	static const char here[] = "/ctl/weirctl", there[] = "/import/program.py";
	const size_t len = strlen(weirctl), end = strlen(here);
	if (len > end && strcmp(weirctl + len - end, here) == 0) {
		snprintf(out, PATH_ROOM, "%.*s%s", (int)(len - end), weirctl, there);
		if (access(out, R_OK) == 0)
			return;
	}
	snprintf(out, PATH_ROOM, "%s", WEIR_IMPORT_PROGRAM);
}

static int run(const struct ctl *c, const char *const *args)
{
	execv(python, (char *const *)(uintptr_t)args);
	return ctl_fail(c, "import: %s: %s%s", python, strerror(errno),
		errno == ENOENT ? " (install the packages python3 and python3-yaml)" : "");
}

static int cmd_import(struct ctl *c)
{
	char weirctl[PATH_ROOM] = "", program[PATH_ROOM];
	if (readlink("/proc/self/exe", weirctl, sizeof(weirctl) - 1) < 0)
		return ctl_fail(c, "import: /proc/self/exe: %s", strerror(errno));
	program_find(weirctl, program);
	if (access(program, R_OK) < 0)
		return ctl_fail(c, "import: %s: %s", program, strerror(errno));
	// -I: no packages of the user or of the working directory; -B: writes no compiled files.
	const char *const always[] = {python, "-I", "-B", program, "--weirctl", weirctl};
	const char *const options[] = {c->json ? "--json" : NULL, c->all ? "--all" : NULL,
		c->force ? "--force" : NULL, c->output ? "-o" : NULL, c->output, "--"};
	// One more for the NULL behind them.
	const char **args = calloc(
		ARRAY_LEN(always) + ARRAY_LEN(options) + c->operand_count + 1, sizeof(*args));
	if (!args)
		return ctl_fail(c, "import: out of memory");
	size_t n = ARRAY_LEN(always);
	memcpy(args, always, sizeof(always));
	for (size_t i = 0; i < ARRAY_LEN(options); i++)
		if (options[i])
			args[n++] = options[i];
	memcpy(args + n, c->operands, c->operand_count * sizeof(*args));
	const int rc = run(c, args);
	free(args);
	return rc;
}

CTL_COMMANDS = {
	{"import", NULL, 2, 60, CTL_OPT_OUTPUT | CTL_OPT_ALL | CTL_OPT_FORCE | CTL_OPT_LOCAL,
		cmd_import,
		"pihole|adguardhome|unbound|dnsmasq|blocky|technitium|beyond-ads-dns FILE... [-o "
		"FILE] [--force] [--all]",
		"Turn the configuration of another resolver into one of weir, on stdout or in a "
		"new FILE; name what is lost on stderr. --force: replace FILE; --all: name the "
		"verdict on every key."},
};
