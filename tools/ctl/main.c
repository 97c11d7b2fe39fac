// SPDX-License-Identifier: BSD-3-Clause

#include "args.h"
#include "help.h"
#include "terminal/term_text.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <weir/build.h>
#include <weir/shm_lost.h>
#include <weir/text.h>

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
	// A full disk or a closed pipe at stdout is a failure, too.
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
		return CTL_OK;
	}
	command_rename(&a);
	if (c.help || (a.words > 0 && strcmp(a.word[0], "help") == 0))
		return help_print(&a, !c.help);
	if (a.words == 0)
		return help_missing();
	return command_run(&c, &a);
}
