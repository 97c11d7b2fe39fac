// SPDX-License-Identifier: BSD-3-Clause

// Heap profiles from a file: numbers are finite, addresses are in the maps that are said to hold
// them, and nothing is read past the text.

#include "fuzz.h"
#include "tools/ctl/memory/heap_text.h"

#include <math.h>

static void check(const struct heap_text *h, const char *text, size_t len)
{
	FUZZ_CHECK(h->stack_count <= HEAP_STACKS_MAX && h->map_count <= HEAP_MAPS_MAX);
	for (unsigned i = 0; i < h->stack_count; i++) {
		const struct heap_stack *s = &h->stack[i];
		FUZZ_CHECK(s->depth <= HEAP_FRAMES_MAX);
		FUZZ_CHECK(isfinite(s->bytes) && isfinite(s->blocks) && s->bytes >= 0);
		for (unsigned k = 0; k < s->depth; k++) {
			const struct heap_map *m = heap_text_map(h, s->frame[k]);
			FUZZ_CHECK(!m || (s->frame[k] >= m->start && s->frame[k] < m->end));
		}
	}
	FUZZ_CHECK(h->site_count <= HEAP_COUNTS_MAX);
	for (unsigned i = 0; i < h->site_count; i++)
		FUZZ_CHECK(h->site[i].function >= text && h->site[i].file <= text + len);
	for (unsigned i = 0; i < h->map_count; i++)
		FUZZ_CHECK(h->map[i].path >= text && h->map[i].path < text + len);
}

FUZZ_BODY(data, len)
{
	struct heap_text *h;
	char *text = malloc(len + 1);
	FUZZ_CHECK(text);
	memcpy(text, data, len);
	text[len] = '\0';
	if (heap_text_read(&h, text) == 0) {
		check(h, text, len);
		heap_text_free(h);
	}
	memcpy(text, data, len);
	if (heap_text_read_cpu(&h, text, len) == 0) {
		check(h, text, len);
		heap_text_free(h);
	}
	free(text);
	return 0;
}
