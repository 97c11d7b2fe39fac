// SPDX-License-Identifier: BSD-3-Clause
//
// rulec: rule images offline. Compiles lists with the code of weir-controlplane, shows what an
// image holds, asks it about names.

#include "../../controlplane/rule_compile.h"
#include "../../controlplane/rule_store.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { EXIT_OK = 0, EXIT_FAILED = 1, EXIT_USAGE = 2 };

static int usage(void)
{
	fputs("usage: rulec compile -o FILE [-a ALLOWLIST]... [LIST]...\n"
	      "       rulec inspect FILE\n"
	      "       rulec query FILE NAME...\n"
	      "\n"
	      "compile  makes a rule image of block lists and allow lists (hosts format or one\n"
	      "         domain a line)\n"
	      "inspect  checks an image and prints its numbers and lists\n"
	      "query    prints for each name `block` or `pass`, the rule that decides and its "
	      "lists\n",
		stderr);
	return EXIT_USAGE;
}

static int failed(const char *why)
{
	fprintf(stderr, "rulec: %s\n", why);
	return EXIT_FAILED;
}

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

static int compile(const struct rule_source *source, unsigned count, const char *output)
{
	static struct rule_source_result result[RULE_LISTS_MAX];
	char why[RULE_COMPILE_WHY_MAX];
	struct rule_compile_options options = {.created_unix_s = (uint64_t)time(NULL)};
	struct rule_arena image;
	size_t peak;
	if (keyhash_secret_make(&options.secret))
		return failed("no random numbers");
	if (rule_compile(source, count, &options, result, &image, &peak, why))
		return failed(why);
	for (unsigned i = RULE_LIST_FIRST; i < count; i++)
		report_source(&source[i], &result[i]);
	const struct rule_image_head *h = image.base;
	printf("%s: names=%llu octets=%llu peak=%zu\n", output, (unsigned long long)h->names,
		(unsigned long long)h->size, peak);
	int err = rule_store_write(output, image.base, image.size, why);
	rule_arena_free(&image);
	return err ? failed(why) : EXIT_OK;
}

static int run_compile(int argc, char **argv)
{
	static struct rule_source source[RULE_LISTS_MAX] = {
		[RULE_LIST_ALLOW] = {.title = "allow entries"},
		[RULE_LIST_DENY] = {.title = "deny entries"}};
	unsigned count = RULE_LIST_FIRST;
	const char *output = NULL;
	for (int i = 0; i < argc; i++) {
		bool allow = strcmp(argv[i], "-a") == 0;
		bool out = strcmp(argv[i], "-o") == 0;
		if ((allow || out) && ++i == argc)
			return usage();
		if (!allow && !out && argv[i][0] == '-' && argv[i][1])
			return usage();
		if (out) {
			output = argv[i];
			continue;
		}
		if (count == RULE_LISTS_MAX)
			return failed("too many lists");
		source[count++] =
			(struct rule_source){.title = argv[i], .path = argv[i], .allow = allow};
	}
	if (!output || count == RULE_LIST_FIRST)
		return usage();
	return compile(source, count, output);
}

static int load(const char *path, struct rule_arena *image, struct rule_reader *reader)
{
	char why[RULE_STORE_WHY_MAX];
	if (rule_store_read(path, image, reader, why))
		return failed(why);
	return EXIT_OK;
}

static void print_sources(const struct rule_reader *r)
{
	for (unsigned i = 0; i < r->source_count; i++) {
		const struct rule_source_info *s = &r->sources[i];
		printf("source %u: %s: lines %llu, names %llu, rejected %llu\n", i, s->title,
			(unsigned long long)s->lines, (unsigned long long)s->names,
			(unsigned long long)s->rejected);
	}
}

static void print_lists(const struct rule_reader *r)
{
	for (unsigned i = 0; i < r->list_count; i++) {
		const struct rule_list_info *l = rule_list_info(r, i);
		if (l)
			printf("list %u %s: %s: names %llu, repeated %llu\n", i,
				rule_class_name[l->kind.rule_class], l->title,
				(unsigned long long)l->names, (unsigned long long)l->duplicates);
	}
}

static int inspect(const char *path)
{
	struct rule_arena image;
	struct rule_reader r;
	int status = load(path, &image, &r);
	if (status != EXIT_OK)
		return status;
	const struct rule_image_head *h = image.base;
	printf("version %u, %llu octets, made at %llu\n"
	       "names %llu, entries %llu, sets %llu\n"
	       "bloom filter %llu octets, table %llu octets, input hash %016llx\n",
		h->version, (unsigned long long)h->size, (unsigned long long)h->created_unix_s,
		(unsigned long long)h->names, (unsigned long long)h->entries,
		(unsigned long long)h->set_count,
		(unsigned long long)h->bloom_blocks * sizeof(struct rule_bloom_block),
		(unsigned long long)h->table_buckets * sizeof(struct rule_bucket),
		(unsigned long long)h->input_hash);
	print_sources(&r);
	print_lists(&r);
	rule_arena_free(&image);
	return EXIT_OK;
}

static void print_verdict(
	const struct rule_reader *r, const struct dns_name *name, const struct rule_verdict *v)
{
	char text[DNS_NAME_TEXT_MAX];
	printf("%s %s", dns_name_to_text(name, text), rule_action_name[v->d.action]);
	if (v->d.matched) {
		struct dns_name rule = rule_suffix(name, v->labels);
		printf(" %s", dns_name_to_text(&rule, text));
		for (unsigned i = 0; i < r->list_count; i++)
			if (v->set.lists[i / 64] >> i % 64 & 1)
				printf(" [%s]", rule_list_info(r, i)->title);
	}
	putchar('\n');
}

static int query(const char *path, char **names, int count)
{
	static const uint64_t all[4] = {UINT64_MAX, UINT64_MAX, UINT64_MAX, UINT64_MAX};
	struct rule_arena image;
	struct rule_reader r;
	int status = load(path, &image, &r);
	for (int i = 0; status == EXIT_OK && i < count; i++) {
		struct dns_name name;
		struct rule_verdict v;
		if (dns_name_from_text(names[i], strlen(names[i]), &name)) {
			status = failed("not a domain name");
			break;
		}
		rule_decide(&r, &name, DNS_TYPE_A, all, &v);
		print_verdict(&r, &name, &v);
	}
	rule_arena_free(&image);
	return status;
}

int main(int argc, char **argv)
{
	if (argc >= 2 && strcmp(argv[1], "compile") == 0)
		return run_compile(argc - 2, argv + 2);
	if (argc == 3 && strcmp(argv[1], "inspect") == 0)
		return inspect(argv[2]);
	if (argc >= 4 && strcmp(argv[1], "query") == 0)
		return query(argv[2], argv + 3, argc - 3);
	return usage();
}
