// SPDX-License-Identifier: BSD-3-Clause
#include "doh_http.h"

const char *const doh_http_versions[] = {
#define X(name) [DOH_##name] = #name,
	DOH_VERSIONS(X)
#undef X
};

const char *const doh_http_methods[] = {
#define X(name) [DOH_METHOD_##name] = #name,
	DOH_METHODS(X)
#undef X
};

const uint16_t doh_http_numbers[] = {
#define X(number, reason, text) [DOH_##number] = number,
	DOH_STATUSES(X)
#undef X
};

static const struct {
	const char *reason, *text;
} statuses[] = {
#define X(number, reason, text) [DOH_##number] = {reason, text},
	DOH_STATUSES(X)
#undef X
};

const char *doh_http_text(enum doh_status status)
{
	return statuses[status].text;
}

const char *doh_http_reason(enum doh_status status)
{
	return statuses[status].reason;
}
