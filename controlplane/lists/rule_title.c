// SPDX-License-Identifier: BSD-3-Clause
#include "rule_title.h"

#include <stdio.h>
#include <string.h>

void rule_title_make(char out[RULE_TITLE_MAX], const char *text)
{
	size_t n = 0;
	for (const char *c = text; *c && n + 5 <= RULE_TITLE_MAX; c++) {
		if (*c >= ' ' && *c < 0x7f && *c != '\\')
			out[n++] = *c;
		else
			n += (size_t)snprintf(out + n, 5, "\\%03u", (unsigned char)*c);
	}
	memset(out + n, 0, RULE_TITLE_MAX - n);
}
