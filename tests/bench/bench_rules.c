// SPDX-License-Identifier: BSD-3-Clause
//
// What a decision by the rule image costs, and how many sets and bytes realistic lists need.
//
//   bench_rules [NAMES]
//
// 60 lists over NAMES names (1,000,000): ten subjects with four lists each that include one another
// and take more or less of the subject, eight collections that draw on all subjects, and strays.
// The first of 32 groups has all lists, the others a random half each. Prints, for each kind of
// query, cycles per decision in batches of 32 (best of several rounds), with one group and with 32.

#include "controlplane/lists/rule_build.h"
#include "tests/unit/cp/lists/listgen.h"

#include <stdbool.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <time.h>
#include <weir/rule_probe.h>
#include <x86intrin.h>

enum { LISTS = 60, GROUPS = 32, BATCH = 32, QUERIES = 1 << 16, ROUNDS = 7 };

struct bench {
	size_t count;
	uint8_t (*name)[LISTGEN_NAME_MAX / 2]; // first byte: length of the text behind it
	uint64_t *member;                      // bit per list
	uint64_t group[GROUPS][4];
};

static void die(const char *what)
{
	fprintf(stderr, "bench_rules: %s\n", what);
	exit(1);
}

static struct dns_name name_at(const struct bench *b, size_t i)
{
	struct dns_name name;
	const char *text = (const char *)b->name[i] + 1;
	if (dns_name_from_text(text, b->name[i][0], &name))
		die("bad generated name");
	return name;
}

// Which lists hold a name (a negative percentage: the first, always), by its subject and by how
// well known it is (0: most).
static uint64_t draw_lists(struct listgen *g, int noise_percent)
{
	if (noise_percent < 0)
		return 1;
	unsigned subject = (unsigned)(listgen_next(g) % 10);
	unsigned fame = (unsigned)(listgen_next(g) % 100);
	uint64_t lists = UINT64_C(1) << subject * 4;
	for (unsigned level = 1; level < 4; level++)
		if (fame < 80 - level * 20)
			lists |= UINT64_C(1) << (subject * 4 + level);
	for (unsigned i = 40; i < 48; i++)
		if (listgen_next(g) % 100 < (100 - fame) / 3 + 5)
			lists |= UINT64_C(1) << i;
	for (unsigned i = 48; i < LISTS; i++)
		if (listgen_next(g) % 1000 < 10 + (unsigned)noise_percent * 10)
			lists |= UINT64_C(1) << i;
	return lists;
}

static void generate(struct bench *b, size_t count, int noise_percent)
{
	struct listgen g = {.state = (uint64_t)(12345 + noise_percent)};
	char text[LISTGEN_NAME_MAX];
	b->count = count;
	b->name = malloc(count * sizeof(*b->name));
	b->member = malloc(count * sizeof(*b->member));
	if (!b->name || !b->member)
		die("no memory");
	for (size_t i = 0; i < count; i++) {
		do
			listgen_name(&g, text);
		while (strlen(text) >= sizeof(*b->name) - 1);
		b->name[i][0] = (uint8_t)strlen(text);
		memcpy(b->name[i] + 1, text, strlen(text));
		b->member[i] = draw_lists(&g, noise_percent);
	}
	for (unsigned j = 0; j < GROUPS; j++) {
		b->group[j][0] = 0;
		for (unsigned i = 0; i < LISTS; i++)
			if (j == 0 || listgen_next(&g) % 2)
				b->group[j][0] |= UINT64_C(1) << (i + RULE_LIST_FIRST);
		memset(&b->group[j][1], 0, 24);
	}
}

static int compare_u64(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
	return x < y ? -1 : x > y;
}

static size_t count_distinct(const struct bench *b)
{
	size_t distinct = 0;
	uint64_t *sorted = malloc(b->count * sizeof(*sorted));
	if (!sorted)
		die("no memory");
	memcpy(sorted, b->member, b->count * sizeof(*sorted));
	qsort(sorted, b->count, sizeof(*sorted), compare_u64);
	for (size_t i = 0; i < b->count; i++)
		distinct += i == 0 || sorted[i] != sorted[i - 1];
	free(sorted);
	return distinct;
}

static void build(const struct bench *b, struct rule_arena *image)
{
	struct keyhash_secret secret;
	struct rule_builder *rb;
	size_t pairs = 0;
	clock_t start = clock();
	memset(&secret, 7, sizeof(secret));
	for (size_t i = 0; i < sizeof(secret.bytes); i++)
		secret.bytes[i] = (uint8_t)(i * 73 + 5);
	if (rule_builder_new(&secret, NULL, 0, &rb))
		die("no memory");
	for (unsigned list = 0; list < LISTS + RULE_LIST_FIRST; list++) {
		if (rule_builder_source(rb, "list"))
			die("build");
		for (size_t i = 0; list >= RULE_LIST_FIRST && i < b->count; i++) {
			if (!(b->member[i] >> (list - RULE_LIST_FIRST) & 1))
				continue;
			struct dns_name name = name_at(b, i);
			pairs++;
			struct list_rule rule = rule_of_name(RULE_CLASS_BLOCK, &name);
			if (rule_builder_rule(rb, &rule))
				die("build");
		}
	}
	if (rule_builder_finish(rb, 0, 0, image))
		die("build");
	const struct rule_image_head *h = image->base;
	double names = (double)h->names;
	printf("  %zu names in %u lists, %.1f lists a name: %zu combinations drawn, %zu sets, "
	       "%.4f entries a name\n",
		(size_t)h->names, LISTS, (double)pairs / (double)b->count, count_distinct(b),
		(size_t)h->set_count, (double)h->entries / names);
	printf("  bytes a name: %.2f (bloom %.2f, table %.2f, sets %.2f); peak of the build %.2f; "
	       "%.2f s\n",
		(double)h->size / names,
		(double)h->bloom_blocks * sizeof(struct rule_bloom_block) / names,
		(double)h->table_buckets * 64 / names, (double)h->set_count * 32 / names,
		(double)rule_builder_peak_bytes(rb) / names,
		(double)(clock() - start) / CLOCKS_PER_SEC);
	rule_builder_free(rb);
}

