// SPDX-License-Identifier: BSD-3-Clause
#include "ptr_message.h"

#include "base/rdata_text.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <weir/dns_proto.h>

void ptr_message_name(const struct client_ip *a, struct dns_name *out)
{
	static const char digits[] = "0123456789abcdef";
	char text[80];
	size_t n = 0;
	if (a->version == 4) {
		n = (size_t)snprintf(text, sizeof(text), "%u.%u.%u.%u.in-addr.arpa", a->bytes[3],
			a->bytes[2], a->bytes[1], a->bytes[0]);
	} else {
		for (unsigned i = 16; i-- > 0;) {
			text[n++] = digits[a->bytes[i] & 15];
			text[n++] = '.';
			text[n++] = digits[a->bytes[i] >> 4];
			text[n++] = '.';
		}
		memcpy(text + n, "ip6.arpa", 8);
		n += 8;
	}
	(void)!dns_name_from_text(text, n, out);
}

int ptr_message_read(const uint8_t *msg, size_t len, char name[CLIENT_NAME_MAX], uint32_t *ttl_s)
{
	struct rdata_record r;
	struct rd rd = rd_init(msg, len);
	uint16_t ancount;
	*ttl_s = 0;
	if (len < DNS_HEADER_LEN || !rdata_answer_begin(&rd, &ancount))
		return -EBADMSG;
	const unsigned rcode = msg[3] & DNS_FLAG_RCODE;
	if (rcode != DNS_RCODE_NOERROR && rcode != DNS_RCODE_NXDOMAIN)
		return -EAGAIN;
	for (unsigned i = 0; i < ancount; i++) {
		if (!rdata_record_read(&rd, &r))
			return -EBADMSG;
		if (r.type != DNS_TYPE_PTR || r.rclass != DNS_CLASS_IN)
			continue;
		*ttl_s = r.ttl_s;
		return client_name_clean(r.data, strlen(r.data), name) ? 0 : -ENOENT;
	}
	return -ENOENT;
}
