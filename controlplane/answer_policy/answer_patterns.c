// SPDX-License-Identifier: BSD-3-Clause
#include "answer_patterns.h"

#include "pattern_positions.h"

#include <errno.h>
#include <hs.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <weir/clock.h>
#include <weir/heap_site.h>
#include <weir/keyhash.h>

// The first portion is small, so that its time tells how large the next may be. Nobody can end a
// call of libhs, and its time grows as a power of the repeats that it compiles together: 32 times
// /a.*b/ take 0.6 s, 64 times 4 s, 128 times more than a minute; 32 times /a[^b]?c/ with four of
// its ? take 1.6 s. One pattern alone with 250 repeats takes 0.1 s.
enum {
	PORTION_FIRST = 32,
	PORTION_MAX = 512,
	PORTION_PRICE = 256, // a dearer pattern is alone
	PORTION_QUICK_MS = 150,
	FIRSTS = 2 * ANSWER_PATTERNS_MAX,
};

// Two portions in a row are dearer than PORTION_PRICE together, or the first has PORTION_FIRST
// patterns: there are no more.
enum {
	PORTIONS_MAX = 2 * (ANSWER_PATTERNS_PRICE_OWN + ANSWER_PATTERNS_PRICE_MAX) / PORTION_PRICE
		       + ANSWER_PATTERNS_MAX / PORTION_FIRST + 2
};
enum {
	HS_FLAGS = HS_FLAG_CASELESS | HS_FLAG_DOTALL | HS_FLAG_SINGLEMATCH | HS_FLAG_ALLOWEMPTY,
};

struct answer_patterns {
	unsigned portions;
	hs_database_t *portion[PORTIONS_MAX];
	unsigned count;
	uint16_t list[ANSWER_PATTERNS_MAX]; // list of pattern i
	uint16_t same[ANSWER_PATTERNS_MAX];
	bool inverts[ANSWER_PATTERNS_MAX];
	unsigned inverted_count; // numbers of those that are compiled
	uint16_t inverted[ANSWER_PATTERNS_MAX];
};

struct answer_pattern_scratch {
	hs_scratch_t *hs;
};

struct compile {
	struct answer_patterns *made;
	struct answer_pattern_counts *counts;
	struct answer_pattern_limits limits;
	uint64_t start_ms;
	unsigned portion;  // patterns wanted in the next one
	unsigned price[2]; // so far, of lists and of the operator's own
	// Those that wait for their portion: copies with a NUL.
	unsigned held, held_price;
	char *text[PORTION_MAX];
	unsigned id[PORTION_MAX];
	// The first ones of each text, by its hash; NULL: a free place. Those that libhs has taken.
	struct first {
		const struct answer_pattern *pattern;
		uint16_t id;
	} first[FIRSTS];
	bool is_taken[ANSWER_PATTERNS_MAX];
};

// This thread's CPU time: what a pattern costs. Wall time on a busy machine says nothing about the
// pattern.
static uint64_t cpu_ms(void)
{
	return clock_us_of(CLOCK_THREAD_CPUTIME_ID) / 1000;
}

static uint64_t spent_ms(const struct compile *c)
{
	return cpu_ms() - c->start_ms;
}

static bool is_late(const struct compile *c)
{
	return spent_ms(c) >= c->limits.budget_ms
	       || (c->limits.until_ms && clock_mono_ms() >= c->limits.until_ms);
}

static void note_error(struct compile *c, const char *text, const hs_compile_error_t *error)
{
	c->counts->refused_syntax++;
	if (!c->counts->first_error[0])
		snprintf(c->counts->first_error, sizeof(c->counts->first_error), "/%.60s/: %.50s",
			text, error ? error->message : "");
}

// Like free.
static void error_free(hs_compile_error_t *error)
{
	if (error)
		(void)hs_free_compile_error(error);
}

static pthread_once_t counted = PTHREAD_ONCE_INIT;

// Patterns are most of what libhs allocates; a failure only leaves them uncounted.
static void count_memory(void)
{
	(void)!hs_set_allocator(heap_hyperscan_malloc, heap_free);
}

