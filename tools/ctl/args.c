// SPDX-License-Identifier: BSD-3-Clause

#include "args.h"

#include "terminal/term_text.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <weir/text.h>

#define TEXT(name, alias, option, field, value, help)                                \
	{                                                                            \
		name, alias, option, false, offsetof(struct ctl, field), value, help \
	}
#define FLAG(name, alias, option, field, help)                                   \
	{                                                                        \
		name, alias, option, true, offsetof(struct ctl, field), "", help \
	}
const struct ctl_option ctl_options[] = {
	TEXT("--config", "-c", 0, config_path, "FILE",
		"configuration; else $WEIR_CONFIG, else " WEIR_CONFIG_DEFAULT),
	FLAG("--json", NULL, 0, json, "print JSON"),
	TEXT("--host", NULL, 0, remote_options.host, "BOX[:PORT]",
		"speak to another box over HTTPS (port 9953); else $WEIR_HOST"),
	TEXT("--token-file", NULL, 0, remote_options.token_file, "FILE",
		"the token for it; else $WEIR_TOKEN_FILE"),
	TEXT("--ca", NULL, 0, remote_options.ca, "FILE",
		"who vouches for its certificate; else the system's authorities"),
	TEXT("--pin", NULL, 0, remote_options.pin, "SHA256",
		"the public key of its certificate, in place of authorities"),
	FLAG("--version", NULL, 0, version, "print the version"),
	FLAG("--help", "-h", 0, help, "print help; of a command, if one is named"),
	TEXT("--group", NULL, CTL_OPT_GROUP, group, "G", "the group of clients"),
	TEXT("--client", NULL, CTL_OPT_CLIENT, client, "C", "the client: address or name"),
	TEXT("--mac", NULL, CTL_OPT_MAC, mac, "MAC", "the client's Ethernet address"),
	TEXT("--vlan", NULL, CTL_OPT_MAC, vlan, "N", "the client's VLAN"),
	TEXT("--type", NULL, CTL_OPT_TYPE, type, "T", "query type; of an entry several by commas"),
	TEXT("--reply", NULL, CTL_OPT_REPLY, reply, "R",
		"how to answer: nxdomain, nodata, null, refused, servfail, drop"),
	FLAG("--invert", NULL, CTL_OPT_INVERT, invert,
		"every name that the pattern does not match"),
	TEXT("--name", NULL, CTL_OPT_NAME, name, "N", "the name, and all below it"),
	TEXT("--verdict", NULL, CTL_OPT_NAME, verdict, "V", "what weir did with the query"),
	TEXT("--part", NULL, CTL_OPT_PART, part, "TEXT", "names that have it in them"),
	TEXT("--rcode", NULL, CTL_OPT_PART, rcode, "R", "the response code: name or number"),
	TEXT("--validation", NULL, CTL_OPT_VALIDATION, validation, "W",
		"none, secure, insecure or bogus"),
	TEXT("--since", NULL, CTL_OPT_SINCE, since, "T", "from then on"),
	TEXT("--until", NULL, CTL_OPT_UNTIL, until, "T", "until then"),
	TEXT("--limit", NULL, CTL_OPT_LIMIT, limit, "N", "at most N rows"),
	TEXT("--format", NULL, CTL_OPT_FORMAT, format, "F", "the format"),
	TEXT("--output", "-o", CTL_OPT_OUTPUT, output, "FILE", "write FILE"),
	TEXT("--load", NULL, CTL_OPT_LOAD, load, "COMMAND", "the load to run meanwhile"),
	TEXT("--for", NULL, CTL_OPT_FOR, purpose, "T", "for how long, or for whom"),
	TEXT("--why", NULL, CTL_OPT_WHY, reason, "TEXT", "the reason, for the record"),
	TEXT("--role", NULL, CTL_OPT_ROLE, role, "ROLE", "sync, read, operate or admin"),
	TEXT("--expires", NULL, CTL_OPT_EXPIRES, expires, "T", "when it ends"),
	TEXT("--interface", NULL, CTL_OPT_SETUP, interface, "NAME", "the interface to answer on"),
	TEXT("--address", NULL, CTL_OPT_SETUP, address, "A[,A...]", "the addresses to answer on"),
	TEXT("--lists", NULL, CTL_OPT_SETUP, lists, "L[,L...]", "the block lists"),
	TEXT("--upstreams", NULL, CTL_OPT_SETUP, upstreams, "U[,U...]", "the upstream servers"),
	TEXT("--password-file", NULL, CTL_OPT_SETUP, password_file, "FILE",
		"the password of the page"),
	TEXT("--interval", NULL, CTL_OPT_INTERVAL, interval, "S", "seconds between two looks"),
	TEXT("--seconds", NULL, CTL_OPT_SECONDS, seconds_text, "S", "for how many seconds"),
	FLAG("--below", NULL, CTL_OPT_BELOW, below, "the name and all below it"),
	FLAG("--all", NULL, CTL_OPT_ALL, all, "everything"),
	FLAG("--rate", NULL, CTL_OPT_RATE, rate, "measure the rate"),
	FLAG("--back", NULL, CTL_OPT_BACK, back, "take it back"),
	FLAG("--force", NULL, CTL_OPT_FORCE, force, "do it all the same"),
	FLAG("--strict", NULL, CTL_OPT_STRICT, strict, "fail if anything is degraded"),
	FLAG("--cumulative", NULL, CTL_OPT_CUMULATIVE, cumulative,
		"with all that a function calls"),
	FLAG("--dry-run", NULL, CTL_OPT_DRY_RUN, dry_run, "only say what would change"),
	FLAG("--keep", NULL, CTL_OPT_KEEP, keep, "never go back by itself"),
	TEXT("--grace", NULL, CTL_OPT_DRAIN, grace, "S", "seconds until connections end"),
	FLAG("--wait", NULL, CTL_OPT_DRAIN, wait, "return when it is done"),
	FLAG("--once", NULL, CTL_OPT_ONCE, once, "until the next boot"),
	FLAG("--watch", "-w", CTL_OPT_WATCH, watch, "on the whole screen, until q"),
	FLAG("--follow", "-f", CTL_OPT_FOLLOW, follow, "go on, until interrupted"),
	FLAG("--yes", "-y", CTL_OPT_SETUP, yes, "ask nothing"),
	FLAG("--known", NULL, CTL_OPT_SETUP, known, "only list interface, addresses, names"),
	FLAG("--remove", NULL, CTL_OPT_REMOVE, remove, "end it"),
	FLAG("--allow", NULL, CTL_OPT_ALLOW, allow, "its names are allowed, not blocked"),
	FLAG("--report", NULL, CTL_OPT_REPORT, report, "for a public bug report"),
	FLAG("--own-files", NULL, CTL_OPT_OWN_FILES, own_files,
		"with its own files in place of what came from the primary"),
	FLAG("--plan", NULL, CTL_OPT_UPGRADE, plan, "print what to run, and run nothing"),
	TEXT("--to", NULL, CTL_OPT_UPGRADE, to, "VERSION", "the version that boxes are to run"),
	TEXT("--package", NULL, CTL_OPT_UPGRADE, package, "FILE|apt", "where the package is from"),
	TEXT("--ssh", NULL, CTL_OPT_UPGRADE, ssh, "USER", "the user on the boxes"),
	TEXT("--ask", NULL, CTL_OPT_UPGRADE, ask, "NAME,...", "names that each box must answer"),
	TEXT("--without", NULL, CTL_OPT_UPGRADE, without, "NAME,...", "leave out these boxes"),
	FLAG("--save", NULL, CTL_OPT_SAVE, save, "leave the findings for the page"),
};
const unsigned ctl_option_count = ARRAY_LEN(ctl_options);
#undef TEXT
#undef FLAG

