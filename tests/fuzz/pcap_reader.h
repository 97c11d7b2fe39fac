// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// Frames of a capture file, as tcpdump writes it: the classic format of libpcap, either byte order,
// micro- or nanoseconds, Ethernet. Not pcapng (`tcpdump -r in.pcapng -w out.pcap`; editcap -F
// pcap).

#include <stdbool.h>
#include <weir/bytes.h>

struct pcap_reader {
	struct rd r;
	bool is_little; // the bytes of its numbers
	uint64_t cut;   // frames of which the capture has not all bytes, passed over
};

// False: not such a file.
bool pcap_begin(struct pcap_reader *p, const uint8_t *bytes, size_t len);
// The next whole frame, NULL: no more, or the rest makes no sense.
const uint8_t *pcap_next(struct pcap_reader *p, size_t *len);
