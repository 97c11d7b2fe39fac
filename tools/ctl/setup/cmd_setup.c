// SPDX-License-Identifier: BSD-3-Clause

// `weirctl setup`: from an installed package to a weir that serves a network
// (docs/how-to/setup.md). It asks, checks with doctor, shows what it would write, and asks before
// it does so. The end of the input, a signal and a no change nothing.

#include "doctor/doctor.h"
#include "setup_answer.h"
#include "setup_file.h"
#include "setup_known.h"
#include "setup_machine.h"
#include "setup_start.h"
#include "terminal/prompt.h"
#include "terminal/term_text.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { TRIES = 20, PASSWORD_MIN = 10 };
#define NEED_ANSWER  "an answer is needed, without \", \\ and control characters"
#define NEED_DEFAULT "no default is to be found on this machine"

// Without characters that have a meaning of their own in the file.
static bool is_plain(const char *text)
{
	for (; *text; text++)
		if ((unsigned char)*text < ' ' || *text == 0x7f || strchr("\"\\", *text))
			return false;
	return true;
}

// Of an option, or its default. CTL_OK or CTL_FAILED (said).
static int question_settle(
	struct setup *s, const struct setup_question *q, const char *answer, const char *need)
{
	char why[SETUP_WHY_MAX];
	snprintf(why, sizeof(why), "%s", need);
	const bool is_good = strcmp(answer, "keep") == 0
			     || (*answer && is_plain(answer) && q->take(s, answer, why));
	return is_good ? CTL_OK : ctl_fail(s->c, "%s: %s", q->title, why);
}

static int question_ask(
	struct setup *s, const struct setup_question *q, const char *offer, unsigned number)
{
	char answer[SETUP_ANSWER_MAX], choices[512] = "";
	char prompt[2 * SETUP_ANSWER_MAX], why[SETUP_WHY_MAX], shown[2 * SETUP_WHY_MAX];
	if (q->choices)
		q->choices(choices, sizeof(choices));
	snprintf(prompt, sizeof(prompt), "%u/%u %s%s%s%s%s%s: ", number, SETUP_QUESTIONS + 1,
		q->title, *choices ? " " : "", choices, *offer ? " [" : "", offer,
		*offer ? "]" : "");
	for (unsigned i = 0; i < TRIES; i++) {
		if (!prompt_ask(prompt, answer, sizeof(answer)))
			return ctl_fail(s->c, "no answer; nothing is changed");
		if (!*answer)
			snprintf(answer, sizeof(answer), "%s", offer);
		if (strcmp(answer, "keep") == 0)
			return CTL_OK;
		snprintf(why, sizeof(why), NEED_ANSWER);
		if (*answer && is_plain(answer) && q->take(s, answer, why))
			return CTL_OK;
		fprintf(stderr, "    %s\n", term_text(why, shown, sizeof(shown)));
	}
	return ctl_fail(s->c, "no good answer in %d tries; nothing is changed", TRIES);
}

static int questions_put(struct setup *s)
{
	const char *const given[SETUP_QUESTIONS] = {
		s->c->interface, s->c->address, s->c->lists, s->c->upstreams};
	for (unsigned i = 0; i < SETUP_QUESTIONS; i++) {
		const struct setup_question *q = &setup_questions[i];
		char offer[SETUP_ANSWER_MAX];
		if (!given[i])
			q->offer(s, offer, sizeof(offer));
		int rc = given[i]  ? question_settle(s, q, given[i], NEED_ANSWER)
			 : s->asks ? question_ask(s, q, offer, i + 1)
				   : question_settle(s, q, offer, NEED_DEFAULT);
		if (rc != CTL_OK)
			return rc;
	}
	return CTL_OK;
}

static int password_of_file(struct setup *s)
{
	const char *path = s->c->password_file;
	if (strcmp(path, "none") == 0)
		return CTL_OK;
	FILE *f = fopen(path, "re");
	if (!f)
		return ctl_fail(s->c, "%s: %s", path, strerror(errno));
	if (!fgets(s->password, sizeof(s->password), f))
		*s->password = '\0';
	char *end = strchr(s->password, '\n');
	const bool is_long = !end && !feof(f);
	fclose(f);
	if (end)
		*end = '\0';
	if (is_long)
		return ctl_fail(s->c, "%s: the password has more than %d characters", path,
			SETUP_PASSWORD_MAX - 2);
	return strlen(s->password) >= PASSWORD_MIN
		       ? CTL_OK
		       : ctl_fail(s->c, "%s: the password has less than %d characters", path,
			       PASSWORD_MIN);
}

static int password_ask(struct setup *s)
{
	char again[SETUP_PASSWORD_MAX];
	for (unsigned i = 0; i < TRIES; i++) {
		if (!prompt_secret(
			    s->has_page ? "5/5 Password of the page, 10 characters or more [keep]: "
					: "5/5 Password of the page, 10 characters or more [none: "
					  "no page]: ",
			    s->password, sizeof(s->password)))
			return ctl_fail(s->c, "no answer; nothing is changed");
		if (!*s->password || strcmp(s->password, s->has_page ? "keep" : "none") == 0) {
			*s->password = '\0';
			return CTL_OK;
		}
		if (strlen(s->password) < PASSWORD_MIN) {
			fprintf(stderr, "    it has less than %d characters\n", PASSWORD_MIN);
			continue;
		}
		if (!prompt_secret("    again: ", again, sizeof(again)))
			return ctl_fail(s->c, "no answer; nothing is changed");
		const bool is_same = strcmp(again, s->password) == 0;
		explicit_bzero(again, sizeof(again));
		if (is_same)
			return CTL_OK;
		fprintf(stderr, "    these were two different ones\n");
	}
	return ctl_fail(s->c, "no password in %d tries; nothing is changed", TRIES);
}