// Is it worth a place beside others? Cheap, but for bounded repeats, whose cost shows alone: those
// that libhs would write out for minutes are not shown to it. -EINVAL: it is not for libhs, *error
// says why or is NULL; -ETIME: slower than that alone.
static int pattern_try(const char *text, uint64_t slow_ms, hs_compile_error_t **error)
{
	hs_expr_info_t *info = NULL;
	hs_database_t *db = NULL;
	const uint64_t start_ms = cpu_ms();

	*error = NULL;
	if (pattern_positions(text, ANSWER_PATTERN_POSITIONS_MAX) > ANSWER_PATTERN_POSITIONS_MAX)
		return -ETIME;
	hs_error_t rc = hs_expression_info(text, HS_FLAGS, &info, error);
	heap_free(info);
	if (rc == HS_SUCCESS && strchr(text, '{')) {
		rc = hs_compile(text, HS_FLAGS, HS_MODE_BLOCK, NULL, &db, error);
		(void)hs_free_database(db);
	}
	if (rc != HS_SUCCESS)
		return -EINVAL;
	return cpu_ms() - start_ms > slow_ms ? -ETIME : 0;
}

// False: the next name would cost too much, by this one alone or by all together.
static bool pattern_pays(
	const char *text, struct answer_pattern_spent *spent, char why[ANSWER_PATTERN_WHY_MAX])
{
	const unsigned price = pattern_price(text, strlen(text), ANSWER_PATTERN_PRICE_MAX);
	if (price > ANSWER_PATTERN_PRICE_MAX)
		snprintf(why, ANSWER_PATTERN_WHY_MAX,
			"takes too long for each name; use fewer repeats and classes");
	else if (spent->price + price > ANSWER_PATTERNS_PRICE_OWN)
		snprintf(why, ANSWER_PATTERN_WHY_MAX,
			"together with the others, all take too long for each name");
	else {
		spent->price += price;
		return true;
	}
	return false;
}

bool answer_pattern_proves(
	const char *text, struct answer_pattern_spent *spent, char why[ANSWER_PATTERN_WHY_MAX])
{
	hs_compile_error_t *error = NULL;
	if (hs_valid_platform() != HS_SUCCESS)
		return true;
	pthread_once(&counted, count_memory);
	const uint64_t start_ms = cpu_ms();
	const bool has_time = spent->good_ms < ANSWER_PATTERNS_OWN_MS
			      && spent->all_ms < ANSWER_PATTERNS_BUDGET_MS;
	const int rc = has_time ? pattern_try(text, ANSWER_PATTERN_SLOW_MS / 2, &error) : -EBUSY;
	const uint64_t took_ms = cpu_ms() - start_ms;
	spent->all_ms += took_ms;
	spent->good_ms += rc == 0 ? took_ms : 0;
	if (rc == -EBUSY)
		snprintf(why, ANSWER_PATTERN_WHY_MAX,
			"together with the others, all take too long to compile");
	else if (rc == -ETIME)
		snprintf(why, ANSWER_PATTERN_WHY_MAX,
			"takes too long to compile; use fewer or shorter {repeats}");
	else if (rc < 0)
		snprintf(why, ANSWER_PATTERN_WHY_MAX, "%s",
			error ? error->message : "cannot be read");
	error_free(error);
	return rc == 0 && pattern_pays(text, spent, why);
}

// 0, -EINVAL: *bad is not for libhs (counted), -E2BIG: they are not together.
static int compile_many(struct compile *c, char *const *text, const unsigned *id, unsigned n,
	hs_database_t **out, unsigned *bad)
{
	unsigned flags[PORTION_MAX];
	hs_compile_error_t *error = NULL;
	for (unsigned i = 0; i < n; i++)
		flags[i] = HS_FLAGS;
	hs_error_t rc = hs_compile_multi(
		(const char *const *)text, flags, id, n, HS_MODE_BLOCK, NULL, out, &error);
	if (rc == HS_SUCCESS)
		return 0;
	int blamed = error ? error->expression : -1;
	*bad = blamed >= 0 && (unsigned)blamed < n ? (unsigned)blamed : 0;
	if (n == 1 || blamed >= 0)
		note_error(c, text[*bad], error);
	error_free(error);
	return n == 1 || blamed >= 0 ? -EINVAL : -E2BIG;
}

