// SPDX-License-Identifier: BSD-3-Clause
#include "help.h"

#include <stdio.h>
#include <string.h>
#include <weir/text.h>

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
	for (const struct ctl_topic *t = ctl_topics; t < ctl_topics + ctl_topic_count; t++) {
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
	for (const struct ctl_option *o = ctl_options; o < ctl_options + ctl_option_count; o++)
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
	for (unsigned i = 0; i < ctl_topic_count; i++)
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
	for (unsigned i = 0; i < ctl_topic_count; i++)
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

int help_print(struct args *a, bool is_verb)
{
	const char *const *word = a->word + is_verb;
	const unsigned words = a->words - is_verb;
	int rc = CTL_OK;
	if (words == 0)
		topics_print(stdout);
	else
		rc = page_print(word[0], words > 1 ? word[1] : NULL);
	return rc == CTL_OK && fflush(stdout) != 0 ? CTL_FAILED : rc;
}

int help_usage(const struct ctl_command *cmd, const char *what)
{
	char words[64];
	command_words(cmd, words);
	fprintf(stderr, "weirctl: %s\nusage: weirctl %s %s\n", what, words, cmd->usage);
	return CTL_USAGE;
}

int help_missing(void)
{
	topics_print(stderr);
	return CTL_USAGE;
}