// CTL_OK: nothing is wrong with the machine, or --force.
static int machine_check(struct setup *s)
{
	static const char *const checks[] = {"config", "memory", "ports", "xdp", "kernel",
		"resolvconf", "port53", "upstreams", "lists", NULL};
	char path[SETUP_PATH_MAX], why[SETUP_WHY_MAX];
	unsigned wrong = 0;
	printf("\nCheck of this machine with it:\n");
	fflush(stdout);
	const bool is_made = setup_file_make(s, s->text, why);
	if (is_made)
		wrong = doctor_try(s->c, setup_file_path(s, ".setup", path), checks);
	setup_file_end(s);
	if (!is_made)
		return ctl_fail(s->c, "%s", why);
	if (wrong == 0 || s->c->force)
		return CTL_OK;
	return ctl_fail(s->c, "nothing is changed: mend what is wrong (--force: write it anyway)");
}

static int consent_ask(const struct setup *s)
{
	char answer[16];
	printf("\n%s\n"
	       "Then %s has this, and all else as it is; the file from before stays beside it,\n"
	       "and in `weirctl config history`. Both processes restart: for some seconds weir\n"
	       "answers nobody. If they do not come up, the file from before comes back.\n\n",
		s->shown, s->c->config_path);
	fflush(stdout);
	if (s->c->dry_run) {
		printf("--dry-run: nothing is changed\n");
		return CTL_OK;
	}
	if (s->c->yes)
		return CTL_OK;
	const bool is_read = prompt_ask("Write it? yes or no [no]: ", answer, sizeof(answer));
	if (is_read && (strcmp(answer, "yes") == 0 || strcmp(answer, "y") == 0))
		return CTL_OK;
	return ctl_fail(s->c, "nothing is changed");
}

static void next_print(const struct setup *s)
{
	char text[SOCKET_ADDRESS_TEXT_MAX];
	ip_address_text(&s->address[0], false, text);
	printf("\nNext: ask it from another machine (kdig @%s www.debian.org), keep this address "
	       "for\n"
	       "this machine in the router, and name it in the router as the DNS server of its "
	       "DHCP.\n",
		text);
}

static int setup_run(struct setup *s)
{
	char why[SETUP_WHY_MAX];
	if (setup_file_read(s) != CTL_OK)
		return CTL_FAILED;
	if (!setup_answer_begin(s, why))
		return ctl_fail(s->c, "%s", why);
	int rc = questions_put(s);
	if (rc == CTL_OK && s->c->password_file)
		rc = password_of_file(s);
	else if (rc == CTL_OK && s->asks)
		rc = password_ask(s);
	if (rc == CTL_OK && *s->password && !setup_answer_page(s, why))
		rc = ctl_fail(s->c, "%s", why);
	if (rc == CTL_OK && !*s->password && strcmp(s->text, s->before) == 0) {
		printf("%s has all this already: nothing is changed\n", s->c->config_path);
		return CTL_OK;
	}
	if (rc == CTL_OK)
		rc = machine_check(s);
	if (rc == CTL_OK)
		rc = consent_ask(s);
	if (rc != CTL_OK || s->c->dry_run)
		return rc;
	rc = setup_start(s);
	if (rc == CTL_OK)
		next_print(s);
	return rc;
}

// For programs that make a configuration (tools/container): the interface that the default is, or
// the one of --interface, its addresses, and the names that answers may have.
static int known_print(struct ctl *c)
{
	struct ip_address own[CONFIG_ADDRESSES_MAX];
	char name[64], why[SETUP_WHY_MAX], text[SOCKET_ADDRESS_TEXT_MAX];
	if (c->interface)
		snprintf(name, sizeof(name), "%s", c->interface);
	else
		setup_machine_interface("", name, sizeof(name));
	if (c->interface && !setup_machine_has_interface("", name, why, sizeof(why)))
		return ctl_fail(c, "%s", why);
	if (*name)
		printf("interface %s\n", name);
	const unsigned count = setup_machine_addresses(name, own, ARRAY_LEN(own));
	for (unsigned i = 0; i < count; i++)
		printf("address %s\n", ip_address_text(&own[i], true, text));
	for (unsigned i = 0; i < count; i++) {
		setup_answer_network(&own[i]);
		printf("network %s\n", ip_address_text(&own[i], true, text));
	}
	setup_known_print(setup_machine_is_ipv6_only());
	return CTL_OK;
}

int cmd_setup(struct ctl *c)
{
	if (c->known)
		return known_print(c);
	struct setup *s = calloc(1, sizeof(*s));
	if (!s)
		return ctl_fail(c, "out of memory");
	const char *const path = c->config_path; // setup_file.h sets another
	s->c = c;
	s->asks = isatty(STDIN_FILENO) && !c->yes;
	int rc;
	if (c->json)
		rc = ctl_fail(c, "setup speaks to a person; use its options without --json");
	else if (!s->asks && !c->yes)
		rc = ctl_fail(
			c, "no terminal; --yes takes options and defaults without a question");
	else if (geteuid() != 0)
		rc = ctl_fail(c, "setup needs root");
	else
		rc = setup_run(s);
	free(s->text);
	free(s->before);
	c->config_path = path;
	explicit_bzero(s, sizeof(*s));
	free(s);
	return rc;
}
