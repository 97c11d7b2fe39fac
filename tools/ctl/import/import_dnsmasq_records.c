// SPDX-License-Identifier: BSD-3-Clause

#include "import_dnsmasq_records.h"

#include "import_add.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <weir/config.h>

enum { PARTS_MAX = 64, VALUE_MAX = 1000 };

struct parts {
	char *at[PARTS_MAX];
	unsigned count;
	long ttl;
};

// By commas, but not within quotes, which go.
static void parts_cut(char *text, struct parts *p)
{
	*p = (struct parts){.ttl = -1};
	while (p->count < PARTS_MAX) {
		char *to;
		text += strspn(text, " \t");
		p->at[p->count++] = to = text;
		bool quoted = false;
		for (; *text && (quoted || *text != ','); text++) {
			if (*text == '"')
				quoted = !quoted;
			else
				*to++ = *text;
		}
		const bool more = *text == ',';
		*to = '\0';
		if (!more)
			return;
		text++;
	}
}

// A number behind the names is a TTL.
static void ttl_cut(struct parts *p)
{
	const char *last = p->at[p->count - 1];
	if (p->count < 3 || strspn(last, "0123456789") != strlen(last) || !*last)
		return;
	p->ttl = strtol(last, NULL, 10);
	p->count--;
}

static void host_take(struct import_model *m, struct parts *p)
{
	struct ip_address a;
	unsigned names = 0;
	ttl_cut(p);
	while (names < p->count && ip_address_parse(p->at[names], &a) < 0)
		names++;
	if (names == p->count)
		import_miss(m, "host-record", "`%.100s` has no address", p->at[0]);
	for (unsigned k = names; k < p->count; k++) {
		for (unsigned i = 0; i < names; i++)
			import_add_address(m, p->at[i], p->at[k], p->ttl);
		if (names)
			import_add_reverse(m, p->at[k], p->at[0], p->ttl);
	}
}

static void cname_take(struct import_model *m, struct parts *p)
{
	ttl_cut(p);
	for (unsigned i = 0; i + 1 < p->count; i++)
		import_add_record(m, p->at[i], "CNAME", p->at[p->count - 1], p->ttl);
	if (p->count < 2)
		import_miss(m, "cname", "`%.100s` has no target", p->at[0]);
}

static void txt_take(struct import_model *m, const struct parts *p)
{
	char value[VALUE_MAX];
	size_t n = 0;
	for (unsigned i = 1; i < p->count && n < sizeof(value); i++) {
		n += (size_t)snprintf(value + n, sizeof(value) - n, "%s\"", n ? " " : "");
		for (const char *c = p->at[i]; *c && n < sizeof(value); c++)
			n += (size_t)snprintf(value + n, sizeof(value) - n,
				*c == '"' || *c == '\\' ? "\\%c" : "%c", *c);
		if (n < sizeof(value))
			n += (size_t)snprintf(value + n, sizeof(value) - n, "\"");
	}
	if (n >= sizeof(value) || n == 0)
		import_miss(m, "txt-record", "`%.100s` has no text, or too much of it", p->at[0]);
	else
		import_add_record(m, p->at[0], "TXT", value, -1);
}

static void mx_take(struct import_model *m, const struct parts *p)
{
	char value[VALUE_MAX];
	snprintf(value, sizeof(value), "%.10s %.300s", p->count > 2 ? p->at[2] : "1",
		p->count > 1 ? p->at[1] : p->at[0]);
	import_add_record(m, p->at[0], "MX", value, -1);
}

static void srv_take(struct import_model *m, const struct parts *p)
{
	char value[VALUE_MAX];
	snprintf(value, sizeof(value), "%.10s %.10s %.10s %.300s", p->count > 3 ? p->at[3] : "0",
		p->count > 4 ? p->at[4] : "0", p->count > 2 ? p->at[2] : "1",
		p->count > 1 ? p->at[1] : ".");
	import_add_record(m, p->at[0], "SRV", value, -1);
}

bool import_dnsmasq_record(struct import_model *m, const char *key, char *value)
{
	static const char *const keys[] = {"host-record", "cname", "txt-record", "ptr-record",
		"mx-host", "srv-host", "caa-record", NULL};
	struct parts p;
	unsigned i = 0;
	while (keys[i] && strcmp(keys[i], key) != 0)
		i++;
	if (!keys[i])
		return false;
	parts_cut(value, &p);
	if (i == 0)
		host_take(m, &p);
	else if (i == 1)
		cname_take(m, &p);
	else if (i == 2)
		txt_take(m, &p);
	else if (i == 3)
		import_add_record(m, p.at[0], "PTR", p.count > 1 ? p.at[1] : "", -1);
	else if (i == 4)
		mx_take(m, &p);
	else if (i == 5)
		srv_take(m, &p);
	else {
		char text[VALUE_MAX];
		snprintf(text, sizeof(text), "%.5s %.30s \"%.500s\"", p.count > 1 ? p.at[1] : "",
			p.count > 2 ? p.at[2] : "", p.count > 3 ? p.at[3] : "");
		import_add_record(m, p.at[0], "CAA", text, -1);
	}
	return true;
}
