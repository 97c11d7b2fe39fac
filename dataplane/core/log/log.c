// SPDX-License-Identifier: BSD-3-Clause
#include "log.h"

#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include <weir/clock.h>
#include <weir/log.h>
#include <weir/log_msg.h>
#include <weir/log_recent.h>
#include <weir/text.h>

enum { DAY_S = 86400, THREAD_NAME_MAX = 16, TIME_TEXT_MAX = 160 };

// RFC 3339, of UTC. Years begin in March here, so that the day of February 29 is their last one.
static void time_text(const struct timespec *now, char out[TIME_TEXT_MAX])
{
	const uint64_t second = (uint64_t)now->tv_sec % DAY_S;
	const uint64_t days = (uint64_t)now->tv_sec / DAY_S + 719468; // since 1 March of year 0
	const uint64_t era = days / 146097, day_of_era = days % 146097;
	const uint64_t year_of_era =
		(day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
	const uint64_t day = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
	const uint64_t month = (5 * day + 2) / 153; // 0: March
	const uint64_t year = 400 * era + year_of_era + (month >= 10);
	(void)snprintf(out, TIME_TEXT_MAX,
		"%04" PRIu64 "-%02" PRIu64 "-%02" PRIu64 "T%02" PRIu64 ":%02" PRIu64 ":%02" PRIu64
		".%03ldZ",
		year, month < 10 ? month + 3 : month - 9, day - (153 * month + 2) / 5 + 1,
		second / 3600, second / 60 % 60, second % 60, now->tv_nsec / 1000000);
}

static const char *level_text(enum log_level level)
{
	return level <= LOG_LEVEL_ERROR     ? "error"
	       : level <= LOG_LEVEL_WARNING ? "warning"
	       : level <= LOG_LEVEL_INFO    ? "info"
					    : "debug";
}

// A string with its quotes. `text` has at most LOG_TEXT_MAX bytes.
static size_t string_put(char *out, const char *text)
{
	char clean[LOG_TEXT_MAX];
	size_t n = 0;
	out[n++] = '"';
	for (const char *p = text_name(text, clean, sizeof(clean)); *p; p++) {
		if (*p == '"' || *p == '\\')
			out[n++] = '\\';
		out[n++] = *p;
	}
	out[n++] = '"';
	return n;
}

static size_t event_put(char *out, const struct log_event *e)
{
	char value[LOG_FIELD_MAX];
	size_t len = (size_t)snprintf(out, LOG_EVENT_TEXT_MAX,
		",\"event\":\"%.40s\",\"number\":%" PRIu64 ",\"box\":", e->kind, e->number);
	(void)snprintf(value, sizeof(value), "%s", e->box);
	len += string_put(out + len, value);
	len += (size_t)snprintf(out + len, 16, ",\"fields\":{");
	for (unsigned i = 0; i < e->count && i < LOG_EVENT_FIELDS_MAX; i++) {
		len += (size_t)snprintf(
			out + len, 40, "%s\"%.30s\":", i ? "," : "", e->field[i].name);
		(void)snprintf(value, sizeof(value), "%s", e->field[i].value);
		len += string_put(out + len, value);
	}
	out[len++] = '}';
	return len;
}

size_t log_json_line(char out[LOG_JSON_MAX], const struct log_json *l)
{
	char when[TIME_TEXT_MAX], thread[THREAD_NAME_MAX] = "", id[24] = "", suppressed[48] = "";
	struct timespec now;
	(void)clock_gettime(CLOCK_REALTIME, &now);
	time_text(&now, when);
	(void)pthread_getname_np(pthread_self(), thread, sizeof(thread));
	if (l->id)
		(void)snprintf(id, sizeof(id), "\"id\":\"%c%08" PRIx32 "\",",
			l->level <= LOG_LEVEL_ERROR ? 'E' : 'W', l->id);
	if (l->suppressed)
		(void)snprintf(suppressed, sizeof(suppressed), "\"suppressed\":%" PRIu64 ",",
			l->suppressed);
	size_t len = (size_t)snprintf(out, LOG_JSON_MAX,
		"{\"time\":\"%s\",\"level\":\"%s\",%s\"process\":\"%s\",%s\"thread\":", when,
		level_text(l->level), id, l->process, suppressed);
	len += string_put(out + len, thread);
	memcpy(out + len, ",\"message\":", 11);
	len += 11;
	len += string_put(out + len, l->text);
	if (l->event)
		len += event_put(out + len, l->event);
	memcpy(out + len, "}\n", 2);
	return len + 2;
}

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
