// SPDX-License-Identifier: BSD-3-Clause
#include "judge_sites.h"

#include <stdio.h>
#include <string.h>
#include <weir/mem_account.h>
#include <weir/text.h>

static const uint64_t apart_ms[SITES_SCALES] = {30000, 300000, 900000};

// The last third of a growth counts, at least LATE_MS.
enum { LATE_PART = 3, LATE_MS = 30000 };

struct listed { // a heap_site, or a judge_far_site
	const void *site;
	uint64_t bytes;
};

static struct judge_far_site *far_find(struct judge_far *f, const char *name, unsigned guess)
{
	for (unsigned n = 0; n < f->count; n++) {
		struct judge_far_site *s = &f->site[(guess + n) % f->count];
		if (strcmp(s->name, name) == 0)
			return s;
	}
	if (f->count == SITES_FAR_MAX)
		return NULL;
	struct judge_far_site *s = &f->site[f->count++];
	snprintf(s->name, sizeof(s->name), "%s", name);
	return s;
}

void judge_far_take(struct judge_far *f, const struct stats_site *site, unsigned count)
{
	char name[STATS_SITE_NAME];
	f->is_known = count > 0;
	for (unsigned i = 0; i < f->count && f->is_known; i++)
		f->site[i].bytes = 0;
	for (unsigned i = 0; i < count; i++) {
		struct judge_far_site *s =
			far_find(f, text_escape(site[i].name, name, sizeof(name)), i);
		if (!s)
			continue;
		s->bytes = site[i].bytes;
		s->is_dpdk = site[i].is_dpdk;
	}
}

static unsigned list(const struct judge_sites *s, struct listed out[HEAP_SITES_MAX])
{
	const struct heap_site *site[HEAP_SITES_MAX];
	unsigned n = s->far ? s->far->count : heap_sites(site, HEAP_SITES_MAX);
	for (unsigned i = 0; i < n; i++)
		out[i] = s->far ? (struct listed){&s->far->site[i], s->far->site[i].bytes}
				: (struct listed){site[i], atomic_load_explicit(&site[i]->bytes,
								   memory_order_relaxed)};
	return n;
}

static bool is_account(const char *name)
{
	for (unsigned i = 0; i < MEM_ACCOUNT_COUNT; i++)
		if (strcmp(mem_account_names[i], name) == 0)
			return true;
	return false;
}

static bool is_of(const struct judge_sites *s, const void *site, const char *account)
{
	const struct judge_far_site *far = site;
	if (s->far && far->is_dpdk)
		return !is_account(account);
	// "function (file.c:line)", or a library and its callers.
	const char *place = s->far ? strrchr(far->name, '(') : NULL;
	const char *file = !s->far ? ((const struct heap_site *)site)->file
			   : place ? place + 1
				   : far->name;
	return strcmp(mem_account_names[mem_account_of(file)], account) == 0;
}

// Sites stay in the list for life; others may be put between them.
static unsigned place_of(struct judge_sites *s, const void *site, unsigned guess)
{
	for (unsigned n = 0; n < s->count; n++) {
		unsigned i = (guess + n) % s->count;
		if (s->site[i] == site)
			return i;
	}
	if (s->count < HEAP_SITES_MAX)
		s->site[s->count++] = site;
	return s->count - 1;
}

static void sites_read(struct judge_sites *s, uint64_t bytes[HEAP_SITES_MAX])
{
	struct listed site[HEAP_SITES_MAX];
	unsigned n = list(s, site);
	memset(bytes, 0, s->count * sizeof(*bytes)); // further places were never written
	for (unsigned i = 0; i < n; i++)
		bytes[place_of(s, site[i].site, i)] = site[i].bytes;
}

void judge_sites_begin(struct judge_sites *s)
{
	if (s->far)
		s->far->count = 0;
	*s = (struct judge_sites){.far = s->far};
}

