// SPDX-License-Identifier: BSD-3-Clause

// Queries that balancers forward (proxy_protocol.from): each begins with a header of PROXY protocol
// v2 in front of the DNS message, which names the client. The header comes off, and the frame
// becomes one of that client, with headers that end where the message begins. So every later stage
// sees the client by the same code as any other: access, limits, group, cookies, log. Its source
// MAC address is zero and it has no tag, because those of the balancer's frame are not the
// client's: no group by MAC address or VLAN has it. The service address of the frame is zero too.
//
// Meanwhile the batch keeps the way back. A miss has it in its message. A reply gets new headers to
// the balancer, behind all that reads the client from the reply; the message stays where it is. The
// new headers have room: they and the PROXY header were in front of the message when it came.
//
// Without a right header the query is dropped (drop_proxy), as a connection is closed. A command
// LOCAL, or no address, makes the balancer the client: only the header comes off. Senders that are
// no balancers cost a comparison for each prefix, and boxes without balancers do not come here.
// Worker-local; all bytes of the header are read through the bounds-checked reader.

#include "frame.h"
#include "stages.h"

#include <rte_ether.h>
#include <rte_ip.h>
#include <rte_udp.h>

#include <netinet/in.h>
#include <weir/bytes.h>
#include <weir/csum.h>
#include <weir/sender.h>

enum {
	IPV4_PROTOCOL = 9,
	IPV6_NEXT_HEADER = 6,
	IPV4_SOURCE = 12,
	IPV6_SOURCE = 8,
	FIRST_BYTE_4 = 0x45,
	FIRST_BYTE_6 = 0x60
};

// Structs of headers are read at even addresses: the message behind a header of odd length moves by
// a byte, and so does its place in a copy of the frame (stage_keep_frames). The length by which it
// then lies behind its PROXY header's begin.
static uint16_t message_align(struct batch *b, struct packet *p, uint16_t len)
{
	if (len % 2 == 0)
		return len;
	uint8_t *message = packet_dns(p) + len;
	memmove(message - 1, message, p->dns_len - len);
	rte_pktmbuf_trim(p->m, 1);
	p->dns_len--;
	b->w->came_at[p - b->store]--;
	return len - 1;
}

// Drops the first `len` bytes of the message, and moves the headers up to it.
static void strip(struct packet *p, uint16_t len)
{
	uint8_t *frame = rte_pktmbuf_mtod(p->m, uint8_t *);
	memmove(frame + len, frame, p->dns);
	rte_pktmbuf_adj(p->m, len);
	p->dns_len -= len;
	p->rest_sum = 0;
}

// New headers in front of the message, which begins behind its PROXY header: of a query of that
// client. Only what later stages read of a frame is in them.
static void make_clients(struct packet *p, const struct proxy_header *h, uint16_t len,
	const struct return_path *path)
{
	const unsigned ip_len = h->ip_version == 4 ? FRAME_IPV4_LEN : FRAME_IPV6_LEN;
	const unsigned l4 = FRAME_ETHER_LEN + ip_len, dns = l4 + FRAME_UDP_LEN;
	uint8_t *frame = (uint8_t *)rte_pktmbuf_adj(p->m, (uint16_t)(p->dns + len - dns));
	uint8_t *ip = frame + FRAME_ETHER_LEN;
	memset(frame, 0, dns);
	memcpy(frame, path->service_mac, RTE_ETHER_ADDR_LEN);
	put_u16(frame + 2 * RTE_ETHER_ADDR_LEN,
		h->ip_version == 4 ? RTE_ETHER_TYPE_IPV4 : RTE_ETHER_TYPE_IPV6);
	if (h->ip_version == 4) {
		ip[0] = FIRST_BYTE_4;
		ip[IPV4_PROTOCOL] = IPPROTO_UDP;
		memcpy(ip + IPV4_SOURCE, h->ip, 4);
	} else {
		ip[0] = FIRST_BYTE_6;
		ip[IPV6_NEXT_HEADER] = IPPROTO_UDP;
		memcpy(ip + IPV6_SOURCE, h->ip, 16);
	}
	put_u16(ip + ip_len, h->port);
	put_u16(ip + ip_len + 2, FRAME_DNS_PORT);
	packet_set_shape(p, packet_shape(h->ip_version, false, FRAME_ETHER_LEN, l4));
	p->dns = (uint16_t)dns;
	p->dns_len -= len;
	p->rest_sum = 0;
}

