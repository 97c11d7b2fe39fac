// SPDX-License-Identifier: BSD-3-Clause
#include "ptr_message.h"

#include "base/rdata_text.h"

#include <errno.h>
#include <string.h>
#include <weir/dns_proto.h>
#include <weir/hosts_file.h>

void ptr_message_name(const struct client_ip *a, struct dns_name *out)
{
	struct ip_address ip = {.version = a->version};
	memcpy(ip.bytes, a->bytes, sizeof(a->bytes));
	hosts_reverse_name(&ip, out);
}

int ptr_message_read(const uint8_t *msg, size_t len, char name[CLIENT_NAME_MAX], uint32_t *ttl_s)
{
	struct rdata_record r;
	char one[CLIENT_NAME_MAX];
	bool any = false;
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
			return any ? 0 : -EBADMSG;
		if (r.type != DNS_TYPE_PTR || r.rclass != DNS_CLASS_IN)
			continue;
		*ttl_s = r.ttl_s;
		if (!client_name_clean(r.data, strlen(r.data), one)
			|| (any && strcmp(one, name) >= 0))
			continue;
		memcpy(name, one, CLIENT_NAME_MAX);
		any = true;
	}
	return any ? 0 : -ENOENT;
}
