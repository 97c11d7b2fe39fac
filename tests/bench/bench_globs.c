// SPDX-License-Identifier: BSD-3-Clause
//
// What a decision costs where lists have rules with stars (`||ads-*.example.com^`).
//
//   bench_globs
//
// Images of 100,000 plain names: with nothing else, with 1,000 globs at as many names, with 1,000
// at eight names, and with those 1,000 names blocked by plain rules. Questions for names that meet
// none of them, for listed plain names, and for names below those with globs, half of which no glob
// fits. The images take turns, a round each, in one process; of each batch its best round counts.

#include "bench_row.h"
#include "controlplane/rule_image/rule_build.h"
#include "cycles.h"
#include "dataplane/core/rule/rule_fast.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <weir/rule_data.h>

enum { PLAIN = 100000, GLOBS = 1000, FEW = 8, BATCH = 32, QUERIES = 1 << 12, ROUNDS = 100 };
enum image { BARE, SPREAD, CROWDED, BLOCKED, IMAGES };
enum ask { OTHER, LISTED, UNFIT, FIT, ASKS };

static _Noreturn void die(const char *what)
{
	fprintf(stderr, "bench_globs: %s\n", what);
	exit(1);
}

// Rules as lists have them, and a label that fits each.
static const struct {
	const char *glob, *fits;
} forms[] = {
	{"*.ads-*", "ads-12"},
	{"*.adserv*", "adserver3"},
	{".*-ads", "img-ads"},
	{"*.track*", "tracking"},
	{"*.pixel-*-eu", "pixel-7-eu"},
	{".*-metrics", "web-metrics"},
	{".telemetry-*", "telemetry-2"},
	{"*.beacon*", "beacons"},
};
static const char *const unfit[] = {"www", "mail", "api", "cdn", "static", "img", "assets", "app",
	"m", "login", "blog", "shop", "news", "media", "docs", "video", "help", "auth", "secure",
	"data", "web", "en", "i", "s3", "www.shop", "a.img"};

static struct dns_name name_of(const char *below, const char *zone, size_t i)
{
	char text[96];
	struct dns_name name;
	snprintf(text, sizeof(text), "%s%s%s%zx.example", below, *below ? "." : "", zone, i);
	if (dns_name_from_text(text, strlen(text), &name))
		die("bad name");
	return name;
}

// A glob's name, and the text that is its own: eight names have 125 each, told apart by a letter
// more.
static void add_glob(struct rule_builder *b, enum image image, size_t i)
{
	char glob[RULE_GLOB_LEN_MAX];
	const size_t zone = image == CROWDED ? i % FEW : i;
	const struct dns_name name = name_of("", "star", zone);
	struct list_rule rule = rule_of_name(RULE_CLASS_BLOCK, &name);
	if (image != BLOCKED) {
		const char *form = forms[i % ARRAY_LEN(forms)].glob;
		const size_t more = i / ARRAY_LEN(forms);
		snprintf(glob, sizeof(glob), "%s", form);
		if (image == CROWDED && more)
			snprintf(glob, sizeof(glob), "*.%c%c-*%s", (char)('a' + more % 26),
				(char)('k' + more / 26), form + (*form == '*'));
		rule.kind.covers = RULE_COVERS_BELOW;
		rule.kind.globs = 1;
		rule.glob = glob;
		rule.glob_len = strlen(glob);
	}
	if (rule_builder_rule(b, &rule))
		die("build");
}

static struct rule_reader build(enum image image)
{
	const struct keyhash_secret secret = {.bytes = {1, 2, 3}};
	struct rule_builder *b;
	struct rule_arena a;
	struct rule_reader r;
	char why[128];
	if (rule_builder_new(&secret, NULL, 0, &b) || rule_builder_source(b, "allow")
		|| rule_builder_source(b, "deny") || rule_builder_source(b, "list"))
		die("no memory");
	for (size_t i = 0; i < PLAIN; i++) {
		const struct dns_name name = name_of("", "plain", i);
		const struct list_rule rule = rule_of_name(RULE_CLASS_BLOCK, &name);
		if (rule_builder_rule(b, &rule))
			die("build");
	}
	for (size_t i = 0; i < GLOBS && image != BARE; i++)
		add_glob(b, image, i);
	if (rule_builder_finish(b, 0, 0, &a) || rule_reader_init(&r, a.base, a.size, true, why))
		die("build");
	rule_builder_free(b);
	return r; // the arena is the process's
}

static struct dns_name asked_name(enum image image, enum ask ask, size_t i)
{
	const size_t glob = i * 7919 % GLOBS, zone = image == CROWDED ? glob % FEW : glob;
	switch (ask) {
	case OTHER:
		return name_of(unfit[i % ARRAY_LEN(unfit)], "other", i);
	case LISTED:
		return name_of(unfit[i % ARRAY_LEN(unfit)], "plain", i * 7919 % PLAIN);
	case UNFIT:
		return name_of(unfit[i * 31 % ARRAY_LEN(unfit)], "star", zone);
	default:
		return name_of(forms[glob % ARRAY_LEN(forms)].fits, "star", zone);
	}
}

