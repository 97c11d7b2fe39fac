// SPDX-License-Identifier: BSD-3-Clause
// The options of jemalloc, which reads them under this name before main. The heap is profiled from
// the start, so that the stacks of before an incident are there: one sample in 512 KiB
// (HEAP_SAMPLE_LG) costs under 1 % (docs/how-to/heap.md). prof_stats counts the blocks that samples
// make larger (heap.c). Freed memory goes back to the kernel within seconds, by a thread of
// jemalloc when the program is idle: memory that only the allocator holds would look like growth.
// heap_background starts it.
// Four arenas are enough for two loops and some helpers; the usual number grows with the CPUs of
// the machine.
extern const char *malloc_conf;
const char *malloc_conf =
	"prof:true,prof_active:true,prof_final:false,prof_stats:true,lg_prof_sample:19,"
	"narenas:4,dirty_decay_ms:5000,muzzy_decay_ms:5000";
