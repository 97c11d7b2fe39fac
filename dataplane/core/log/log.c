// SPDX-License-Identifier: BSD-3-Clause

#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <unistd.h>
#include <weir/clock.h>
#include <weir/log.h>
#include <weir/log_recent.h>

enum { LOG_LINES_PER_SECOND = 100, LOG_LINE_MAX = 1024 };

static const char *log_program = "weir";
static enum log_level log_max_level = LOG_LEVEL_INFO;
static bool log_to_journal;
static _Atomic uint64_t log_window; // second << 32 | lines printed in it
static _Atomic uint64_t log_refused;
static _Atomic uint64_t log_refused_told;

void log_init(const char *program, enum log_level level)
{
	log_program = program;
	log_max_level = level;
	log_to_journal = !isatty(STDERR_FILENO);
}

uint64_t log_suppressed(void)
{
	return atomic_load_explicit(&log_refused, memory_order_relaxed);
}

// One more line in this second? Lock-free: the window is one word.
static bool log_admit(void)
{
	uint64_t second = clock_mono_ms() / 1000;
	uint64_t seen = atomic_load_explicit(&log_window, memory_order_relaxed);
	for (;;) {
		uint64_t next = seen >> 32 == second ? seen + 1 : (second << 32) + 1;
		if ((next & UINT32_MAX) > LOG_LINES_PER_SECOND) {
			atomic_fetch_add_explicit(&log_refused, 1, memory_order_relaxed);
			return false;
		}
		if (atomic_compare_exchange_weak_explicit(
			    &log_window, &seen, next, memory_order_relaxed, memory_order_relaxed))
			return true;
	}
}

void log_line(enum log_level level, const char *fmt, ...)
{
	char line[LOG_LINE_MAX];
	size_t len = 0;
	if (level <= LOG_LEVEL_WARNING) {
		va_list kept;
		va_start(kept, fmt);
		vsnprintf(line, sizeof(line), fmt, kept);
		va_end(kept);
		log_recent_add(level, fmt, line);
	}
	if (level > log_max_level || !log_admit())
		return;
	if (log_to_journal)
		len += (size_t)snprintf(line, sizeof(line), "<%d>", (int)level);
	len += (size_t)snprintf(line + len, sizeof(line) - len, "%s: ", log_program);

	uint64_t refused = log_suppressed();
	uint64_t told = atomic_exchange_explicit(&log_refused_told, refused, memory_order_relaxed);
	if (refused > told)
		len += (size_t)snprintf(line + len, sizeof(line) - len, "[%llu lines suppressed] ",
			(unsigned long long)(refused - told));

	va_list ap;
	va_start(ap, fmt);
	int n = vsnprintf(line + len, sizeof(line) - len - 1, fmt, ap);
	va_end(ap);
	if (n < 0)
		return;
	len += (size_t)n;
	if (len > sizeof(line) - 2)
		len = sizeof(line) - 2; // cut, like vsnprintf did
	line[len++] = '\n';
	log_out_write(line, len);
}
