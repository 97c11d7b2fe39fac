// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// Parameters of requests that name something of the configuration: clients, groups, verdicts. A
// request with an unknown name is refused with the known names, or with the nearest one: an empty
// result would look like an answer. All on the service loop.

#include "api_internal.h"

void api_refuse_client(const struct api *a, struct http_exchange *x, const char *text);
// With the names of all groups.
void api_refuse_group(const struct api *a, struct http_exchange *x, const char *text);

// For the query log, "" when absent. False: it has been replied to.
// `client`: an address, as the log spells it, or a client of the configuration; any text while the
// log hides clients, as it then has no address.
bool api_log_client(const struct api *a, struct http_exchange *x, char out[QUERY_TEXT_MAX]);
// For rows of any age: a name that the configuration does not have is taken as well, for a row may
// be older. `unknown` then says that it does not have it, else it is "".
bool api_log_client_of_then(const struct api *a, struct http_exchange *x, char out[QUERY_TEXT_MAX],
	char unknown[API_WHY_MAX]);
bool api_log_group(const struct api *a, struct http_exchange *x, char out[QUERY_TEXT_MAX]);
bool api_log_verdict(struct http_exchange *x, char out[QUERY_TEXT_MAX]);
