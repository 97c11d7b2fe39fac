// SPDX-License-Identifier: BSD-3-Clause
#include "progress.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include <weir/clock.h>

enum { BAR = 20 };

static bool is_off;

struct progress progress_begin(const char *what, unsigned total_s)
{
	return (struct progress){.what = what, .total_s = total_s, .begin_ms = clock_mono_ms()};
}

void progress_step(struct progress *p)
{
	char bar[BAR + 1] = "";
	const uint64_t s = (clock_mono_ms() - p->begin_ms) / 1000;
	if (s == p->shown_s || is_off || !isatty(STDERR_FILENO))
		return;
	p->shown_s = s;
	if (p->total_s == 0 || s > p->total_s) {
		fprintf(stderr, "\r\033[K%s, %llu s", p->what, (unsigned long long)s);
		return;
	}
	memset(bar, ' ', BAR);
	memset(bar, '#', (size_t)(s * BAR / p->total_s));
	fprintf(stderr, "\r\033[K%s  [%s]  %llu of %u s", p->what, bar, (unsigned long long)s,
		p->total_s);
}

void progress_end(struct progress *p)
{
	if (p->shown_s)
		fprintf(stderr, "\r\033[K");
	p->shown_s = 0;
}

void progress_off(void)
{
	is_off = true;
}
