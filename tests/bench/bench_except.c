// SPDX-License-Identifier: BSD-3-Clause
//
// What a decision costs where exceptions of many lists meet at a name: beside one list's.
//
//   bench_except [ZONES]
//
// Two images of ZONES zones (1,000), each blocked but for one name below it ($denyallow): by one
// list, and by 120. Questions below the exceptions, which all pass. The images take turns,
// a round each, in one process; of each its best round counts.

#include "bench_row.h"
#include "controlplane/rule_image/rule_build.h"
#include "cycles.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <weir/rule_probe.h>

enum { MANY = 120, BATCH = 32, QUERIES = 1 << 13, ROUNDS = 200 };
enum { ONE, ALL, IMAGES };

static _Noreturn void die(const char *what)
{
	fprintf(stderr, "bench_except: %s\n", what);
	exit(1);
}

static struct dns_name name_of(const char *below, size_t zone)
{
	char text[64];
	struct dns_name name;
	snprintf(text, sizeof(text), "%szone%zx.example", below, zone);
	if (dns_name_from_text(text, strlen(text), &name))
		die("bad name");
	return name;
}

static void add_rules(
	struct rule_builder *b, enum rule_class rule_class, const char *below, size_t zones)
{
	for (size_t i = 0; i < zones; i++) {
		struct dns_name name = name_of(below, i);
		struct list_rule rule = rule_of_name(rule_class, &name);
		rule.kind.base = (uint8_t)(rule_class == RULE_CLASS_EXCEPT ? name.labels - 1U
									   : RULE_EXCEPTED);
		if (rule_builder_rule(b, &rule))
			die("build");
	}
}

static struct rule_reader build(unsigned lists, size_t zones)
{
	const struct keyhash_secret secret = {.bytes = {1, 2, 3}};
	struct rule_builder *b;
	struct rule_arena a;
	struct rule_reader r;
	char why[128], title[16];
	if (rule_builder_new(&secret, NULL, 0, &b) || rule_builder_source(b, "allow")
		|| rule_builder_source(b, "deny"))
		die("no memory");
	for (unsigned i = 0; i < lists; i++) {
		snprintf(title, sizeof(title), "list %u", i);
		if (rule_builder_source(b, title))
			die("build");
		add_rules(b, RULE_CLASS_BLOCK, "", zones);
		add_rules(b, RULE_CLASS_EXCEPT, "ok.", zones);
	}
	if (rule_builder_finish(b, 0, 0, &a) || rule_reader_init(&r, a.base, a.size, true, why))
		die("build");
	rule_builder_free(b);
	return r; // the arena is the process's
}

static struct dns_query *make_queries(size_t zones)
{
	struct dns_query *q = calloc(QUERIES, sizeof(*q));
	if (!q)
		die("no memory");
	for (size_t i = 0; i < QUERIES; i++) {
		q[i].name = name_of("www.ok.", i * 7919 % zones);
		for (unsigned k = 0, off = 0; k < q[i].name.labels; k++) {
			q[i].label_off[k] = (uint8_t)off;
			off += q[i].name.wire[off] + 1U;
		}
	}
	return q;
}

// Cycles a query of all queries, in the packet path's passes.
static double ask_all(const struct rule_reader *r, const struct dns_query *q)
{
	static const uint64_t group[4] = {UINT64_MAX, UINT64_MAX, UINT64_MAX, UINT64_MAX};
	static struct rule_probe probe[BATCH];
	uint64_t took = 0, passed = 0;
	for (size_t i = 0; i < QUERIES; i += BATCH) {
		uint64_t start = cycles_now();
		for (unsigned k = 0; k < BATCH; k++)
			rule_probe_hash(r, &q[i + k], &probe[k]);
		for (unsigned k = 0; k < BATCH; k++)
			rule_probe_bloom(r, &probe[k]);
		for (unsigned k = 0; k < BATCH; k++)
			rule_probe_reach(r, &probe[k]);
		for (unsigned k = 0; k < BATCH; k++)
			passed += rule_probe_decide(r, &probe[k], &q[i + k].name, DNS_TYPE_A, group)
					  .action
				  == RULE_PASS;
		took += cycles_now() - start;
	}
	if (passed != QUERIES)
		die("wrong decisions");
	return (double)took / QUERIES;
}

int main(int argc, char **argv)
{
	size_t zones = argc > 1 ? strtoul(argv[1], NULL, 10) : 1000;
	double best[IMAGES] = {1e9, 1e9};
	if (zones < 1)
		die("at least one zone");
	struct rule_reader *r = calloc(IMAGES, sizeof(*r));
	if (!r)
		die("no memory");
	r[ONE] = build(1, zones);
	r[ALL] = build(MANY, zones);
	struct dns_query *q = make_queries(zones);
	for (unsigned round = 0; round < ROUNDS * IMAGES; round++) {
		unsigned i = round % IMAGES;
		double took = ask_all(&r[i], q);
		best[i] = took < best[i] ? took : best[i];
	}
	bench_say("except", "1 list", "decide", best[ONE], "cycles", 0);
	bench_say("except", "120 lists", "decide", best[ALL], "cycles", 0);
	bench_say("except", "120 lists", "times_one", best[ALL] / best[ONE], "of one list", 1.05);
	free(q);
	free(r);
	return 0;
}