static void held_drop(struct compile *c, unsigned i)
{
	FREE_AND_NULL(c->text[i]);
	c->held--;
	memmove(&c->text[i], &c->text[i + 1], (c->held - i) * sizeof(c->text[0]));
	memmove(&c->id[i], &c->id[i + 1], (c->held - i) * sizeof(c->id[0]));
}

static void held_clear(struct compile *c)
{
	while (c->held)
		held_drop(c, c->held - 1);
	c->held_price = 0;
}

static void portion_take(struct compile *c, hs_database_t *db)
{
	struct answer_patterns *m = c->made;
	size_t size = 0;

	if (hs_database_size(db, &size) != HS_SUCCESS || m->portions == PORTIONS_MAX
		|| c->counts->bytes + size > c->limits.bytes) {
		(void)hs_free_database(db);
		c->counts->refused_size += c->held;
		return;
	}
	m->portion[m->portions++] = db;
	c->counts->bytes += size;
	for (unsigned i = 0; i < c->held; i++)
		c->is_taken[c->id[i]] = true;
}

// Compiles the held patterns into a portion, without those that libhs rejects.
static void portion_compile(struct compile *c)
{
	uint64_t before_ms = spent_ms(c);
	int rc = -EINVAL;

	while (c->held && rc == -EINVAL) {
		hs_database_t *db = NULL;
		unsigned bad = 0;
		rc = compile_many(c, c->text, c->id, c->held, &db, &bad);
		if (rc == -EINVAL)
			held_drop(c, bad);
		else if (rc == 0)
			portion_take(c, db);
		else
			c->counts->refused_size += c->held;
	}
	held_clear(c);
	uint64_t took_ms = spent_ms(c) - before_ms;
	if (took_ms > PORTION_QUICK_MS && c->portion > PORTION_FIRST)
		c->portion /= 4;
	else if (took_ms <= PORTION_QUICK_MS && c->portion < PORTION_MAX)
		c->portion *= 4;
}

static bool pattern_passes(struct compile *c, const char *text)
{
	hs_compile_error_t *error;
	const int rc = pattern_try(text, ANSWER_PATTERN_SLOW_MS, &error);

	if (rc == -EINVAL)
		note_error(c, text, error);
	error_free(error);
	c->counts->refused_slow += rc == -ETIME;
	return rc == 0;
}

// The place of its text: of the first one that has it, or a free one. At most half are in use.
static struct first *first_find(struct compile *c, const struct answer_pattern *p)
{
	for (uint64_t hash = contenthash(p->text, p->len);; hash++) {
		struct first *f = &c->first[hash % FIRSTS];
		if (!f->pattern
			|| (f->pattern->len == p->len
				&& memcmp(f->pattern->text, p->text, p->len) == 0))
			return f;
	}
}

// Adds a pattern whose text is there already, from another list or twice in one: it costs nothing
// more.
static void pattern_join(struct compile *c, const struct first *f, const struct answer_pattern *p)
{
	struct answer_patterns *m = c->made;
	m->list[m->count] = (uint16_t)p->list;
	m->inverts[m->count] = p->inverts;
	m->same[m->count] = m->same[f->id];
	m->same[f->id] = (uint16_t)m->count++;
}

static bool is_dear(const struct compile *c, bool is_own, unsigned price)
{
	const unsigned max = is_own ? ANSWER_PATTERNS_PRICE_OWN : ANSWER_PATTERNS_PRICE_MAX;
	return price > ANSWER_PATTERN_PRICE_MAX || c->price[is_own] + price > max;
}

