// SPDX-License-Identifier: BSD-3-Clause

#include "api_param.h"

#include "api_clients.h"
#include "base/rdata_text.h"
#include "lists/list_name.h"
#include "querylog/querylog_row.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <weir/dns_name.h>
#include <weir/text.h>

static_assert((int)API_ASCII_MAX == (int)LIST_IDN_TEXT_MAX);

const char *api_param_ascii(const char *text, char out[API_ASCII_MAX])
{
	const char *at = text;
	while (*at && (unsigned char)*at < 0x80)
		at++;
	if (!*at || !list_name_to_ascii((struct list_text){text, strlen(text)}, out))
		return text;
	return out;
}

bool api_param_name(struct http_exchange *x, struct dns_name *out)
{
	const char *text = http_param(x, "name"), *why = "is missing";
	char ascii[API_ASCII_MAX];
	if (text && name_paste(api_param_ascii(text, ascii), out, &why) >= 0)
		return true;
	api_refuse(x, 400, "name: %s", why);
	return false;
}

bool api_param_flag(struct http_exchange *x, const char *param, bool *out)
{
	const char *text = http_param(x, param);
	if (!text || strcmp(text, "0") == 0 || strcmp(text, "1") == 0) {
		*out = text && text[0] == '1';
		return true;
	}
	api_refuse(x, 400, "%s: must be 0 or 1", param);
	return false;
}

bool api_param_number(struct http_exchange *x, const char *param, unsigned max, unsigned *out)
{
	const char *text = http_param(x, param);
	uint64_t n = 0; // has room for `max` and one more digit
	bool good = text && *text;
	for (const char *p = text; good && *p; p++) {
		n = n * 10 + (unsigned)(*p - '0');
		good = *p >= '0' && *p <= '9' && n <= max;
	}
	if (good && n >= 1) {
		*out = (unsigned)n;
		return true;
	}
	api_refuse(x, 400, "%s: must be 1 to %u", param, max);
	return false;
}

bool api_param_time(struct http_exchange *x, const char *param, int64_t *out)
{
	const char *text = http_param(x, param);
	if (!text)
		return true;
	size_t len = strlen(text);
	if (!len || len > 18 || strspn(text, "0123456789") != len) {
		api_refuse(x, 400, "%s: must be microseconds since 1970", param);
		return false;
	}
	*out = strtoll(text, NULL, 10);
	return true;
}

bool api_param_why(struct http_exchange *x, const char **out)
{
	char shown[CONFIG_DATED_WHY_MAX + 1];
	const char *why = http_param(x, "why");
	*out = why && *why ? why : NULL;
	if (!*out)
		return true;
	if (strlen(why) > CONFIG_DATED_WHY_MAX)
		api_refuse(x, 400, "why: is longer than %d bytes", CONFIG_DATED_WHY_MAX);
	else if (strcmp(text_name(why, shown, sizeof(shown)), why) != 0)
		api_refuse(x, 400, "why: must be text without control characters");
	else
		return true;
	return false;
}

bool api_param_text(struct http_exchange *x, const char *param, char *out, size_t cap)
{
	const char *text = http_param(x, param);
	size_t len = text ? strlen(text) : 0;
	if (len >= cap) {
		api_refuse(x, 400, "%s: is too long", param);
		return false;
	}
	memcpy(out, text ? text : "", len);
	out[len] = '\0';
	return true;
}

bool api_param_log_name(struct http_exchange *x, char out[QUERY_NAME_TEXT_MAX])
{
	struct dns_name name;
	char text[DNS_NAME_TEXT_MAX];
	if (!http_param(x, "name"))
		return true;
	if (!api_param_name(x, &name))
		return false;
	dns_name_to_text(&name, text);
	memcpy(out, text, strlen(text) + 1);
	return true;
}
static_assert((int)DNS_NAME_TEXT_MAX <= (int)QUERY_NAME_TEXT_MAX);

static const struct config *config_of(const struct api *a)
{
	return a->deps.config_current ? a->deps.config_current(a->deps.reload_arg) : NULL;
}

void api_param_refuse_word(struct http_exchange *x, unsigned status, const char *what,
	const char *text, const char *nearest)
{
	if (nearest)
		api_refuse(x, status, "no %s \"%s\"; did you mean \"%s\"?", what, text, nearest);
	else
		api_refuse(x, status, "no %s \"%s\"", what, text);
}

// The configured client name that is nearest to `text`; NULL: no name is near.
static const char *client_near(const struct api *a, const char *text)
{
	const struct config *c = config_of(a);
	struct text_near near;
	text_near_begin(&near, text);
	for (unsigned i = 0; c && i < c->client_count; i++)
		text_near_try(&near, c->clients[i].name);
	return near.best;
}

void api_param_refuse_client(const struct api *a, struct http_exchange *x, const char *text)
{
	const char *near = client_near(a, text);
	if (near)
		api_param_refuse_word(x, 400, "client", text, near);
	else
		api_refuse(x, 400, "client: \"%s\" is neither an IP address nor a client's name",
			text);
}

void api_param_refuse_group(const struct api *a, struct http_exchange *x, const char *text)
{
	const struct config *c = config_of(a);
	char names[API_WHY_MAX] = CONFIG_EVERYONE;
	struct text_near near;
	text_near_begin(&near, text);
	text_near_try(&near, CONFIG_EVERYONE);
	for (unsigned i = 0; c && i < c->group_count; i++) {
		size_t len = strlen(names);
		text_near_try(&near, c->groups[i].name);
		snprintf(names + len, sizeof(names) - len, ", %s", c->groups[i].name);
	}
	if (near.best)
		api_param_refuse_word(x, 400, "group", text, near.best);
	else
		api_refuse(x, 400, "no group \"%s\"; groups: %s", text, names);
}

