// SPDX-License-Identifier: BSD-3-Clause

#include "import_add.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <weir/config.h>
#include <weir/dns_name.h>
#include <weir/rdata_parse.h>
#include <weir/service_names.h>
#include <weir/url.h>

enum { MEMBER_MAX = SOCKET_ADDRESS_TEXT_MAX + CONFIG_MAC_TEXT_MAX };

static bool is_printable(const char *text)
{
	for (; *text; text++)
		if ((unsigned char)*text < 0x20 || (unsigned char)*text > 0x7e)
			return false;
	return true;
}

// The name as weir writes it; false: a miss.
static bool name_take(struct import_model *m, const char *text, char out[DNS_NAME_TEXT_MAX])
{
	struct dns_name name;
	const char *why = "is no domain name";
	if (text[0] == '/' || !is_printable(text) || name_paste(text, &name, &why) != 0) {
		import_miss(m, NULL, "`%.200s` %s, so it is left out", text, why);
		return false;
	}
	if (name.labels == 0) {
		import_miss(m, NULL, "`%.200s` is the root, so it is left out", text);
		return false;
	}
	dns_name_to_text(&name, out);
	return true;
}

void import_add_name(
	struct import_model *m, struct import_items *items, const char *name, const char *note)
{
	char text[DNS_NAME_TEXT_MAX];
	if (strncmp(name, "*.", 2) == 0)
		name += 2;
	else if (name[0] == '.' && name[1])
		name++;
	if (name_take(m, name, text))
		import_items_add(m, items, text, note);
}

void import_add_pattern(
	struct import_model *m, struct import_items *items, const char *pattern, const char *note)
{
	size_t len = strlen(pattern);
	if (len == 0 || len > CONFIG_PATTERN_MAX || !is_printable(pattern)) {
		import_miss(m, NULL,
			"the pattern `%.200s` is left out: weir takes 1 to %d bytes of "
			"printable ASCII",
			pattern, CONFIG_PATTERN_MAX);
		return;
	}
	char *text = import_model_text(m, "/%s/", pattern);
	if (text)
		import_items_add(m, items, text, note);
	free(text);
}

void import_add_exact(
	struct import_model *m, struct import_items *items, const char *name, const char *note)
{
	char text[DNS_NAME_TEXT_MAX], pattern[2 * DNS_NAME_TEXT_MAX + 3];
	size_t n = 0;
	if (!name_take(m, name, text))
		return;
	pattern[n++] = '^';
	for (const char *p = text; *p; p++) {
		if (strchr("\\^$.|?*+()[]{}/", *p))
			pattern[n++] = '\\';
		pattern[n++] = *p;
	}
	pattern[n++] = '$';
	pattern[n] = '\0';
	import_add_pattern(m, items, pattern, note);
}

void import_add_record(
	struct import_model *m, const char *name, const char *type, const char *value, long ttl)
{
	const bool is_wild = strncmp(name, "*.", 2) == 0;
	char text[DNS_NAME_TEXT_MAX];
	uint8_t rdata[RDATA_PARSE_MAX];
	uint16_t number, len;
	const char *why = "";
	if (!name_take(m, is_wild ? name + 2 : name, text))
		return;
	if (!rdata_parse_type(type, &number)) {
		import_miss(m, name, "weir has no local records of type %.20s", type);
		return;
	}
	if (!is_printable(value)
		|| rdata_parse(number, value, strlen(value), rdata, &len, &why) < 0) {
		import_miss(m, name, "the record %s `%.200s` is left out: %s", type, value,
			*why ? why : "it is not printable ASCII");
		return;
	}
	struct import_record *r = IMPORT_GROW(m, record, CONFIG_RECORDS_MAX);
	if (!r)
		return;
	r->name = import_model_text(m, "%s%s", is_wild ? "*." : "", text);
	r->type = import_model_text(m, "%s", rdata_parse_type_text(number));
	r->value = import_model_text(m, "%s", value);
	r->ttl = ttl > 604800 ? 604800 : ttl;
	if (r->name && r->type && r->value)
		return;
	free(r->name);
	free(r->type);
	free(r->value);
	m->record_count--;
}

void import_add_address(struct import_model *m, const char *name, const char *address, long ttl)
{
	struct ip_address a;
	if (ip_address_parse(address, &a) < 0 || strchr(address, '/'))
		import_miss(m, name, "`%.100s` is no address, so it is left out", address);
	else
		import_add_record(m, name, a.version == 4 ? "A" : "AAAA", address, ttl);
}

void import_add_reverse(struct import_model *m, const char *address, const char *name, long ttl)
{
	struct ip_address a;
	char reverse[80];
	size_t n = 0;
	if (ip_address_parse(address, &a) < 0) {
		import_miss(m, name, "`%.100s` is no address, so it is left out", address);
		return;
	}
	if (a.version == 4)
		snprintf(reverse, sizeof(reverse), "%u.%u.%u.%u.in-addr.arpa", a.bytes[3],
			a.bytes[2], a.bytes[1], a.bytes[0]);
	for (int i = 15; a.version == 6 && i >= 0; i--)
		n += (size_t)snprintf(reverse + n, sizeof(reverse) - n, "%x.%x.%s", a.bytes[i] & 15,
			a.bytes[i] >> 4, i == 0 ? "ip6.arpa" : "");
	import_add_record(m, reverse, "PTR", name, ttl);
}

