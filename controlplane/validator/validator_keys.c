// SPDX-License-Identifier: BSD-3-Clause
#include "validator_internal.h"

#include <string.h>
#include <weir/clock.h>
#include <weir/dns_proto.h>

// To the library an answer is bogus, too, when no server gave it a key or a DS above the answer,
// and it holds the zone for bad for a minute then. That is no fault of the zone. So a context knows
// the latest of those names, and which verdicts name one of them as their reason.

enum { BAD_MS = 61000 }; // as long as the library, and the second that it counts in

// False: it is not one that the library asks for to validate others.
static bool key_name(const uint8_t *question, uint16_t len, struct dns_name *out)
{
	struct rd rd = rd_init(question, len);

	if (dns_name_read(&rd, out) < 0)
		return false;
	const uint16_t qtype = rd_u16(&rd);
	return rd_ok(&rd) && (qtype == DNS_TYPE_DNSKEY || qtype == DNS_TYPE_DS);
}

void validator_key_there(struct validator_context *c, const uint8_t *question, uint16_t len)
{
	struct dns_name name;

	if (c->missing_count == 0 || !key_name(question, len, &name))
		return;
	for (unsigned i = 0; i < c->missing_count; i++)
		if (dns_name_equal(&c->missing[i].name, &name))
			c->missing[i].until_ms = 0;
}

// In the place of the same name, of none, or of the one that is forgotten first.
static unsigned place_of(struct validator_context *c, const struct dns_name *name)
{
	unsigned place = 0;

	for (unsigned i = 0; i < c->missing_count; i++) {
		if (dns_name_equal(&c->missing[i].name, name))
			return i;
		if (c->missing[i].until_ms < c->missing[place].until_ms)
			place = i;
	}
	return c->missing_count < VALIDATOR_MISSING ? c->missing_count++ : place;
}

void validator_key_missing(struct validator_context *c, const uint8_t *question, uint16_t len)
{
	struct validator_missing m = {.until_ms = clock_mono_ms() + BAD_MS};

	if (key_name(question, len, &m.name))
		c->missing[place_of(c, &m.name)] = m;
}

// The library writes names with the last dot.
static bool names(const char *why, const struct dns_name *name)
{
	char text[DNS_NAME_TEXT_MAX + 2] = " ";

	dns_name_to_text(name, text + 1);
	if (strcmp(text, " .") != 0)
		strcat(text, ".");
	const size_t len = strlen(text);
	for (const char *at = strstr(why, text); at; at = strstr(at + 1, text))
		if (at[len] == ' ' || at[len] == '\0')
			return true;
	return false;
}

bool validator_key_is_missing(const struct validator_context *c, const char *why)
{
	for (unsigned i = 0; why && i < c->missing_count; i++)
		if (clock_mono_ms() < c->missing[i].until_ms && names(why, &c->missing[i].name))
			return true;
	return false;
}
