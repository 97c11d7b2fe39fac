// SPDX-License-Identifier: BSD-3-Clause

// What a scrape costs the service loop: the text of all metrics, made of copies, for some sizes of
// a box. Its least and its median time of many. Fails when samples are left out.
// bench_metrics --text prints the largest of these texts (tools/docs/metrics_md.py).

#include "bench_row.h"
#include "tests/unit/cp/api/metrics/metrics_full.h"

#include <weir/clock.h>

#define GOAL "scrape"

enum { ROUNDS = 201 };

static int by_size(const void *a, const void *b)
{
	const uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
	return (x > y) - (x < y);
}

static bool scrape(const char *name, unsigned workers, unsigned upstreams, unsigned lists)
{
	uint64_t us[ROUNDS];
	size_t len = 0;
	uint64_t samples = 0, left_out = 0;
	struct metrics_full *f = metrics_full_new(workers, upstreams, lists);
	for (unsigned i = 0; i < ROUNDS; i++) {
		struct metrics_text text = {0};
		uint64_t start_us = clock_mono_us();
		metrics_full_put(&text, f);
		us[i] = clock_mono_us() - start_us;
		len = text.len;
		samples = text.samples;
		left_out += text.left_out;
		free(text.data);
	}
	free(f);
	qsort(us, ROUNDS, sizeof(us[0]), by_size);
	bench_say(GOAL, name, "least", (double)us[0] / 1e3, "ms", 5);
	bench_say(GOAL, name, "median", (double)us[ROUNDS / 2] / 1e3, "ms", 5);
	bench_say(GOAL, name, "size", (double)len / 1e3, "KB", 0);
	bench_say(GOAL, name, "samples", (double)samples, "", 0);
	return left_out == 0;
}

static int text_print(void)
{
	struct metrics_text text = {0};
	struct metrics_full *f =
		metrics_full_new(SHM_WORKERS_MAX, CONFIG_UPSTREAMS_MAX, RULE_LISTS_MAX);
	metrics_full_put(&text, f);
	const bool ok = fwrite(text.data, 1, text.len, stdout) == text.len;
	free(text.data);
	free(f);
	return ok ? EXIT_SUCCESS : EXIT_FAILURE;
}

int main(int argc, char **argv)
{
	if (argc == 2 && strcmp(argv[1], "--text") == 0)
		return text_print();
	bool ok = scrape("1 worker, 2 upstreams, 4 lists", 1, 2, 4);
	ok &= scrape("16 workers, 16 upstreams, 64 lists", 16, CONFIG_UPSTREAMS_MAX, 64);
	ok &= scrape("all that may be", SHM_WORKERS_MAX, CONFIG_UPSTREAMS_MAX, RULE_LISTS_MAX);
	return ok ? EXIT_SUCCESS : EXIT_FAILURE;
}
