// SPDX-License-Identifier: BSD-3-Clause

#include "packet.h"

#include "corpus.h"

#include <stdio.h>
#include <string.h>

static void put16(uint8_t *p, unsigned v)
{
	p[0] = (uint8_t)(v >> 8);
	p[1] = (uint8_t)v;
}

static unsigned get16(const uint8_t *p)
{
	return (unsigned)p[0] << 8 | p[1];
}

static uint32_t sum_bytes(uint32_t sum, const uint8_t *p, size_t len)
{
	for (size_t i = 0; i < len; i++)
		sum += i % 2 ? p[i] : (uint32_t)p[i] << 8;
	return sum;
}

static uint16_t sum_fold(uint32_t sum)
{
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)sum;
}

// Sum over pseudo header and payload; 0xffff when a received checksum is right.
static uint16_t sum_transport(const uint8_t *src, const uint8_t *dst, size_t address_len,
	uint8_t protocol, const uint8_t *p, size_t len)
{
	uint32_t sum = sum_bytes(0, src, address_len);
	sum = sum_bytes(sum, dst, address_len) + protocol + (uint32_t)len;
	return sum_fold(sum_bytes(sum, p, len));
}

// Ethernet and IP headers; the offset behind them.
static size_t write_ip(uint8_t *f, const uint8_t *dst_mac, const uint8_t *src_mac,
	const uint8_t *src, const uint8_t *dst, int version, uint8_t protocol, size_t payload,
	uint8_t hops)
{
	memcpy(f, dst_mac, 6);
	memcpy(f + 6, src_mac, 6);
	uint8_t *ip = f + 14;
	if (version == 4) {
		put16(f + 12, 0x0800);
		memset(ip, 0, 20);
		ip[0] = 0x45;
		put16(ip + 2, (unsigned)(20 + payload));
		ip[8] = hops;
		ip[9] = protocol;
		memcpy(ip + 12, src, 4);
		memcpy(ip + 16, dst, 4);
		put16(ip + 10, (uint16_t)~sum_fold(sum_bytes(0, ip, 20)));
		return 34;
	}
	put16(f + 12, 0x86dd);
	memset(ip, 0, 8);
	ip[0] = 0x60;
	put16(ip + 4, (unsigned)payload);
	ip[6] = protocol;
	ip[7] = hops;
	memcpy(ip + 8, src, 16);
	memcpy(ip + 24, dst, 16);
	return 54;
}

// The name on the wire; the byte behind it.
static uint8_t *write_name(uint8_t *p, const char *text)
{
	uint8_t *label = p++;
	for (;; text++) {
		if (*text && *text != '.') {
			*p++ = (uint8_t)*text;
			continue;
		}
		*label = (uint8_t)(p - label - 1);
		label = p++;
		if (!*text)
			break;
	}
	*label = 0;
	return p;
}

static size_t write_question(uint8_t *dns, const struct question *q)
{
	struct corpus_name name;
	memset(dns, 0, 12);
	put16(dns, q->id);
	dns[2] = 1; // RD
	dns[5] = 1; // QDCOUNT
	if (q->kind == QUESTION_CACHED)
		corpus_cached(q->name, &name);
	else if (q->kind == QUESTION_LISTED)
		corpus_listed(q->name, &name);
	else
		snprintf(name.text, sizeof(name.text), "n%u.load.test", q->name);
	uint8_t *p = write_name(dns + 12, name.text);
	// The letter case differs from query to query: a reply must keep it.
	if (q->id & 1)
		dns[13] ^= 0x20;
	put16(p, 1);
	put16(p + 2, 1);
	return (size_t)(p + 4 - dns);
}

size_t packet_payload_at(const struct endpoint *e)
{
	return (e->version == 4 ? 34 : 54) + 8;
}

size_t packet_udp(uint8_t *frame, const uint8_t mac[6], const struct endpoint *e,
	uint16_t client_port, size_t payload)
{
	size_t l4 = write_ip(
		frame, e->service_mac, mac, e->client, e->service, e->version, 17, 8 + payload, 64);
	uint8_t *udp = frame + l4;
	put16(udp, client_port);
	put16(udp + 2, 53);
	put16(udp + 4, (unsigned)(8 + payload));
	put16(udp + 6, 0);
	uint16_t sum = (uint16_t)~sum_transport(
		e->client, e->service, e->version == 4 ? 4 : 16, 17, udp, 8 + payload);
	put16(udp + 6, sum ? sum : 0xffff);
	return l4 + 8 + payload;
}