void judge_sites_see(struct judge_sites *s, uint64_t uptime_ms)
{
	for (unsigned k = 0; k < SITES_SCALES && (!s->far || s->far->is_known); k++) {
		unsigned at = (unsigned)(s->looked[k] % SITES_LOOKS);
		unsigned last = (unsigned)((s->looked[k] + SITES_LOOKS - 1) % SITES_LOOKS);
		if (s->looked[k] && uptime_ms - s->look[k][last].at_ms < apart_ms[k])
			continue;
		s->look[k][at].at_ms = uptime_ms;
		sites_read(s, s->look[k][at].bytes);
		s->looked[k]++;
	}
}

// The newest look of `at_ms` or before, else the oldest look. NULL: there was no look.
static const struct judge_look *look_before(const struct judge_sites *s, uint64_t at_ms)
{
	const struct judge_look *before = NULL, *oldest = NULL;
	for (unsigned k = 0; k < SITES_SCALES; k++)
		for (unsigned i = 0; i < SITES_LOOKS && i < s->looked[k]; i++) {
			const struct judge_look *l = &s->look[k][i];
			if (l->at_ms <= at_ms && (!before || l->at_ms > before->at_ms))
				before = l;
			if (!oldest || l->at_ms < oldest->at_ms)
				oldest = l;
		}
	return before ? before : oldest;
}

// A library's own site, which has what it allocated for callers that were not looked for.
static bool is_library(const struct heap_site *site)
{
	return site >= heap_site_library(0) && site < heap_site_library(0) + HEAP_LIBRARY_COUNT;
}

static bool is_caller(const struct heap_site *site, const struct heap_site *library)
{
	return site != library && !site->function && strcmp(site->file, library->file) == 0;
}

// The site that grew most, of an account's or of a library's callers only. NULL: no site grew.
static const void *most_grown(struct judge_sites *s, const struct judge_look *before,
	const char *account, const struct heap_site *library, uint64_t *most)
{
	struct listed site[HEAP_SITES_MAX];
	const unsigned n = list(s, site);
	const void *found = NULL;
	*most = 0;
	for (unsigned i = 0; i < n; i++) {
		const uint64_t past = before->bytes[place_of(s, site[i].site, i)];
		if (site[i].bytes > past + *most && is_of(s, site[i].site, account)
			&& (!library || is_caller(site[i].site, library))) {
			*most = site[i].bytes - past;
			found = site[i].site;
		}
	}
	return found;
}

// One in some of a library's blocks has its caller's name (HEAP_WALKS, HEAP_LIBRARY_LIST), so the
// caller that grew most has most of the library's own growth, too.
static const void *caller_grown(struct judge_sites *s, const struct judge_look *before,
	const char *account, const struct heap_site *library)
{
	uint64_t most;
	const void *caller = most_grown(s, before, account, library, &most);
	return caller ? caller : library;
}

void judge_sites_by(struct judge_sites *s, uint64_t uptime_ms, const char *account, double gained,
	uint64_t over_s, char *out, size_t cap)
{
	// A leak goes on; what a table filled with while it began may have stopped.
	const uint64_t over_ms = over_s * 1000;
	const uint64_t late_ms = over_ms / LATE_PART > LATE_MS ? over_ms / LATE_PART : LATE_MS;
	const struct judge_look *before =
		look_before(s, uptime_ms > late_ms ? uptime_ms - late_ms : 0);
	char name[HEAP_SITE_NAME];
	uint64_t most = 0;
	out[0] = '\0';
	const void *by = before ? most_grown(s, before, account, NULL, &most) : NULL;
	if (by && !s->far && is_library(by))
		by = caller_grown(s, before, account, by);
	if (!by)
		return;
	const uint64_t since_ms = uptime_ms - before->at_ms;
	const double part = since_ms < over_ms ? (double)since_ms / (double)over_ms : 1;
	if ((double)most < gained * part / 3)
		return;
	snprintf(out, cap, "%s",
		s->far ? ((const struct judge_far_site *)by)->name : heap_site_name(by, name));
}
