// SPDX-License-Identifier: BSD-3-Clause
#include "event_out_text.h"

#include <ctype.h>
#include <endian.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

enum { FACILITY_DAEMON = 3 << 3, HOST_MAX = 255 };

// Priorities of syslog.h, which the journal uses too.
static const unsigned priority[EVENT_SEVERITIES] = {
	[EVENT_IS_info] = 6, [EVENT_IS_warning] = 4, [EVENT_IS_error] = 3};

struct datagram {
	char *at;
	size_t len;
};

static void bytes_put(struct datagram *d, const void *bytes, size_t len)
{
	if (len > EVENT_JOURNAL_MAX - d->len)
		len = EVENT_JOURNAL_MAX - d->len;
	memcpy(d->at + d->len, bytes, len);
	d->len += len;
}

// Writes a field; a value with a line feed is preceded by its length.
static void field_put(struct datagram *d, const char *before, const char *name, const char *value)
{
	const uint64_t len = strlen(value), wire = htole64(len);
	const bool is_line = !strchr(value, '\n');
	bytes_put(d, before, strlen(before));
	for (; *name; name++)
		bytes_put(d, &(char){(char)toupper((unsigned char)*name)}, 1);
	bytes_put(d, is_line ? "=" : "\n", 1);
	if (!is_line)
		bytes_put(d, &wire, sizeof(wire));
	bytes_put(d, value, len);
	bytes_put(d, "\n", 1);
}

size_t event_journal_text(const struct event_record *e, char out[EVENT_JOURNAL_MAX])
{
	static_assert(EVENT_TEXT_MAX + EVENT_FIELDS_MAX * (EVENT_VALUE_MAX + 64) + 512
		      < EVENT_JOURNAL_MAX);
	struct datagram d = {.at = out};
	char number[24];
	const char digit[] = {(char)('0' + priority[e->severity]), '\0'};
	(void)snprintf(number, sizeof(number), "%" PRIu64, e->number);
	field_put(&d, "", "MESSAGE", e->text);
	field_put(&d, "", "PRIORITY", digit);
	field_put(&d, "", "SYSLOG_IDENTIFIER", "weir-events");
	field_put(&d, "WEIR_", "EVENT", event_kind_names[e->kind]);
	field_put(&d, "WEIR_", "EVENT_NUMBER", number);
	field_put(&d, "WEIR_", "SEVERITY", event_severity_names[e->severity]);
	field_put(&d, "WEIR_", "BOX", e->box);
	for (unsigned i = 0; i < e->fields; i++)
		field_put(&d, "WEIR_", e->name[i], e->value[i]);
	return d.len;
}

struct message {
	char *at;
	size_t len;
};

static void put(struct message *m, const char *fmt, ...) ATTR_PRINTF(2, 3);
static void put(struct message *m, const char *fmt, ...)
{
	const size_t room = EVENT_SYSLOG_MAX - m->len;
	va_list args;
	va_start(args, fmt);
	const int n = vsnprintf(m->at + m->len, room, fmt, args);
	va_end(args);
	m->len += n < 0 ? 0 : (size_t)n < room ? (size_t)n : room - 1;
}

// `escaped`: characters that get a backslash before them.
static void text_put(struct message *m, const char *text, const char *escaped)
{
	for (; *text && m->len + 2 < EVENT_SYSLOG_MAX; text++) {
		const unsigned char c = (unsigned char)*text;
		if (strchr(escaped, c))
			m->at[m->len++] = '\\';
		m->at[m->len++] = c < 0x20 || c == 0x7f ? '?' : *text;
	}
}

// Writes the host's name as printable ASCII without blanks.
static void host_put(struct message *m, const char *box)
{
	for (unsigned i = 0; box[i] && i < HOST_MAX; i++)
		m->at[m->len++] = box[i] > 0x20 && box[i] < 0x7f ? box[i] : '-';
	if (!*box)
		m->at[m->len++] = '-';
}

static void time_put(struct message *m, int64_t unix_ms)
{
	char text[32];
	const time_t s = (time_t)(unix_ms / 1000);
	struct tm tm;
	if (gmtime_r(&s, &tm) && strftime(text, sizeof(text), "%FT%T", &tm))
		put(m, "%s.%03dZ", text, (int)(unix_ms % 1000));
	else
		put(m, "-");
}

size_t event_syslog_text(
	const struct event_record *e, const char *box, unsigned pid, char out[EVENT_SYSLOG_MAX])
{
	static_assert(
		EVENT_TEXT_MAX + EVENT_FIELDS_MAX * 2 * (EVENT_VALUE_MAX + 32) + HOST_MAX + 512
		< EVENT_SYSLOG_MAX);
	struct message m = {.at = out};
	put(&m, "<%u>1 ", FACILITY_DAEMON + priority[e->severity]);
	time_put(&m, e->unix_ms);
	put(&m, " ");
	host_put(&m, box);
	put(&m, " weir %u %s [event@32473 number=\"%" PRIu64 "\" severity=\"%s\"", pid,
		event_kind_names[e->kind], e->number, event_severity_names[e->severity]);
	for (unsigned i = 0; i < e->fields; i++) {
		put(&m, " %s=\"", e->name[i]);
		text_put(&m, e->value[i], "\"\\]");
		put(&m, "\"");
	}
	put(&m, "] ");
	text_put(&m, e->text, "");
	return m.len;
}