size_t packet_query(uint8_t frame[PACKET_FRAME_MAX], const uint8_t mac[6], const struct question *q)
{
	size_t len = write_question(frame + packet_payload_at(q->endpoint), q);
	return packet_udp(frame, mac, q->endpoint, q->client_port, len);
}

bool packet_is_reply(const uint8_t *frame, size_t len, uint16_t *id, uint16_t *client_port)
{
	if (len < 54)
		return false;
	size_t l4;
	if (get16(frame + 12) == 0x0800 && frame[14] == 0x45 && frame[23] == 17)
		l4 = 34;
	else if (get16(frame + 12) == 0x86dd && frame[20] == 17)
		l4 = 54;
	else
		return false;
	if (len < l4 + 20 || get16(frame + l4) != 53)
		return false;
	*client_port = (uint16_t)get16(frame + l4 + 2);
	*id = (uint16_t)get16(frame + l4 + 8);
	return true;
}

const char *packet_payload(const uint8_t *f, size_t len, const uint8_t mac[6],
	const struct endpoint *e, size_t *dns_off, size_t *dns_len)
{
	size_t address_len = e->version == 4 ? 4 : 16;
	size_t l4 = e->version == 4 ? 34 : 54;
	size_t src = e->version == 4 ? 26 : 22, dst = src + address_len;
	if (get16(f + 12) != (e->version == 4 ? 0x0800 : 0x86dd))
		return "other address family";
	if (memcmp(f, mac, 6) || memcmp(f + 6, e->service_mac, 6))
		return "MAC addresses";
	if (memcmp(f + src, e->service, address_len) || memcmp(f + dst, e->client, address_len))
		return "IP addresses";
	size_t ip_payload;
	if (e->version == 4) {
		if (sum_fold(sum_bytes(0, f + 14, 20)) != 0xffff)
			return "IPv4 header checksum";
		ip_payload = get16(f + 16) - 20u;
	} else {
		ip_payload = get16(f + 18);
	}
	size_t udp_len = get16(f + l4 + 4);
	if (udp_len != ip_payload || l4 + udp_len > len || udp_len < 20)
		return "lengths";
	if (!get16(f + l4 + 6))
		return "no UDP checksum";
	if (sum_transport(f + src, f + dst, address_len, 17, f + l4, udp_len) != 0xffff)
		return "UDP checksum";
	*dns_off = l4 + 8;
	*dns_len = udp_len - 8;
	return NULL;
}

// A and IN, compressed to the question, the TTL not over what it was stored with.
static bool record_is_a(const uint8_t *rr, unsigned ttl_most)
{
	return get16(rr) == 0xc00c && get16(rr + 2) == 1 && get16(rr + 4) == 1 && get16(rr + 6) == 0
	       && get16(rr + 8) <= ttl_most && get16(rr + 10) == 4;
}

static const char *check_cached(const uint8_t *rr, uint32_t name)
{
	uint8_t want[CORPUS_ANSWER_LEN];
	corpus_answer(name, want);
	for (unsigned i = 0; i < CORPUS_ANSWERS; i++) {
		size_t at = (size_t)CORPUS_RR_LEN * i;
		if (!record_is_a(rr + at, CORPUS_TTL_S))
			return "record";
		if (memcmp(rr + at + 12, want + at + 12, 4))
			return "address of another name";
	}
	return NULL;
}

static const char *check_one(const uint8_t *rr, const struct question *q)
{
	static const uint8_t null_address[4];
	const uint8_t load[4] = {198, 19, (uint8_t)(q->name >> 8), (uint8_t)q->name};
	if (!record_is_a(rr, 300))
		return "record or TTL";
	if (q->kind == QUESTION_LISTED)
		return memcmp(rr + 12, null_address, 4) ? "not blocked" : NULL;
	return memcmp(rr + 12, load, 4) ? "address of another name" : NULL;
}

