// SPDX-License-Identifier: BSD-3-Clause

#include "log_time.h"

#include <stddef.h>
#include <string.h>

static bool ago_parse(const char *text, time_t now, int64_t *out)
{
	static const struct {
		char unit;
		int64_t seconds;
	} units[] = {{'s', 1}, {'m', 60}, {'h', 3600}, {'d', 86400}};
	size_t digits = strspn(text, "0123456789");
	int64_t n = 0;
	if (!digits || digits > 7 || !text[digits] || text[digits + 1])
		return false;
	for (size_t i = 0; i < digits; i++)
		n = n * 10 + (text[i] - '0');
	for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++)
		if (units[i].unit == text[digits] && n * units[i].seconds <= now) {
			*out = (now - n * units[i].seconds) * 1000000;
			return true;
		}
	return false;
}

static bool date_parse(const char *text, int64_t *out)
{
	static const char *const forms[] = {"%Y-%m-%dT%H:%M:%S", "%Y-%m-%dT%H:%M", "%Y-%m-%d"};
	for (size_t i = 0; i < sizeof(forms) / sizeof(forms[0]); i++) {
		struct tm tm = {.tm_isdst = -1};
		const char *end = strptime(text, forms[i], &tm);
		if (!end || (*end && strcmp(end, "Z") != 0))
			continue;
		time_t t = *end ? timegm(&tm) : mktime(&tm);
		if (t < 0)
			return false;
		*out = (int64_t)t * 1000000;
		return true;
	}
	return false;
}

bool log_time_parse(const char *text, time_t now, int64_t *out)
{
	return ago_parse(text, now, out) || date_parse(text, out);
}
