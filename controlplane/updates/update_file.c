// SPDX-License-Identifier: BSD-3-Clause
#include "update_file.h"

#include "tls/tls_crypto.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <weir/base64.h>
#include <weir/bytes.h>

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static bool is_word(char c)
{
	return is_digit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '-';
}

// Reads a number without a leading zero; returns the text behind it. NULL: no such number.
static const char *number_read(const char *at, uint32_t *out)
{
	uint64_t n = 0;
	if (!is_digit(*at) || (*at == '0' && is_digit(at[1])))
		return NULL;
	for (; is_digit(*at); at++) {
		n = 10 * n + (uint64_t)(*at - '0');
		if (n > UPDATE_NUMBER_MAX)
			return NULL;
	}
	*out = (uint32_t)n;
	return at;
}

static size_t digits(const char *text, size_t len)
{
	size_t n = 0;
	while (n < len && is_digit(text[n]))
		n++;
	return n;
}

// Reads words with dots between them; returns the text behind them. NULL: a word is empty, or, with
// `refuse_zeros`, is a number with a leading zero.
static const char *words_read(const char *at, bool refuse_zeros)
{
	for (;; at++) {
		size_t len = 0;
		while (is_word(at[len]))
			len++;
		if (len == 0 || (refuse_zeros && len > 1 && *at == '0' && digits(at, len) == len))
			return NULL;
		at += len;
		if (*at != '.')
			return at;
	}
}

bool update_version_read(const char *text, struct update_version *out)
{
	*out = (struct update_version){0};
	const char *at = text;
	if (strnlen(text, UPDATE_VERSION_MAX + 1) > UPDATE_VERSION_MAX)
		return false;
	for (unsigned i = 0; i < 3; i++) {
		if (i > 0 && *at++ != '.')
			return false;
		at = number_read(at, &out->number[i]);
		if (!at)
			return false;
	}
	if (*at == '-') {
		const char *pre = at + 1;
		at = words_read(pre, true);
		if (!at)
			return false;
		memcpy(out->pre, pre, (size_t)(at - pre));
	}
	if (*at == '+')
		at = words_read(at + 1, false);
	return at && *at == '\0';
}

// Compares two words of a pre-release: a number is older than a word, and a number with fewer
// digits is the smaller one.
static int word_compare(const char *a, size_t a_len, const char *b, size_t b_len)
{
	const bool a_number = digits(a, a_len) == a_len, b_number = digits(b, b_len) == b_len;
	if (a_number != b_number)
		return a_number ? -1 : 1;
	if (a_number && a_len != b_len)
		return a_len < b_len ? -1 : 1;
	int order = memcmp(a, b, a_len < b_len ? a_len : b_len);
	return order ? order : (a_len > b_len) - (a_len < b_len);
}

static int pre_compare(const char *a, const char *b)
{
	while (*a && *b) {
		size_t a_len = strcspn(a, "."), b_len = strcspn(b, ".");
		int order = word_compare(a, a_len, b, b_len);
		if (order)
			return order;
		a += a_len + (a[a_len] == '.');
		b += b_len + (b[b_len] == '.');
	}
	return (*a != '\0') - (*b != '\0'); // the version with more words is newer
}

int update_version_compare(const struct update_version *a, const struct update_version *b)
{
	for (unsigned i = 0; i < 3; i++)
		if (a->number[i] != b->number[i])
			return a->number[i] < b->number[i] ? -1 : 1;
	if (!*a->pre || !*b->pre) // a release is newer than its pre-releases
		return (*a->pre == '\0') - (*b->pre == '\0');
	return pre_compare(a->pre, b->pre);
}

enum { VALUE_MAX = 96, AHEAD_MAX_S = 86400 };
static_assert((int)TLS_ED25519_KEY_LEN == (int)CONFIG_UPDATE_KEY_LEN, "the same key");

const char *const update_fault_names[UPDATE_FAULTS] = {[UPDATE_GOOD] = "good",
	[UPDATE_FAILED] = "failed",
	[UPDATE_TOO_LONG] = "too_long",
	[UPDATE_UNSIGNED] = "unsigned",
	[UPDATE_MALFORMED] = "malformed",
	[UPDATE_STALE] = "stale",
	[UPDATE_OLDER] = "older"};

static enum update_fault ATTR_PRINTF(3, 4)
	fault(char why[UPDATE_WHY_MAX], enum update_fault which, const char *fmt, ...)
{
	va_list args;
	va_start(args, fmt);
	vsnprintf(why, UPDATE_WHY_MAX, fmt, args);
	va_end(args);
	return which;
}

