// SPDX-License-Identifier: BSD-3-Clause

// Names from the wire and from text: what is accepted is well-formed and survives a round trip.

#include "fuzz.h"

#include <weir/dns_name.h>

static void check_name(const struct dns_name *name)
{
	char text[DNS_NAME_TEXT_MAX];
	struct dns_name again;
	struct rd r = rd_init(name->wire, name->len);
	FUZZ_CHECK(name->len >= 1 && name->labels <= DNS_LABELS_MAX);
	FUZZ_CHECK(dns_name_read(&r, &again) == 0 && rd_left(&r) == 0);
	FUZZ_CHECK(dns_name_equal(name, &again) && name->labels == again.labels);
	dns_name_to_text(name, text);
	for (const char *c = text; *c; c++)
		FUZZ_CHECK(*c >= 0x21 && *c <= 0x7e);
	FUZZ_CHECK(dns_name_from_text(text, strlen(text), &again) == 0);
	FUZZ_CHECK(dns_name_equal(name, &again) && name->labels == again.labels);
	FUZZ_CHECK(dns_name_is_under(name, &again));
}

FUZZ_BODY(data, len)
{
	struct dns_name name;
	struct rd r = rd_init(data, len);
	if (dns_name_read(&r, &name) == 0)
		check_name(&name);
	for (size_t at = 0; at < len && at < 64; at++) {
		uint8_t wire_case[DNS_NAME_MAX];
		r = rd_init(data, len);
		r.pos = at;
		if (dns_name_read_compressed(&r, &name, wire_case) == 0) {
			FUZZ_CHECK(r.pos > at && r.pos <= len);
			check_name(&name);
		}
	}
	if (dns_name_from_text((const char *)data, len, &name) == 0)
		check_name(&name);
	return 0;
}
