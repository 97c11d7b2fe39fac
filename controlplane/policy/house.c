// SPDX-License-Identifier: BSD-3-Clause
#include "house.h"

#include "special_names.h"

#include <string.h>
#include <weir/bytes.h>
#include <weir/dns_proto.h>
#include <weir/hosts_file.h>

enum { IPV4_LABELS = 6, IPV6_LABELS = 34, SECONDS_MIN = 1 };

#define REVERSE(count, text)                                         \
	{                                                            \
		.len = sizeof(text), .labels = (count), .wire = text \
	}
#define REVERSE_172(n) REVERSE(4, "\002" n "\003172\007in-addr\004arpa")

static const struct dns_name reverse[] = {
	REVERSE(3, "\00210\007in-addr\004arpa"),
	REVERSE_172("16"),
	REVERSE_172("17"),
	REVERSE_172("18"),
	REVERSE_172("19"),
	REVERSE_172("20"),
	REVERSE_172("21"),
	REVERSE_172("22"),
	REVERSE_172("23"),
	REVERSE_172("24"),
	REVERSE_172("25"),
	REVERSE_172("26"),
	REVERSE_172("27"),
	REVERSE_172("28"),
	REVERSE_172("29"),
	REVERSE_172("30"),
	REVERSE_172("31"),
	REVERSE(4, "\003168\003192\007in-addr\004arpa"),
	REVERSE(4, "\001d\001f\003ip6\004arpa"),
};

bool house_reverse_at(unsigned i, struct dns_name *out)
{
	if (i >= ARRAY_LEN(reverse))
		return false;
	*out = reverse[i];
	return true;
}

static bool is_below_domain(const struct config *c, const struct dns_name *name)
{
	const struct dns_name *domain = &c->local.house;
	return name->labels > domain->labels && dns_name_is_under(name, domain);
}

bool house_is_reverse(const struct dns_name *name)
{
	static const uint8_t arpa[] = "\4arpa";
	if (name->len <= sizeof(arpa)
		|| memcmp(name->wire + name->len - sizeof(arpa), arpa, sizeof(arpa)) != 0)
		return false;
	for (unsigned i = 0; i < ARRAY_LEN(reverse); i++)
		if (dns_name_is_under(name, &reverse[i]))
			return true;
	return false;
}

bool house_has(const struct config *c, const struct dns_name *name)
{
	return c->local.house.labels && (is_below_domain(c, name) || house_is_reverse(name));
}

// A label of an address as a number of the base; -1: it is none.
static int label_number(const uint8_t *label, unsigned base)
{
	int n = 0;
	for (unsigned i = 1; i <= label[0] && n <= 255; i++) {
		const uint8_t ch = label[i];
		const int digit = ch >= '0' && ch <= '9'   ? ch - '0'
				  : ch >= 'a' && ch <= 'f' ? ch - 'a' + 10
							   : 16;
		if (digit >= (int)base)
			return -1;
		n = n * (int)base + digit;
	}
	return label[0] && n <= 255 ? n : -1;
}

// The address of a reverse name; false: it is not one of a whole address.
static bool reverse_read(const struct dns_name *name, struct ip_address *out)
{
	const bool six = name->labels == IPV6_LABELS;
	const uint8_t *label = name->wire;
	struct dns_name written;
	if (!six && name->labels != IPV4_LABELS)
		return false;
	*out = (struct ip_address){.version = six ? 6 : 4, .prefix_len = six ? 128 : 32};
	for (unsigned i = six ? 32 : 4; i-- > 0; label += label[0] + 1) {
		const int n = label_number(label, six ? 16 : 10);
		if (n < 0 || (six && n > 15))
			return false;
		out->bytes[six ? i / 2 : i] |= (uint8_t)(six && i % 2 == 0 ? n << 4 : n);
	}
	hosts_reverse_name(out, &written); // the one spelling of it
	return dns_name_equal(&written, name);
}

// The nearest local zone that the name is in; NULL: it is in no zone.
static const struct config_local_zone *zone_of(const struct config *c, const struct dns_name *name)
{
	const struct config_local_zone *found = NULL;
	for (unsigned i = 0; i < c->local.zone_count; i++) {
		const struct config_local_zone *z = &c->local.zones[i];
		if (dns_name_is_under(name, &z->name)
			&& (!found || z->name.labels > found->name.labels))
			found = z;
	}
	return found;
}

