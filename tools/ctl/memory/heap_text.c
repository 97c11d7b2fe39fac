// SPDX-License-Identifier: BSD-3-Clause
#include "heap_text.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

// Cuts the next line off *at, ended by a zero; NULL: there is no more.
static char *line_next(char **at)
{
	char *line = *at;
	if (!*line)
		return NULL;
	size_t n = strcspn(line, "\n");
	*at = line + n + (line[n] == '\n');
	line[n] = '\0';
	return line;
}

static bool number_parse(char **at, int base, uint64_t *out)
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

// Begins a stack from "@ 0x1 0x2"; NULL: there are too many.
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
		if (!number_parse(&at, 16, &s->frame[s->depth]))
			break;
		s->depth++;
	}
	return s;
}

static void stack_scale(struct heap_stack *s, uint64_t blocks, uint64_t bytes, uint64_t sample)
{
	double mean = (double)bytes / (double)blocks;
	// 1 - exp() would be 0 for a huge sample distance, which no allocator has but a file may.
	double scale = mean > 0 ? -1 / expm1(-mean / (double)sample) : 1;
	s->blocks = (double)blocks * scale;
	s->bytes = (double)bytes * scale;
}

// Reads "12: 3456".
static bool pair_parse(char **at, uint64_t *blocks, uint64_t *bytes)
{
	if (!number_parse(at, 10, blocks) || strncmp(*at, ": ", 2) != 0)
		return false;
	*at += 2 + strspn(*at + 2, " ");
	return number_parse(at, 10, bytes) && *blocks;
}

// Reads "  t*: 12: 3456 [0: 0]", the totals over all threads.
static void totals_parse(struct heap_stack *s, char *line, uint64_t sample)
{
	static const char head[] = "  t*: ";
	uint64_t blocks, bytes;
	char *at = line + sizeof(head) - 1;
	if (strncmp(line, head, sizeof(head) - 1) == 0 && pair_parse(&at, &blocks, &bytes))
		stack_scale(s, blocks, bytes, sample);
}

// Reads "0: 0 [12: 3456] @ 0x1 0x2", the allocations of a stack.
static void allocated_parse(struct heap_text *h, char *line)
{
	uint64_t blocks, bytes;
	char *at = strchr(line, '['), *frames = strstr(line, "] @");
	if (!at || !frames)
		return;
	at += 1 + strspn(at + 1, " ");
	if (!pair_parse(&at, &blocks, &bytes))
		return;
	struct heap_stack *s = stack_begin(h, frames + 2);
	if (s)
		stack_scale(s, blocks, bytes, h->sample);
}

// The innermost frame of a running thread is no return address. Symbols are looked up at an address
// less 1, so this adds 1.
static void runs_here(struct heap_stack *s)
{
	if (s->depth)
		s->frame[0]++;
}

// Reads "1 @ 0x1 0x2" after "# LABEL".
static void thread_parse(struct heap_text *h, char *line, const char **label)
{
	if (line[0] == '#')
		*label = line + 1 + (line[1] == ' ');
	if (strncmp(line, "1 @", 3) != 0 || !*label)
		return;
	struct heap_stack *s = stack_begin(h, line + 2);
	if (!s)
		return;
	s->label = *label;
	s->blocks = 1;
	runs_here(s);
	*label = NULL;
}

// Reads "start-end perms offset dev inode path" of executable mappings.
static void map_parse(struct heap_text *h, char *line)
{
	struct heap_map m = {0};
	char *at = line;
	if (!number_parse(&at, 16, &m.start) || *at++ != '-' || !number_parse(&at, 16, &m.end)
		|| *at++ != ' ' || strnlen(at, 5) < 5 || at[2] != 'x')
		return;
	at += 5;
	char *path = strchr(at, '/');
	if (!number_parse(&at, 16, &m.offset) || !path)
		return;
	if (h->map_count == HEAP_MAPS_MAX) {
		h->left_out++;
		return;
	}
	m.path = path;
	h->map[h->map_count++] = m;
}

// Reads "function bytes made_bytes file".
static void site_parse(struct heap_text *h, char *line)
{
	struct heap_count s = {.function = line};
	char *at = strchr(line, ' ');
	if (!at)
		return;
	*at++ = '\0';
	if (!number_parse(&at, 10, &s.bytes) || *at++ != ' '
		|| !number_parse(&at, 10, &s.made_bytes) || *at++ != ' ')
		return;
	if (h->site_count == HEAP_COUNTS_MAX) {
		h->left_out++;
		return;
	}
	s.file = at;
	h->site[h->site_count++] = s;
}

