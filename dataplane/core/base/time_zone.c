// SPDX-License-Identifier: BSD-3-Clause
#include <errno.h>
#include <stdbool.h>
#include <string.h>
#include <time.h>
#include <weir/bytes.h>
#include <weir/heap_site.h>
#include <weir/time_zone.h>

enum {
	TRANSITIONS_MAX = 2000,
	TYPES_MAX = 256,
	TYPE_LEN = 6,
	LETTERS_MAX = 4096,
	OFFSET_MAX_S = 26 * 3600, // RFC 8536 3.2
	FOOTER_MAX = 100,
	HOUR_S = 3600,
	DAY_S = 24 * HOUR_S,
};

static const int64_t YEAR_9999_S = INT64_C(253370764800); // 9999-01-01

// The day of a year and the time on which the clocks change, as POSIX's TZ has it.
struct yearly_day {
	enum { DAY_OF_MONTH_WEEK, DAY_NO_LEAP, DAY_OF_YEAR } kind; // Mm.w.d, Jn, n
	unsigned day, month, week, weekday;
	int32_t time_s; // behind 0:00 by the clock before the change; may be another day
};

// The rule for times after the last transition.
struct yearly {
	bool is_given, has_summer;
	int32_t standard_s, summer_s; // offsets
	struct yearly_day begin, end; // summer time
};

struct transition {
	int64_t at;
	int32_t offset_s;
};

struct time_zone {
	struct yearly yearly;
	int32_t first_s; // offset before the first transition
	unsigned count;
	struct transition transition[];
};

// The footer, such as "CET-1CEST,M3.5.0,M10.5.0/3".

struct footer {
	const char *at;
	bool is_bad;
};

static bool take(struct footer *f, char c)
{
	if (*f->at != c)
		return false;
	f->at++;
	return true;
}

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static unsigned number(struct footer *f, unsigned low, unsigned high)
{
	unsigned n = 0, digits = 0;
	for (; digits < 3 && is_digit(*f->at); digits++)
		n = n * 10 + (unsigned)(*f->at++ - '0');
	f->is_bad |= digits == 0 || n < low || n > high;
	return n;
}

static void must(struct footer *f, char c)
{
	f->is_bad |= !take(f, c);
}

static void name_skip(struct footer *f)
{
	const bool is_quoted = take(f, '<');
	const char *begin = f->at;
	while (*f->at && (is_quoted ? *f->at != '>' : !strchr("+-,", *f->at) && !is_digit(*f->at)))
		f->at++;
	f->is_bad |= f->at - begin < 3;
	if (is_quoted)
		must(f, '>');
}

// [+-]hh[:mm[:ss]] in seconds.
static int32_t time_take(struct footer *f, unsigned hours_max)
{
	const bool is_minus = take(f, '-');
	if (!is_minus)
		take(f, '+');
	int32_t s = (int32_t)number(f, 0, hours_max) * HOUR_S;
	if (take(f, ':'))
		s += (int32_t)number(f, 0, 59) * 60;
	if (take(f, ':'))
		s += (int32_t)number(f, 0, 59);
	return is_minus ? -s : s;
}

static struct yearly_day day_take(struct footer *f)
{
	struct yearly_day d = {.time_s = 2 * HOUR_S};
	if (take(f, 'M')) {
		d.kind = DAY_OF_MONTH_WEEK;
		d.month = number(f, 1, 12);
		must(f, '.');
		d.week = number(f, 1, 5);
		must(f, '.');
		d.weekday = number(f, 0, 6);
	} else if (take(f, 'J')) {
		d.kind = DAY_NO_LEAP;
		d.day = number(f, 1, 365);
	} else {
		d.kind = DAY_OF_YEAR;
		d.day = number(f, 0, 365);
	}
	if (take(f, '/'))
		d.time_s = time_take(f, 167);
	return d;
}

// -EBADMSG. An empty text is good: the last transition holds for ever.
static int footer_parse(const char *text, struct yearly *out)
{
	struct footer f = {.at = text};
	if (!*text)
		return 0;
	out->is_given = true;
	name_skip(&f);
	out->standard_s = -time_take(&f, 24);
	if (*f.at && !f.is_bad) {
		out->has_summer = true;
		out->summer_s = out->standard_s + HOUR_S;
		name_skip(&f);
		if (*f.at != ',')
			out->summer_s = -time_take(&f, 24);
		must(&f, ',');
		out->begin = day_take(&f);
		must(&f, ',');
		out->end = day_take(&f);
	}
	return f.is_bad || *f.at ? -EBADMSG : 0;
}

static bool is_leap(int64_t year)
{
	return year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
}

// Days from 1970-01-01 to the first of January, for years from 1 on.
static int64_t new_year(int64_t year)
{
	const int64_t before = year - 1;
	return before * 365 + before / 4 - before / 100 + before / 400 - 719162;
}

// The day in days from 1970-01-01.
static int64_t day_of(const struct yearly_day *d, int64_t year)
{
	static const uint16_t ahead[] = {
		0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334, 365};
	const int64_t first = new_year(year);
	if (d->kind == DAY_OF_YEAR)
		return first + d->day;
	if (d->kind == DAY_NO_LEAP)
		return first + d->day - 1 + (d->day >= 60 && is_leap(year));
	const int64_t begin = first + ahead[d->month - 1] + (d->month > 2 && is_leap(year));
	const int64_t end = first + ahead[d->month] + (d->month > 1 && is_leap(year));
	const int64_t weekday = ((begin + 4) % 7 + 7) % 7; // 1970-01-01 is a Thursday
	int64_t day = begin + (d->weekday + 7 - weekday) % 7 + (d->week - 1) * 7;
	while (day >= end)
		day -= 7;
	return day;
}