const struct lease_name *house_lease(const struct config *c, const struct lease_names *leases,
	const struct dns_name *name, int forward_labels, int64_t now_s)
{
	const struct config_local_zone *z;
	const struct lease_name *l;
	struct ip_address address;
	if (!house_has(c, name) || !lease_names_are_of(leases, &c->local.house)
		|| forward_labels >= name->labels)
		return NULL;
	z = zone_of(c, name);
	if (z && z->name.labels >= name->labels)
		return NULL;
	if (!is_below_domain(c, name))
		return reverse_read(name, &address) ? lease_names_at(leases, &address, now_s)
						    : NULL;
	if (name->labels != c->local.house.labels + 1)
		return NULL;
	l = lease_names_find(leases, name->wire, 4, now_s);
	l = l ? l : lease_names_find(leases, name->wire, 6, now_s);
	// A forwarding zone asks the server itself, which knows all types and addresses of the
	// name.
	return l && l->is_ptr && (forward_labels > 0 || (z && z->forward)) ? NULL : l;
}

bool house_host(const struct config *c, const struct lease_name *l, struct dns_name *host,
	struct dns_name *single)
{
	const struct dns_name *domain = &c->local.house;
	const size_t label = (size_t)l->label[0] + 1;
	if (label + domain->len > DNS_NAME_MAX)
		return false;
	*host = (struct dns_name){
		.len = (uint8_t)(label + domain->len), .labels = (uint8_t)(domain->labels + 1)};
	memcpy(host->wire, l->label, label);
	memcpy(host->wire + label, domain->wire, domain->len);
	*single = (struct dns_name){.len = (uint8_t)(label + 1), .labels = 1};
	memcpy(single->wire, l->label, label);
	return true;
}

bool house_keeps(const struct config *c, const struct dns_name *name, int forward_labels,
	struct dns_name *zone)
{
	const struct special_settings settings = special_settings_of(c);
	const struct config_local_zone *z = zone_of(c, name);
	struct special_name s;
	const bool has_special = special_name_of(&settings, name, &s)
				 && (s.way == SPECIAL_EMPTY || s.way == SPECIAL_NXDOMAIN)
				 && (!z || s.name.labels > z->name.labels);
	*zone = has_special ? s.name : z ? z->name : (struct dns_name){.len = 1};
	if (has_special)
		return s.name.labels > forward_labels;
	return z && !z->forward && z->name.labels >= forward_labels + z->is_house;
}

// The types by which a host is looked up; resolvers ask for others, such as NS and DS, of top-level
// domains too.
static bool is_single(const struct dns_name *name, uint16_t qtype)
{
	return name->labels == 1
	       && (qtype == DNS_TYPE_A || qtype == DNS_TYPE_AAAA || qtype == DNS_TYPE_HTTPS
		       || qtype == DNS_TYPE_SVCB);
}

// Has the operator left it to others: by a forward zone, or a local zone that forwards?
static bool is_left(const struct config *c, const struct dns_name *name, int forward_labels)
{
	const struct config_local_zone *z = zone_of(c, name);
	return forward_labels > 0 || (z && z->forward);
}

bool house_completes(const struct config *c, const struct dns_name *name, uint16_t qtype,
	int forward_labels, struct dns_name *out)
{
	const struct dns_name *domain = &c->local.house;
	const size_t label = (size_t)name->wire[0] + 1;
	if (c->local.single_labels != SINGLE_LABELS_COMPLETE || !domain->labels
		|| !is_single(name, qtype) || dns_name_equal(name, domain)
		|| is_left(c, name, forward_labels) || label + domain->len > DNS_NAME_MAX)
		return false;
	*out = (struct dns_name){
		.len = (uint8_t)(label + domain->len), .labels = (uint8_t)(domain->labels + 1)};
	memcpy(out->wire, name->wire, label);
	memcpy(out->wire + label, domain->wire, domain->len);
	return true;
}

bool house_keeps_single(
	const struct config *c, const struct dns_name *name, uint16_t qtype, int forward_labels)
{
	return c->local.single_labels == SINGLE_LABELS_HOME && is_single(name, qtype)
	       && !is_left(c, name, forward_labels);
}

static void record_write(struct wr *w, const struct dns_name *owner, uint16_t type, uint32_t ttl_s,
	const void *rdata, uint16_t len)
{
	wr_bytes(w, owner->wire, owner->len);
	wr_u16(w, type);
	wr_u16(w, DNS_CLASS_IN);
	wr_u32(w, ttl_s);
	wr_u16(w, len);
	wr_bytes(w, rdata, len);
}

