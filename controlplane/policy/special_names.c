// SPDX-License-Identifier: BSD-3-Clause
#include "special_names.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>
#include <weir/bytes.h>
#include <weir/hosts_file.h>

// The SVCB records of this box.

enum svcb_key {
	SVCB_ALPN = 1,
	SVCB_PORT = 3,
	SVCB_IPV4HINT = 4,
	SVCB_IPV6HINT = 6,
	SVCB_DOHPATH = 7,
};

enum { DOT_PORT = 853, HTTPS_PORT = 443 };

static const char alpn_dot[] = "\3dot", alpn_https[] = "\2h2\10http/1.1",
		  path_variable[] = "{?dns}";

// A key and the length of its value.
static void param_begin(struct wr *w, enum svcb_key key, size_t len)
{
	wr_u16(w, (uint16_t)key);
	wr_u16(w, (uint16_t)len);
}

static bool is_hint(const struct config_dataplane *d, unsigned i, unsigned version)
{
	return d->addresses[i].version == version && config_address_is_public(d, i);
}

static void hints_write(struct wr *w, const struct config_dataplane *d, unsigned version)
{
	const size_t len = version == 4 ? 4 : 16;
	size_t count = 0;

	for (unsigned i = 0; i < d->address_count; i++)
		count += is_hint(d, i, version);
	if (count == 0)
		return;
	param_begin(w, version == 4 ? SVCB_IPV4HINT : SVCB_IPV6HINT, count * len);
	for (unsigned i = 0; i < d->address_count; i++)
		if (is_hint(d, i, version))
			wr_bytes(w, d->addresses[i].bytes, len);
}

// The parameters in the order of their keys (RFC 9460 2.2). The room is enough for the longest
// name, path and list of addresses.
static void record_add(struct designated *out, const struct config *c, const struct dns_name *name,
	const struct config_dot *service, bool is_https)
{
	struct designated_record *r = &out->record[out->count++];
	struct wr w = wr_init(r->rdata, sizeof(r->rdata));
	const char *alpn = is_https ? alpn_https : alpn_dot;

	wr_u16(&w, (uint16_t)out->count); // priority
	wr_bytes(&w, name->wire, name->len);
	param_begin(&w, SVCB_ALPN, strlen(alpn));
	wr_bytes(&w, alpn, strlen(alpn));
	if (service->port != (is_https ? HTTPS_PORT : DOT_PORT)) {
		param_begin(&w, SVCB_PORT, sizeof(service->port));
		wr_u16(&w, service->port);
	}
	hints_write(&w, &c->dataplane, 4);
	hints_write(&w, &c->dataplane, 6);
	if (is_https) {
		param_begin(&w, SVCB_DOHPATH, strlen(service->path) + strlen(path_variable));
		wr_bytes(&w, service->path, strlen(service->path));
		wr_bytes(&w, path_variable, strlen(path_variable));
	}
	assert(wr_ok(&w));
	r->rdata_len = (uint16_t)w.pos;
}

static bool designated_any(const struct config *c)
{
	return c->tls.name && c->tls.name[0] && (c->dot.enabled || c->doh.enabled);
}

void special_designated(const struct config *c, struct designated *out)
{
	struct dns_name name;

	out->count = 0;
	if (!designated_any(c) || dns_name_from_text(c->tls.name, strlen(c->tls.name), &name) < 0)
		return;
	if (c->dot.enabled)
		record_add(out, c, &name, &c->dot, false);
	if (c->doh.enabled)
		record_add(out, c, &name, &c->doh, true);
}

// The special-use names.

enum switched {
	SWITCHED_NAMES,
	SWITCHED_TEST,
	SWITCHED_CANARY,
	SWITCHED_RELAY,
	SWITCHED_DESIGNATED
};

struct row {
	const char *name;
	const char *source;
	uint8_t way, with;   // enum special_way, enum switched
	uint8_t first, last; // not 0: a range of names, with these numbers as first label
	uint16_t but_type;
};