// Bits behind the prefix become 0. False: neither an address nor a MAC.
static bool member_take(const char *text, char out[MEMBER_MAX])
{
	static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff}, zero[6];
	struct ip_address a;
	struct config_mac mac;
	if (config_mac_parse(text, &mac) == 0) {
		config_mac_text(&mac, out);
		return !(mac.bytes[0] & 1) && memcmp(mac.bytes, zero, sizeof(zero)) != 0;
	}
	if (ip_address_parse(text, &a) < 0)
		return false;
	const unsigned bits = a.version == 4 ? 32 : 128;
	for (unsigned i = a.prefix_len; i < bits; i++)
		a.bytes[i / 8] &= (uint8_t) ~(0x80u >> i % 8);
	ip_address_text(&a, a.prefix_len < bits, out);
	return a.version == 4 || a.prefix_len < 96 || memcmp(a.bytes, mapped, sizeof(mapped)) != 0;
}

bool import_add_member(
	struct import_model *m, struct import_items *items, const char *text, const char *note)
{
	char out[MEMBER_MAX];
	if (!member_take(text, out))
		return false;
	if (!import_items_have(items, out))
		import_items_add(m, items, out, note);
	return true;
}

bool import_add_group_client(
	struct import_model *m, struct import_group *g, const char *text, const char *note)
{
	char out[MEMBER_MAX];
	if (!member_take(text, out))
		return false;
	for (unsigned i = 0; i < m->group_count; i++)
		if (import_items_have(&m->group[i].clients, out)) {
			if (&m->group[i] != g)
				import_miss(m, text, "the client is in the group %s already",
					m->group[i].name);
			return true;
		}
	import_items_add(m, &g->clients, out, note);
	return true;
}

bool import_add_client_member(struct import_model *m, struct import_client *c, const char *text)
{
	char out[MEMBER_MAX];
	if (!member_take(text, out))
		return false;
	for (unsigned i = 0; i < m->client_count; i++)
		if (import_items_have(&m->client[i].members, out)) {
			if (&m->client[i] != c)
				import_miss(m, text, "the client is named %s already",
					m->client[i].name);
			return true;
		}
	import_items_add(m, &c->members, out, NULL);
	return true;
}

void import_add_service(struct import_model *m, struct import_items *items, const char *name)
{
	static const char *const known[] = {
#define X(word, id) word,
		SERVICES(X)
#undef X
	};
	for (size_t i = 0; i < ARRAY_LEN(known); i++) {
		if (strcasecmp(known[i], name) != 0)
			continue;
		if (!import_items_have(items, known[i]))
			import_items_add(m, items, known[i], NULL);
		return;
	}
	import_miss(m, NULL, "weir does not know the service `%.60s` (weirctl services)", name);
}

void import_add_value(struct import_model *m, const char *section, const char *key,
	const char *note, const char *fmt, ...)
{
	va_list args;
	for (unsigned i = 0; i < m->value_count; i++)
		if (strcmp(m->value[i].section, section) == 0 && strcmp(m->value[i].key, key) == 0)
			return;
	struct import_value *v = IMPORT_GROW(m, value, 1000);
	if (!v)
		return;
	v->section = section;
	v->key = key;
	v->note = note ? import_model_text(m, "%s", note) : NULL;
	va_start(args, fmt);
	if (vasprintf(&v->text, fmt, args) < 0) {
		v->text = NULL;
		m->failed = true;
	}
	va_end(args);
}

void import_add_number(struct import_model *m, const char *section, const char *key,
	const char *note, long value, long least, long most)
{
	const long taken = value < least ? least : value > most ? most : value;
	import_add_value(m, section, key, note, "%ld", taken);
	if (taken != value)
		import_miss(m, note, "weir takes %ld to %ld for %s.%s, so it is %ld", least, most,
			section, key, taken);
}

long import_add_seconds(const char *text)
{
	static const struct {
		const char *unit;
		long seconds;
	} units[] = {{"ms", 0}, {"s", 1}, {"m", 60}, {"h", 3600}, {"d", 86400}, {"w", 604800}};
	long sum = 0;
	do {
		char *end;
		if (*text < '0' || *text > '9')
			return -1;
		long n = strtol(text, &end, 10), factor = *end ? -1 : 1;
		const size_t len = strspn(end, "abcdefghijklmnopqrstuvwxyz");
		for (size_t i = 0; i < ARRAY_LEN(units); i++)
			if (len && strlen(units[i].unit) == len
				&& strncmp(end, units[i].unit, len) == 0)
				factor = units[i].seconds;
		if (factor < 0 || n > 1000000000)
			return -1;
		sum += n * factor;
		text = end + len;
	} while (*text && sum < 1000000000000);
	return sum;
}
