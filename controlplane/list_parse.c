// SPDX-License-Identifier: BSD-3-Clause
#include "list_parse.h"

#include <arpa/inet.h>
#include <string.h>
#include <weir/rule_image.h>

const char *const list_reject_name[LIST_REJECT_COUNT] = {
#define X(id, name, help) name,
	LIST_REJECTS(X)
#undef X
};

// Names whose loss breaks a machine or a network; hosts files list them for other reasons.
static const char *const special_names[] = {
	"localhost",
	"localdomain",
	"localhost.localdomain",
	"localhost4",
	"localhost6",
	"localhost4.localdomain4",
	"localhost6.localdomain6",
	"local",
	"broadcasthost",
	"ip6-localhost",
	"ip6-loopback",
	"ip6-localnet",
	"ip6-mcastprefix",
	"ip6-allnodes",
	"ip6-allrouters",
	"ip6-allhosts",
	"in-addr.arpa",
	"ip6.arpa",
	"home.arpa",
};

uint64_t list_counts_rejected(const struct list_counts *c)
{
	uint64_t sum = 0;
	for (unsigned i = 0; i < LIST_REJECT_COUNT; i++)
		sum += c->rejected[i];
	return sum;
}

static bool is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\v' || c == '\f';
}

static bool is_name_octet(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9')
	       || c == '-' || c == '_' || c == '.';
}

// An IPv4 or IPv6 address, the latter with a zone or not (fe80::1%lo0).
static bool is_address(const char *text, size_t len)
{
	char copy[INET6_ADDRSTRLEN + 1];
	uint8_t address[16];
	const char *zone = memchr(text, '%', len);
	if (zone)
		len = (size_t)(zone - text);
	if (len >= sizeof copy)
		return false;
	memcpy(copy, text, len);
	copy[len] = 0;
	if (strlen(copy) != len)
		return false;
	return inet_pton(AF_INET, copy, address) == 1 || inet_pton(AF_INET6, copy, address) == 1;
}

static bool is_special(const char *text, size_t len)
{
	for (size_t i = 0; i < ARRAY_LEN(special_names); i++)
		if (strlen(special_names[i]) == len
			&& strncasecmp(special_names[i], text, len) == 0)
			return true;
	return false;
}

// A last label of digits alone is an address, or a piece of one, and no top-level domain.
static bool ends_in_number(const char *text, size_t len)
{
	size_t digits = 0;
	while (digits < len && text[len - 1 - digits] >= '0' && text[len - 1 - digits] <= '9')
		digits++;
	return digits > 0 && (digits == len || text[len - 1 - digits] == '.');
}

static enum list_reject judge_octets(const char *text, size_t len)
{
	enum list_reject verdict = LIST_REJECT_COUNT;
	for (size_t i = 0; i < len; i++) {
		if ((unsigned char)text[i] > 127)
			return LIST_REJECT_NON_ASCII;
		if (memchr("|^$~,@=[]", text[i] ? text[i] : 'x', 9))
			return LIST_REJECT_FILTER;
		if (text[i] == '/')
			return LIST_REJECT_URL;
		if (!is_name_octet(text[i]))
			verdict = LIST_REJECT_CHARACTER;
	}
	return verdict;
}

static enum list_reject judge_labels(const char *text, size_t len)
{
	size_t label = 0, labels = 1;
	bool too_long = len > DNS_NAME_MAX - 2;
	for (size_t i = 0; i <= len; i++) {
		if (i < len && text[i] != '.') {
			label++;
			too_long = too_long || label > DNS_LABEL_MAX;
			continue;
		}
		if (label == 0)
			return LIST_REJECT_EMPTY_LABEL;
		label = 0;
		labels += i < len;
	}
	if (too_long || labels > RULE_LABELS_MAX)
		return LIST_REJECT_TOO_LONG;
	return labels == 1 ? LIST_REJECT_SINGLE_LABEL : LIST_REJECT_COUNT;
}

enum list_reject list_parse_name(const char *text, size_t len, struct dns_name *out)
{
	if (is_address(text, len))
		return LIST_REJECT_ADDRESS;
	if (len > 2 && text[0] == '*' && text[1] == '.') {
		text += 2;
		len -= 2;
	}
	if (len > 1 && text[len - 1] == '.')
		len--;
	enum list_reject reject = judge_octets(text, len);
	if (reject != LIST_REJECT_COUNT)
		return reject;
	if (is_special(text, len))
		return LIST_REJECT_SPECIAL;
	if (ends_in_number(text, len))
		return LIST_REJECT_ADDRESS;
	reject = judge_labels(text, len);
	if (reject == LIST_REJECT_COUNT && dns_name_from_text(text, len, out) != 0)
		reject = LIST_REJECT_TOO_LONG;
	return reject;
}

