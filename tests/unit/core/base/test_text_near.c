// SPDX-License-Identifier: BSD-3-Clause

#include "tests/unit/unit.h"

#include <weir/attr.h>
#include <weir/text.h>

static const char *nearest(const char *word, const char *const *words, size_t count)
{
	struct text_near n;
	text_near_begin(&n, word);
	for (size_t i = 0; i < count; i++)
		text_near_try(&n, words[i]);
	return n.best ? n.best : "-";
}

TEST(test_nearest)
{
	static const char *const words[] = {"ads", "adult", "status", "stats", "blocklist",
		"upstreams", "service_addresses", ""};
	static const struct {
		const char *word, *best;
	} cases[] = {
		{"ads2", "ads"},
		{"ad", "ads"},
		{"asd", "ads"}, // two neighbours that are swapped are one mistake
		{"bds", "ads"},
		{"ADS", "ads"},
		{"xy", "-"},
		{"adsxx", "-"},
		{"sttaus", "status"},
		{"stat", "stats"},
		{"statis", "status"}, // as near as stats, and tried first
		{"blokclits", "blocklist"},
		{"blxxxist", "-"},
		{"service_adress", "service_addresses"},
		{"service_adresses", "service_addresses"},
		{"servce_adress", "-"},
		{"", "-"},
	};
	for (size_t i = 0; i < ARRAY_LEN(cases); i++)
		assert_string_equal(nearest(cases[i].word, words, ARRAY_LEN(words)), cases[i].best);
}

TEST(test_long)
{
	char word[TEXT_NEAR_MAX + 2], other[TEXT_NEAR_MAX + 2];
	const char *const words[] = {other};
	memset(word, 'a', sizeof(word));
	memset(other, 'a', sizeof(other));
	word[0] = 'b';
	word[TEXT_NEAR_MAX] = other[TEXT_NEAR_MAX] = '\0';
	assert_string_equal(nearest(word, words, 1), other);
	word[TEXT_NEAR_MAX] = 'a';
	word[TEXT_NEAR_MAX + 1] = '\0';
	assert_string_equal(nearest(word, words, 1), "-");
	word[TEXT_NEAR_MAX] = '\0';
	other[TEXT_NEAR_MAX] = 'a';
	other[TEXT_NEAR_MAX + 1] = '\0';
	assert_string_equal(nearest(word, words, 1), "-");
}