// A SOA like that of an empty zone (RFC 6303 3).
static void soa_write(struct wr *w, const struct dns_name *zone)
{
	static const uint8_t rest[] = "\6nobody\7invalid\0"
				      "\0\0\0\1\0\0\x0e\x10\0\0\4\xb0\0\x09\x3a\x80\0\0\0\x3c";
	uint8_t rdata[DNS_NAME_MAX + sizeof(rest)];
	memcpy(rdata, zone->wire, zone->len);
	memcpy(rdata + zone->len, rest, sizeof(rest) - 1);
	record_write(w, zone, DNS_TYPE_SOA, HOUSE_TTL_S, rdata,
		(uint16_t)(zone->len + sizeof(rest) - 1));
}

static uint32_t ttl_of(const struct lease_name *l, int64_t now_s)
{
	const int64_t left_s = l->ends_s ? l->ends_s - now_s : HOUSE_TTL_S;
	return left_s < SECONDS_MIN   ? SECONDS_MIN
	       : left_s < HOUSE_TTL_S ? (uint32_t)left_s
				      : HOUSE_TTL_S;
}

// Is it of the type asked for?
static bool wants(const struct dns_query *q, uint16_t type)
{
	return q->qtype == type || q->qtype == DNS_TYPE_ANY;
}

// How many records of leases were written.
static unsigned address_write(const struct lease_names *leases, const struct dns_query *q,
	unsigned version, int64_t now_s, struct wr *w)
{
	const uint16_t type = version == 4 ? DNS_TYPE_A : DNS_TYPE_AAAA;
	const struct lease_name *l = lease_names_find(leases, q->name.wire, version, now_s);
	if (!l || !wants(q, type))
		return 0;
	record_write(w, &q->name, type, ttl_of(l, now_s), l->address.bytes, version == 4 ? 4 : 16);
	return 1;
}

static unsigned pointer_write(const struct config *c, const struct house_question *q, struct wr *w)
{
	struct dns_name host, single;
	if (!wants(q->query, DNS_TYPE_PTR) || !house_host(c, q->lease, &host, &single))
		return 0;
	record_write(
		w, &q->query->name, DNS_TYPE_PTR, ttl_of(q->lease, q->now_s), host.wire, host.len);
	return 1;
}

// NXDOMAIN where the name is none; else NODATA without answers. The reverse name of a network
// exists, as there may be addresses in it (RFC 8020).
static bool does_not_exist(const struct config *c, const struct dns_query *q)
{
	struct ip_address address;
	return is_below_domain(c, &q->name) || !house_has(c, &q->name)
	       || reverse_read(&q->name, &address);
}

size_t house_answer(const struct config *c, const struct lease_names *leases,
	const struct house_question *of, uint8_t *msg, size_t cap)
{
	const struct dns_query *q = of->query;
	const struct lease_name *l = of->lease;
	struct wr w = wr_init(msg, cap);
	struct dns_name zone = {.len = 1};
	unsigned answers = 0, rcode = DNS_RCODE_NOERROR;
	const bool is_kept =
		(house_has(c, &q->name)
			&& (house_keeps(c, &q->name, of->forward_labels, &zone) || of->exists))
		|| house_keeps_single(c, &q->name, q->qtype, of->forward_labels);
	if (q->qclass != DNS_CLASS_IN || (!l && !is_kept))
		return 0;
	(void)wr_space(&w, DNS_HEADER_LEN + (size_t)q->name.len + 4);
	if (l && !is_kept)
		zone = is_below_domain(c, &q->name) ? c->local.house : q->name;
	if (l && is_below_domain(c, &q->name))
		answers = address_write(leases, q, 4, of->now_s, &w)
			  + address_write(leases, q, 6, of->now_s, &w);
	else if (l)
		answers = pointer_write(c, of, &w);
	else if (!of->exists && does_not_exist(c, q))
		rcode = DNS_RCODE_NXDOMAIN;
	if (!answers)
		soa_write(&w, &zone);
	if (!wr_ok(&w))
		return 0;
	put_u16(msg, 0);
	put_u16(msg + 2, (uint16_t)(DNS_FLAG_QR | DNS_FLAG_AA | DNS_FLAG_RD | DNS_FLAG_RA | rcode));
	put_u16(msg + 4, 1);
	put_u16(msg + 6, (uint16_t)answers);
	put_u16(msg + 8, !answers);
	put_u16(msg + 10, 0);
	return w.pos;
}