static struct dns_query *make_queries(const struct bench *b, bool listed, size_t distinct)
{
	struct dns_query *q = calloc(QUERIES, sizeof(*q));
	struct listgen g = {.state = 99};
	char text[LISTGEN_NAME_MAX + 8];
	if (!q)
		die("no memory");
	for (size_t i = 0; i < QUERIES; i++) {
		size_t pick = listgen_next(&g) % distinct * (b->count / distinct);
		struct dns_name name = name_at(b, pick);
		if (!listed) { // the same shape, but not in any list
			snprintf(text, sizeof(text), "%.*s", b->name[pick][0],
				(const char *)b->name[pick] + 1);
			strcat(text, "zz");
			if (dns_name_from_text(text, strlen(text), &name))
				die("bad generated name");
		}
		q[i].name = name;
		for (unsigned k = 0, off = 0; k < name.labels; k++) {
			q[i].label_off[k] = (uint8_t)off;
			off += name.wire[off] + 1U;
		}
	}
	return q;
}

static void measure(const struct rule_reader *r, const struct bench *b, const struct dns_query *q,
	bool listed, unsigned groups, const char *what)
{
	static struct rule_probe probe[BATCH];
	static struct dns_query batch[BATCH]; // as the parser leaves them: in cache
	uint64_t best = UINT64_MAX, hits = 0, candidates = 0, hashes = 0;
	for (unsigned round = 0; round < ROUNDS; round++) {
		uint64_t took = 0;
		hits = candidates = hashes = 0;
		for (size_t i = 0; i < QUERIES; i += BATCH) {
			memcpy(batch, &q[i], sizeof(batch));
			uint64_t start = __rdtsc();
			for (unsigned k = 0; k < BATCH; k++)
				rule_probe_hash(r, &batch[k], &probe[k]);
			for (unsigned k = 0; k < BATCH; k++)
				rule_probe_bloom(r, &probe[k]);
			for (unsigned k = 0; k < BATCH; k++) {
				if (probe[k].candidates)
					rule_probe_reach(r, &probe[k]);
			}
			for (unsigned k = 0; k < BATCH; k++) {
				hits += probe[k].candidates
					&& rule_probe_decide(r, &probe[k], batch[k].name.labels,
						   DNS_TYPE_A, b->group[(i + k) % groups])
							   .action
						   == RULE_BLOCK;
			}
			took += __rdtsc() - start;
			for (unsigned k = 0; k < BATCH; k++) {
				candidates += (unsigned)__builtin_popcountll(probe[k].candidates);
				hashes += probe[k].count;
			}
		}
		best = took < best ? took : best;
	}
	// The first group has all lists; what is not listed is blocked for nobody.
	if (listed ? groups == 1 && hits != QUERIES : hits > 0)
		die("wrong decisions");
	printf("  %-26s %2u groups: %6.1f cycles; %.2f hashes, %.4f candidates, %.3f blocked\n",
		what, groups, (double)best / QUERIES, (double)hashes / QUERIES,
		(double)candidates / QUERIES, (double)hits / QUERIES);
}

// On huge pages where the kernel gives them, as the region of the workers is.
static void move_to_huge_pages(struct rule_arena *image)
{
	enum { HUGE_PAGE = 2 << 20 };
	size_t size = (image->size + HUGE_PAGE - 1) / HUGE_PAGE * HUGE_PAGE;
	uint8_t *at = mmap(
		NULL, size + HUGE_PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (at == MAP_FAILED)
		die("no memory");
	at += HUGE_PAGE - (uintptr_t)at % HUGE_PAGE;
	(void)madvise(at, size, MADV_HUGEPAGE);
	const struct rule_arena moved = {.base = at, .size = image->size};
	memcpy(at, image->base, image->size);
	rule_arena_free(image);
	*image = moved;
}

static void run(size_t names, int noise_percent)
{
	struct bench b;
	struct rule_arena image;
	struct rule_reader r;
	char why[128];
	if (noise_percent < 0)
		printf("%zu names drawn, all in one list\n", names);
	else
		printf("%zu names drawn, %d %% strays\n", names, noise_percent);
	generate(&b, names, noise_percent);
	build(&b, &image);
	move_to_huge_pages(&image);
	if (rule_reader_init(&r, image.base, image.size, true, why))
		die(why);
	static const unsigned group_counts[] = {1, GROUPS};
	for (unsigned i = 0; i < 2; i++) {
		for (unsigned listed = 0; listed < 2; listed++) {
			for (unsigned hot = 0; hot < 2; hot++) {
				struct dns_query *q =
					make_queries(&b, listed, hot ? 1000 : b.count);
				char what[64];
				snprintf(what, sizeof(what), "%s, %s", listed ? "listed" : "pass",
					hot ? "1,000 names" : "all names");
				measure(&r, &b, q, listed, group_counts[i], what);
				free(q);
			}
		}
	}
	rule_arena_free(&image);
	free(b.name);
	free(b.member);
}

int main(int argc, char **argv)
{
	size_t names = argc > 1 ? strtoul(argv[1], NULL, 10) : 1000000;
	if (names < 1000)
		die("at least 1000 names");
	run(names, -1);
	run(names, 0);
	run(names, 4);
	return 0;
}
