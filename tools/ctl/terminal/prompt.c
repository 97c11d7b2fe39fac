// SPDX-License-Identifier: BSD-3-Clause
#include "prompt.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>
#include <weir/attr.h>

static const int ends[] = {SIGHUP, SIGINT, SIGTERM};
static volatile sig_atomic_t ended_by;

static void end_note(int number)
{
	ended_by = number;
}

bool prompt_line(char *out, size_t cap)
{
	if (!fgets(out, (int)cap, stdin))
		return false;
	const size_t len = strcspn(out, "\n");
	const bool whole = out[len] == '\n' || feof(stdin);
	out[len] = '\0';
	return whole;
}

bool prompt_ask(const char *prompt, char *out, size_t cap)
{
	fputs(prompt, stderr);
	return prompt_line(out, cap);
}

bool prompt_secret(const char *prompt, char *out, size_t cap)
{
	struct termios was, quiet;
	struct sigaction before[ARRAY_LEN(ends)];
	const struct sigaction note = {.sa_handler = end_note}; // no SA_RESTART: read() ends
	if (tcgetattr(STDIN_FILENO, &was) < 0)
		return false;
	quiet = was;
	quiet.c_lflag &= ~(tcflag_t)ECHO;
	ended_by = 0;
	for (size_t i = 0; i < ARRAY_LEN(ends); i++)
		sigaction(ends[i], &note, &before[i]);
	// Echo ends before the prompt: TCSAFLUSH drops input that comes earlier.
	const bool is_quiet = tcsetattr(STDIN_FILENO, TCSAFLUSH, &quiet) == 0;
	const bool is_read = is_quiet && prompt_ask(prompt, out, cap);
	(void)tcsetattr(STDIN_FILENO, TCSAFLUSH, &was);
	fputc('\n', stderr);
	for (size_t i = 0; i < ARRAY_LEN(ends); i++)
		sigaction(ends[i], &before[i], NULL);
	if (ended_by)
		raise(ended_by);
	return is_read && !ended_by;
}
