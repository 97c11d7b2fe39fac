// SPDX-License-Identifier: BSD-3-Clause
// The options of jemalloc, which reads them under this name before main. The heap is profiled from
// the start, so that the stacks of before an incident are there: one sample in 512 KiB
// (HEAP_SAMPLE_LG) costs under 1 % (docs/how-to/heap.md). prof_stats counts the blocks that samples
// make larger (heap.c). Freed memory goes back to the kernel within seconds, by a thread of
// jemalloc when the program is idle: memory that only the allocator holds would look like growth.
// heap_background starts it.
// Four arenas are enough for two loops and some helpers; the usual number grows with the CPUs of
// the machine.
#include <string.h>
#include <unistd.h>

extern const char *malloc_conf;
const char *malloc_conf =
	"prof:true,prof_active:true,prof_final:false,prof_stats:true,lg_prof_sample:19,"
	"narenas:4,dirty_decay_ms:5000,muzzy_decay_ms:5000";

// A jemalloc without profiles, as Debian's is on arm64, refuses weir's own options for them, each
// with a line at every start. `heap status` says that it has none.
static int is_refused_profile(const char *text)
{
	static const char refusal[] = "<jemalloc>: Invalid conf pair: ";
	if (strncmp(text, refusal, sizeof(refusal) - 1) != 0)
		return 0;
	const char *pair = text + sizeof(refusal) - 1;
	const size_t len = strcspn(pair, "\n");
	for (const char *own = malloc_conf; own; own = strchr(own, ',')) {
		own += *own == ',';
		if (strcspn(own, ",") == len && strncmp(own, pair, len) == 0)
			return strncmp(own, "prof", 4) == 0 || strncmp(own, "lg_prof", 7) == 0;
	}
	return 0;
}

static void tell(void *arg, const char *text)
{
	(void)arg;
	if (!is_refused_profile(text))
		(void)!write(STDERR_FILENO, text, strlen(text));
}

// jemalloc's messages, under this name.
extern void (*malloc_message)(void *arg, const char *text);
void (*malloc_message)(void *arg, const char *text) = tell;