// Rewrites an address as the log spells it. False: `client` is no address.
static bool address_spell(char client[QUERY_TEXT_MAX])
{
	uint8_t bytes[16];
	int family = strchr(client, ':') ? AF_INET6 : AF_INET;
	return inet_pton(family, client, bytes) == 1
	       && inet_ntop(family, bytes, client, QUERY_TEXT_MAX);
}

bool api_param_found_client(const struct api *a, const char *text, char out[INET6_ADDRSTRLEN])
{
	const struct config *c = config_of(a);
	struct client_entry found;
	struct ip_address ip;
	return ip_address_parse(text, &ip) < 0 && !(c && config_client_by_name(c, text))
	       && client_book_named(api_client_book(a), text, time(NULL), &found)
	       && inet_ntop(found.address.version == 6 ? AF_INET6 : AF_INET, found.address.bytes,
		       out, INET6_ADDRSTRLEN);
}

// Rewrites an address, or the name of a configured client, as the log spells it. False: `text` is a
// name that neither the configuration nor a file or a server gave.
static bool client_spell(const struct api *a, char text[QUERY_TEXT_MAX])
{
	const struct config *c = config_of(a);
	char address[INET6_ADDRSTRLEN];
	if (!text[0] || address_spell(text) || api_anonymize(a) != LOG_CLIENTS_WHOLE)
		return true;
	const struct config_client *known = c ? config_client_by_name(c, text) : NULL;
	if (known)
		snprintf(text, QUERY_TEXT_MAX, "%s", known->name);
	return known || api_param_found_client(a, text, address);
}

bool api_param_client(const struct api *a, struct http_exchange *x, char out[QUERY_TEXT_MAX])
{
	if (!api_param_text(x, "client", out, QUERY_TEXT_MAX))
		return false;
	if (client_spell(a, out))
		return true;
	api_param_refuse_client(a, x, http_param(x, "client"));
	return false;
}

bool api_param_past_client(const struct api *a, struct http_exchange *x, char out[QUERY_TEXT_MAX],
	char unknown[API_WHY_MAX])
{
	const char *near;
	unknown[0] = '\0';
	if (!api_param_text(x, "client", out, QUERY_TEXT_MAX))
		return false;
	if (client_spell(a, out))
		return true;
	near = client_near(a, out);
	snprintf(unknown, API_WHY_MAX,
		"no client \"%.100s\" in the configuration or among found names%s%.64s%s", out,
		near ? "; did you mean \"" : "", near ? near : "", near ? "\"?" : "");
	return true;
}

bool api_param_group(const struct api *a, struct http_exchange *x, char out[QUERY_TEXT_MAX])
{
	const struct config *c = config_of(a);
	if (!api_param_text(x, "group", out, QUERY_TEXT_MAX))
		return false;
	bool known = !out[0] || strcmp(out, CONFIG_EVERYONE) == 0;
	for (unsigned i = 0; !known && c && i < c->group_count; i++)
		known = strcmp(out, c->groups[i].name) == 0;
	if (!known)
		api_param_refuse_group(a, x, http_param(x, "group"));
	return known;
}

static const char *validation_word(unsigned i)
{
	return i < QUERYLOG_VALIDATIONS ? querylog_validation_names[i] : NULL;
}

// Whether `out` is empty or one of the words of `word_at`, which end with NULL. False: the request
// is refused.
static bool word_take(struct http_exchange *x, const char *key, const char *out,
	const char *(*word_at)(unsigned i))
{
	struct text_near near;
	const char *word;
	if (!out[0])
		return true;
	text_near_begin(&near, out);
	for (unsigned i = 0; (word = word_at(i)); i++) {
		if (strcmp(out, word) == 0)
			return true;
		text_near_try(&near, word);
	}
	api_param_refuse_word(x, 400, key, out, near.best);
	return false;
}

bool api_param_validation(struct http_exchange *x, char out[QUERY_TEXT_MAX])
{
	return api_param_text(x, "validation", out, QUERY_TEXT_MAX)
	       && word_take(x, "validation", out, validation_word);
}

bool api_param_verdict(struct http_exchange *x, char out[QUERY_TEXT_MAX])
{
	if (!api_param_text(x, "verdict", out, QUERY_TEXT_MAX))
		return false;
	if (strcmp(out, "servfail_crowd") == 0)
		return true; // a former name, which rows of an earlier version have
	return word_take(x, "verdict", out, querylog_row_verdict);
}

bool api_param_rcode(struct http_exchange *x, bool *has, uint16_t *out)
{
	const char *text = http_param(x, "rcode");
	struct text_near near;
	*has = text && *text;
	if (!*has || rdata_rcode_from_text(text, out))
		return true;
	text_near_begin(&near, text);
	for (uint16_t i = 0; strcmp(dns_rcode_text(i), "RCODE") != 0; i++)
		text_near_try(&near, dns_rcode_text(i));
	api_param_refuse_word(x, 400, "response code", text, near.best);
	return false;
}

bool api_param_part(struct http_exchange *x, char out[QUERY_NAME_TEXT_MAX])
{
	return api_param_text(x, "part", out, QUERY_NAME_TEXT_MAX);
}