static int pattern_hold(struct compile *c, const struct answer_pattern *p, unsigned price)
{
	struct answer_patterns *m = c->made;
	if (p->len == 0 || memchr(p->text, 0, p->len)) {
		c->counts->refused_syntax++;
		return 0;
	}
	struct first *f = first_find(c, p);
	if (f->pattern) {
		pattern_join(c, f, p);
		return 0;
	}
	if (is_dear(c, p->is_own, price)) {
		c->counts->refused_slow++;
		if (!c->counts->first_error[0])
			snprintf(c->counts->first_error, sizeof(c->counts->first_error),
				"/%.*s/: costs each name too much", p->len < 60 ? (int)p->len : 60,
				p->text);
		return 0;
	}
	char *text = heap_strndup(p->text, p->len);
	if (!text)
		return -ENOMEM;
	pattern_trim(text);
	if (!pattern_passes(c, text)) {
		heap_free(text);
		return 0;
	}
	c->price[p->is_own] += price;
	if (c->held && c->held_price + price > PORTION_PRICE)
		portion_compile(c);
	c->held_price += price;
	*f = (struct first){p, (uint16_t)m->count};
	m->list[m->count] = (uint16_t)p->list;
	m->inverts[m->count] = p->inverts;
	c->text[c->held] = text;
	c->id[c->held++] = m->count++;
	if (c->held >= c->portion)
		portion_compile(c);
	return 0;
}

static void inverted_note(struct answer_patterns *m, unsigned id)
{
	if (m->inverts[id])
		m->inverted[m->inverted_count++] = (uint16_t)id;
}

// Counts patterns that share a text, too: they are compiled or refused as the first one is. Notes
// the inverted ones that are compiled.
static void compiled_count(struct compile *c)
{
	for (unsigned i = 0; i < FIRSTS; i++) {
		const struct first *f = &c->first[i];
		if (!f->pattern)
			continue;
		const bool is_taken = c->is_taken[f->id];
		c->counts->compiled += is_taken;
		if (is_taken)
			inverted_note(c->made, f->id);
		for (unsigned id = f->id; (id = c->made->same[id]);) {
			++*(is_taken ? &c->counts->compiled : &c->counts->refused_syntax);
			if (is_taken)
				inverted_note(c->made, id);
		}
	}
}

struct turn {
	const struct answer_pattern *pattern;
	unsigned price;
};

// The operator's own come first, then what costs least: what a list has of dear ones takes no
// simple one's place. Else in the order given.
static int turn_compare(const void *a, const void *b)
{
	const struct turn *x = a, *y = b;

	if (x->pattern->is_own != y->pattern->is_own)
		return x->pattern->is_own ? -1 : 1;
	if (x->price != y->price)
		return x->price < y->price ? -1 : 1;
	return x->pattern < y->pattern ? -1 : x->pattern > y->pattern;
}

static int patterns_compile(struct compile *c, const struct turn *turn, size_t count)
{
	int rc = 0;

	for (size_t i = 0; i < count && rc == 0; i++) {
		const struct answer_pattern *p = turn[i].pattern;
		if (p->len > ANSWER_PATTERN_LEN_MAX || p->list >= RULE_LISTS_MAX)
			c->counts->refused_length++;
		else if (c->made->count == ANSWER_PATTERNS_MAX)
			c->counts->refused_count++;
		else if (c->counts->bytes >= c->limits.bytes)
			c->counts->refused_size++;
		else if (is_late(c))
			c->counts->refused_time++;
		else
			rc = pattern_hold(c, p, turn[i].price);
	}
	if (rc == 0)
		portion_compile(c);
	held_clear(c);
	compiled_count(c);
	return rc;
}