// Reads the value of the line at the cursor, which must be "word value". False: it is another line.
static bool line_take(struct rd *r, const char *word, char out[VALUE_MAX])
{
	const size_t word_len = strlen(word);
	const uint8_t *at = r->base + r->pos;
	const uint8_t *end = rd_left(r) ? memchr(at, '\n', rd_left(r)) : NULL;
	size_t len = end ? (size_t)(end - at) : 0;
	if (!end || len <= word_len + 1 || memcmp(at, word, word_len) != 0 || at[word_len] != ' ')
		return false;
	rd_skip(r, len + 1);
	at += word_len + 1;
	len -= word_len + 1;
	if (len >= VALUE_MAX)
		return false;
	for (size_t i = 0; i < len; i++)
		if (at[i] <= ' ' || at[i] > '~')
			return false;
	memcpy(out, at, len);
	out[len] = '\0';
	return true;
}

static bool time_take(struct rd *r, const char *word, int64_t *out)
{
	char text[VALUE_MAX];
	return line_take(r, word, text) && config_time_parse(text, out) == 0;
}

// Reads the signature of the last line. Returns the number of bytes before that line; 0: it has no
// signature.
static size_t signature_take(
	const uint8_t *bytes, size_t len, uint8_t out[TLS_ED25519_SIGNATURE_LEN])
{
	char text[VALUE_MAX];
	if (len < 2 || bytes[len - 1] != '\n')
		return 0;
	const uint8_t *before = memrchr(bytes, '\n', len - 1);
	const size_t begin = before ? (size_t)(before + 1 - bytes) : 0;
	struct rd r = rd_init(bytes + begin, len - begin);
	if (!line_take(&r, "signature", text)
		|| base64_read(text, strlen(text), out, TLS_ED25519_SIGNATURE_LEN)
			   != TLS_ED25519_SIGNATURE_LEN)
		return 0;
	return begin;
}

static enum update_fault lines_read(struct rd *r, struct update_file *out, char why[UPDATE_WHY_MAX])
{
	char text[VALUE_MAX];
	if (!line_take(r, "weir-update", text) || strcmp(text, "1") != 0)
		return fault(why, UPDATE_MALFORMED, "does not begin with \"weir-update 1\"");
	if (!line_take(r, "version", text) || !update_version_read(text, &out->version))
		return fault(why, UPDATE_MALFORMED,
			"has no version as 1.2.3 or 1.2.3-rc.1 in its second line");
	memcpy(out->text, text, strlen(text) + 1);
	if (!time_take(r, "issued", &out->issued_unix_s)
		|| !time_take(r, "expires", &out->expires_unix_s) || rd_left(r))
		return fault(why, UPDATE_MALFORMED,
			"has not the lines \"issued\" and \"expires\" with times as "
			"2026-11-27T12:00:00Z, and only these");
	const int64_t life_s = out->expires_unix_s - out->issued_unix_s;
	if (life_s <= 0 || life_s > UPDATE_LIFE_MAX_S)
		return fault(why, UPDATE_MALFORMED, "does not expire within 366 days of its issue");
	return UPDATE_GOOD;
}

enum update_fault update_file_read(const void *bytes, size_t len,
	const uint8_t key[CONFIG_UPDATE_KEY_LEN], struct update_file *out, char why[UPDATE_WHY_MAX])
{
	uint8_t signature[TLS_ED25519_SIGNATURE_LEN];
	*out = (struct update_file){0};
	if (len > UPDATE_FILE_MAX)
		return fault(why, UPDATE_TOO_LONG, "has over %d bytes", UPDATE_FILE_MAX);
	const size_t body = signature_take(bytes, len, signature);
	if (body == 0)
		return fault(why, UPDATE_UNSIGNED, "has no signature as its last line");
	if (!tls_ed25519_verify(key, signature, bytes, body))
		return fault(why, UPDATE_UNSIGNED,
			"has a signature that is not that of updates.key over it");
	struct rd r = rd_init(bytes, body);
	return lines_read(&r, out, why);
}

enum update_fault update_file_judge(const struct update_file *f, const struct update_file *former,
	int64_t now_unix_s, char why[UPDATE_WHY_MAX])
{
	char a[CONFIG_TIME_TEXT_MAX], b[CONFIG_TIME_TEXT_MAX];
	if (f->expires_unix_s <= now_unix_s)
		return fault(
			why, UPDATE_STALE, "expired at %s", config_time_text(f->expires_unix_s, a));
	if (f->issued_unix_s > now_unix_s + AHEAD_MAX_S)
		return fault(why, UPDATE_STALE, "was issued in the future, at %s",
			config_time_text(f->issued_unix_s, a));
	if (former && update_version_compare(&f->version, &former->version) < 0)
		return fault(why, UPDATE_OLDER, "names %s, which is older than %s of a former file",
			f->text, former->text);
	if (former && f->issued_unix_s < former->issued_unix_s)
		return fault(why, UPDATE_OLDER, "was issued at %s, before a former file (%s)",
			config_time_text(f->issued_unix_s, a),
			config_time_text(former->issued_unix_s, b));
	return UPDATE_GOOD;
}
