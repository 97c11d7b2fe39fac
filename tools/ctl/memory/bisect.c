// SPDX-License-Identifier: BSD-3-Clause
#include "bisect.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

// Is it a series of a whole process, of which accounts are parts?
static bool is_sum(const char *series)
{
	static const char dataplane[] = "dataplane.", mappings[] = "mappings ";
	static const char *const sums[] = {"heap", "rss", "anonymous", "allocator"};
	if (strncmp(series, dataplane, sizeof(dataplane) - 1) == 0)
		series += sizeof(dataplane) - 1;
	for (size_t i = 0; i < sizeof(sums) / sizeof(sums[0]); i++)
		if (strcmp(series, sums[i]) == 0)
			return true;
	return strncmp(series, mappings, sizeof(mappings) - 1) == 0;
}

void bisect_slopes_take(struct bisect_step *s, const struct json_node *slope)
{
	const struct json_node *list = json_get(slope, "bytes");
	s->queries_per_s = (double)json_count(slope, "queries_per_s");
	snprintf(s->filling, sizeof(s->filling), "%s", json_text(slope, "filling"));
	s->count = 0;
	for (size_t i = 0; i < json_length(list) && s->count < BISECT_SERIES_MAX; i++) {
		const struct json_node *n = json_at(list, i);
		struct bisect_series *one = &s->series[s->count++];
		snprintf(one->name, sizeof(one->name), "%s", json_text(n, "name"));
		one->slope = (double)json_signed(n, "per_hour");
		one->half = (double)json_count(n, "plus_minus");
		one->known = json_flag(n, "known");
	}
}

static const struct json_node *named(const struct json_node *list, const char *name)
{
	for (size_t i = 0; i < json_length(list); i++)
		if (strcmp(json_text(json_at(list, i), "name"), name) == 0)
			return json_at(list, i);
	return NULL;
}

// The bytes of all sites with one name: parts of a function that the compiler has split.
static double bytes_of(const struct json_node *list, const char *name)
{
	double sum = 0;
	for (size_t i = 0; i < json_length(list); i++)
		if (strcmp(json_text(json_at(list, i), "name"), name) == 0)
			sum += (double)json_count(json_at(list, i), "bytes");
	return sum;
}

static void tables_subtract(struct bisect_step *s, const struct json_node *before,
	const struct json_node *after, double seconds)
{
	const struct json_node *list = json_get(after, "accounts");
	struct bisect_series *heap = NULL;
	double all = 0;

	for (unsigned i = 0; i < s->count; i++) {
		struct bisect_series *one = &s->series[i];
		const struct json_node *now = named(list, one->name);
		if (strcmp(one->name, "heap") == 0)
			heap = one;
		if (!now)
			continue;
		double grown = (double)json_count(now, "in_filling")
			       - (double)json_count(named(json_get(before, "accounts"), one->name),
				       "in_filling");
		one->slope -= grown / seconds * 3600;
		all += grown / seconds * 3600;
	}
	if (heap)
		heap->slope -= all;
}

static void site_keep(struct bisect_step *s, const struct json_node *n, double slope)
{
	unsigned at = s->sites;
	while (at > 0 && s->site[at - 1].slope < slope)
		at--;
	if (at == BISECT_SITES)
		return;
	s->sites += s->sites < BISECT_SITES;
	for (unsigned i = s->sites - 1; i > at; i--)
		s->site[i] = s->site[i - 1];
	struct bisect_site *site = &s->site[at];
	site->slope = slope;
	snprintf(site->name, sizeof(site->name), "%s", json_text(n, "name"));
	snprintf(site->account, sizeof(site->account), "%s", json_text(n, "account"));
}

void bisect_memory_take(struct bisect_step *s, const struct json_node *before,
	const struct json_node *after, double seconds)
{
	const struct json_node *list = json_get(after, "sites"), *past = json_get(before, "sites");

	tables_subtract(s, before, after, seconds);
	s->sites = 0;
	for (size_t i = 0; i < json_length(list); i++) {
		const struct json_node *n = json_at(list, i);
		const char *name = json_text(n, "name");
		double grown = bytes_of(list, name) - bytes_of(past, name);
		if (grown > 0 && named(list, name) == n)
			site_keep(s, n, grown / seconds * 3600);
	}
}

