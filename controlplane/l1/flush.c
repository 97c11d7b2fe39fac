// SPDX-License-Identifier: BSD-3-Clause

#include "flush.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SECOND_MS = 1000, HOUR_MS = 3600000 };

static const char *const kind_words[] = {
	[FLUSH_NAME] = "name", [FLUSH_BELOW] = "below", [FLUSH_ALL] = "all"};

bool flush_fits(const struct flush *f, const struct dns_name *name)
{
	return f->kind == FLUSH_ALL
	       || (f->kind == FLUSH_BELOW ? dns_name_is_under(name, &f->name)
					  : dns_name_equal(name, &f->name));
}

size_t flush_write(const struct flush *f, uint64_t box, char out[FLUSH_MESSAGE_MAX])
{
	char name[DNS_NAME_TEXT_MAX];
	return (size_t)snprintf(out, FLUSH_MESSAGE_MAX, "1 %016" PRIx64 " %s %s", box,
		kind_words[f->kind], dns_name_to_text(&f->name, name));
}

// Lenient: flush_parse rejects a message that flush_write would write differently.
static bool parts_take(const char *text, struct flush *out, uint64_t *box)
{
	enum { BOX_AT = 2, KIND_AT = BOX_AT + 16 + 1 };
	if (strlen(text) <= KIND_AT)
		return false;
	*box = strtoull(text + BOX_AT, NULL, 16);
	const char *kind = text + KIND_AT, *space = strchr(kind, ' ');
	for (unsigned i = 0; space && i < ARRAY_LEN(kind_words); i++) {
		if (strlen(kind_words[i]) != (size_t)(space - kind)
			|| strncmp(kind, kind_words[i], (size_t)(space - kind)) != 0)
			continue;
		out->kind = (enum flush_kind)i;
		return dns_name_from_text(space + 1, strlen(space + 1), &out->name) == 0;
	}
	return false;
}

bool flush_parse(const char *text, size_t len, struct flush *out, uint64_t *box)
{
	char given[FLUSH_MESSAGE_MAX], again[FLUSH_MESSAGE_MAX];
	if (len >= sizeof(given) || memchr(text, 0, len))
		return false;
	memcpy(given, text, len);
	given[len] = 0;
	if (!parts_take(given, out, box) || (out->kind == FLUSH_ALL && out->name.len != 1))
		return false;
	return flush_write(out, *box, again) == len && memcmp(given, again, len) == 0;
}

static bool span_has_room(struct flush_span *s, unsigned most, unsigned span_ms, uint64_t now_ms)
{
	if (s->count == 0 || now_ms >= s->began_ms + span_ms)
		*s = (struct flush_span){.began_ms = now_ms};
	return s->count < most;
}

bool flush_admit(struct flush_gate *g, enum flush_kind kind, uint64_t now_ms)
{
	bool one = kind == FLUSH_NAME;
	struct flush_span *near = one ? &g->names_second : &g->wide;
	struct flush_span *far = one ? &g->names_hour : &g->wide_hour;
	bool room = span_has_room(
		near, one ? FLUSH_NAMES_A_SECOND : 1, one ? SECOND_MS : FLUSH_WIDE_MS, now_ms);
	room &= span_has_room(far, one ? FLUSH_NAMES_AN_HOUR : FLUSH_WIDE_AN_HOUR, HOUR_MS, now_ms);
	near->count += room;
	far->count += room;
	return room;
}

// The log.

static const struct flush_log_entry *entry_at(const struct flush_log *l, uint64_t number)
{
	return &l->entry[number % FLUSH_LOG_MAX];
}

static uint64_t oldest(const struct flush_log *l)
{
	return l->count > FLUSH_LOG_MAX ? l->count - FLUSH_LOG_MAX : 0;
}

static bool is_over(uint64_t at_ms, uint64_t now_ms)
{
	return now_ms >= at_ms + FLUSH_REMEMBER_MS;
}

void flush_log_add(struct flush_log *l, const struct flush *f, uint64_t now_ms)
{
	struct flush_log_entry *e = &l->entry[l->count % FLUSH_LOG_MAX];
	if (l->count >= FLUSH_LOG_MAX && !is_over(e->at_ms, now_ms)) {
		l->lost_ms = e->at_ms;
		l->lost++;
	}
	*e = (struct flush_log_entry){.at_ms = now_ms, .flush = *f};
	l->count++;
}

bool flush_log_covers(
	const struct flush_log *l, const struct dns_name *name, uint64_t since_ms, uint64_t now_ms)
{
	for (uint64_t n = l->count; n > oldest(l); n--) {
		const struct flush_log_entry *e = entry_at(l, n - 1);
		if (e->at_ms < since_ms || is_over(e->at_ms, now_ms))
			return false;
		if (flush_fits(&e->flush, name))
			return true;
	}
	return l->lost_ms != 0 && since_ms <= l->lost_ms && !is_over(l->lost_ms, now_ms);
}

unsigned flush_log_used(const struct flush_log *l, uint64_t now_ms)
{
	uint64_t n = l->count;
	while (n > oldest(l) && !is_over(entry_at(l, n - 1)->at_ms, now_ms))
		n--;
	return (unsigned)(l->count - n);
}

uint64_t flush_log_since(const struct flush_log *l, uint64_t now_ms)
{
	unsigned used = flush_log_used(l, now_ms);
	return used ? entry_at(l, l->count - used)->at_ms : 0;
}
