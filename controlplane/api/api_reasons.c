// SPDX-License-Identifier: BSD-3-Clause
#include "api_reasons.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

const struct api_reason_kind api_reason_kinds[API_REASON_IDS] = {
#define X(id, severity, advice) {#id, advice, EVENT_IS_##severity},
	API_REASONS(X)
#undef X
};

static struct api_reason *next(struct api_reasons *r, enum api_reason_id id, const char *about)
{
	if (r->count == API_REASONS_MAX) {
		r->left_out++;
		return NULL;
	}
	struct api_reason *one = &r->one[r->count++];
	one->id = id;
	one->is_blocking = false;
	(void)snprintf(one->about, sizeof(one->about), "%s", about);
	return one;
}

void api_reason_add(
	struct api_reasons *r, enum api_reason_id id, const char *about, const char *fmt, ...)
{
	va_list args;
	struct api_reason *one = next(r, id, about);
	if (!one)
		return;
	va_start(args, fmt);
	(void)vsnprintf(one->text, sizeof(one->text), fmt, args);
	va_end(args);
}

void api_reason_block(struct api_reasons *r, enum api_reason_id id, const char *text)
{
	struct api_reason *one = next(r, id, "");
	r->blocking++;
	if (!one)
		return;
	one->is_blocking = true;
	(void)snprintf(one->text, sizeof(one->text), "%s", text);
}

enum event_severity api_reason_severity(const struct api_reason *r)
{
	const enum event_severity usual = api_reason_kinds[r->id].severity;
	return r->is_blocking && usual != EVENT_IS_info ? EVENT_IS_error : usual;
}

void api_reason_name(const struct api_reason *r, char *out, unsigned cap)
{
	(void)snprintf(
		out, cap, "%s%s%s", api_reason_kinds[r->id].id, *r->about ? " " : "", r->about);
}

const struct api_reason_kind *api_reason_kind_of(const char *name)
{
	const size_t len = strcspn(name, " ");
	for (unsigned i = 0; i < API_REASON_IDS; i++) {
		const char *id = api_reason_kinds[i].id;
		if (strlen(id) == len && memcmp(id, name, len) == 0)
			return &api_reason_kinds[i];
	}
	return NULL;
}
