// SPDX-License-Identifier: BSD-3-Clause
#include "heap_text.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

// The next line of *at, ended; NULL: no more.
static char *line_take(char **at)
{
	char *line = *at;
	if (!*line)
		return NULL;
	size_t n = strcspn(line, "\n");
	*at = line + n + (line[n] == '\n');
	line[n] = '\0';
	return line;
}

static bool number_take(char **at, int base, uint64_t *out)
{
	char *end;
	if (!**at || strchr(" +-", **at))
		return false;
	errno = 0;
	*out = strtoull(*at, &end, base);
	if (end == *at || errno)
		return false;
	*at = end;
	return true;
}

// "@ 0x1 0x2": a new stack; NULL: over the cap.
static struct heap_stack *stack_begin(struct heap_text *h, char *line)
{
	if (h->stack_count == HEAP_STACKS_MAX) {
		h->left_out++;
		return NULL;
	}
	struct heap_stack *s = &h->stack[h->stack_count++];
	*s = (struct heap_stack){0};
	char *at = line + 1;
	while (*at == ' ' && s->depth < HEAP_FRAMES_MAX) {
		at++;
		if (!number_take(&at, 16, &s->frame[s->depth]))
			break;
		s->depth++;
	}
	return s;
}

// "  t*: 12: 3456 [0: 0]": of all threads.
static void totals_take(struct heap_stack *s, char *line, uint64_t sample)
{
	static const char head[] = "  t*: ";
	uint64_t blocks, bytes;
	if (strncmp(line, head, sizeof(head) - 1) != 0)
		return;
	char *at = line + sizeof(head) - 1;
	if (!number_take(&at, 10, &blocks) || strncmp(at, ": ", 2) != 0)
		return;
	at += 2;
	if (!number_take(&at, 10, &bytes) || !blocks)
		return;
	double mean = (double)bytes / (double)blocks;
	// Not 1 - exp(): that is 0 for a sample distance that no allocator has but a file may say.
	double scale = mean > 0 ? -1 / expm1(-mean / (double)sample) : 1;
	s->blocks = (double)blocks * scale;
	s->bytes = (double)bytes * scale;
}

// "start-end perms offset dev inode path", executable ones.
static void map_take(struct heap_text *h, char *line)
{
	struct heap_map m = {0};
	char *at = line;
	if (!number_take(&at, 16, &m.start) || *at++ != '-' || !number_take(&at, 16, &m.end)
		|| *at++ != ' ' || strnlen(at, 5) < 5 || at[2] != 'x')
		return;
	at += 5;
	char *path = strchr(at, '/');
	if (!number_take(&at, 16, &m.offset) || !path)
		return;
	if (h->map_count == HEAP_MAPS_MAX) {
		h->left_out++;
		return;
	}
	m.path = path;
	h->map[h->map_count++] = m;
}

static void lines_read(struct heap_text *h, char *text)
{
	struct heap_stack *s = NULL;
	bool maps = false;
	char *line;
	while ((line = line_take(&text))) {
		if (maps)
			map_take(h, line);
		else if (strcmp(line, "MAPPED_LIBRARIES:") == 0)
			maps = true;
		else if (line[0] == '@')
			s = stack_begin(h, line);
		else if (s)
			totals_take(s, line, h->sample);
	}
}

int heap_text_read(struct heap_text **out, char *text)
{
	static const char head[] = "heap_v2/";
	uint64_t sample;
	char *line = line_take(&text);
	if (!line || strncmp(line, head, sizeof(head) - 1) != 0)
		return -EPROTO;
	line += sizeof(head) - 1;
	if (!number_take(&line, 10, &sample) || *line || !sample)
		return -EPROTO;
	struct heap_text *h = calloc(1, sizeof(*h));
	if (h)
		h->stack = calloc(HEAP_STACKS_MAX, sizeof(*h->stack));
	if (!h || !h->stack) {
		heap_text_free(h);
		return -ENOMEM;
	}
	h->sample = sample;
	lines_read(h, text);
	*out = h;
	return 0;
}

void heap_text_free(struct heap_text *h)
{
	if (h)
		free(h->stack);
	free(h);
}

const struct heap_map *heap_text_map(const struct heap_text *h, uint64_t address)
{
	for (unsigned i = 0; i < h->map_count; i++)
		if (address >= h->map[i].start && address < h->map[i].end)
			return &h->map[i];
	return NULL;
}