#define REVERSE(name)                                                    \
	{                                                                \
		name, "RFC 6303", SPECIAL_EMPTY, SWITCHED_NAMES, 0, 0, 0 \
	}
#define RANGE(name, rfc, low, high)                                    \
	{                                                              \
		name, rfc, SPECIAL_EMPTY, SWITCHED_NAMES, low, high, 0 \
	}
#define ZEROS_8 "0.0.0.0.0.0.0.0."

static const struct row rows[] = {
	{"localhost", "RFC 6761", SPECIAL_LOOPBACK, SWITCHED_NAMES, 0, 0, 0},
	{"invalid", "RFC 6761", SPECIAL_NXDOMAIN, SWITCHED_NAMES, 0, 0, 0},
	{"test", "RFC 6761", SPECIAL_NXDOMAIN, SWITCHED_TEST, 0, 0, 0},
	{"local", "RFC 6762", SPECIAL_NXDOMAIN, SWITCHED_NAMES, 0, 0, 0},
	{"onion", "RFC 7686", SPECIAL_NXDOMAIN, SWITCHED_NAMES, 0, 0, 0},
	{"home.arpa", "RFC 8375", SPECIAL_EMPTY, SWITCHED_NAMES, 0, 0, DNS_TYPE_DS},
	{"service.arpa", "RFC 9665", SPECIAL_EMPTY, SWITCHED_NAMES, 0, 0, DNS_TYPE_DS},
	{"alt", "RFC 9476", SPECIAL_NXDOMAIN, SWITCHED_NAMES, 0, 0, 0},
	{"resolver.arpa", "RFC 9462", SPECIAL_NODATA, SWITCHED_NAMES, 0, 0, 0},
	{"_dns.resolver.arpa", "RFC 9462", SPECIAL_SVCB, SWITCHED_DESIGNATED, 0, 0, 0},
	{"6tisch.arpa", "RFC 9031", SPECIAL_NXDOMAIN, SWITCHED_NAMES, 0, 0, 0},
	{"eap-noob.arpa", "RFC 9140", SPECIAL_NXDOMAIN, SWITCHED_NAMES, 0, 0, 0},
	{"eap.arpa", "draft-ietf-emu-eap-arpa", SPECIAL_NXDOMAIN, SWITCHED_NAMES, 0, 0, 0},
	{"use-application-dns.net", "DoH canary", SPECIAL_NXDOMAIN, SWITCHED_CANARY, 0, 0, 0},
	{"mask.icloud.com", "local.relay_canary", SPECIAL_NXDOMAIN, SWITCHED_RELAY, 0, 0, 0},
	{"mask-h2.icloud.com", "local.relay_canary", SPECIAL_NXDOMAIN, SWITCHED_RELAY, 0, 0, 0},
	{"1.0.0.127.in-addr.arpa", "RFC 6761", SPECIAL_PTR, SWITCHED_NAMES, 0, 0, 0},
	{"1.0.0.0.0.0.0.0." ZEROS_8 ZEROS_8 ZEROS_8 "ip6.arpa", "RFC 6761", SPECIAL_PTR,
		SWITCHED_NAMES, 0, 0, 0},
	REVERSE("10.in-addr.arpa"),
	RANGE("172.in-addr.arpa", "RFC 6303", 16, 31),
	REVERSE("168.192.in-addr.arpa"),
	RANGE("100.in-addr.arpa", "RFC 7793", 64, 127),
	REVERSE("0.in-addr.arpa"),
	REVERSE("127.in-addr.arpa"),
	REVERSE("254.169.in-addr.arpa"),
	REVERSE("2.0.192.in-addr.arpa"),
	REVERSE("100.51.198.in-addr.arpa"),
	REVERSE("113.0.203.in-addr.arpa"),
	REVERSE("255.255.255.255.in-addr.arpa"),
	REVERSE(ZEROS_8 ZEROS_8 ZEROS_8 ZEROS_8 "ip6.arpa"),
	REVERSE("d.f.ip6.arpa"),
	REVERSE("8.e.f.ip6.arpa"),
	REVERSE("9.e.f.ip6.arpa"),
	REVERSE("a.e.f.ip6.arpa"),
	REVERSE("b.e.f.ip6.arpa"),
	REVERSE("8.b.d.0.1.0.0.2.ip6.arpa"),
};