bool packet_is_query(const uint8_t *frame, size_t len)
{
	size_t dns = get16(frame + 12) == 0x0800 ? 42 : 62;
	return len > dns + 2 && !(frame[dns + 2] & 0x80);
}

const char *packet_check_reflected(
	const uint8_t *frame, size_t len, const uint8_t mac[6], const struct question *q)
{
	size_t off = 0, dns_len = 0;
	uint8_t asked[64];
	const char *why = packet_payload(frame, len, mac, q->endpoint, &off, &dns_len);
	if (why)
		return why;
	size_t asked_len = write_question(asked, q);
	return dns_len != asked_len || memcmp(frame + off, asked, asked_len) ? "reflection" : NULL;
}

const char *packet_check(const uint8_t *frame, size_t len, const uint8_t mac[6],
	const struct question *q, bool *servfail)
{
	size_t off = 0, dns_len = 0;
	*servfail = false;
	const char *why = packet_payload(frame, len, mac, q->endpoint, &off, &dns_len);
	if (why)
		return why;
	const uint8_t *dns = frame + off;
	uint8_t asked[64];
	size_t asked_len = write_question(asked, q);
	if (dns_len < asked_len || memcmp(dns + 12, asked + 12, asked_len - 12)
		|| get16(dns + 4) != 1)
		return "question";
	if ((dns[2] & 0x81) != 0x81 || !(dns[3] & 0x80))
		return "flags";
	if ((dns[3] & 15) == 2) {
		*servfail = true;
		return NULL;
	}
	if ((dns[3] & 15) || (dns[2] & 2))
		return "rcode";
	unsigned answers = q->kind == QUESTION_CACHED ? CORPUS_ANSWERS : 1;
	if (get16(dns + 6) != answers || get16(dns + 8) || get16(dns + 10)
		|| dns_len != asked_len + (size_t)answers * CORPUS_RR_LEN)
		return "counts";
	const uint8_t *rr = dns + asked_len;
	return q->kind == QUESTION_CACHED ? check_cached(rr, q->name) : check_one(rr, q);
}

size_t packet_solicit(
	uint8_t frame[PACKET_FRAME_MAX], const uint8_t mac[6], const struct endpoint *e)
{
	if (e->version == 4) {
		memset(frame, 0xff, 6);
		memcpy(frame + 6, mac, 6);
		memcpy(frame + 12, "\x08\x06\0\1\x08\0\6\4\0\1", 10);
		memcpy(frame + 22, mac, 6);
		memcpy(frame + 28, e->client, 4);
		memset(frame + 32, 0, 6);
		memcpy(frame + 38, e->service, 4);
		memset(frame + 42, 0, 18);
		return 60;
	}
	const uint8_t *t = e->service;
	uint8_t group[16] = {0xff, 2, [11] = 1, 0xff, t[13], t[14], t[15]};
	uint8_t group_mac[6] = {0x33, 0x33, 0xff, t[13], t[14], t[15]};
	size_t l4 = write_ip(frame, group_mac, mac, e->client, group, 6, 58, 32, 255);
	uint8_t *icmp = frame + l4;
	memset(icmp, 0, 32);
	icmp[0] = 135;
	memcpy(icmp + 8, t, 16);
	icmp[24] = 1; // source link-layer address
	icmp[25] = 1;
	memcpy(icmp + 26, mac, 6);
	put16(icmp + 2, (uint16_t)~sum_transport(e->client, group, 16, 58, icmp, 32));
	return l4 + 32;
}

bool packet_solicited(const uint8_t *frame, size_t len, struct endpoint *e)
{
	if (e->version == 4) {
		if (len < 42 || get16(frame + 12) != 0x0806 || get16(frame + 20) != 2
			|| memcmp(frame + 28, e->service, 4))
			return false;
		memcpy(e->service_mac, frame + 22, 6);
	} else {
		if (len < 86 || get16(frame + 12) != 0x86dd || frame[20] != 58 || frame[54] != 136
			|| memcmp(frame + 62, e->service, 16) || frame[78] != 2)
			return false;
		memcpy(e->service_mac, frame + 80, 6);
	}
	e->resolved = true;
	return true;
}