const struct bisect_series *bisect_series_find(const struct bisect_step *s, const char *name)
{
	for (unsigned i = 0; i < s->count; i++)
		if (strcmp(s->series[i].name, name) == 0)
			return &s->series[i];
	return NULL;
}

const struct bisect_series *bisect_grower(const struct bisect_step *s)
{
	const struct bisect_series *most = NULL;
	for (unsigned i = 0; i < s->count; i++)
		if (!is_sum(s->series[i].name) && s->series[i].slope > (most ? most->slope : 0))
			most = &s->series[i];
	return most;
}

double bisect_per_million(const struct bisect_step *s, double per_hour)
{
	return s->queries_per_s > 0 ? per_hour / 3600 / s->queries_per_s * 1e6 : 0;
}

// The smaller of a series' two measurements without a toggle; NULL: it does not certainly grow in
// both.
static const struct bisect_series *grows_as_usual(
	const struct bisect_step *first, const struct bisect_step *last, const char *name)
{
	const struct bisect_series *a = bisect_series_find(first, name);
	const struct bisect_series *b = bisect_series_find(last, name);
	if (!a || !b || !a->known || !b->known)
		return NULL;
	const struct bisect_series *least = a->slope < b->slope ? a : b;
	return fmin(a->slope - a->half, b->slope - b->half) >= BISECT_LEAST ? least : NULL;
}

// Does the step stop the growth? Its whole interval must be below that of `usual`, and its slope at
// most half.
static bool stops(const struct bisect_step *s, const struct bisect_series *usual)
{
	const struct bisect_series *now = bisect_series_find(s, usual->name);
	return now && now->known && now->slope + now->half < usual->slope - usual->half
	       && now->slope <= usual->slope / 2;
}

// The site that grows most in an account without a toggle. A toggle that stops the account may stop
// this site.
static const char *site_of(const struct bisect_step *usual, const char *account)
{
	for (unsigned i = 0; i < usual->sites; i++)
		if (strcmp(usual->site[i].account, account) == 0)
			return usual->site[i].name;
	return "";
}

// Keeps the toggle that reduces this series' growth most, if it reduces it more than the suspect so
// far does for its series.
static void suspect_find(struct bisect_finding *f, const struct bisect_step *step, unsigned count,
	const struct bisect_series *usual)
{
	for (unsigned i = 1; i + 1 < count; i++) {
		if (!stops(&step[i], usual))
			continue;
		double without = bisect_series_find(&step[i], usual->name)->slope;
		if (f->verdict == BISECT_SUSPECT && usual->slope - without <= f->usual - f->without)
			continue;
		*f = (struct bisect_finding){BISECT_SUSPECT, i, usual->name,
			site_of(&step[0], usual->name), usual->slope, without};
	}
}

struct bisect_finding bisect_judge(const struct bisect_step *step, unsigned count)
{
	const struct bisect_step *first = &step[0], *last = &step[count - 1];
	const struct bisect_series *most = bisect_grower(first), *usual;
	const struct bisect_series *a = bisect_series_find(first, "heap");
	const struct bisect_series *b = bisect_series_find(last, "heap");
	struct bisect_finding f = {
		.verdict = a && b && a->known && b->known ? BISECT_NO_GROWTH : BISECT_UNKNOWN,
		.series = most ? most->name : "",
		.site = most ? site_of(first, most->name) : ""};
	bool grows = false;

	// The heap as a whole is tried only if no account grows: some of its blocks may be in no
	// account.
	for (unsigned sums = 0; sums < 2 && !grows; sums++) {
		for (unsigned i = 0; i < first->count; i++) {
			const char *name = first->series[i].name;
			if (sums ? strcmp(name, "heap") != 0 : is_sum(name))
				continue;
			usual = grows_as_usual(first, last, name);
			if (!usual)
				continue;
			grows = true;
			if (f.verdict != BISECT_SUSPECT)
				f.verdict = BISECT_NO_TOGGLE;
			suspect_find(&f, step, count, usual);
		}
	}
	return f;
}
