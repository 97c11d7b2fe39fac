// SPDX-License-Identifier: BSD-3-Clause
// The explanation of `weirctl why`, of lists that nobody has loaded: all of them apply, and answers
// are not checked.

#include "controlplane/answer_policy/why/why_find.h"
#include "controlplane/answer_policy/why/why_read.h"
#include "controlplane/answer_policy/why/why_steps.h"
#include "rulec.h"

#include <getopt.h>
#include <stdio.h>
#include <string.h>

static void lines_print(const struct why *w, unsigned hit)
{
	for (unsigned i = 0; i < w->lines; i++)
		if (w->line[i].hit == hit && w->line[i].line)
			printf("    line %u: %s\n", w->line[i].line, w->line[i].text);
}

static void why_print(const struct why *w)
{
	char text[WHY_TEXT_MAX];
	printf("%s\n", w->headline);
	for (unsigned i = 0; i < w->hits; i++) {
		printf("%c %s %s\n", (int)i == w->decider ? '*' : ' ', why_hit_text(w, i, text),
			why_state_text(&w->hit[i]));
		lines_print(w, i);
	}
	for (unsigned i = 0; i < w->sources; i++)
		if (*w->source[i].note)
			printf("%s: %s\n", w->source[i].title, w->source[i].note);
}

static int explain(struct why *w, const struct rulec_lists *lists, const struct rule_reader *r)
{
	static const _Atomic bool never = false;
	struct why_patterns patterns;
	why_read_name(w, 0, r);
	int err = why_patterns_copy(r, &patterns);
	if (err)
		return err;
	err = why_patterns_match(w, &patterns, &never);
	if (!err) {
		why_check(w);
		err = why_find(w, lists->source, lists->count, &never);
	}
	if (!err) {
		why_steps(w);
		why_print(w);
	}
	why_patterns_free(&patterns);
	return err;
}

static int why(const struct rulec_lists *lists, const struct dns_name *name, uint16_t qtype)
{
	static struct rule_source_result result[RULE_LISTS_MAX];
	char text[128];
	struct rule_arena image;
	struct rule_reader r;
	struct why *w;
	size_t peak;
	int status = rulec_lists_compile(lists, result, &image, &peak);
	if (status != RULEC_OK)
		return status;
	int err = rule_reader_init(&r, image.base, image.size, true, text);
	if (!err)
		err = why_new(name, qtype, &w);
	if (!err) {
		err = explain(w, lists, &r);
		why_free(w);
	}
	rule_arena_free(&image);
	return err ? rulec_failed(strerror(-err)) : RULEC_OK;
}

int rulec_why(int argc, char **argv)
{
	static const struct option options[] = {
		{"type", required_argument, NULL, 'T'}, {NULL, 0, NULL, 0}};
	static struct rulec_lists lists;
	uint16_t qtype = DNS_TYPE_A;
	struct dns_name name;
	int option;
	rulec_lists_begin(&lists);
	while ((option = getopt_long(argc, argv, "l:" RULEC_LIST_OPTIONS, options, NULL)) != -1) {
		int status = RULEC_OK;
		if (option == 'T')
			status = rulec_type(optarg, &qtype);
		else if (option == 'l')
			status = rulec_lists_add(&lists, optarg);
		else if (!rulec_lists_option(&lists, option, optarg))
			return rulec_usage();
		if (status != RULEC_OK)
			return status;
	}
	if (argc - optind != 1 || lists.count == RULE_LIST_FIRST)
		return rulec_usage();
	if (rulec_name(argv[optind], &name) != RULEC_OK)
		return RULEC_FAILED;
	return why(&lists, &name, qtype);
}
