// SPDX-License-Identifier: BSD-3-Clause
#include "explore.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { STATES_MAX = 30000000 };

struct node {
	uint32_t parent;
	uint32_t spare;
	const char *label;
};

struct search {
	const struct model *m;
	uint64_t *seen; // open addressing, 0: empty
	uint64_t mask;
	struct node *node;
	uint32_t nodes, nodes_cap;
	uint8_t *front[2]; // this generation's states and the next's
	uint32_t *id[2];
	size_t count[2], cap[2];
	struct explored out;
	uint32_t bad_at;
};

static void *grown(void *p, size_t bytes)
{
	p = realloc(p, bytes);
	if (!p) {
		fprintf(stderr, "no memory for %zu bytes of states\n", bytes);
		abort();
	}
	return p;
}

static uint64_t hash_of(const void *state, size_t size)
{
	uint64_t h = 0x9e3779b97f4a7c15;
	for (size_t i = 0; i < size; i += 8) {
		uint64_t word;
		memcpy(&word, (const uint8_t *)state + i, 8);
		h = (h ^ word) * 0xbf58476d1ce4e5b9;
		h ^= h >> 29;
	}
	h = (h ^ h >> 32) * 0x94d049bb133111eb;
	h ^= h >> 31;
	return h ? h : 1;
}

static bool seen_add(struct search *s, uint64_t hash)
{
	uint64_t at = hash & s->mask;
	while (s->seen[at]) {
		if (s->seen[at] == hash)
			return false;
		at = (at + 1) & s->mask;
	}
	s->seen[at] = hash;
	return true;
}

static void seen_grow(struct search *s)
{
	uint64_t *old = s->seen, size = s->mask + 1;
	s->seen = calloc(size * 2, sizeof(*s->seen));
	if (!s->seen)
		abort();
	s->mask = size * 2 - 1;
	for (uint64_t i = 0; i < size; i++)
		if (old[i])
			(void)seen_add(s, old[i]);
	free(old);
}

static uint32_t node_add(struct search *s, uint32_t parent, const char *label)
{
	if (s->nodes == s->nodes_cap) {
		s->nodes_cap = s->nodes_cap ? s->nodes_cap * 2 : 1 << 16;
		s->node = grown(s->node, s->nodes_cap * sizeof(*s->node));
	}
	s->node[s->nodes] = (struct node){.parent = parent, .label = label};
	return s->nodes++;
}

static void found_bad(struct search *s, uint32_t at, const char *bad)
{
	s->out.bad = bad;
	s->bad_at = at;
}

static void push(struct search *s, const void *state, uint32_t parent, const char *label)
{
	if (!seen_add(s, hash_of(state, s->m->size)))
		return;
	s->out.states++;
	if (s->out.states * 2 > s->mask)
		seen_grow(s);
	uint32_t id = node_add(s, parent, label);
	if (s->count[1] == s->cap[1]) {
		s->cap[1] = s->cap[1] ? s->cap[1] * 2 : 1 << 12;
		s->front[1] = grown(s->front[1], s->cap[1] * s->m->size);
		s->id[1] = grown(s->id[1], s->cap[1] * sizeof(*s->id[1]));
	}
	memcpy(s->front[1] + s->count[1] * s->m->size, state, s->m->size);
	s->id[1][s->count[1]++] = id;
	const char *bad = s->m->holds ? s->m->holds(state) : NULL;
	if (bad)
		found_bad(s, id, bad);
	else if (s->out.states >= STATES_MAX)
		found_bad(s, id, "more states than the search has room for");
}

static void expand(struct search *s, const void *state, uint32_t id, void *next)
{
	bool goes_on = false, is_copy = false;
	for (unsigned c = 0; c < s->m->choices && !s->out.bad; c++) {
		struct step st = {.label = "?"};
		if (!is_copy)
			memcpy(next, state, s->m->size);
		enum step_result r = s->m->step(next, c, &st);
		is_copy = r == STEP_DISABLED;
		if (is_copy)
			continue;
		s->out.transitions++;
		goes_on |= !st.is_crash;
		if (r == STEP_BAD)
			found_bad(s, node_add(s, id, st.label), st.bad);
		else
			push(s, next, id, st.label);
	}
	if (!goes_on && !s->out.bad) {
		const char *bad = s->m->stopped(state);
		if (bad)
			found_bad(s, id, bad);
	}
}

static void trace_print(const struct search *s, uint32_t at)
{
	if (at == 0)
		return;
	trace_print(s, s->node[at].parent);
	printf("    %s\n", s->node[at].label);
}

static void swap_frontends(struct search *s)
{
	uint8_t *front = s->front[0];
	uint32_t *id = s->id[0];
	size_t cap = s->cap[0];
	s->front[0] = s->front[1], s->id[0] = s->id[1];
	s->cap[0] = s->cap[1], s->count[0] = s->count[1];
	s->front[1] = front, s->id[1] = id, s->cap[1] = cap, s->count[1] = 0;
}

struct explored explore(const struct model *m, bool trace)
{
	struct search s = {.m = m, .mask = (1 << 16) - 1};
	s.seen = calloc(s.mask + 1, sizeof(*s.seen));
	void *state = calloc(1, m->size);
	if (!s.seen || !state)
		abort();
	m->init(state);
	push(&s, state, 0, "start");
	while (s.count[1] && !s.out.bad) {
		swap_frontends(&s);
		for (size_t i = 0; i < s.count[0] && !s.out.bad; i++)
			expand(&s, s.front[0] + i * m->size, s.id[0][i], state);
	}
	if (s.out.bad && trace)
		trace_print(&s, s.bad_at);
	for (unsigned i = 0; i < 2; i++) {
		free(s.front[i]);
		free(s.id[i]);
	}
	free(s.node);
	free(s.seen);
	free(state);
	return s.out;
}

static double now_s(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static int run_mutation(
	const struct model *m, const struct mutation *mutation, unsigned number, unsigned *active)
{
	*active = number;
	struct explored e = explore(m, false);
	*active = 0;
	printf("  %-22s %-56s %s\n", mutation->name, mutation->what, e.bad ? e.bad : "NOT FOUND");
	return !e.bad;
}

int explore_main(int argc, char **argv, const char *title, const struct model *m,
	const struct mutation *mutations, unsigned count, unsigned *active)
{
	for (unsigned i = 1; argc > 1 && i <= count; i++) {
		if (strcmp(argv[1], mutations[i - 1].name) != 0)
			continue;
		*active = i;
		struct explored e = explore(m, true);
		printf("%s, %s: %s\n", title, mutations[i - 1].what, e.bad ? e.bad : "holds");
		return !e.bad;
	}
	if (argc > 1) {
		fprintf(stderr, "no mutation %s\n", argv[1]);
		return 2;
	}
	double start_s = now_s();
	struct explored e = explore(m, true);
	printf("%s: %llu states, %llu transitions, %.1f s: %s\n", title,
		(unsigned long long)e.states, (unsigned long long)e.transitions, now_s() - start_s,
		e.bad ? e.bad : "every promise holds");
	int failed = e.bad != NULL;
	for (unsigned i = 1; i <= count; i++)
		failed |= run_mutation(m, &mutations[i - 1], i, active);
	printf("%u mutations, %.1f s in all\n", count, now_s() - start_s);
	return failed;
}
