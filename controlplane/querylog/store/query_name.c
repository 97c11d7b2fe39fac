// SPDX-License-Identifier: BSD-3-Clause

#include "query_name.h"

#include <string.h>
#include <strings.h>

bool query_name_dot_at(const char *text, size_t i)
{
	size_t slashes = 0;
	while (slashes < i && text[i - 1 - slashes] == '\\')
		slashes++;
	return text[i] == '.' && slashes % 2 == 0;
}

size_t query_name_len(const char *text)
{
	size_t len = strlen(text);
	return len > 1 && query_name_dot_at(text, len - 1) ? len - 1 : len;
}

bool query_name_below(const char *name, const char *filter)
{
	size_t len = query_name_len(name), tail = query_name_len(filter);
	if (tail > len || strncasecmp(name + len - tail, filter, tail) != 0)
		return false;
	return tail == len || (len - tail > 0 && query_name_dot_at(name, len - tail - 1));
}
