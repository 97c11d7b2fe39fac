// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// Parameters of requests. False: the reply is sent. An unknown client, group or verdict is refused
// with the known names, or with the nearest one: an empty result would look like an answer. All on
// the service loop.

#include "api_server.h"
#include "querylog/store/query_search.h"
#include "resolver/resolvers.h"

#include <arpa/inet.h>

// The `name` parameter.
bool api_param_name(struct http_exchange *x, struct dns_name *out);
// A parameter that fits, "" when absent.
bool api_param_text(struct http_exchange *x, const char *param, char *out, size_t cap);
// The `name` parameter as the log writes names, with their escapes.
bool api_param_log_name(struct http_exchange *x, char out[QUERY_NAME_TEXT_MAX]);
// A parameter that is 0 or 1, absent = 0.
bool api_param_flag(struct http_exchange *x, const char *param, bool *out);
// A parameter of 1 to `max`, digits alone.
bool api_param_number(struct http_exchange *x, const char *param, unsigned max, unsigned *out);

// The `why` parameter, an operator's reason, of CONFIG_DATED_WHY_MAX bytes at most; NULL: there is
// none.
bool api_param_why(struct http_exchange *x, const char **out);

// Replies: no WHAT "TEXT"; did you mean "NEAREST"? NULL: none is near.
void api_param_refuse_word(struct http_exchange *x, unsigned status, const char *what,
	const char *text, const char *nearest);
void api_param_refuse_client(const struct api *a, struct http_exchange *x, const char *text);
// With the names of all groups.
void api_param_refuse_group(const struct api *a, struct http_exchange *x, const char *text);

// For the query log, "" when absent.
// `client`: an address, as the log spells it, or a client's name, of the configuration or found
// (client_names.h); any text while the log hides clients, as it then has no address.
bool api_param_client(const struct api *a, struct http_exchange *x, char out[QUERY_TEXT_MAX]);
// For rows of any age: a name that no client has is taken as well, for a row may be older.
// `unknown` then says that none has it, else it is "". A row has a found name only if it was known
// when the row was made.
bool api_param_past_client(const struct api *a, struct http_exchange *x, char out[QUERY_TEXT_MAX],
	char unknown[API_WHY_MAX]);
// The address of a client by a name that the configuration does not have, but a file or a server.
// False: `text` is no such name.
bool api_param_found_client(const struct api *a, const char *text, char out[INET6_ADDRSTRLEN]);
bool api_param_group(const struct api *a, struct http_exchange *x, char out[QUERY_TEXT_MAX]);
bool api_param_validation(struct http_exchange *x, char out[QUERY_TEXT_MAX]);
// `rcode`: a name or a number; *has is false when absent.
bool api_param_rcode(struct http_exchange *x, bool *has, uint16_t *out);
// `part`: text that names have, "" when absent.
bool api_param_part(struct http_exchange *x, char out[QUERY_NAME_TEXT_MAX]);
bool api_param_verdict(struct http_exchange *x, char out[QUERY_TEXT_MAX]);
