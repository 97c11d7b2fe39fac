// SPDX-License-Identifier: BSD-3-Clause

#include "lib/ctl.h"
#include "lib/term_text.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <weir/shm_lost.h>
#include <weir/text.h>

static void command_line(FILE *f, const struct ctl_command *cmd)
{
	char words[256];
	snprintf(words, sizeof(words), "%s%s%s%s%s", cmd->word, cmd->second ? " " : "",
		cmd->second ? cmd->second : "", *cmd->usage ? " " : "", cmd->usage);
	// One that does not fit its column has its help on a line of its own.
	fprintf(f, "  %-36s%s%s\n", words,
		strlen(words) > 36 ? "\n                                       " : " ", cmd->help);
}

// All commands, those of one word, or one command.
static void usage_print(FILE *f, const char *word, const char *second)
{
	fprintf(f, "usage: weirctl [-c FILE] [--json] COMMAND ...\n\n");
	for (unsigned i = 0; i < ctl_command_count; i++) {
		const struct ctl_command *cmd = &ctl_commands[i];
		if (word && strcmp(word, cmd->word) != 0)
			continue;
		if (word && second && cmd->second && strcmp(second, cmd->second) != 0)
			continue;
		command_line(f, cmd);
	}
	fprintf(f, "\n"
		   "  -c FILE    configuration; else $WEIR_CONFIG, else " WEIR_CONFIG_DEFAULT "\n"
		   "  --host BOX[:PORT]  speak to another box over HTTPS (port 9953); else "
		   "$WEIR_HOST\n"
		   "  --token-file FILE  the token for it; else $WEIR_TOKEN_FILE\n"
		   "  --ca FILE          who vouches for its certificate; else the system's "
		   "authorities\n"
		   "  --pin SHA256       the public key of its certificate, in place of "
		   "authorities\n"
		   "  --json     print JSON\n"
		   "  --version, --help\n\n"
		   "Exit status: 0 done, 1 failed, 2 wrong usage.\n");
}

// `nearest`: a word that weirctl knows, or NULL.
static int usage_wrong_word(const char *what, const char *which, const char *nearest)
{
	char shown[256];
	fprintf(stderr, "weirctl: %s%s%s%s%s%s (weirctl --help)\n", what, which ? ": " : "",
		which ? term_text(which, shown, sizeof(shown)) : "",
		nearest ? "; did you mean " : "", nearest ? nearest : "", nearest ? "?" : "");
	return CTL_USAGE;
}

static int usage_wrong(const char *what, const char *which)
{
	return usage_wrong_word(what, which, NULL);
}

enum { WORDS_MAX = 64 };

struct args {
	const char *word[WORDS_MAX];
	unsigned words;
	unsigned options; // CTL_OPT_* that were given
};

static bool interval_parse(const char *text, double *out)
{
	char *end;
	double s = strtod(text, &end);
	if (end == text || *end || !(s >= 0 && s <= 3600))
		return false;
	*out = s;
	return true;
}

// 0: not a number of seconds, which the command then refuses.
static unsigned seconds_parse(const char *text)
{
	char *end;
	unsigned long s = *text >= '0' && *text <= '9' ? strtoul(text, &end, 10) : 0;
	return s && !*end && s <= UINT_MAX ? (unsigned)s : 0;
}

