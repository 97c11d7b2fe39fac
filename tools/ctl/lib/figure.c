// SPDX-License-Identifier: BSD-3-Clause

#include "figure.h"

#include <stdio.h>
#include <string.h>
#include <weir/attr.h>

enum { LASTS_MAX_S = 366 * 86400 };

char *figure_count(uint64_t n, char out[FIGURE_MAX])
{
	char digits[24];
	int len = snprintf(digits, sizeof(digits), "%llu", (unsigned long long)n);
	char *p = out;
	for (int i = 0; i < len; i++) {
		if (i > 0 && (len - i) % 3 == 0)
			*p++ = ',';
		*p++ = digits[i];
	}
	*p = '\0';
	return out;
}

char *figure_rate(double n, char out[FIGURE_MAX])
{
	if (n >= 100)
		return figure_count((uint64_t)(n + 0.5), out);
	snprintf(out, FIGURE_MAX, "%.1f", n);
	return out;
}

char *figure_bytes(uint64_t n, char out[FIGURE_MAX])
{
	static const char *const units[] = {"KiB", "MiB", "GiB", "TiB"};
	if (n < 1024) {
		snprintf(out, FIGURE_MAX, "%llu B", (unsigned long long)n);
		return out;
	}
	double value = (double)n / 1024;
	unsigned unit = 0;
	for (; value >= 1024 && unit + 1 < ARRAY_LEN(units); unit++)
		value /= 1024;
	snprintf(out, FIGURE_MAX, "%.1f %s", value, units[unit]);
	return out;
}

char *figure_duration(uint64_t ms, char out[FIGURE_MAX])
{
	uint64_t s = ms / 1000;
	if (ms < 1000)
		snprintf(out, FIGURE_MAX, "%u ms", (unsigned)ms);
	else if (s < 60)
		snprintf(out, FIGURE_MAX, "%u.%u s", (unsigned)s, (unsigned)(ms % 1000 / 100));
	else if (s < 3600)
		snprintf(out, FIGURE_MAX, "%u min %u s", (unsigned)(s / 60), (unsigned)(s % 60));
	else if (s < 86400)
		snprintf(out, FIGURE_MAX, "%u h %u min", (unsigned)(s / 3600),
			(unsigned)(s % 3600 / 60));
	else
		snprintf(out, FIGURE_MAX, "%u d %u h", (unsigned)(s / 86400),
			(unsigned)(s % 86400 / 3600));
	return out;
}

uint64_t figure_seconds(const char *text)
{
	static const char units[] = "smhd";
	static const unsigned seconds[] = {1, 60, 3600, 86400};
	const size_t digits = strspn(text, "0123456789");
	const char *unit =
		digits && digits < 9 && text[digits] ? strchr(units, text[digits]) : NULL;
	uint64_t n = 0;
	if (!unit || text[digits + 1])
		return 0;
	for (size_t i = 0; i < digits; i++)
		n = n * 10 + (uint64_t)(text[i] - '0');
	n *= seconds[unit - units];
	return n <= LASTS_MAX_S ? n : 0;
}
