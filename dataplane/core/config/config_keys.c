// SPDX-License-Identifier: BSD-3-Clause

#include "config_keys.h"

#include "config_entries.h"
#include "config_sections.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <weir/ascii.h>
#include <weir/config_tools.h>
#include <weir/heap_site.h>
#include <weir/log.h>
#include <weir/text.h>

#define LIVE    true
#define RESTART false

// clang-format off
const struct config_key config_keys[] = {
#define KEY(path, section, owner, key, field, kind, choices, fallback, min, max, when)             \
	{path "." #key, CONFIG_##kind, when, #choices, fallback, #field, min, max,                         \
		offsetof(struct config, owner.field),                                              \
		sizeof(((struct config *)0)->owner.field)},
#define X(section, key, field, kind, choices, fallback, min, max, when, text)                      \
	KEY(#section, section, section, key, field, kind, choices, fallback, min, max, when)
	CONFIG_KEYS(X)
#undef X
#define X(section, key, field, kind, choices, fallback, min, max, when, text)                      \
	KEY("blocking.update", section, blocking.update, key, field, kind, choices, fallback, min, \
		max, when)
	CONFIG_KEYS_BLOCKING_UPDATE(X)
#undef X
#define X(section, key, field, kind, choices, fallback, min, max, when, text)                      \
	KEY("query_log.store", section, query_log.store, key, field, kind, choices, fallback, min, \
		max, when)
	CONFIG_KEYS_QUERY_LOG_STORE(X)
#undef X
#define X(section, key, field, kind, choices, fallback, min, max, when, text)                      \
	KEY("query_log.clickhouse", section, query_log.clickhouse, key, field, kind, choices,      \
		fallback, min, max, when)
	CONFIG_KEYS_QUERY_LOG_CLICKHOUSE(X)
#undef X
#define X(section, key, field, kind, choices, fallback, min, max, when, text)                      \
	KEY("query_log.requests", section, query_log.requests, key, field, kind, choices,          \
		fallback, min, max, when)
	CONFIG_KEYS_QUERY_LOG_REQUESTS(X)
#undef X
#define X(section, key, field, kind, choices, fallback, min, max, when, text)                      \
	KEY("query_log.dnstap", section, query_log.dnstap, key, field, kind, choices, fallback,    \
		min, max, when)
	CONFIG_KEYS_QUERY_LOG_DNSTAP(X)
#undef X
#undef KEY
};
// clang-format on
const unsigned config_key_count = ARRAY_LEN(config_keys);

#define X(section, key, field, kind, ...) +(CONFIG_##kind == CONFIG_FILE)
static_assert(0 CONFIG_KEYS(X) CONFIG_KEYS_BLOCKING_UPDATE(X) CONFIG_KEYS_QUERY_LOG_STORE(X)
		      CONFIG_KEYS_QUERY_LOG_CLICKHOUSE(X) CONFIG_KEYS_QUERY_LOG_REQUESTS(X)
			      CONFIG_KEYS_QUERY_LOG_DNSTAP(X)
	      == CONFIG_KEY_FILES);
#undef X

static const struct {
	const char *choices, *word;
	int64_t value;
} config_choices[] = {
#define X(choices, word, value) {#choices, word, value},
	CONFIG_CHOICES(X)
#undef X
};

static const struct {
	const char *preset, *word, *key, *fallback;
} config_presets[] = {
#define X(preset, word, key, fallback) {#preset, word, #key, fallback},
	CONFIG_PRESETS(X)
#undef X
};

// Units that a number may have. The end of a field's name decides which units its key accepts.
static const struct {
	const char *unit, *word;
	int64_t factor;
} config_units[] = {
	{"_s", "s", 1},
	{"_s", "m", 60},
	{"_s", "h", 3600},
	{"_s", "d", 86400},
	{"_s", "w", 604800},
	{"_ms", "ms", 1},
	{"_ms", "s", 1000},
	{"_ms", "m", 60000},
	{"hours", "h", 1},
	{"hours", "d", 24},
	{"hours", "w", 168},
	{"days", "d", 1},
	{"days", "w", 7},
	{"_kb", "K", 1},
	{"_kb", "M", 1 << 10},
	{"_kb", "G", 1 << 20},
	{"_mb", "M", 1},
	{"_mb", "G", 1 << 10},
	{"_mb", "T", 1 << 20},
};

static bool has_unit(const char *field, const char *unit)
{
	const size_t len = strlen(field), unit_len = strlen(unit);
	return len >= unit_len && strcmp(field + len - unit_len, unit) == 0;
}

// Sizes are spelled 64M, 64m, 64MB and 64MiB.
static bool is_word(const char *text, const char *word)
{
	if (word[0] >= 'a')
		return strcmp(text, word) == 0;
	return ascii_lower((uint8_t)text[0]) == ascii_lower((uint8_t)word[0])
	       && (!text[1] || strcasecmp(text + 1, "b") == 0 || strcasecmp(text + 1, "ib") == 0);
}

// The factor that the unit `text` multiplies a number by. 0: `field` accepts no such unit; `field`
// NULL: accepts no unit.
static int64_t factor_of(const char *field, const char *text)
{
	for (size_t i = 0; field && *text && i < ARRAY_LEN(config_units); i++)
		if (has_unit(field, config_units[i].unit) && is_word(text, config_units[i].word))
			return config_units[i].factor;
	return *text ? 0 : 1;
}

// Is it a number with a unit that this key does not accept, or accepts only without a blank?
static bool is_like_a_unit(const char *text)
{
	const char *word = text + strspn(text, "0123456789. ");
	bool is_one = false;
	for (size_t i = 0; word > text && *word && i < ARRAY_LEN(config_units); i++)
		is_one |= strncasecmp(word, config_units[i].word, 1) == 0 && strlen(word) <= 3;
	return is_one;
}

static int number_refuse(
	const struct config_doc *doc, const char *path, const char *text, const char *field)
{
	char shown[40], tail[64] = "";
	size_t n = 0;
	for (size_t i = 0; field && is_like_a_unit(text) && i < ARRAY_LEN(config_units); i++) {
		if (!has_unit(field, config_units[i].unit))
			continue;
		n += (size_t)snprintf(tail + n, sizeof(tail) - n, "%s5%s",
			n ? ", " : "; write one such as ", config_units[i].word);
	}
	return config_refuse_node(doc, NULL, path, tail, "\"%s\" is not a whole number",
		text_escape(text, shown, sizeof(shown)));
}

// Reads the digits of a number that is at most some times `max`.
static int64_t digits_read(const char *text, int64_t max)
{
	int64_t value = 0;
	for (const char *p = text; *p >= '0' && *p <= '9' && value <= max; p++)
		value = value * 10 + (*p - '0');
	return value;
}

// `field`: the end of this name decides the units; NULL: the number has no unit.
static int number_parse(const struct config_doc *doc, const char *path, const char *text,
	const char *field, int64_t min, int64_t max, int64_t *out)
{
	const size_t digits = strspn(text, "0123456789");
	const int64_t factor = factor_of(field, text + digits);
	if (!*text)
		return config_refuse(doc, path, "has no value");
	if (digits == 0 || (text[0] == '0' && digits > 1) || factor == 0)
		return number_refuse(doc, path, text, field);
	const int64_t value = digits_read(text, max) * factor;
	if (value < min || value > max)
		return config_refuse(
			doc, path, "must be %lld to %lld", (long long)min, (long long)max);
	*out = value;
	return 0;
}

int config_number_parse(const struct config_doc *doc, const char *path, const char *text,
	int64_t min, int64_t max, int64_t *out)
{
	return number_parse(doc, path, text, NULL, min, max, out);
}

bool config_seconds_read(const char *text, int64_t max, int64_t *out)
{
	const size_t digits = strspn(text, "0123456789");
	const int64_t factor = factor_of("_s", text + digits);
	*out = digits_read(text, max) * factor;
	return digits && *out <= max && factor;
}

// "true" or "false" for another word with that meaning; NULL: it has neither.
static const char *bool_near(const char *text)
{
	static const char *const words[][2] = {{"yes", "true"}, {"on", "true"}, {"true", "true"},
		{"1", "true"}, {"no", "false"}, {"off", "false"}, {"false", "false"},
		{"0", "false"}};
	for (size_t i = 0; i < ARRAY_LEN(words); i++)
		if (strcasecmp(text, words[i][0]) == 0)
			return words[i][1];
	return NULL;
}

static int bool_parse(const struct config_doc *doc, const char *path, const char *text, bool *out)
{
	bool yes = strcmp(text, "true") == 0;
	if (!yes && strcmp(text, "false") != 0)
		return config_refuse_near(doc, path, bool_near(text), "must be true or false");
	*out = yes;
	return 0;
}

bool config_choice_find(const char *choices, const char *word, int64_t *out)
{
	for (size_t i = 0; i < ARRAY_LEN(config_choices); i++)
		if (strcmp(config_choices[i].choices, choices) == 0
			&& strcmp(config_choices[i].word, word) == 0) {
			*out = config_choices[i].value;
			return true;
		}
	return false;
}

const char *config_choice_word(const char *choices, int64_t value)
{
	for (size_t i = 0; i < ARRAY_LEN(config_choices); i++)
		if (config_choices[i].value == value
			&& strcmp(config_choices[i].choices, choices) == 0)
			return config_choices[i].word;
	return "";
}

static int choice_parse(const struct config_doc *doc, const char *path, const char *choices,
	const char *text, int64_t *out)
{
	char words[128] = "";
	size_t n = 0;
	struct text_near near;
	if (config_choice_find(choices, text, out))
		return 0;
	text_near_begin(&near, text);
	for (size_t i = 0; i < ARRAY_LEN(config_choices); i++) {
		if (strcmp(config_choices[i].choices, choices) != 0)
			continue;
		text_near_try(&near, config_choices[i].word);
		n += (size_t)snprintf(words + n, sizeof(words) - n, "%s%s", n ? ", " : "",
			config_choices[i].word);
	}
	return config_refuse_near(doc, path, near.best, "must be one of: %s", words);
}

int config_bool_of(const struct config_doc *doc, const char *owner, const struct config_node *node,
	const char *of, bool *out)
{
	char key[CONFIG_PATH_MAX];
	const char *text = config_node_text(node, of);
	return text ? bool_parse(doc, config_sub_key(key, owner, of), text, out) : 0;
}

int config_number_of(const struct config_doc *doc, const char *owner,
	const struct config_node *node, const char *of, int64_t min, int64_t max, int64_t *out)
{
	char key[CONFIG_PATH_MAX];
	const char *text = config_node_text(node, of);
	return text ? number_parse(doc, config_sub_key(key, owner, of), text,
		       strcmp(of, "ttl") == 0 ? "_s" : NULL, min, max, out)
		    : 0;
}

int config_choice_of(const struct config_doc *doc, const char *owner,
	const struct config_node *node, const char *of, const char *choices, int64_t *out)
{
	char key[CONFIG_PATH_MAX];
	const char *text = config_node_text(node, of);
	return text ? choice_parse(doc, config_sub_key(key, owner, of), choices, text, out) : 0;
}

static int text_parse(
	const struct config_doc *doc, const struct config_key *key, const char *text, char **out)
{
	int64_t len = (int64_t)strlen(text);
	if (len < key->min || len > key->max)
		return config_refuse(doc, key->path, "must be %lld to %lld bytes long",
			(long long)key->min, (long long)key->max);
	for (const char *p = text; *p; p++) {
		if ((unsigned char)*p < 0x20 || *p == 0x7f)
			return config_refuse(doc, key->path, "contains a control character");
	}
	*out = heap_strdup(text);
	return *out ? 0 : -ENOMEM;
}

// Stores a value at the width of its field.
static void field_store(void *field, size_t size, int64_t value)
{
	switch (size) {
	case 1:
		*(uint8_t *)field = (uint8_t)value;
		break;
	case 2:
		*(uint16_t *)field = (uint16_t)value;
		break;
	case 4:
		*(uint32_t *)field = (uint32_t)value;
		break;
	default:
		assert(false);
	}
}

static int key_apply(const struct config_doc *doc, const struct config_key *key, const char *text,
	struct config *out)
{
	void *field = (char *)out + key->field_offset;
	int64_t value = 0;
	bool yes = false;
	int rc = 0;
	switch (key->kind) {
	case CONFIG_TEXT:
	case CONFIG_FILE:
		return text_parse(doc, key, text, field);
	case CONFIG_NUMBER:
		rc = number_parse(doc, key->path, text, key->field, key->min, key->max, &value);
		break;
	case CONFIG_BOOL:
		rc = bool_parse(doc, key->path, text, &yes);
		value = yes;
		break;
	case CONFIG_CHOICE:
		rc = choice_parse(doc, key->path, key->choices, text, &value);
		break;
	}
	if (rc == 0)
		field_store(field, key->field_size, value);
	return rc;
}

// The text of a key in the document; NULL: not given.
static const char *key_text(const struct config_node *root, const struct config_key *key)
{
	const struct config_node *n = root;
	const char *name = key->path;
	for (const char *dot; (dot = strchr(name, '.')) != NULL; name = dot + 1) {
		char section[CONFIG_KEY_MAX];
		snprintf(section, sizeof(section), "%.*s", (int)(dot - name), name);
		n = config_node_find(n, section);
	}
	return config_node_text(n, name);
}

const struct config_key *config_key_find(const char *path)
{
	for (unsigned i = 0; i < config_key_count; i++)
		if (strcmp(config_keys[i].path, path) == 0)
			return &config_keys[i];
	return NULL;
}

// The default of a key that the file does not give.
static const char *key_fallback(const struct config_node *root, const struct config_key *key)
{
	for (size_t i = 0; i < ARRAY_LEN(config_presets); i++) {
		if (strcmp(config_presets[i].key, key->path) != 0)
			continue;
		const struct config_key *preset = config_key_find(config_presets[i].preset);
		const char *chosen = key_text(root, preset);
		if (strcmp(chosen ? chosen : preset->fallback, config_presets[i].word) == 0)
			return config_presets[i].fallback;
	}
	return key->fallback;
}

static int keys_apply(const struct config_doc *doc, struct config *out)
{
	int rc = 0;
	for (unsigned i = 0; i < config_key_count; i++) {
		const struct config_key *key = &config_keys[i];
		const char *text = key_text(doc->tree.root, key);
		const char *fallback = key_fallback(doc->tree.root, key);
		int one = key_apply(doc, key, text ? text : fallback, out);
		// The default replaces a refused value, so that other errors can be found.
		if (one == -EINVAL && text)
			one = config_worse(one, key_apply(doc, key, fallback, out));
		rc = config_worse(rc, one);
		if (rc == -ENOMEM)
			break;
	}
	return rc;
}

static bool is_text(const struct config_key *key)
{
	return key->kind == CONFIG_TEXT || key->kind == CONFIG_FILE;
}

static void keys_free(struct config *c)
{
	for (unsigned i = 0; i < config_key_count; i++) {
		if (is_text(&config_keys[i]))
			FREE_AND_NULL(*(char **)(void *)((char *)c + config_keys[i].field_offset));
	}
}

bool config_key_differs(
	const struct config_key *key, const struct config *a, const struct config *b)
{
	const char *x = (const char *)a + key->field_offset;
	const char *y = (const char *)b + key->field_offset;
	if (is_text(key))
		return strcmp(*(char *const *)(const void *)x, *(char *const *)(const void *)y)
		       != 0;
	return memcmp(x, y, key->field_size) != 0;
}

static int64_t field_load(const void *field, size_t size)
{
	switch (size) {
	case 1:
		return *(const uint8_t *)field;
	case 2:
		return *(const uint16_t *)field;
	case 4:
		return *(const uint32_t *)field;
	default:
		assert(false);
		return 0;
	}
}

static void words_load(const struct config_key *key, int64_t value, struct config_value *out)
{
	for (size_t i = 0; i < ARRAY_LEN(config_choices); i++) {
		if (strcmp(config_choices[i].choices, key->choices) != 0)
			continue;
		assert(out->word_count < CONFIG_WORDS_MAX);
		out->word[out->word_count++] = config_choices[i].word;
		if (config_choices[i].value == value)
			snprintf(out->text, sizeof(out->text), "%s", config_choices[i].word);
	}
}

void config_values(const struct config *c, config_value_use *use, void *arg)
{
	for (unsigned i = 0; i < config_key_count; i++) {
		const struct config_key *key = &config_keys[i];
		if (is_text(key))
			continue;
		struct config_value v = {
			.path = key->path, .min = key->min, .max = key->max, .is_live = key->live};
		const int64_t value =
			field_load((const char *)c + key->field_offset, key->field_size);
		if (key->kind == CONFIG_CHOICE)
			words_load(key, value, &v);
		else if (key->kind == CONFIG_NUMBER)
			snprintf(v.text, sizeof(v.text), "%lld", (long long)value);
		else {
			v.word[v.word_count++] = "true";
			v.word[v.word_count++] = "false";
			snprintf(v.text, sizeof(v.text), "%s", v.word[value == 0]);
		}
		use(arg, &v);
	}
}

void config_key_files(const struct config *c, const char *out[CONFIG_KEY_FILES])
{
	unsigned n = 0;
	for (unsigned i = 0; i < config_key_count; i++) {
		const char *field = (const char *)c + config_keys[i].field_offset;
		if (config_keys[i].kind == CONFIG_FILE)
			out[n++] = *(char *const *)(const void *)field;
	}
}

// The keys with one value: converts those of the document, or their defaults.
const struct config_step config_keys_step = {.apply = keys_apply, .free = keys_free};