static void lines_read(struct heap_text *h, char *text)
{
	struct heap_stack *s = NULL;
	const char *label = NULL;
	bool maps = h->kind == HEAP_CPU, sites = false;
	char *line;
	while ((line = line_next(&text))) {
		if (sites)
			site_parse(h, line);
		else if (maps && strcmp(line, "SITES:") == 0)
			sites = true;
		else if (maps)
			map_parse(h, line);
		else if (strcmp(line, "MAPPED_LIBRARIES:") == 0)
			maps = true;
		else if (h->kind == HEAP_ALLOCATED)
			allocated_parse(h, line);
		else if (h->kind == HEAP_THREADS)
			thread_parse(h, line, &label);
		else if (line[0] == '@')
			s = stack_begin(h, line);
		else if (s)
			totals_parse(s, line, h->sample);
	}
}

static int heap_text_new(struct heap_text **out, enum heap_kind kind, uint64_t sample)
{
	struct heap_text *h = calloc(1, sizeof(*h));
	if (h)
		h->stack = calloc(HEAP_STACKS_MAX, sizeof(*h->stack));
	if (!h || !h->stack) {
		heap_text_free(h);
		return -ENOMEM;
	}
	h->kind = kind;
	h->sample = sample;
	*out = h;
	return 0;
}

// Reads the first line: the profile's kind, and the mean bytes between samples.
static bool head_read(char *line, enum heap_kind *kind, uint64_t *sample)
{
	static const char heap[] = "heap_v2/", *const allocated = "heap profile: ";
	*sample = 1;
	*kind = HEAP_THREADS;
	if (line && strncmp(line, "threads profile: ", 17) == 0)
		return true;
	char *at = line ? strstr(line, heap) : NULL;
	*kind = at == line ? HEAP_HELD : HEAP_ALLOCATED;
	if (!at || (at != line && strncmp(line, allocated, strlen(allocated)) != 0))
		return false;
	at += sizeof(heap) - 1;
	return number_parse(&at, 10, sample) && !*at && *sample;
}

int heap_text_read(struct heap_text **out, char *text)
{
	uint64_t sample;
	enum heap_kind kind;
	if (!head_read(line_next(&text), &kind, &sample))
		return -EPROTO;
	int rc = heap_text_new(out, kind, sample);
	if (rc == 0)
		lines_read(*out, text);
	return rc;
}

static bool word_read(const char **at, const char *end, uint64_t *out)
{
	if ((size_t)(end - *at) < sizeof(*out))
		return false;
	memcpy(out, *at, sizeof(*out));
	*at += sizeof(*out);
	return true;
}

// Reads a record: a count, a depth, frames. The last record has depth 1 and count 0.
static bool record_read(struct heap_text *h, const char **at, const char *end, bool *is_end)
{
	uint64_t count, depth, frame;
	if (!word_read(at, end, &count) || !word_read(at, end, &depth) || !depth
		|| depth > (size_t)(end - *at) / sizeof(frame))
		return false;
	*is_end = count == 0;
	struct heap_stack *s = NULL;
	if (count && h->stack_count < HEAP_STACKS_MAX)
		s = &h->stack[h->stack_count++];
	h->left_out += count && !s;
	for (uint64_t i = 0; i < depth && word_read(at, end, &frame); i++)
		if (s && s->depth < HEAP_FRAMES_MAX)
			s->frame[s->depth++] = frame;
	if (!s)
		return true;
	s->blocks = (double)count;
	s->bytes = (double)count * (double)h->sample;
	runs_here(s);
	return true;
}

int heap_text_read_cpu(struct heap_text **out, char *text, size_t len)
{
	const char *at = text, *end = text + len;
	uint64_t word[5];
	for (unsigned i = 0; i < ARRAY_LEN(word); i++)
		if (!word_read(&at, end, &word[i]))
			return -EPROTO;
	if (word[0] || word[1] != 3 || word[2] || !word[3] || word[4])
		return -EPROTO;
	int rc = heap_text_new(out, HEAP_CPU, word[3]);
	if (rc < 0)
		return rc;
	bool is_end = false;
	while (!is_end)
		if (!record_read(*out, &at, end, &is_end)) {
			heap_text_free(*out);
			return -EPROTO;
		}
	lines_read(*out, text + (at - text));
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
