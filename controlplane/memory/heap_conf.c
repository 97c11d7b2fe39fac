// SPDX-License-Identifier: BSD-3-Clause
// The options of jemalloc, which reads them under this name before main. Profiling can be turned on
// and is off. Freed memory goes back to the kernel within seconds, by a thread of jemalloc when the
// program is idle: memory that only the allocator holds would look like growth. Four arenas are
// enough for two loops and some helpers; the usual number grows with the CPUs of the machine.
extern const char *malloc_conf;
const char *malloc_conf =
	"prof:true,prof_active:false,prof_final:false,lg_prof_sample:16,background_thread:true,"
	"narenas:4,dirty_decay_ms:5000,muzzy_decay_ms:5000";
