// SPDX-License-Identifier: BSD-3-Clause
#include "update_version.h"

#include <string.h>

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static bool is_word(char c)
{
	return is_digit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '-';
}

// A number without a leading zero, and what is behind it; NULL: no number is there.
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

// Words with dots between them, and what is behind them; NULL: a word is empty, or a number with a
// leading zero where these are refused.
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

// A number is older than a word, a smaller number than a larger one, which has more digits.
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
	return (*a != '\0') - (*b != '\0'); // more words are newer
}

int update_version_compare(const struct update_version *a, const struct update_version *b)
{
	for (unsigned i = 0; i < 3; i++)
		if (a->number[i] != b->number[i])
			return a->number[i] < b->number[i] ? -1 : 1;
	if (!*a->pre || !*b->pre) // a release is newer than what came before it
		return (*a->pre == '\0') - (*b->pre == '\0');
	return pre_compare(a->pre, b->pre);
}