static void reject(struct list_parser *p, enum list_reject why)
{
	p->counts.rejected[why]++;
}

static void take_name(struct list_parser *p, const char *text, size_t len)
{
	struct dns_name name;
	enum list_reject why = list_parse_name(text, len, &name);
	if (why != LIST_REJECT_COUNT) {
		reject(p, why);
		return;
	}
	p->stopped = p->name(p->arg, &name);
	p->counts.names += p->stopped == 0;
}

// The next word of [*at, end), or NULL.
static const char *next_word(const char **at, const char *end, size_t *len)
{
	const char *c = *at;
	while (c < end && is_blank(*c))
		c++;
	const char *word = c;
	while (c < end && !is_blank(*c))
		c++;
	*at = c;
	*len = (size_t)(c - word);
	return *len ? word : NULL;
}

// Where a comment cuts the line short: at a `#` after a blank and, behind an address, at one that
// is glued to a name, unless it is a filter rule's (##, #@, #?, #$, #%): such a word is rejected.
static const char *cut_comment(const char *begin, const char *end, bool hosts)
{
	for (const char *c = begin + 1; c < end; c++) {
		if (*c != '#')
			continue;
		if (is_blank(c[-1]))
			return c;
		if (hosts && c[-1] != '#'
			&& (c + 1 == end || !memchr("#@?$%", c[1] ? c[1] : 'x', 5)))
			return c;
	}
	return end;
}

static void take_line(struct list_parser *p, const char *line, const char *end)
{
	size_t len;
	const char *at = line;
	const char *word = next_word(&at, end, &len);
	p->counts.lines++;
	if (!word || *word == '#' || *word == '!') {
		p->counts.comments++;
		return;
	}
	bool hosts = is_address(word, len);
	end = cut_comment(word, end, hosts);
	if (hosts) {
		word = next_word(&at, end, &len);
		if (!word)
			reject(p, LIST_REJECT_NO_NAME);
		for (; word && !p->stopped; word = next_word(&at, end, &len)) {
			if (memchr(word, '#', len))
				reject(p, LIST_REJECT_FILTER);
			else
				take_name(p, word, len);
		}
		return;
	}
	size_t rest;
	if (memchr("|@[", *word ? *word : 'x', 3) || memchr(word, '#', len))
		reject(p, LIST_REJECT_FILTER);
	else if (next_word(&at, end, &rest))
		reject(p, LIST_REJECT_WORDS);
	else
		take_name(p, word, len);
}

static void end_line(struct list_parser *p)
{
	const char *line = p->line, *end = p->line + p->line_len;
	if (p->skipping) {
		p->counts.lines++;
		reject(p, LIST_REJECT_LINE_TOO_LONG);
	} else {
		if (p->counts.lines == 0 && p->line_len >= 3
			&& memcmp(line, "\xef\xbb\xbf", 3) == 0)
			line += 3;
		take_line(p, line, end);
	}
	p->skipping = false;
	p->line_len = 0;
}

void list_parse_begin(
	struct list_parser *p, int (*name)(void *arg, const struct dns_name *name), void *arg)
{
	*p = (struct list_parser){.name = name, .arg = arg};
}

int list_parse_feed(struct list_parser *p, const void *octets, size_t len)
{
	const char *at = octets, *end = at + len;
	p->counts.bytes += len;
	while (at < end && !p->stopped) {
		const char *newline = memchr(at, '\n', (size_t)(end - at));
		size_t piece = (size_t)((newline ? newline : end) - at);
		if (piece > LIST_LINE_MAX - p->line_len)
			p->skipping = true;
		if (!p->skipping) {
			memcpy(p->line + p->line_len, at, piece);
			p->line_len += piece;
		}
		at += piece;
		if (newline) {
			at++;
			end_line(p);
		}
	}
	return p->stopped;
}

int list_parse_end(struct list_parser *p)
{
	if (!p->stopped && (p->skipping || p->line_len > 0))
		end_line(p);
	return p->stopped;
}