static int32_t yearly_offset(const struct yearly *y, int64_t unix_s)
{
	struct tm tm;
	if (!y->has_summer || unix_s < 0 || unix_s > YEAR_9999_S)
		return y->standard_s;
	const time_t there = unix_s + y->standard_s;
	if (!gmtime_r(&there, &tm))
		return y->standard_s;
	const int64_t year = tm.tm_year + INT64_C(1900);
	const int64_t begin = day_of(&y->begin, year) * DAY_S + y->begin.time_s - y->standard_s;
	const int64_t end = day_of(&y->end, year) * DAY_S + y->end.time_s - y->summer_s;
	const bool is_summer =
		begin < end ? unix_s >= begin && unix_s < end : unix_s >= begin || unix_s < end;
	return is_summer ? y->summer_s : y->standard_s;
}

// The file.

struct counts {
	uint32_t isut, isstd, leap, transition, type, letter;
};

static void header_read(struct rd *rd, uint8_t *version, struct counts *c)
{
	const uint8_t *magic = rd_bytes(rd, 4);
	rd->bad |= !magic || memcmp(magic, "TZif", 4) != 0;
	*version = rd_u8(rd);
	rd_skip(rd, 15);
	c->isut = rd_u32(rd);
	c->isstd = rd_u32(rd);
	c->leap = rd_u32(rd);
	c->transition = rd_u32(rd);
	c->type = rd_u32(rd);
	c->letter = rd_u32(rd);
	rd->bad |= c->isut > TYPES_MAX || c->isstd > TYPES_MAX || c->leap > TRANSITIONS_MAX
		   || c->transition > TRANSITIONS_MAX || c->type > TYPES_MAX
		   || c->letter > LETTERS_MAX;
}

static bool type_offset(const uint8_t *types, const struct counts *c, unsigned type, int32_t *out)
{
	if (type >= c->type)
		return false;
	*out = (int32_t)get_u32(types + (size_t)type * TYPE_LEN);
	return *out >= -OFFSET_MAX_S && *out <= OFFSET_MAX_S;
}

static int64_t time_at(const uint8_t *times, unsigned i, size_t width)
{
	const uint8_t *p = times + i * width;
	if (width == 4)
		return (int32_t)get_u32(p);
	return (int64_t)((uint64_t)get_u32(p) << 32 | get_u32(p + 4));
}

// Reads the transitions, with times of `width` bytes, and skips what else their block has.
static bool block_read(struct rd *rd, const struct counts *c, size_t width, struct time_zone *z)
{
	const uint8_t *times = rd_bytes(rd, c->transition * width);
	const uint8_t *index = rd_bytes(rd, c->transition);
	const uint8_t *types = rd_bytes(rd, (size_t)c->type * TYPE_LEN);
	rd_skip(rd, (size_t)c->letter + c->isstd + c->isut);
	if (!rd_ok(rd) || c->leap > 0 || !type_offset(types, c, 0, &z->first_s))
		return false;
	for (; z->count < c->transition; z->count++) {
		struct transition *t = &z->transition[z->count];
		t->at = time_at(times, z->count, width);
		if (!type_offset(types, c, index[z->count], &t->offset_s)
			|| (z->count > 0 && t->at <= t[-1].at))
			return false;
	}
	return true;
}

// The text between two line feeds.
static bool footer_read(struct rd *rd, struct yearly *out)
{
	char text[FOOTER_MAX + 1];
	size_t len = 0;
	if (rd_u8(rd) != '\n')
		return false;
	for (uint8_t c; (c = rd_u8(rd)) != '\n'; text[len++] = (char)c)
		if (c == 0 || len == FOOTER_MAX)
			return false;
	text[len] = '\0';
	return footer_parse(text, out) == 0;
}

int time_zone_parse(const void *bytes, size_t len, struct time_zone **out)
{
	struct rd rd = rd_init(bytes, len);
	struct counts c;
	uint8_t version;
	header_read(&rd, &version, &c);
	const bool is_wide = version >= '2';
	if (is_wide) { // the first block is for readers of version 1
		rd_skip(&rd, (size_t)c.transition * 5 + (size_t)c.type * TYPE_LEN + c.letter
				     + (size_t)c.leap * 8 + c.isstd + c.isut);
		header_read(&rd, &version, &c);
	}
	if (!rd_ok(&rd))
		return -EBADMSG;
	struct time_zone *z = heap_calloc(1, sizeof(*z) + c.transition * sizeof(z->transition[0]));
	if (!z)
		return -ENOMEM;
	if (!block_read(&rd, &c, is_wide ? 8 : 4, z)
		|| (is_wide && !footer_read(&rd, &z->yearly))) {
		time_zone_free(z);
		return -EBADMSG;
	}
	*out = z;
	return 0;
}

void time_zone_free(struct time_zone *z)
{
	heap_free(z);
}

int32_t time_zone_offset(const struct time_zone *z, int64_t unix_s)
{
	unsigned low = 0, high = z->count; // transitions that are not later: `low` in the end
	while (low < high) {
		const unsigned middle = low + (high - low) / 2;
		if (z->transition[middle].at <= unix_s)
			low = middle + 1;
		else
			high = middle;
	}
	if (low == z->count && z->yearly.is_given)
		return yearly_offset(&z->yearly, unix_s);
	return low > 0 ? z->transition[low - 1].offset_s : z->first_s;
}
