// SPDX-License-Identifier: BSD-3-Clause
#include "list_glob.h"

#include "list_name.h"

#include <stdio.h>

// Characters that a pattern must have besides stars and the labels under which strangers register:
// with both ends open, and else.
enum { LITERALS_OPEN = 4, LITERALS_MIN = 2 };

struct writer {
	struct list_glob *to;
	bool is_full;
};

static void put(struct writer *w, const char *text)
{
	struct list_glob *g = w->to;
	for (; *text; text++) {
		w->is_full |= g->len == LIST_PATTERN_MAX;
		if (!w->is_full)
			g->text[g->len++] = *text;
	}
	g->text[g->len] = '\0';
}

// Stars in a row are one.
static void put_glob(struct writer *w, struct list_text body)
{
	for (size_t i = 0; i < body.len; i++) {
		const char c = body.at[i];
		const char one[] = {c >= 'A' && c <= 'Z' ? (char)(c + 'a' - 'A') : c, '\0'};
		if (c != '*' || w->to->len == 0 || w->to->text[w->to->len - 1] != '*')
			put(w, one);
	}
}

static void put_expression(struct writer *w, struct list_text body)
{
	for (size_t i = 0; i < body.len; i++) {
		const char one[] = {body.at[i], '\0'};
		if (body.at[i] == '.')
			put(w, "\\.");
		else if (body.at[i] != '*')
			put(w, one);
		else if (i == 0 || body.at[i - 1] != '*')
			put(w, ".*");
	}
}

static bool is_glob(struct list_text body)
{
	bool had_dot = false;
	for (size_t i = 0; i < body.len; i++) {
		const char c = body.at[i];
		const bool is_host = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z')
				     || (c >= '0' && c <= '9') || c == '-' || c == '_';
		if ((!is_host && c != '.' && c != '*') || (c == '.' && had_dot))
			return false;
		had_dot = c == '.';
	}
	return body.len > 0;
}

static bool cut_front(struct list_text *t, char c)
{
	const bool cut = t->len && t->at[0] == c;
	if (cut)
		*t = list_text_skip(*t, 1);
	return cut;
}

static bool cut_back(struct list_text *t, char c)
{
	const bool cut = t->len && t->at[t->len - 1] == c;
	t->len -= cut;
	return cut;
}

// Where the whole labels begin that the text ends with; its length where there are none.
static size_t labels_at(struct list_text body)
{
	size_t at = body.len;
	while (at > 0 && body.at[at - 1] != '*')
		at--;
	const char *dot = at < body.len ? memchr(body.at + at, '.', body.len - at) : NULL;
	return dot ? (size_t)(dot - body.at) + 1 : body.len;
}

static bool is_address_part(struct list_text t)
{
	for (size_t i = 0; i < t.len; i++)
		if (t.at[i] != '.' && t.at[i] != '*' && (t.at[i] < '0' || t.at[i] > '9'))
			return false;
	return t.len > 0;
}

static unsigned literals(struct list_text t)
{
	unsigned n = 0, letters = 0;
	for (size_t i = 0; i < t.len; i++) {
		n += t.at[i] != '*';
		letters += t.at[i] != '*' && t.at[i] != '.' && t.at[i] != '-';
	}
	return letters ? n : 0;
}

// `front`: what stands in front of labels under which strangers register, or all of it.
static enum list_reject make_pattern(struct list_text body, struct list_text front,
	enum list_glob_start start, bool ends, struct list_glob *out)
{
	static const char *const begins[] = {
		[LIST_GLOB_WITHIN] = "", [LIST_GLOB_LABEL] = "(^|\\.)", [LIST_GLOB_NAME] = "^"};
	struct writer w = {.to = out};
	const bool is_open = start == LIST_GLOB_WITHIN && !ends;
	if (literals(front) < (is_open ? LITERALS_OPEN : LITERALS_MIN))
		return LIST_REJECT_FILTER;
	out->is_pattern = true;
	put(&w, begins[start]);
	put_expression(&w, body);
	put(&w, ends ? "$" : "");
	return w.is_full ? LIST_REJECT_PATTERN : LIST_REJECT_COUNT;
}

static void make_glob(struct list_text front, enum list_glob_start start, struct list_glob *out)
{
	static const char *const begins[] = {
		[LIST_GLOB_WITHIN] = ".*", [LIST_GLOB_LABEL] = "*.", [LIST_GLOB_NAME] = "."};
	struct writer w = {.to = out};
	put(&w, begins[start]);
	put_glob(&w, front);
}

enum list_reject list_glob_read(
	struct list_text body, enum list_glob_start start, bool ends, struct list_glob *out)
{
	out->is_pattern = false;
	out->len = 0;
	out->text[0] = '\0';
	if (!is_glob(body))
		return LIST_REJECT_FILTER;
	// A star at either end: what is there does not matter.
	while (cut_front(&body, '*'))
		start = LIST_GLOB_WITHIN;
	while (cut_back(&body, '*'))
		ends = false;
	const bool opens = body.len && body.at[body.len - 1] == '.';
	if (body.len == 0 || (opens && ends) || (start != LIST_GLOB_WITHIN && body.at[0] == '.'))
		return LIST_REJECT_FILTER;
	if (is_address_part(body))
		return LIST_REJECT_ADDRESS;
	if (!ends)
		return make_pattern(body, body, start, false, out);
	const size_t at = labels_at(body);
	const struct list_text labels = list_text_skip(body, at);
	const struct list_text front = {body.at, at - (at < body.len)};
	const enum list_reject why =
		labels.len ? list_name_read(labels, false, &out->name) : LIST_REJECT_SINGLE_LABEL;
	const bool is_shared = why == LIST_REJECT_SINGLE_LABEL || why == LIST_REJECT_PUBLIC_SUFFIX;
	if (why != LIST_REJECT_COUNT && !is_shared)
		return why;
	if (!is_shared && front.len + 2 <= RULE_GLOB_LEN_MAX) {
		make_glob(front, start, out);
		return LIST_REJECT_COUNT;
	}
	return make_pattern(body, is_shared ? front : body, start, true, out);
}

const char *list_glob_text(
	const char *glob, size_t len, const struct dns_name *name, char out[LIST_GLOB_TEXT_MAX])
{
	const struct list_text g = {glob, len};
	char text[DNS_NAME_TEXT_MAX];
	const bool is_label = list_text_starts(g, LIST_TEXT("*.")),
		   is_within = list_text_starts(g, LIST_TEXT(".*"));
	const size_t skip = is_label || is_within ? 2 : len > 0;
	snprintf(out, LIST_GLOB_TEXT_MAX, "%s%.*s.%s^",
		is_label    ? "||"
		: is_within ? ""
			    : "|",
		(int)(len - skip), glob + skip, dns_name_to_text(name, text));
	return out;
}
