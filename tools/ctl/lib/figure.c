// SPDX-License-Identifier: BSD-3-Clause

#include "figure.h"

#include <stdio.h>
#include <weir/attr.h>

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
