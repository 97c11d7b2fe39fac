// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// Configurations that stand in the test: each is loaded from a file that is gone afterwards, and
// freed behind the case.

#include "tests/unit/unit.h"

#include <weir/config.h>

// What every document needs, in 7 lines; the tests add to it or spoil it.
#define PORTS     "dataplane:\n  ports:\n  - device: net_null0\n"
#define ADDRESSES "  service_addresses: [198.18.0.53/24]\n"
#define SERVERS   "upstreams:\n  servers:\n  - address: 9.9.9.9\n"
#define MINIMAL   PORTS ADDRESSES SERVERS

UNIT_END_OF(config_free, struct config)

// "config: KEY: REASON (FILE:LINE:COL); TAIL" as "LINE:COL: KEY: REASON; TAIL", for tests to begin
// with the place. False: it is no such text.
static inline bool config_text_turn(const char *path, char why[static CONFIG_WHY_MAX])
{
	static const char begin[] = "config: ";
	const char *file = text_from(" (%s:", path);
	char *at = strstr(why, file), *end = at ? strchr(at, ')') : NULL;
	if (strncmp(why, begin, strlen(begin)) != 0 || !end)
		return false;
	const char *place =
		text_from("%.*s", (int)(end - at - (int)strlen(file)), at + strlen(file));
	*at = '\0';
	snprintf(why, CONFIG_WHY_MAX, "%.*s", CONFIG_WHY_MAX - 1,
		text_from("%s: %s%s", place, why + strlen(begin), end + 1));
	return true;
}

// As config_load(), but `why` begins with the line and column.
static inline int config_text_try(
	const char *text, struct config **out, char why[static CONFIG_WHY_MAX])
{
	const char *path = file_with(text);
	why[0] = '\0';
	int ret = config_load(path, out, why);
	assert_int_equal(unlink(path), 0);
	assert_true(config_text_turn(path, why) || ret != -EINVAL);
	unit_at_end(config_free_at_end, *out);
	return ret;
}

static inline struct config *config_text_load(const char *text)
{
	struct config *c = NULL;
	char why[CONFIG_WHY_MAX];
	if (config_text_try(text, &c, why) != 0)
		fail_msg("%s\n%s", why, text);
	return c;
}

// Of a file that stays.
static inline struct config *config_file_load(const char *path)
{
	struct config *c = NULL;
	char why[CONFIG_WHY_MAX] = "";
	if (config_load(path, &c, why) != 0)
		fail_msg("%s", why);
	unit_at_end(config_free_at_end, c);
	return c;
}

// Refused, with these words in the message.
static inline void config_text_refused(const char *text, const char *words)
{
	struct config *c = NULL;
	char why[CONFIG_WHY_MAX];
	int ret = config_text_try(text, &c, why);
	if (ret != -EINVAL || !strstr(why, words))
		fail_msg("%d, got \"%s\"\nwanted \"%s\" for:\n%s", ret, why, words, text);
	assert_null(c);
}

// Refused, and the message begins with that: "line:column: key: reason".
static inline void config_text_refused_at(const char *text, const char *begin)
{
	struct config *c = NULL;
	char why[CONFIG_WHY_MAX];
	int ret = config_text_try(text, &c, why);
	if (ret != -EINVAL || strncmp(why, begin, strlen(begin)) != 0)
		fail_msg("%d, got \"%s\"\nwanted \"%s\" for:\n%s", ret, why, begin, text);
	assert_null(c);
}

struct refusal {
	const char *text, *why;
};

// EACH_REFUSED(config_text_refused, MINIMAL "tls:\n%s", bad): so is each text of the table.
#define EACH_REFUSED(refused, format, bad)          \
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) \
	refused(text_from(format, (bad)[i].text), (bad)[i].why)