// Options, and their places in struct ctl: of a text, or of a bool.
static const struct option {
	const char *name, *alias;
	unsigned option;
	bool is_flag;
	size_t offset;
} options[] = {
#define TEXT(name, option, field)                                      \
	{                                                              \
		name, NULL, option, false, offsetof(struct ctl, field) \
	}
#define FLAG(name, alias, option, field)                               \
	{                                                              \
		name, alias, option, true, offsetof(struct ctl, field) \
	}
	{"--config", "-c", 0, false, offsetof(struct ctl, config_path)},
	TEXT("--group", CTL_OPT_GROUP, group),
	TEXT("--client", CTL_OPT_CLIENT, client),
	TEXT("--mac", CTL_OPT_MAC, mac),
	TEXT("--vlan", CTL_OPT_MAC, vlan),
	TEXT("--type", CTL_OPT_MAC, type),
	TEXT("--name", CTL_OPT_NAME, name),
	TEXT("--verdict", CTL_OPT_NAME, verdict),
	TEXT("--part", CTL_OPT_PART, part),
	TEXT("--rcode", CTL_OPT_PART, rcode),
	TEXT("--validation", CTL_OPT_VALIDATION, validation),
	TEXT("--since", CTL_OPT_SINCE, since),
	TEXT("--until", CTL_OPT_UNTIL, until),
	TEXT("--limit", CTL_OPT_LIMIT, limit),
	TEXT("--format", CTL_OPT_FORMAT, format),
	TEXT("-o", CTL_OPT_OUTPUT, output),
	TEXT("--load", CTL_OPT_LOAD, load),
	TEXT("--for", CTL_OPT_FOR, purpose),
	TEXT("--why", CTL_OPT_WHY, reason),
	TEXT("--role", CTL_OPT_ROLE, role),
	TEXT("--expires", CTL_OPT_ROLE, expires),
	TEXT("--interface", CTL_OPT_SETUP, interface),
	TEXT("--address", CTL_OPT_SETUP, address),
	TEXT("--lists", CTL_OPT_SETUP, lists),
	TEXT("--upstreams", CTL_OPT_SETUP, upstreams),
	TEXT("--password-file", CTL_OPT_SETUP, password_file),
	TEXT("--host", 0, remote_options.host),
	TEXT("--token-file", 0, remote_options.token_file),
	TEXT("--ca", 0, remote_options.ca),
	TEXT("--pin", 0, remote_options.pin),
	FLAG("--json", NULL, 0, json),
	FLAG("--below", NULL, CTL_OPT_BELOW, below),
	FLAG("--all", NULL, CTL_OPT_ALL, all),
	FLAG("--rate", NULL, CTL_OPT_RATE, rate),
	FLAG("--force", NULL, CTL_OPT_FORCE, force),
	FLAG("--strict", NULL, CTL_OPT_STRICT, strict),
	FLAG("--cumulative", NULL, CTL_OPT_CUMULATIVE, cumulative),
	FLAG("--dry-run", NULL, CTL_OPT_DRY_RUN, dry_run),
	FLAG("--keep", NULL, CTL_OPT_KEEP, keep),
	FLAG("--once", NULL, CTL_OPT_ONCE, once),
	FLAG("--watch", "-w", CTL_OPT_WATCH, watch),
	FLAG("--follow", "-f", CTL_OPT_FOLLOW, follow),
	FLAG("--yes", "-y", CTL_OPT_SETUP, yes),
	FLAG("--remove", NULL, CTL_OPT_REMOVE, remove),
	TEXT("--interval", CTL_OPT_INTERVAL, interval),
	TEXT("--seconds", CTL_OPT_SECONDS, seconds_text),
	FLAG("--help", "-h", 0, help),
	FLAG("--version", NULL, 0, version),
#undef TEXT
#undef FLAG
};

static int option_unknown(const char *arg)
{
	struct text_near near;
	text_near_begin(&near, arg);
	for (unsigned i = 0; i < ARRAY_LEN(options); i++)
		text_near_try(&near, options[i].name);
	return usage_wrong_word("no such option", arg, near.best);
}

// "--flag", "--option VALUE" or "--option=VALUE" at argv[*i].
static int option_take(struct ctl *c, struct args *a, char **argv, int *i)
{
	const char *arg = argv[*i];
	for (const struct option *o = options; o < options + ARRAY_LEN(options); o++) {
		void *place = (char *)c + o->offset;
		size_t len = strlen(o->name);
		bool is_named =
			strcmp(arg, o->name) == 0 || (o->alias && strcmp(arg, o->alias) == 0);
		if (is_named && o->is_flag)
			*(bool *)place = true;
		else if (is_named && !argv[*i + 1])
			return usage_wrong("needs a value", arg);
		else if (is_named)
			*(const char **)place = argv[++*i];
		else if (!o->is_flag && strncmp(arg, o->name, len) == 0 && arg[len] == '=')
			*(const char **)place = arg + len + 1;
		else
			continue;
		c->is_path_given |= o == options;
		a->options |= o->option;
		return CTL_OK;
	}
	return option_unknown(arg);
}

static int args_parse(char **argv, struct ctl *c, struct args *a)
{
	bool only_words = false;
	for (int i = 1; argv[i]; i++) {
		if (!only_words && strcmp(argv[i], "--") == 0) {
			only_words = true;
		} else if (only_words || argv[i][0] != '-' || !argv[i][1]) {
			if (a->words == WORDS_MAX)
				return usage_wrong("too many arguments", NULL);
			a->word[a->words++] = argv[i];
		} else {
			int rc = option_take(c, a, argv, &i);
			if (rc != CTL_OK)
				return rc;
			if (c->interval && !interval_parse(c->interval, &c->interval_s))
				return usage_wrong("--interval takes 0 to 3600 seconds", NULL);
		}
	}
	if (c->seconds_text)
		c->seconds = seconds_parse(c->seconds_text);
	return CTL_OK;
}

