// SPDX-License-Identifier: BSD-3-Clause

// Queries, replies, names and texts beside libldns (ldns_twin.h). The first byte says which the
// rest is. A reply is one to its own question, from a client with DO where its AD is set.

#include "fuzz.h"
#include "tests/oracle/ldns_twin.h"

enum kind { QUERY, REPLY, NAME, TEXT, KINDS };

static struct dns_answer answer; // too large for a stack
static unsigned long taken[KINDS], compared[KINDS];

// So that a run that compared nothing is not taken for one that agreed.
static void tell(void)
{
	printf("compared: %lu of %lu queries, %lu of %lu replies, %lu of %lu names, %lu of %lu "
	       "texts\n",
		compared[QUERY], taken[QUERY], compared[REPLY], taken[REPLY], compared[NAME],
		taken[NAME], compared[TEXT], taken[TEXT]);
}

FUZZ_BEGIN
{
	return atexit(tell);
}

static bool reply_compare(const uint8_t *data, size_t len)
{
	uint8_t msg[DNS_HEADER_LEN + DNS_NAME_MAX + 4 + DNS_OPT_FIXED_LEN];
	struct dns_name name;
	struct dns_query q;
	struct rd r = rd_init(data, len);
	rd_skip(&r, DNS_HEADER_LEN);
	if (dns_name_read(&r, &name) || rd_left(&r) < 4)
		return false;
	uint16_t n = dns_query_write(msg, sizeof(msg), 1, data + DNS_HEADER_LEN,
		(uint16_t)(name.len + 4), false, data[3] & DNS_FLAG_AD);
	FUZZ_CHECK(dns_query_parse(msg, n, &q) == DNS_QUERY_OK);
	return ldns_twin_reply(data, len, &q, &answer);
}

FUZZ_BODY(data, len)
{
	if (len < 1 || data[0] >= KINDS)
		return 0;
	const enum kind kind = data[0];
	const uint8_t *rest = data + 1;
	bool both = false;
	len--;
	if (kind == QUERY)
		both = ldns_twin_query(rest, len);
	else if (kind == REPLY)
		both = reply_compare(rest, len);
	else if (kind == NAME)
		both = ldns_twin_name(rest, len);
	else
		both = ldns_twin_text((const char *)rest, len);
	taken[kind]++;
	compared[kind] += both;
	return 0;
}
