// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// Parameters of requests. False: the reply is sent. An unknown client, group or verdict is refused
// with the known names, or with the nearest name: an empty result would look like an answer. All on
// the service loop.

#include "api_server.h"
#include "querylog/store/query_search.h"
#include "resolver/resolvers.h"

#include <arpa/inet.h>

enum { API_ASCII_MAX = 256 };
// A domain name with A-labels in place of UTF-8, in `out`; `text` itself without any, or if it is
// no such name.
const char *api_param_ascii(const char *text, char out[API_ASCII_MAX]);
// The `name` parameter.
bool api_param_name(struct http_exchange *x, struct dns_name *out);
// A parameter that fits into `cap` bytes, "" when absent.
bool api_param_text(struct http_exchange *x, const char *param, char *out, size_t cap);
// The `name` parameter as the log writes names, with their escapes.
bool api_param_log_name(struct http_exchange *x, char out[QUERY_NAME_TEXT_MAX]);
// A parameter that is 0 or 1, absent = 0.
bool api_param_flag(struct http_exchange *x, const char *param, bool *out);
// A parameter of 1 to `max`, digits alone.
bool api_param_number(struct http_exchange *x, const char *param, unsigned max, unsigned *out);
// A parameter in microseconds since 1970, digits alone; absent: leaves `out`.
bool api_param_time(struct http_exchange *x, const char *param, int64_t *out);

// The `why` parameter, an operator's reason, of CONFIG_DATED_WHY_MAX bytes at most; NULL: no reason
// is given.
bool api_param_why(struct http_exchange *x, const char **out);

// Replies: no WHAT "TEXT"; did you mean "NEAREST"? `nearest` NULL: leaves the question out.
void api_param_refuse_word(struct http_exchange *x, unsigned status, const char *what,
	const char *text, const char *nearest);
void api_param_refuse_client(const struct api *a, struct http_exchange *x, const char *text);
// Replies with the nearest group's name, or with the names of all groups.
void api_param_refuse_group(const struct api *a, struct http_exchange *x, const char *text);

// Parameters that select rows of the query log, "" when absent.
// `client`: an address, as the log spells it, or a client's name, from the configuration or found
// (client_names.h); any text while the log hides clients, because its rows then have no address.
bool api_param_client(const struct api *a, struct http_exchange *x, char out[QUERY_TEXT_MAX]);
// `client` for rows of any age: accepts a name that no client has, too, because an older row may
// have it; `unknown` then says that no client has the name, else it is "". A row has a found name
// only if the name was known when the row was made.
bool api_param_past_client(const struct api *a, struct http_exchange *x, char out[QUERY_TEXT_MAX],
	char unknown[API_WHY_MAX]);
// The address of a client by a name that only a file or a server gave, not the configuration.
// False: `text` is no such name.
bool api_param_found_client(const struct api *a, const char *text, char out[INET6_ADDRSTRLEN]);
bool api_param_group(const struct api *a, struct http_exchange *x, char out[QUERY_TEXT_MAX]);
bool api_param_validation(struct http_exchange *x, char out[QUERY_TEXT_MAX]);
// `rcode`: a name or a number; *has is false when absent.
bool api_param_rcode(struct http_exchange *x, bool *has, uint16_t *out);
// `part`: a part of the queried name, "" when absent.
bool api_param_part(struct http_exchange *x, char out[QUERY_NAME_TEXT_MAX]);
bool api_param_verdict(struct http_exchange *x, char out[QUERY_TEXT_MAX]);