int args_wrong_word(const char *what, const char *which, const char *nearest)
{
	char shown[256];
	fprintf(stderr, "weirctl: %s%s%s%s%s%s (weirctl --help)\n", what, which ? ": " : "",
		which ? term_text(which, shown, sizeof(shown)) : "",
		nearest ? "; did you mean " : "", nearest ? nearest : "", nearest ? "?" : "");
	return CTL_USAGE;
}

int args_wrong(const char *what, const char *which)
{
	return args_wrong_word(what, which, NULL);
}

static bool interval_parse(const char *text, double *out)
{
	char *end;
	double s = strtod(text, &end);
	if (end == text || *end || !(s >= 0 && s <= 3600))
		return false;
	*out = s;
	return true;
}

// Reads a number of seconds. 0: `text` is no such number, and the command refuses it.
static unsigned seconds_parse(const char *text)
{
	char *end;
	unsigned long s = *text >= '0' && *text <= '9' ? strtoul(text, &end, 10) : 0;
	return s && !*end && s <= UINT_MAX ? (unsigned)s : 0;
}

static int option_unknown(const char *arg)
{
	struct text_near near;
	text_near_begin(&near, arg);
	for (unsigned i = 0; i < ctl_option_count; i++)
		text_near_try(&near, ctl_options[i].name);
	return args_wrong_word("no such option", arg, near.best);
}

// Takes "--flag", "--option VALUE" or "--option=VALUE" at argv[*i].
static int option_take(struct ctl *c, struct args *a, char **argv, int *i)
{
	const char *arg = argv[*i];
	for (const struct ctl_option *o = ctl_options; o < ctl_options + ctl_option_count; o++) {
		void *place = (char *)c + o->offset;
		size_t len = strlen(o->name);
		bool is_named =
			strcmp(arg, o->name) == 0 || (o->alias && strcmp(arg, o->alias) == 0);
		if (is_named && o->is_flag)
			*(bool *)place = true;
		else if (is_named && !argv[*i + 1])
			return args_wrong("needs a value", arg);
		else if (is_named)
			*(const char **)place = argv[++*i];
		else if (!o->is_flag && strncmp(arg, o->name, len) == 0 && arg[len] == '=')
			*(const char **)place = arg + len + 1;
		else
			continue;
		c->is_path_given |= o == ctl_options;
		a->options |= o->option;
		return CTL_OK;
	}
	return option_unknown(arg);
}

int args_parse(char **argv, struct ctl *c, struct args *a)
{
	bool only_words = false;
	for (int i = 1; argv[i]; i++) {
		if (!only_words && strcmp(argv[i], "--") == 0) {
			only_words = true;
		} else if (only_words || argv[i][0] != '-' || !argv[i][1]) {
			if (a->words == WORDS_MAX)
				return args_wrong("too many arguments", NULL);
			a->word[a->words++] = argv[i];
		} else {
			int rc = option_take(c, a, argv, &i);
			if (rc != CTL_OK)
				return rc;
			if (c->interval && !interval_parse(c->interval, &c->interval_s))
				return args_wrong("--interval takes 0 to 3600 seconds", NULL);
		}
	}
	if (c->seconds_text)
		c->seconds = seconds_parse(c->seconds_text);
	return CTL_OK;
}