static const struct ctl_command *command_find(const struct args *a)
{
	for (unsigned i = 0; i < ctl_command_count; i++) {
		const struct ctl_command *cmd = &ctl_commands[i];
		if (strcmp(a->word[0], cmd->word) == 0
			&& (!cmd->second || (a->words > 1 && strcmp(a->word[1], cmd->second) == 0)))
			return cmd;
	}
	return NULL;
}

// The former name of `toggles`, for one version.
static void command_rename(struct args *a)
{
	if (a->words == 0 || strcmp(a->word[0], "knobs") != 0)
		return;
	fputs("weirctl: this command is now `toggles`; the next version removes the old name\n",
		stderr);
	a->word[0] = "toggles";
}

// Names the second words there are, where weirctl knows the first.
static int command_unknown(const struct args *a)
{
	const char *between = "", *second = a->words > 1 ? a->word[1] : "";
	struct text_near first_near, second_near;
	text_near_begin(&first_near, a->word[0]);
	text_near_begin(&second_near, second);
	for (unsigned i = 0; i < ctl_command_count; i++) {
		const struct ctl_command *cmd = &ctl_commands[i];
		text_near_try(&first_near, cmd->word);
		if (strcmp(a->word[0], cmd->word) != 0)
			continue;
		if (!*between)
			fprintf(stderr, "weirctl: %s takes one of: ", cmd->word);
		fprintf(stderr, "%s%s", between, cmd->second);
		text_near_try(&second_near, cmd->second);
		between = ", ";
	}
	if (!*between)
		return usage_wrong_word("no such command", a->word[0], first_near.best);
	if (second_near.best)
		fprintf(stderr, "; did you mean %s?", second_near.best);
	fputs(" (weirctl --help)\n", stderr);
	return CTL_USAGE;
}

static int command_run(struct ctl *c, const struct args *a)
{
	const struct ctl_command *cmd = command_find(a);
	if (!cmd)
		return command_unknown(a);
	unsigned words = cmd->second ? 2 : 1;
	unsigned operands = a->words - words;
	if (operands < cmd->operands_min || operands > cmd->operands_max)
		return usage_wrong(operands < cmd->operands_min ? "an argument is missing"
								: "too many arguments",
			NULL);
	if (c->remote_options.host && cmd->options & CTL_OPT_LOCAL)
		return usage_wrong(
			"that command works on its own box alone, without --host and WEIR_HOST",
			NULL);
	if (a->options & ~cmd->options)
		return usage_wrong("that command does not take such an option", NULL);
	c->given = a->options;
	c->operands = a->word + words;
	c->operand_count = operands;
	c->operand = operands ? a->word[words] : NULL;
	if (operands > 1)
		c->type = a->word[words + 1];
	if (operands > 2)
		c->third = a->word[words + 2];
	int rc = cmd->run(c);
	ctl_close(c);
	// A full disk or closed pipe behind us is a failure too.
	return fflush(stdout) == 0 ? rc : CTL_FAILED;
}

static const char *env_text(const char *name)
{
	const char *text = getenv(name);
	return text && *text ? text : NULL;
}

int main(int, char **argv)
{
	static const char *const own_regions[] = {NULL};
	const char *env = getenv("WEIR_CONFIG");
	struct ctl c = {.config_path = env && *env ? env : WEIR_CONFIG_DEFAULT,
		.is_path_given = env && *env,
		.interval_s = 1,
		.seconds = 3};
	struct args a = {0};
	c.remote_options.host = env_text("WEIR_HOST");
	c.remote_options.token_file = env_text("WEIR_TOKEN_FILE");
	term_text_init();
	int rc = args_parse(argv, &c, &a);
	if (rc != CTL_OK)
		return rc;
	region_lost_catch(own_regions); // we read what others make
	if (c.version) {
		printf("weirctl %s\n", WEIR_VERSION);
		return CTL_OK;
	}
	command_rename(&a);
	bool help = a.words > 0 && strcmp(a.word[0], "help") == 0;
	if (help) {
		for (unsigned i = 0; i + 1 < a.words; i++)
			a.word[i] = a.word[i + 1];
		a.words--;
	}
	if (help || c.help) {
		usage_print(stdout, a.words > 0 ? a.word[0] : NULL, a.words > 1 ? a.word[1] : NULL);
		return fflush(stdout) == 0 ? CTL_OK : CTL_FAILED;
	}
	if (a.words == 0) {
		usage_print(stderr, NULL, NULL);
		return CTL_USAGE;
	}
	return command_run(&c, &a);
}