int answer_patterns_new(struct answer_patterns **out, const struct answer_pattern *pattern,
	size_t count, const struct answer_pattern_limits *limits,
	struct answer_pattern_counts *counts)
{
	static const struct answer_pattern_limits usual = {
		.budget_ms = ANSWER_PATTERNS_BUDGET_MS, .bytes = ANSWER_PATTERNS_BYTES_MAX};
	*counts = (struct answer_pattern_counts){0};
	*out = NULL;
	if (count == 0)
		return 0;
	if (hs_valid_platform() != HS_SUCCESS) {
		counts->refused_syntax = (uint32_t)count;
		snprintf(counts->first_error, sizeof(counts->first_error),
			"this processor lacks SSE4.2");
		return 0;
	}
	pthread_once(&counted, count_memory);
	struct compile *c = heap_calloc(1, sizeof(*c));
	struct answer_patterns *made = heap_calloc(1, sizeof(*made));
	struct turn *turn = heap_calloc(count, sizeof(*turn));
	int rc = c && made && turn ? 0 : -ENOMEM;
	if (rc == 0) {
		for (size_t i = 0; i < count; i++)
			turn[i] = (struct turn){
				&pattern[i], pattern_price(pattern[i].text, pattern[i].len,
						     ANSWER_PATTERN_PRICE_MAX)};
		qsort(turn, count, sizeof(*turn), turn_compare);
		*c = (struct compile){.made = made,
			.counts = counts,
			.limits = limits ? *limits : usual,
			.start_ms = cpu_ms(),
			.portion = PORTION_FIRST};
		rc = patterns_compile(c, turn, count);
		counts->compile_ms = spent_ms(c);
	}
	heap_free(c);
	heap_free(turn);
	if (rc < 0 || made->portions == 0) {
		answer_patterns_free(made);
		made = NULL;
	}
	counts->held_bytes = counts->bytes + (made ? sizeof(*made) : 0);
	if (rc == 0)
		*out = made;
	return rc;
}

void answer_patterns_free(struct answer_patterns *p)
{
	if (!p)
		return;
	for (unsigned i = 0; i < p->portions; i++)
		(void)hs_free_database(p->portion[i]);
	heap_free(p);
}

int answer_pattern_scratch_new(const struct answer_patterns *p, struct answer_pattern_scratch **out)
{
	struct answer_pattern_scratch *s = heap_calloc(1, sizeof(*s));
	if (!s)
		return -ENOMEM;
	// One that grows to what the largest needs.
	for (unsigned i = 0; p && i < p->portions; i++) {
		if (hs_alloc_scratch(p->portion[i], &s->hs) != HS_SUCCESS) {
			answer_pattern_scratch_free(s);
			return -ENOMEM;
		}
	}
	*out = s;
	return 0;
}

void answer_pattern_scratch_free(struct answer_pattern_scratch *s)
{
	if (!s)
		return;
	if (s->hs)
		(void)hs_free_scratch(s->hs);
	heap_free(s);
}

struct match {
	const struct answer_patterns *patterns;
	struct rule_set *lists;
	uint64_t met[ANSWER_PATTERNS_MAX / 64]; // inverted patterns whose text matches
};

static void list_add(const struct match *m, unsigned id)
{
	const unsigned list = m->patterns->list[id];
	m->lists->lists[list / 64] |= UINT64_C(1) << list % 64;
}

static int on_match(
	unsigned id, unsigned long long from, unsigned long long to, unsigned flags, void *arg)
{
	struct match *m = arg;
	(void)from, (void)to, (void)flags;
	do {
		if (m->patterns->inverts[id])
			m->met[id / 64] |= UINT64_C(1) << id % 64;
		else
			list_add(m, id);
	} while ((id = m->patterns->same[id]));
	return 0;
}

void answer_patterns_match(const struct answer_patterns *p, struct answer_pattern_scratch *s,
	const char *text, size_t len, struct rule_set *lists)
{
	struct match m = {.patterns = p, .lists = lists};
	bool is_whole = true; // a scan that failed says nothing of what does not match

	for (unsigned i = 0; p && i < p->portions; i++)
		is_whole &= hs_scan(p->portion[i], text, (unsigned)len, 0, s->hs, on_match, &m)
			    == HS_SUCCESS;
	for (unsigned i = 0; p && is_whole && i < p->inverted_count; i++) {
		const unsigned id = p->inverted[i];
		if (!(m.met[id / 64] >> id % 64 & 1))
			list_add(&m, id);
	}
}