static void forward(struct batch *b, struct packet *p, const struct proxy_header *h)
{
	struct batch_proxied *f = &b->forwarded[p - b->store];
	struct return_path *path = &f->path;
	f->m = p->m;
	frame_return_path(p, (uint16_t)(b->port - b->w->port), (uint16_t)b->w->index, path);
	path->via = (struct return_via){.udp = path->client_udp, .ip_version = path->ip_version};
	memcpy(path->via.ip, path->client_ip, sizeof(path->via.ip));
	path->ip_version = h->ip_version;
	path->client_udp = rte_cpu_to_be_16(h->port);
	memcpy(path->client_ip, h->ip, sizeof(path->client_ip));
	make_clients(p, h, message_align(b, p, h->len), path);
	b->proxied |= UINT32_C(1) << (p - b->store);
	batch_count(b, COUNTER_proxied, 1);
}

// False: settled.
static bool unwrap(struct batch *b, struct packet *p)
{
	struct proxy_header h;
	switch (proxy_header_read(packet_dns(p), p->dns_len, &h)) {
	case PROXY_HEADER_CLIENT:
		forward(b, p, &h);
		return true;
	case PROXY_HEADER_SENDER:
		strip(p, message_align(b, p, h.len));
		return true;
	case PROXY_HEADER_PART:
	case PROXY_HEADER_BAD:
		break;
	}
	batch_drop(b, p, VERDICT_drop_proxy);
	return false;
}

void stage_proxy(struct batch *b)
{
	static_assert(WORKER_BATCH <= 32);
	const struct policy_reader *r = &b->tables->policy;
	unsigned kept = 0;
	for (unsigned i = 0; i < b->count; i++) {
		struct packet *p = b->pkt[i];
		if (!policy_is_balancer(r, p->ip_version, packet_source(p)) || unwrap(b, p))
			b->pkt[kept++] = p;
	}
	b->count = kept;
}

// The place in `store` of a reply's query, from `first` on; WORKER_BATCH: no balancer sent it.
static unsigned place_of(const struct batch *b, const struct rte_mbuf *m, unsigned first)
{
	for (unsigned n = 0; n < WORKER_BATCH; n++) {
		const unsigned i = (first + n) % WORKER_BATCH;
		if (b->proxied >> i & 1 && b->forwarded[i].m == m)
			return i;
	}
	return WORKER_BATCH;
}

static void to_balancer(struct rte_mbuf *m, unsigned dns, const struct return_path *path)
{
	const uint16_t dns_len = (uint16_t)(m->pkt_len - dns);
	const unsigned headers = frame_headers_len(path);
	m->data_off = (uint16_t)(m->data_off + dns - headers);
	m->data_len = (uint16_t)(headers + dns_len);
	m->pkt_len = m->data_len;
	uint8_t *frame = rte_pktmbuf_mtod(m, uint8_t *);
	frame_build(frame, path, dns_len, csum_partial(frame + headers, dns_len));
}

// Replies are nearly in the order in which their queries came, so the first place that is
// compared is mostly the right one.
void stage_proxy_return(struct batch *b)
{
	unsigned next = 0;
	for (unsigned i = 0; i < b->tx_count; i++) {
		const unsigned at = place_of(b, b->tx[i], next);
		if (at == WORKER_BATCH)
			continue;
		to_balancer(b->tx[i], b->store[at].dns, &b->forwarded[at].path);
		next = at + 1;
	}
}
