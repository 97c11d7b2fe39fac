// SPDX-License-Identifier: BSD-3-Clause

#include "rulec.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <weir/rule_data.h>

// Lists by title or number, "," between them. False: no such list.
static bool lists_take(const struct rule_reader *r, char *text, uint64_t out[4])
{
	memset(out, 0, 4 * sizeof(*out));
	char *rest = text, *word;
	while ((word = strtok_r(rest, ",", &rest))) {
		char *end;
		unsigned long number = strtoul(word, &end, 10);
		bool found = false;
		for (unsigned i = 0; i < r->list_count; i++) {
			const struct rule_list_info *l = rule_list_info(r, i);
			bool its = *end ? l && strcmp(l->title, word) == 0 : l && number == i;
			if (its)
				out[i / 64] |= UINT64_C(1) << i % 64;
			found |= its;
		}
		if (!found)
			return false;
	}
	return true;
}

static void print_deciding(
	const struct rule_reader *r, const struct dns_name *name, const struct rule_verdict *v)
{
	char text[DNS_NAME_TEXT_MAX];
	struct dns_name rule = rule_suffix(name, v->labels);
	printf(" %s %s", dns_name_to_text(&rule, text), rule_class_name[v->d.rule_class]);
	if (v->d.action != RULE_PASS && v->d.reply != RULE_REPLY_GROUP)
		printf(" %s", rule_reply_name[v->d.reply]);
	for (unsigned i = 0; i < r->list_count; i++)
		if (v->set.lists[i / 64] >> i % 64 & 1)
			printf(" [%s]", rule_list_info(r, i)->title);
}

static void print_verdict(const struct rule_reader *r, const struct dns_name *name, uint16_t qtype,
	const struct rule_verdict *v)
{
	char text[DNS_NAME_TEXT_MAX];
	printf("%s %s", dns_name_to_text(name, text), rule_action_name[v->d.action]);
	if (v->d.matched)
		print_deciding(r, name, v);
	if (v->d.action == RULE_DATA) {
		struct dns_answer_view a;
		(void)rule_data_find(r, v->hash, v->d.list, qtype, &a);
		printf(" records=%u bytes=%u", a.ancount, a.len);
	}
	if (v->d.safe) {
		struct dns_name safe = rule_suffix(name, v->safe_labels);
		printf(" safe search by %s (list %u)", dns_name_to_text(&safe, text), v->safe_list);
	}
	putchar('\n');
}

// Every line of the standard input. What is no name gets the verdict "invalid", so that there are
// as many lines, and fails in the end.
static int query_stream(const struct rule_reader *r, uint16_t qtype, const uint64_t lists[4])
{
	char *line = NULL;
	size_t room = 0;
	bool bad = false;
	for (ssize_t len; (len = getline(&line, &room, stdin)) >= 0;) {
		struct dns_name name;
		struct rule_verdict v;
		if (len > 0 && line[len - 1] == '\n')
			len--;
		if (dns_name_from_text(line, (size_t)len, &name)) {
			puts("invalid");
			bad = true;
			continue;
		}
		rule_decide(r, &name, qtype, lists, &v);
		print_verdict(r, &name, qtype, &v);
	}
	free(line);
	if (ferror(stdin) || fflush(stdout) || ferror(stdout))
		return rulec_failed("input or output failed");
	return bad ? rulec_failed("not all lines are names") : RULEC_OK;
}

static int query(const char *path, char **names, uint16_t qtype, char *lists)
{
	uint64_t all[4] = {UINT64_MAX, UINT64_MAX, UINT64_MAX, UINT64_MAX};
	struct rule_arena image;
	struct rule_reader r;
	int status = rulec_load(path, &image, &r);
	if (status != RULEC_OK)
		return status;
	if (lists && !lists_take(&r, lists, all))
		status = rulec_failed("--lists: no such list");
	if (status == RULEC_OK && strcmp(names[0], "-") == 0 && !names[1]) {
		status = query_stream(&r, qtype, all);
		names++;
	}
	for (; status == RULEC_OK && *names; names++) {
		struct dns_name name;
		struct rule_verdict v;
		status = rulec_name(*names, &name);
		if (status != RULEC_OK)
			break;
		rule_decide(&r, &name, qtype, all, &v);
		print_verdict(&r, &name, qtype, &v);
	}
	rule_arena_free(&image);
	return status;
}

int rulec_query(int argc, char **argv)
{
	static const struct option options[] = {{"type", required_argument, NULL, 'T'},
		{"lists", required_argument, NULL, 'L'}, {NULL, 0, NULL, 0}};
	uint16_t qtype = DNS_TYPE_A;
	char *lists = NULL;
	int option;
	while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (option == 'L')
			lists = optarg;
		else if (option != 'T')
			return rulec_usage();
		else if (rulec_type(optarg, &qtype) != RULEC_OK)
			return RULEC_FAILED;
	}
	if (argc - optind < 2)
		return rulec_usage();
	return query(argv[optind], argv + optind + 1, qtype, lists);
}
