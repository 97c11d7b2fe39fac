// SPDX-License-Identifier: BSD-3-Clause
#include "upstream_age.h"

#include <weir/bytes.h>
#include <weir/dns_name.h>
#include <weir/dns_proto.h>

void upstream_age_apply(uint8_t *msg, size_t len, uint32_t age_s)
{
	struct rd r = rd_init(msg, len);
	struct dns_name name;

	rd_skip(&r, 4); // id and flags
	unsigned questions = rd_u16(&r), records = rd_u16(&r);
	records += rd_u16(&r);
	records += rd_u16(&r);
	for (unsigned i = 0; i < questions; i++) {
		if (dns_name_read_compressed(&r, &name, NULL))
			return;
		rd_skip(&r, 4); // type and class
	}
	for (unsigned i = 0; i < records; i++) {
		if (dns_name_read_compressed(&r, &name, NULL))
			return;
		unsigned type = rd_u16(&r);
		rd_skip(&r, 2); // class
		const size_t at = r.pos;
		uint32_t ttl = rd_u32(&r);
		rd_skip(&r, rd_u16(&r));
		if (!rd_ok(&r))
			return;
		if (type != DNS_TYPE_OPT)
			put_u32(msg + at, ttl > age_s ? ttl - age_s : 0);
	}
}
