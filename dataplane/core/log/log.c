// SPDX-License-Identifier: BSD-3-Clause
#include "log_json.h"

#include <errno.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include <weir/clock.h>
#include <weir/log.h>
#include <weir/log_msg.h>
#include <weir/log_recent.h>

enum { LOG_LINES_PER_SECOND = 100 };

static const char *log_program = "weir";
static _Atomic int log_max_level = LOG_LEVEL_INFO;
static _Atomic bool log_in_json;
static bool log_to_journal;
static _Atomic uint64_t log_window; // second << 32 | lines printed in it
static _Atomic uint64_t log_refused;
static _Atomic uint64_t log_refused_told;

void log_init(const char *program, enum log_level level)
{
	log_program = program;
	log_set_level(level);
	log_to_journal = !isatty(STDERR_FILENO);
}

void log_set_level(enum log_level level)
{
	atomic_store_explicit(&log_max_level, (int)level, memory_order_relaxed);
}

void log_set_format(enum log_format format)
{
	atomic_store_explicit(&log_in_json, format == LOG_FORMAT_JSON, memory_order_relaxed);
}

bool log_is_json(void)
{
	return atomic_load_explicit(&log_in_json, memory_order_relaxed);
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

// `more`: lines that were suppressed before it.
static void text_write(enum log_level level, const char *text, uint64_t more)
{
	char line[LOG_TEXT_MAX];
	size_t len = 0;
	if (log_to_journal)
		len += (size_t)snprintf(line, sizeof(line), "<%d>", (int)level);
	len += (size_t)snprintf(line + len, sizeof(line) - len, "%s: ", log_program);
	if (more)
		len += (size_t)snprintf(line + len, sizeof(line) - len, "[%llu lines suppressed] ",
			(unsigned long long)more);
	len += (size_t)snprintf(line + len, sizeof(line) - len - 1, "%s", text);
	if (len > sizeof(line) - 2)
		len = sizeof(line) - 2; // cut, like snprintf did
	line[len++] = '\n';
	log_out_write(line, len);
}

static void json_write(const struct log_json *l)
{
	char line[LOG_JSON_MAX];
	log_out_write(line, log_json_line(line, l));
}

// Lines that were suppressed and that no line has reported yet.
static uint64_t suppressed_take(void)
{
	const uint64_t refused = log_suppressed();
	const uint64_t told =
		atomic_exchange_explicit(&log_refused_told, refused, memory_order_relaxed);
	return refused > told ? refused - told : 0;
}

void log_line(enum log_level level, const char *fmt, ...)
{
	char text[LOG_TEXT_MAX];
	const bool is_kept = level <= LOG_LEVEL_WARNING;
	const bool is_shown =
		(int)level <= atomic_load_explicit(&log_max_level, memory_order_relaxed);
	const bool is_written = is_shown && log_admit();
	if (!is_kept && !is_written)
		return;
	va_list args;
	va_start(args, fmt);
	(void)vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	if (is_kept)
		log_recent_add(level, fmt, text);
	if (!is_written)
		return;
	if (log_is_json())
		json_write(&(struct log_json){.level = level,
			.id = is_kept ? log_recent_id(fmt) : 0,
			.process = log_program,
			.text = text,
			.suppressed = suppressed_take()});
	else
		text_write(level, text, suppressed_take());
}

void log_event(enum log_level level, const struct log_event *e)
{
	if (log_is_json()
		&& (int)level <= atomic_load_explicit(&log_max_level, memory_order_relaxed)
		&& log_admit())
		json_write(&(struct log_json){.level = level,
			.process = log_program,
			.text = e->text,
			.suppressed = suppressed_take(),
			.event = e});
}

void log_foreign(const char *text, size_t len)
{
	char copy[LOG_TEXT_MAX];
	if (!log_is_json()) {
		log_out_write(text, len < LOG_OUT_BYTES ? len : LOG_OUT_BYTES);
		return;
	}
	size_t kept = len < sizeof(copy) - 1 ? len : sizeof(copy) - 1;
	memcpy(copy, text, kept);
	while (kept > 0 && copy[kept - 1] == '\n')
		kept--;
	copy[kept] = '\0';
	if (kept > 0)
		json_write(&(struct log_json){
			.level = LOG_LEVEL_INFO, .process = log_program, .text = copy});
}

static uint32_t messages_len(const struct log_parts *p)
{
	return (p->query ? p->query_len : 0u) + (p->reply ? p->reply_len : 0u);
}

uint32_t log_whole_len(const struct log_parts *p)
{
	return (uint32_t)sizeof(struct log_whole) + messages_len(p);
}

void log_writer_whole_put(struct log_record *r, const struct log_parts *p)
{
	uint8_t *at = (uint8_t *)(r + 1) + r->name_len;
	struct log_whole ends = {.service_port = p->service_port,
		.service_version = (uint8_t)p->ip_version,
		.has = (uint8_t)((p->query ? LOG_HAS_QUERY : 0) | (p->reply ? LOG_HAS_REPLY : 0))};
	memcpy(ends.service, p->service, p->ip_version == 6 ? 16 : 4);
	memcpy(at, &ends, sizeof(ends));
	at += sizeof(ends);
	if (p->query) {
		memcpy(at, p->query, p->query_len);
		at += p->query_len;
	}
	if (p->reply)
		memcpy(at, p->reply, p->reply_len);
}

int log_whole_read(const uint8_t *msg, size_t len, struct log_whole_view *out)
{
	struct log_record r;
	*out = (struct log_whole_view){0};
	if (len < sizeof(r))
		return -EBADMSG;
	memcpy(&r, msg, sizeof(r));
	out->record_len = sizeof(r) + r.name_len;
	if (len < out->record_len + sizeof(out->ends))
		return -EBADMSG;
	memcpy(&out->ends, msg + out->record_len, sizeof(out->ends));
	const size_t query_len = out->ends.has & LOG_HAS_QUERY ? r.query_len : 0;
	const size_t reply_len = out->ends.has & LOG_HAS_REPLY ? r.reply_len : 0;
	const uint8_t *at = msg + out->record_len + sizeof(out->ends);
	if (out->ends.has & ~(LOG_HAS_QUERY | LOG_HAS_REPLY)
		|| len != out->record_len + sizeof(out->ends) + query_len + reply_len)
		return -EBADMSG;
	out->query = query_len ? at : NULL;
	out->reply = reply_len ? at + query_len : NULL;
	return 0;
}