static bool in_force(const struct special_settings *s, const struct row *r)
{
	switch ((enum switched)r->with) {
	case SWITCHED_TEST:
		return s->names && !s->test_names;
	case SWITCHED_CANARY:
		return s->doh_canary;
	case SWITCHED_RELAY:
		return s->relay_canary;
	case SWITCHED_DESIGNATED:
		return s->names && s->designated;
	default:
		return s->names;
	}
}

static void fill(const struct row *r, unsigned number, struct special_name *out)
{
	char text[128];
	int n = r->last ? snprintf(text, sizeof(text), "%u.%s", r->first + number, r->name)
			: snprintf(text, sizeof(text), "%s", r->name);
	*out = (struct special_name){.way = r->way, .but_type = r->but_type, .source = r->source};
	int rc = dns_name_from_text(text, (size_t)n, &out->name);
	assert(rc == 0);
	(void)rc;
}

bool special_name_at(const struct special_settings *s, unsigned i, struct special_name *out)
{
	for (size_t k = 0; k < ARRAY_LEN(rows); k++) {
		const struct row *r = &rows[k];
		unsigned count = r->last ? r->last - r->first + 1u : 1;
		if (!in_force(s, r))
			continue;
		if (i < count) {
			fill(r, i, out);
			return true;
		}
		i -= count;
	}
	if (i > 0 || s->own.len == 0)
		return false;
	*out = (struct special_name){.name = s->own, .way = SPECIAL_OWN, .source = "tls.name"};
	return true;
}

bool special_name_of(
	const struct special_settings *s, const struct dns_name *name, struct special_name *out)
{
	struct special_name one;
	bool found = false;
	for (unsigned i = 0; special_name_at(s, i, &one); i++) {
		if (!dns_name_is_under(name, &one.name)
			|| (found && out->name.labels > one.name.labels)
			|| ((one.way == SPECIAL_PTR || one.way == SPECIAL_SVCB
				    || one.way == SPECIAL_OWN)
				&& !dns_name_equal(name, &one.name)))
			continue;
		*out = one;
		found = true;
	}
	return found;
}

bool special_skips_hosts(const struct special_settings *s, const struct dns_name *name,
	const struct ip_address *address)
{
	struct special_name one;
	return special_name_of(s, name, &one)
	       && (one.way == SPECIAL_LOOPBACK
		       || (one.way == SPECIAL_OWN && hosts_is_localhost(address)));
}

struct special_settings special_settings_of(const struct config *c)
{
	struct special_settings s = {.names = c->local.special_names,
		.test_names = c->local.test_names,
		.doh_canary = c->local.doh_canary,
		.relay_canary = c->local.relay_canary,
		.designated = designated_any(c)};
	struct special_name other;
	struct dns_name own;
	if (s.names && s.designated && c->dataplane.address_count > 0
		&& dns_name_from_text(c->tls.name, strlen(c->tls.name), &own) == 0
		&& !(special_name_of(&s, &own, &other) && dns_name_equal(&own, &other.name)))
		s.own = own;
	return s;
}

// Independent of the operator's switches, so that no private name leaks.
bool special_name_ds_is_above(const struct dns_name *zone, struct dns_name *above)
{
	static const struct special_settings all = {.names = true, .doh_canary = true};
	struct special_name one;
	const size_t skip = zone->wire[0] + (size_t)1;

	if (zone->labels == 0)
		return false;
	*above = (struct dns_name){
		.len = (uint8_t)(zone->len - skip), .labels = (uint8_t)(zone->labels - 1)};
	memcpy(above->wire, zone->wire + skip, above->len);
	return !special_name_of(&all, above, &one);
}
