// SPDX-License-Identifier: BSD-3-Clause
#include "pcap_reader.h"

enum { ETHERNET = 1, HEADER_REST = 12, VERSION = 2 };

static uint32_t word(struct pcap_reader *p)
{
	uint32_t w = rd_u32(&p->r);
	return p->is_little ? __builtin_bswap32(w) : w;
}

bool pcap_begin(struct pcap_reader *p, const uint8_t *bytes, size_t len)
{
	static const uint32_t magics[] = {0xa1b2c3d4, 0xa1b23c4d};
	*p = (struct pcap_reader){.r = rd_init(bytes, len)};
	uint32_t magic = rd_u32(&p->r);
	p->is_little = magic != magics[0] && magic != magics[1];
	if (p->is_little)
		magic = __builtin_bswap32(magic);
	uint32_t version = word(p);
	rd_skip(&p->r, HEADER_REST);
	uint32_t kind = word(p) & 0xffff;
	uint32_t major = p->is_little ? version & 0xffff : version >> 16;
	return rd_ok(&p->r) && (magic == magics[0] || magic == magics[1]) && major == VERSION
	       && kind == ETHERNET;
}

const uint8_t *pcap_next(struct pcap_reader *p, size_t *len)
{
	enum { TIME_LEN = 8 };
	while (rd_left(&p->r)) {
		rd_skip(&p->r, TIME_LEN);
		uint32_t kept = word(p), whole = word(p);
		const uint8_t *frame = rd_bytes(&p->r, kept);
		if (!frame)
			return NULL;
		if (kept == whole) {
			*len = kept;
			return frame;
		}
		p->cut++;
	}
	return NULL;
}
