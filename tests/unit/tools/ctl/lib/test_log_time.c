// SPDX-License-Identifier: BSD-3-Clause
//
// Times as people say them to weirctl.

#include "tests/unit/unit.h"
#include "tools/ctl/lib/log_page.h"

enum { NOW = 1700000000 };

TEST(test_taken)
{
	static const struct {
		const char *text;
		int64_t us;
	} cases[] = {
		{"0s", NOW * INT64_C(1000000)},
		{"90s", (NOW - 90) * INT64_C(1000000)},
		{"15m", (NOW - 900) * INT64_C(1000000)},
		{"2h", (NOW - 7200) * INT64_C(1000000)},
		{"7d", (NOW - 604800) * INT64_C(1000000)},
		{"2023-11-14T22:13:20Z", NOW * INT64_C(1000000)},
		{"2023-11-14T22:13Z", (NOW - 20) * INT64_C(1000000)},
		{"2023-11-14T23:13:20", NOW * INT64_C(1000000)}, // an hour east
		{"1970-01-02", (86400 - 3600) * INT64_C(1000000)},
	};
	setenv("TZ", "EAST-1", 1);
	tzset();
	for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		int64_t us = -1;
		if (!log_time_parse(cases[i].text, NOW, &us) || us != cases[i].us)
			fail_msg("%s: %lld", cases[i].text, (long long)us);
	}
}

TEST(test_refused)
{
	static const char *const bad[] = {"", "s", "5", "5x", "5 m", "-5m", "5mm", "99999999s",
		"9999999d", "2023", "2023-13-01", "2023-11-14 22:13", "2023-11-14T22:13:20ZZ",
		"yesterday"};
	for (unsigned i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		int64_t us;
		if (log_time_parse(bad[i], NOW, &us))
			fail_msg("taken: '%s'", bad[i]);
	}
}
