// SPDX-License-Identifier: BSD-3-Clause

#include "controlplane/base/file_write.h"
#include "rulec.h"

#include <stdio.h>
#include <unistd.h>

static void report_source(const struct rule_source *s, const struct rule_source_result *r)
{
	char title[RULE_TITLE_MAX];
	rule_title_make(title, s->title);
	printf("%s: lines=%llu names=%llu rejected=%llu", title,
		(unsigned long long)r->counts.lines, (unsigned long long)r->counts.names,
		(unsigned long long)list_counts_rejected(&r->counts));
	for (unsigned i = 0; i < LIST_REJECT_COUNT; i++)
		if (r->counts.rejected[i])
			printf(" %s=%llu", list_reject_name[i],
				(unsigned long long)r->counts.rejected[i]);
	putchar('\n');
}

static int compile(const struct rulec_lists *lists, const char *output)
{
	static struct rule_source_result result[RULE_LISTS_MAX];
	char why[RULE_STORE_WHY_MAX];
	struct rule_arena image;
	size_t peak;
	int status = rulec_lists_compile(lists, result, &image, &peak);
	if (status != RULEC_OK)
		return status;
	for (unsigned i = RULE_LIST_FIRST; i < lists->count; i++)
		report_source(&lists->source[i], &result[i]);
	const struct rule_image_head *h = image.base;
	printf("%s: names=%llu bytes=%llu peak=%zu\n", output, (unsigned long long)h->names,
		(unsigned long long)h->size, peak);
	int err = file_write(output, image.base, image.size, why);
	rule_arena_free(&image);
	return err ? rulec_failed(why) : RULEC_OK;
}

int rulec_compile(int argc, char **argv)
{
	static struct rulec_lists lists;
	const char *output = NULL;
	int option;
	rulec_lists_begin(&lists);
	// "-": lists come in between, in their order, as options of value 1.
	while ((option = getopt(argc, argv, "-o:" RULEC_LIST_OPTIONS)) != -1) {
		if (option == 'o')
			output = optarg;
		else if (option == 1 && rulec_lists_add(&lists, optarg) != RULEC_OK)
			return RULEC_FAILED;
		else if (option != 1 && !rulec_lists_option(&lists, option, optarg))
			return rulec_usage();
	}
	if (!output || lists.count == RULE_LIST_FIRST || optind < argc)
		return rulec_usage();
	return compile(&lists, output);
}
