// SPDX-License-Identifier: BSD-3-Clause

#include "rulec.h"

#include <stdio.h>

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

int rulec_inspect(int argc, char **argv)
{
	struct rule_arena image;
	struct rule_reader r;
	if (argc != 2)
		return rulec_usage();
	int status = rulec_load(argv[1], &image, &r);
	if (status != RULEC_OK)
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
	printf("answers %llu, patterns %llu, prefixes %llu\n", (unsigned long long)h->answers,
		(unsigned long long)h->patterns, (unsigned long long)h->prefixes);
	print_sources(&r);
	print_lists(&r);
	rule_arena_free(&image);
	return RULEC_OK;
}
