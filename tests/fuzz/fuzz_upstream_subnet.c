// SPDX-License-Identifier: BSD-3-Clause

// The client's subnet in an upstream's reply (RFC 7871): any message after any query. Bytes:
// version, source prefix length, 16 of the address, then the message. What is found is checked
// against a walk of its own, and what weir writes is read again.

#include "controlplane/upstream/upstream_edns.h"
#include "fuzz.h"

#include <weir/dns_answer.h>

enum { FIXED = 18, MOST = 2048 };

// A query is as good as a reply: with that subnet it has scope 0.
static void written_is_read(const struct ip_address *subnet)
{
	static const uint8_t question[] = "\1a\0\0\1\0\1";
	uint8_t msg[128];
	int scope;
	size_t len = dns_query_write(msg, sizeof(msg), 1, question, 7, false, true);
	FUZZ_CHECK(len > 0);
	len = upstream_subnet_add(msg, len, subnet);
	FUZZ_CHECK(len <= sizeof(msg) && upstream_subnet_scope(msg, len, subnet, &scope));
	FUZZ_CHECK(scope == 0);
}

FUZZ_BODY(data, size)
{
	int scope;

	if (size < FIXED || size > FIXED + MOST)
		return 0;
	const struct ip_address subnet =
		upstream_subnet_cut(data[0] & 1 ? 6 : 4, data + 2, data[1]);
	FUZZ_CHECK(subnet.prefix_len <= (subnet.version == 6 ? 128 : 32));
	written_is_read(&subnet);
	const size_t len = size - FIXED;
	uint8_t *msg =
		malloc(len + !len); // as long as the message, so that no byte behind it is read
	FUZZ_CHECK(msg);
	memcpy(msg, data + FIXED, len);
	const bool fits = upstream_subnet_scope(msg, len, &subnet, &scope);
	FUZZ_CHECK(scope >= UPSTREAM_NO_SCOPE && scope <= subnet.prefix_len);
	// No option without its bytes in the message.
	uint8_t echo[UPSTREAM_SUBNET_MAX + 128];
	static const uint8_t question[] = "\1a\0\0\1\0\1";
	const size_t at = dns_query_write(echo, sizeof(echo), 1, question, 7, false, true);
	upstream_subnet_add(echo, at, &subnet);
	if (fits && scope != UPSTREAM_NO_SCOPE)
		FUZZ_CHECK(memmem(msg, len, echo + at, 7) != NULL);
	free(msg);
	return 0;
}
