// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// Names, addresses and files that a test writes as text. A text that is none fails the test.

#include <weir/config_filter.h>
#include <weir/dns_name.h>

static inline struct dns_name name_of_text(const char *text)
{
	struct dns_name name;
	assert_int_equal(dns_name_from_text(text, strlen(text), &name), 0);
	return name;
}

// Or a prefix.
static inline struct ip_address address_of_text(const char *text)
{
	struct ip_address address;
	assert_int_equal(ip_address_parse(text, &address), 0);
	return address;
}

// A new file, or all that is in it.
static inline void text_to_file(const char *path, const char *text)
{
	FILE *f = fopen(path, "we");
	assert_non_null(f);
	assert_true(fputs(text, f) >= 0);
	assert_int_equal(fclose(f), 0);
}
