// SPDX-License-Identifier: BSD-3-Clause
// The command line of weirctl: the commands of all files in the order of the help, topics, options,
// the help itself, and main(). Each page of the help has at most 24 lines of 80 columns: a list of
// topics, a topic or verb with its commands, a command with its options, the options of every
// command.

#include "lib/ctl.h"
#include "terminal/term_text.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <weir/build.h>
#include <weir/heap_site.h>
#include <weir/shm_lost.h>
#include <weir/text.h>

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

// Finds the commands of all files. False: no memory.
static bool commands_sort(void)
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

// Commands that belong together: they have a page of the help, and a man page.
struct ctl_topic {
	const char *name, *title;
	const char *verbs; // first words of its commands, separated by blanks
};

static const struct ctl_topic ctl_topics[] = {
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

enum { WORDS_MAX = 64 };

struct args {
	const char *word[WORDS_MAX];
	unsigned words;
	uint64_t options; // CTL_OPT_* that were given
};

// An option, and its place in struct ctl, which is a text or a bool. Every command takes an option
// without a CTL_OPT_*.
struct ctl_option {
	const char *name, *alias;
	uint64_t option;
	bool is_flag;
	size_t offset;
	const char *value; // name of the value in the help; "" for a flag
	const char *help;
};

#define TEXT(name, alias, option, field, value, help)                                \
	{                                                                            \
		name, alias, option, false, offsetof(struct ctl, field), value, help \
	}
#define FLAG(name, alias, option, field, help)                                   \
	{                                                                        \
		name, alias, option, true, offsetof(struct ctl, field), "", help \
	}
static const struct ctl_option ctl_options[] = {
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
#undef TEXT
#undef FLAG

// Prints to stderr what is wrong with the command line. Returns CTL_USAGE. `nearest`: a known word,
// or NULL.
static int args_wrong_word(const char *what, const char *which, const char *nearest)
{
	char shown[256];
	fprintf(stderr, "weirctl: %s%s%s%s%s%s (weirctl --help)\n", what, which ? ": " : "",
		which ? term_text(which, shown, sizeof(shown)) : "",
		nearest ? "; did you mean " : "", nearest ? nearest : "", nearest ? "?" : "");
	return CTL_USAGE;
}

static int args_wrong(const char *what, const char *which)
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
	for (unsigned i = 0; i < ARRAY_LEN(ctl_options); i++)
		text_near_try(&near, ctl_options[i].name);
	return args_wrong_word("no such option", arg, near.best);
}

// Takes "--flag", "--option VALUE" or "--option=VALUE" at argv[*i].
static int option_take(struct ctl *c, struct args *a, char **argv, int *i)
{
	const char *arg = argv[*i];
	for (const struct ctl_option *o = ctl_options; o < ctl_options + ARRAY_LEN(ctl_options);
		o++) {
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

// Reads the options into `c`. CTL_USAGE: the error is printed.
static int args_parse(char **argv, struct ctl *c, struct args *a)
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

enum { COLUMNS = 79, OPTION_COLUMN = 24 };

// A command that is not in the table, because main() handles its word.
static const struct ctl_command help_command = {.word = "help",
	.usage = "[TOPIC|COMMAND|options|WORD]",
	.help = "Print the list of topics, the commands of a topic, how to use a command, the "
		"options of every command, or the commands in whose help a word stands."};

// Prints `text` in lines; the first line begins at column `at`, the others at `indent`.
static void text_fill(FILE *f, const char *text, int at, int indent)
{
	const char *between = "";
	for (size_t len; *text; text += len + (text[len] == ' ')) {
		len = strcspn(text, " ");
		if (*between && at + 1 + (int)len > COLUMNS) {
			fprintf(f, "\n%*s", indent, "");
			at = indent;
			between = "";
		}
		fprintf(f, "%s%.*s", between, (int)len, text);
		at += (int)(strlen(between) + len);
		between = " ";
	}
	fputc('\n', f);
}

static bool has_verb(const struct ctl_topic *t, const char *verb)
{
	const size_t len = strlen(verb);
	for (const char *at = t->verbs; (at = strstr(at, verb)); at += len)
		if ((at == t->verbs || at[-1] == ' ') && (at[len] == ' ' || !at[len]))
			return true;
	return false;
}

static void topics_print(FILE *f)
{
	fputs("usage: weirctl [OPTION]... COMMAND ...\n\n", f);
	for (const struct ctl_topic *t = ctl_topics; t < ctl_topics + ARRAY_LEN(ctl_topics); t++) {
		fprintf(f, "  %-9s %s\n%12s", t->name, t->title, "");
		text_fill(f, t->verbs, 12, 12);
	}
	fputs("\nweirctl help TOPIC|COMMAND|WORD|options; man weirctl, man weirctl-TOPIC.\n", f);
}

static int command_words(const struct ctl_command *cmd, char out[64])
{
	return snprintf(out, 64, "%s%s%s", cmd->word, cmd->second ? " " : "",
		cmd->second ? cmd->second : "");
}

static int command_names(const struct ctl_command *cmd, char out[64])
{
	const int len = command_words(cmd, out);
	return cmd->alias ? len + snprintf(out + len, (size_t)(64 - len), ", %s", cmd->alias) : len;
}

// Prints the first sentence or clause of a command's help.
static void summary_print(const struct ctl_command *cmd, int column)
{
	char words[64], summary[256];
	size_t len = 0;
	while (cmd->help[len]
		&& !(strchr(".:;", cmd->help[len]) && strchr(" ", cmd->help[len + 1])))
		len++;
	command_names(cmd, words);
	snprintf(summary, sizeof(summary), "%.*s.", (int)len, cmd->help);
	printf("  %-*s", column - 2, words);
	text_fill(stdout, summary, column, column);
}

// Prints the commands of a topic, or of a verb.
static void commands_print(const struct ctl_topic *topic, const char *verb)
{
	char words[64];
	int column = 0;
	for (unsigned pass = 0; pass < 2; pass++)
		for (unsigned i = 0; i < ctl_command_count; i++) {
			const struct ctl_command *cmd = ctl_commands[i];
			const int len = command_names(cmd, words) + 4;
			if (topic ? !has_verb(topic, cmd->word) : strcmp(verb, cmd->word) != 0)
				continue;
			if (pass == 1)
				summary_print(cmd, column);
			else if (len > column)
				column = len;
		}
}

static void option_print(const struct ctl_option *o)
{
	char words[64];
	const int len = snprintf(words, sizeof(words), "%s%s%s%s%s", o->alias ? o->alias : "",
		o->alias ? ", " : "", o->name, *o->value ? " " : "", o->value);
	printf("  %-*s ", OPTION_COLUMN - 3, words);
	text_fill(
		stdout, o->help, len + 3 > OPTION_COLUMN ? len + 3 : OPTION_COLUMN, OPTION_COLUMN);
}

static void options_print(uint64_t wanted)
{
	for (const struct ctl_option *o = ctl_options; o < ctl_options + ARRAY_LEN(ctl_options);
		o++)
		if (wanted ? o->option & wanted : !o->option)
			option_print(o);
}

static void command_print(const struct ctl_command *cmd)
{
	char usage[256];
	snprintf(usage, sizeof(usage), "%s%s%s%s%s", cmd->word, cmd->second ? " " : "",
		cmd->second ? cmd->second : "", *cmd->usage ? " " : "", cmd->usage);
	fputs("usage: weirctl ", stdout);
	text_fill(stdout, usage, 15, 4);
	fputc('\n', stdout);
	text_fill(stdout, cmd->help, 0, 0);
	if (cmd->alias)
		printf("The same: weirctl %s.\n", cmd->alias);
	if (cmd->options & ~(uint64_t)CTL_OPT_LOCAL) {
		fputc('\n', stdout);
		options_print(cmd->options & ~(uint64_t)CTL_OPT_LOCAL);
	}
	fputs(cmd->options & CTL_OPT_LOCAL ? "\nIt works on its own box alone, without --host.\n"
					   : "\n",
		stdout);
	fputs("weirctl help options: those of every command.\n", stdout);
}

static bool has_word(const struct ctl_command *cmd, const char *word)
{
	return strcasestr(cmd->word, word) || (cmd->second && strcasestr(cmd->second, word))
	       || (cmd->alias && strcasestr(cmd->alias, word)) || strcasestr(cmd->usage, word)
	       || strcasestr(cmd->help, word);
}

// Prints the commands in whose help a word stands. Returns whether there are any.
static bool search_print(const char *word)
{
	char words[64];
	int column = 0;
	for (unsigned i = 0; i < ctl_command_count; i++) {
		const int len = command_names(ctl_commands[i], words) + 4;
		if (len > column && has_word(ctl_commands[i], word))
			column = len;
	}
	if (column == 0)
		return false;
	printf("Commands with \"%s\" in their help (weirctl help COMMAND)\n\n", word);
	for (unsigned i = 0; i < ctl_command_count; i++)
		if (has_word(ctl_commands[i], word))
			summary_print(ctl_commands[i], column);
	return true;
}

static int page_unknown(const char *word)
{
	struct text_near near;
	text_near_begin(&near, word);
	text_near_try(&near, help_command.word);
	text_near_try(&near, "options");
	for (unsigned i = 0; i < ARRAY_LEN(ctl_topics); i++)
		text_near_try(&near, ctl_topics[i].name);
	for (unsigned i = 0; i < ctl_command_count; i++) {
		text_near_try(&near, ctl_commands[i]->word);
		if (ctl_commands[i]->alias)
			text_near_try(&near, ctl_commands[i]->alias);
	}
	return args_wrong_word("no such command or topic", word, near.best);
}

// Returns the number of commands with the verb `word`. *one: the only command, or that with both
// words.
static unsigned commands_of(const char *word, const char *second, const struct ctl_command **one)
{
	unsigned count = 0;
	for (unsigned i = 0; i < ctl_command_count; i++) {
		const struct ctl_command *cmd = ctl_commands[i];
		if (cmd->alias && strcmp(word, cmd->alias) == 0)
			*one = cmd;
		if (strcmp(word, cmd->word) != 0)
			continue;
		count++;
		if (cmd->second ? second && strcmp(second, cmd->second) == 0 : !*one)
			*one = cmd;
	}
	return count;
}

static int page_print(const char *word, const char *second)
{
	const struct ctl_command *one = strcmp(word, help_command.word) == 0 ? &help_command : NULL;
	const struct ctl_topic *topic = NULL;
	const unsigned count = commands_of(word, second, &one);
	for (unsigned i = 0; i < ARRAY_LEN(ctl_topics); i++)
		if (strcmp(word, ctl_topics[i].name) == 0)
			topic = &ctl_topics[i];
	if (strcmp(word, "options") == 0) {
		puts("usage: weirctl [OPTION]... COMMAND ...\n\nOptions of every command:\n");
		options_print(0);
		return CTL_OK;
	}
	if (one) {
		command_print(one);
		return CTL_OK;
	}
	if (!topic && !count)
		return search_print(word) ? CTL_OK : page_unknown(word);
	if (topic)
		printf("%s (weirctl help COMMAND)\n\n", topic->title);
	else
		printf("usage: weirctl %s COMMAND ... (weirctl help %s COMMAND)\n\n", word, word);
	commands_print(topic, word);
	return CTL_OK;
}

// A full disk or a closed pipe at stdout is a failure, too. A write that failed before is no more
// in the buffer that fflush() writes.
static int output_end(int rc)
{
	errno = 0;
	if (fflush(stdout) == 0 && !ferror(stdout))
		return rc;
	fprintf(stderr, "weirctl: the output is not whole: %s\n",
		errno ? strerror(errno) : "a write failed");
	return CTL_FAILED;
}

// Prints the page for the words after "help" (`is_verb`: the first word of `a` is "help"), or for a
// command with --help; without further words the list of topics.
static int help_print(struct args *a, bool is_verb)
{
	const char *const *word = a->word + is_verb;
	const unsigned words = a->words - is_verb;
	int rc = CTL_OK;
	if (words == 0)
		topics_print(stdout);
	else
		rc = page_print(word[0], words > 1 ? word[1] : NULL);
	return rc == CTL_OK ? output_end(rc) : rc;
}

static int help_usage(const struct ctl_command *cmd, const char *what)
{
	char words[64];
	command_words(cmd, words);
	fprintf(stderr, "weirctl: %s\nusage: weirctl %s %s\n", what, words, cmd->usage);
	return CTL_USAGE;
}

static int help_missing(void)
{
	topics_print(stderr);
	return CTL_USAGE;
}

// A command of both words comes before one whose operand the second word would be.
static const struct ctl_command *command_find(const struct args *a)
{
	const struct ctl_command *one = NULL;
	for (unsigned i = 0; i < ctl_command_count; i++) {
		const struct ctl_command *cmd = ctl_commands[i];
		if (cmd->alias && strcmp(a->word[0], cmd->alias) == 0)
			return cmd;
		if (strcmp(a->word[0], cmd->word) != 0)
			continue;
		if (!cmd->second)
			one = cmd;
		else if (a->words > 1 && strcmp(a->word[1], cmd->second) == 0)
			return cmd;
	}
	return one;
}

// Accepts the former name of `toggles`, for one version.
static void command_rename(struct args *a)
{
	if (a->words == 0 || strcmp(a->word[0], "knobs") != 0)
		return;
	fputs("weirctl: this command is now `toggles`; the next version removes the old name\n",
		stderr);
	a->word[0] = "toggles";
}

// Prints the possible second words, if weirctl knows the first.
static int command_unknown(const struct args *a)
{
	const char *between = "", *second = a->words > 1 ? a->word[1] : "";
	struct text_near first_near, second_near;
	text_near_begin(&first_near, a->word[0]);
	text_near_begin(&second_near, second);
	for (unsigned i = 0; i < ctl_command_count; i++) {
		const struct ctl_command *cmd = ctl_commands[i];
		text_near_try(&first_near, cmd->word);
		if (cmd->alias)
			text_near_try(&first_near, cmd->alias);
		if (strcmp(a->word[0], cmd->word) != 0)
			continue;
		if (!*between)
			fprintf(stderr, "weirctl: %s takes one of: ", cmd->word);
		fprintf(stderr, "%s%s", between, cmd->second);
		text_near_try(&second_near, cmd->second);
		between = ", ";
	}
	if (!*between)
		return args_wrong_word("no such command", a->word[0], first_near.best);
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
	const unsigned words = cmd->second && strcmp(a->word[0], cmd->word) == 0 ? 2 : 1;
	unsigned operands = a->words - words;
	if (operands < cmd->operands_min || operands > cmd->operands_max)
		return help_usage(cmd, operands < cmd->operands_min ? "an argument is missing"
								    : "too many arguments");
	if (c->remote_options.host && cmd->options & CTL_OPT_LOCAL)
		return args_wrong(
			"that command works on its own box alone, without --host and WEIR_HOST",
			NULL);
	if (a->options & ~cmd->options)
		return args_wrong("that command does not take such an option", NULL);
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
	return output_end(rc);
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
	build_take(&build_here);
	term_text_init();
	int rc = args_parse(argv, &c, &a);
	if (rc != CTL_OK)
		return rc;
	if (!commands_sort())
		return ctl_fail(&c, "no memory for the list of commands");
	region_lost_catch(own_regions); // other processes make the regions
	if (c.version) {
		printf("weirctl %s\n", build_here.version);
		return output_end(CTL_OK);
	}
	command_rename(&a);
	if (c.help || (a.words > 0 && strcmp(a.word[0], "help") == 0))
		return help_print(&a, !c.help);
	if (a.words == 0)
		return help_missing();
	return command_run(&c, &a);
}
