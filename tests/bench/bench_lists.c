// SPDX-License-Identifier: BSD-3-Clause
//
// What a decision costs with one list and with 64, of the same names.
//
//   bench_lists [NAMES]
//
// Three images of NAMES names (1,000,000): all in one list; spread over 64, each name in one of
// them; spread over 64 that overlap, 3.9 lists a name.
// The images take turns, a round each, in one process, so that other load on the machine
// affects all of them; the best round of each counts. Prints cycles and ratios.

#include "controlplane/lists/rule_build.h"
#include "tests/unit/cp/lists/listgen.h"

#include <stdlib.h>
#include <sys/mman.h>
#include <weir/rule_probe.h>
#include <x86intrin.h>

enum { LISTS = 64, BATCH = 32, QUERIES = 1 << 16, ROUNDS = 100, HUGE_PAGE = 2 << 20 };
enum { ONE, SPREAD, OVERLAPPING, IMAGES };

static const char *const image_name[IMAGES] = {"one list", "64 lists", "64 that overlap"};

static void die(const char *what)
{
	fprintf(stderr, "bench_lists: %s\n", what);
	exit(1);
}

// Name i of the corpus, the same for the same number.
static struct dns_name name_at(size_t i)
{
	struct listgen g = {.state = (i + 1) * UINT64_C(0x9e3779b97f4a7c15)};
	char text[LISTGEN_NAME_MAX + 16];
	struct dns_name name;
	int len = snprintf(text, 16, "%zx", i);
	listgen_name(&g, text + len);
	if (dns_name_from_text(text, strlen(text), &name))
		die("bad generated name");
	return name;
}

// Ten subjects with four lists each that include one another and take more or less of the subject,
// eight collections that draw on all subjects, and strays.
static uint64_t overlapping(size_t i)
{
	struct listgen g = {.state = (i + 1) * UINT64_C(0xd1342543de82ef95)};
	unsigned subject = (unsigned)(listgen_next(&g) % 10);
	unsigned fame = (unsigned)(listgen_next(&g) % 100); // 0: most
	uint64_t lists = UINT64_C(1) << subject * 4;
	for (unsigned level = 1; level < 4; level++)
		if (fame < 80 - level * 20)
			lists |= UINT64_C(1) << (subject * 4 + level);
	for (unsigned k = 40; k < LISTS; k++)
		if (listgen_next(&g) % 1000 < (k < 48 ? (100 - fame) * 3 + 50 : 10))
			lists |= UINT64_C(1) << k;
	return lists;
}

static bool holds(unsigned image, unsigned list, size_t i)
{
	if (image == OVERLAPPING)
		return overlapping(i) >> list & 1;
	return list == (image == ONE ? 0 : i % LISTS);
}

// On huge pages where the kernel gives them, as the region of the workers is.
static struct rule_reader build(unsigned image, size_t count)
{
	struct keyhash_secret secret;
	struct rule_builder *b;
	struct rule_arena a;
	struct rule_reader r;
	char why[128], title[16];
	for (size_t i = 0; i < sizeof(secret.bytes); i++)
		secret.bytes[i] = (uint8_t)(i * 73 + 5);
	if (rule_builder_new(&secret, NULL, 0, &b) || rule_builder_source(b, "allow")
		|| rule_builder_source(b, "deny"))
		die("no memory");
	for (unsigned list = 0; list < (image == ONE ? 1 : LISTS); list++) {
		snprintf(title, sizeof(title), "list %u", list);
		if (rule_builder_source(b, title))
			die("build");
		for (size_t i = 0; i < count; i++) {
			if (!holds(image, list, i))
				continue;
			struct dns_name name = name_at(i);
			struct list_rule rule = rule_of_name(RULE_CLASS_BLOCK, &name);
			if (rule_builder_rule(b, &rule))
				die("build");
		}
	}
	if (rule_builder_finish(b, 0, 0, &a))
		die("build");
	rule_builder_free(b);
	const struct rule_image_head *h = a.base;
	printf("  %-16s %zu names, %zu sets, %.4f entries and %.2f bytes a name\n",
		image_name[image], (size_t)h->names, (size_t)h->set_count,
		(double)h->entries / (double)h->names, (double)h->size / (double)h->names);
	size_t size = (a.size + HUGE_PAGE - 1) / HUGE_PAGE * HUGE_PAGE;
	void *at = aligned_alloc(HUGE_PAGE, size);
	if (!at)
		die("no memory");
	(void)madvise(at, size, MADV_HUGEPAGE);
	memcpy(at, a.base, a.size);
	if (rule_reader_init(&r, at, a.size, true, why))
		die(why);
	rule_arena_free(&a);
	return r;
}

