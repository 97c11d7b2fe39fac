// SPDX-License-Identifier: BSD-3-Clause

#include "rulec.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <weir/rule_data.h>

static void print_sources(const struct rule_reader *r)
{
	for (unsigned i = 0; i < r->source_count; i++) {
		const struct rule_source_info *s = &r->sources[i];
		printf("source %u: %s: lines %llu, names %llu, rejected %llu\n", i, s->title,
			(unsigned long long)s->lines, (unsigned long long)s->names,
			(unsigned long long)s->rejected);
	}
}

static void print_kind(const struct rule_kind *k)
{
	static const char *const covers[] = {"nothing", "the name", "names below", "all"};
	if (k->covers != RULE_COVERS_ALL)
		printf(", covers %s", covers[k->covers]);
	if (k->reply != RULE_REPLY_GROUP)
		printf(", reply %s", rule_reply_name[k->reply]);
	for (unsigned i = 0; i < k->types.count; i++)
		printf("%s%u",
			i                 ? " "
			: k->types.except ? ", types not "
					  : ", types ",
			k->types.type[i]);
	if (k->client[0])
		printf(", for %s", k->client);
}

static void print_lists(const struct rule_reader *r)
{
	for (unsigned i = 0; i < r->list_count; i++) {
		const struct rule_list_info *l = rule_list_info(r, i);
		if (!l)
			continue;
		printf("list %u %s: %s: names %llu, repeated %llu", i,
			rule_class_name[l->kind.rule_class], l->title, (unsigned long long)l->names,
			(unsigned long long)l->duplicates);
		print_kind(&l->kind);
		putchar('\n');
	}
}

// Bytes that a terminal would not show are escaped.
static void print_patterns(const struct rule_reader *r)
{
	for (uint32_t i = 0; i < r->pattern_count; i++) {
		struct rule_pattern p;
		if (!rule_pattern_at(r, i, &p))
			continue;
		printf("pattern of list %u: %s/", p.list, p.inverts ? "all but " : "");
		for (size_t k = 0; k < p.len; k++) {
			unsigned char c = (unsigned char)p.text[k];
			printf(c >= ' ' && c < 0x7f ? "%c" : "\\x%02x", c);
		}
		puts("/");
	}
}

static void print_globs(const struct rule_reader *r)
{
	for (uint32_t i = 0; i < r->glob_count; i++) {
		struct rule_glob g;
		if (rule_glob_at(r, i, &g))
			printf("glob of list %u: %.*s\n", g.list, (int)g.len, g.text);
	}
}

static void print_prefixes(const struct rule_reader *r)
{
	for (uint32_t i = 0; i < r->prefix_count; i++) {
		struct rule_prefix_row p;
		char text[INET6_ADDRSTRLEN];
		if (rule_prefix_at(r, i, &p)
			&& inet_ntop(
				p.version == 4 ? AF_INET : AF_INET6, p.bytes, text, sizeof(text)))
			printf("prefix of list %u: %s/%u\n", p.list, text, p.length);
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
	printf("version %u, %llu bytes, made at %llu\n"
	       "names %llu, entries %llu, sets %llu\n"
	       "bloom filter %llu bytes, table %llu bytes, input hash %016llx\n",
		h->version, (unsigned long long)h->size, (unsigned long long)h->created_unix_s,
		(unsigned long long)h->names, (unsigned long long)h->entries,
		(unsigned long long)h->set_count,
		(unsigned long long)h->bloom_blocks * sizeof(struct rule_bloom_block),
		(unsigned long long)h->table_buckets * sizeof(struct rule_bucket),
		(unsigned long long)h->input_hash);
	printf("names with records %llu, answers %llu, %llu bytes; records left out %llu\n"
	       "patterns %llu, prefixes %llu, globs %llu\n",
		(unsigned long long)h->data_entries, (unsigned long long)h->answers,
		(unsigned long long)h->bytes, (unsigned long long)h->data_dropped,
		(unsigned long long)h->patterns, (unsigned long long)h->prefixes,
		(unsigned long long)h->globs);
	print_sources(&r);
	print_lists(&r);
	print_patterns(&r);
	print_prefixes(&r);
	print_globs(&r);
	rule_arena_free(&image);
	return RULEC_OK;
}
