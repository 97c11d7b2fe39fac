// SPDX-License-Identifier: BSD-3-Clause
#include "api_reasons.h"

#include <stdarg.h>
#include <stdio.h>

static struct api_reason *next(struct api_reasons *r, const char *id, const char *about)
{
	if (r->count == API_REASONS_MAX)
		return NULL;
	struct api_reason *one = &r->one[r->count++];
	one->id = id;
	one->is_blocking = false;
	(void)snprintf(one->about, sizeof(one->about), "%s", about);
	return one;
}

void api_reason_add(struct api_reasons *r, const char *id, const char *about, const char *fmt, ...)
{
	va_list args;
	struct api_reason *one = next(r, id, about);
	if (!one)
		return;
	va_start(args, fmt);
	(void)vsnprintf(one->text, sizeof(one->text), fmt, args);
	va_end(args);
}

void api_reason_block(struct api_reasons *r, const char *id, const char *text)
{
	struct api_reason *one = next(r, id, "");
	r->blocking++;
	if (!one)
		return;
	one->is_blocking = true;
	(void)snprintf(one->text, sizeof(one->text), "%s", text);
}