static struct dns_query *make_queries(size_t count, size_t distinct, bool listed)
{
	struct dns_query *q = calloc(QUERIES, sizeof(*q));
	struct listgen g = {.state = 99};
	if (!q)
		die("no memory");
	for (size_t i = 0; i < QUERIES; i++) {
		size_t pick = listgen_next(&g) % distinct * (count / distinct);
		struct dns_name name = name_at(pick);
		if (!listed) // the same shape, but in no list
			name.wire[1] = '-';
		q[i].name = name;
		for (unsigned k = 0, off = 0; k < name.labels; k++) {
			q[i].label_off[k] = (uint8_t)off;
			off += name.wire[off] + 1U;
		}
	}
	return q;
}

// Cycles a query of all queries, in the packet path's passes.
static double ask_all(const struct rule_reader *r, const struct dns_query *q, bool listed)
{
	static const uint64_t group[4] = {UINT64_MAX, UINT64_MAX, UINT64_MAX, UINT64_MAX};
	static struct rule_probe probe[BATCH];
	static struct dns_query batch[BATCH]; // as the parser leaves them: in cache
	uint64_t took = 0, hits = 0;
	for (size_t i = 0; i < QUERIES; i += BATCH) {
		memcpy(batch, &q[i], sizeof(batch));
		uint64_t start = __rdtsc();
		for (unsigned k = 0; k < BATCH; k++)
			rule_probe_hash(r, &batch[k], &probe[k]);
		for (unsigned k = 0; k < BATCH; k++)
			rule_probe_bloom(r, &probe[k]);
		for (unsigned k = 0; k < BATCH; k++)
			if (probe[k].candidates)
				rule_probe_reach(r, &probe[k]);
		for (unsigned k = 0; k < BATCH; k++)
			hits += probe[k].candidates
				&& rule_probe_decide(
					   r, &probe[k], batch[k].name.labels, DNS_TYPE_A, group)
						   .action
					   == RULE_BLOCK;
		took += __rdtsc() - start;
	}
	if (hits != (listed ? QUERIES : 0))
		die("wrong decisions");
	return (double)took / QUERIES;
}

static void compare(
	const struct rule_reader *r, size_t count, size_t distinct, bool listed, const char *what)
{
	double best[IMAGES] = {1e9, 1e9, 1e9};
	struct dns_query *q = make_queries(count, distinct, listed);
	for (unsigned round = 0; round < ROUNDS * IMAGES; round++) {
		unsigned i = round % IMAGES;
		double took = ask_all(&r[i], q, listed);
		best[i] = took < best[i] ? took : best[i];
	}
	printf("  %-20s one %6.1f cycles; 64 lists %6.1f, ratio %.3f; overlapping %6.1f, ratio "
	       "%.3f\n",
		what, best[ONE], best[SPREAD], best[SPREAD] / best[ONE], best[OVERLAPPING],
		best[OVERLAPPING] / best[ONE]);
	free(q);
}

int main(int argc, char **argv)
{
	size_t count = argc > 1 ? strtoul(argv[1], NULL, 10) : 1000000;
	struct rule_reader r[IMAGES];
	if (count < 1000)
		die("at least 1000 names");
	for (unsigned i = 0; i < IMAGES; i++)
		r[i] = build(i, count);
	compare(r, count, count, false, "pass, all names");
	compare(r, count, 1000, false, "pass, 1,000 names");
	compare(r, count, count, true, "listed, all names");
	compare(r, count, 1000, true, "listed, 1,000 names");
	return 0;
}