static struct dns_query *make_queries(enum image image, enum ask ask)
{
	struct dns_query *q = calloc(QUERIES, sizeof(*q));
	if (!q)
		die("no memory");
	for (size_t i = 0; i < QUERIES; i++) {
		q[i].name = asked_name(image, ask, i);
		for (unsigned k = 0, off = 0; k < q[i].name.labels; k++) {
			q[i].label_off[k] = (uint8_t)off;
			off += q[i].name.wire[off] + 1U;
		}
	}
	return q;
}

static const uint64_t group[4] = {UINT64_MAX, UINT64_MAX, UINT64_MAX, UINT64_MAX};

static bool blocks(const struct rule_reader *r, const struct rule_probe *p,
	const struct dns_query *q, const struct rule_set *set)
{
	if (!set)
		set = rule_fast_behind(r, p);
	if (set && rule_fast_blocks(r, set, group))
		return true;
	return rule_probe_decide(r, p, &q->name, DNS_TYPE_A, group).action == RULE_BLOCK;
}

// A batch in the packet path's passes (stage_rules.c). How many are blocked.
static unsigned ask_batch(const struct rule_reader *r, const struct dns_query *q)
{
	static struct rule_probe probe[BATCH];
	const struct rule_set *set[BATCH];
	uint64_t suspects = 0;
	unsigned blocked = 0;
	for (unsigned k = 0; k < BATCH; k++)
		rule_probe_hash(r, &q[k], &probe[k]);
	for (unsigned k = 0; k < BATCH; k++) {
		rule_probe_bloom(r, &probe[k]);
		suspects |= (uint64_t)(probe[k].candidates != 0) << k;
	}
	for (uint64_t left = r->glob_homes ? suspects : 0; left; left &= left - 1) {
		const unsigned k = (unsigned)__builtin_ctzll(left);
		rule_probe_globs(r, &q[k].name, &probe[k]);
		suspects ^= (uint64_t)(probe[k].candidates == 0) << k;
	}
	for (uint64_t left = suspects; left; left &= left - 1) {
		const unsigned k = (unsigned)__builtin_ctzll(left);
		set[k] = rule_fast_reach(r, &probe[k]);
	}
	for (uint64_t left = suspects; left; left &= left - 1) {
		const unsigned k = (unsigned)__builtin_ctzll(left);
		blocked += blocks(r, &probe[k], &q[k], set[k]);
	}
	return blocked;
}

enum { BATCHES = QUERIES / BATCH };
static uint64_t best[IMAGES][ASKS][BATCHES];
static struct dns_query *query[IMAGES][ASKS];

static void ask_all(const struct rule_reader *r, enum image image, enum ask ask)
{
	const bool must_block = ask == LISTED || (ask == FIT && image != BARE)
				|| (ask == UNFIT && image == BLOCKED);
	for (unsigned i = 0; i < BATCHES; i++) {
		const uint64_t start = cycles_now();
		const unsigned blocked = ask_batch(r, query[image][ask] + (size_t)i * BATCH);
		const uint64_t took = cycles_now() - start;
		if (blocked != (must_block ? BATCH : 0))
			die("wrong decisions");
		if (!best[image][ask][i] || took < best[image][ask][i])
			best[image][ask][i] = took;
	}
}

static double cycles_of(enum image image, enum ask ask)
{
	uint64_t sum = 0;
	for (unsigned i = 0; i < BATCHES; i++)
		sum += best[image][ask][i];
	return (double)sum / QUERIES;
}

int main(void)
{
	static const char *const image_name[] = {
		"0 globs", "1000 globs", "1000 globs at 8 names", "1000 plain rules"};
	static const char *const ask_name[] = {"other", "listed", "below", "fits"};
	struct rule_reader *r = calloc(IMAGES, sizeof(*r));
	if (!r)
		die("no memory");
	for (unsigned i = 0; i < IMAGES; i++) {
		r[i] = build(i);
		for (unsigned ask = 0; ask < ASKS; ask++)
			query[i][ask] = make_queries(i, ask);
	}
	for (unsigned round = 0; round < ROUNDS; round++)
		for (unsigned i = 0; i < IMAGES * ASKS; i++)
			ask_all(&r[i % IMAGES], i % IMAGES, i / IMAGES);
	for (unsigned i = 0; i < IMAGES; i++)
		for (unsigned ask = 0; ask < ASKS; ask++)
			bench_say("globs", image_name[i], ask_name[ask], cycles_of(i, ask),
				"cycles", 0);
	for (unsigned i = 0; i < IMAGES; i++)
		for (unsigned ask = 0; ask < ASKS; ask++)
			free(query[i][ask]);
	free(r);
	return 0;
}
