// SPDX-License-Identifier: BSD-3-Clause
#include "log_json.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
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
		",\"event\":\"%.40s\",\"number\":%" PRIu64 ",\"fields\":{", e->kind, e->number);
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
