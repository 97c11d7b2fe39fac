// SPDX-License-Identifier: BSD-3-Clause

#include "fake_upstream.h"

#include <arpa/inet.h>
#include <assert.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>
#include <weir/bytes.h>
#include <weir/clock.h>
#include <weir/dns_name.h>
#include <weir/dns_proto.h>

// The client's subnet (RFC 7871) in queries to a fake server, and in its replies.

static size_t question_end(const uint8_t *q, size_t len)
{
	size_t i = DNS_HEADER_LEN;
	while (i < len && q[i] != 0)
		i += q[i] + 1u;
	return i + 5 <= len ? i + 5 : 0;
}

// The data of the query's option with a client's subnet, *size bytes; NULL: it has none.
static const uint8_t *subnet_of(const uint8_t *q, size_t len, size_t *size)
{
	size_t end = question_end(q, len), at = end + DNS_OPT_FIXED_LEN;
	if (end == 0 || get_u16(q + 10) == 0)
		return NULL;
	while (at + 4 <= len && get_u16(q + at) != DNS_EDNS_OPTION_SUBNET)
		at += 4u + get_u16(q + at + 2);
	if (at + 4 > len)
		return NULL;
	*size = get_u16(q + at + 2);
	assert(*size >= 4 && *size <= FAKE_SUBNET_MAX && at + 4 + *size <= len);
	return q + at + 4;
}

// The same with the scope, in an OPT.
static void subnet_make(
	struct wr *w, const struct fake_upstream *f, const uint8_t *subnet, size_t size)
{
	uint8_t data[FAKE_SUBNET_MAX];
	const uint8_t *change = f->subnet_change;
	memcpy(data, subnet, size);
	data[3] = (uint8_t)(f->scope_more - 1);
	for (size_t i = 0; change && i < size; i++)
		data[i] ^= change[i];
	wr_u8(w, 0);
	wr_u16(w, DNS_TYPE_OPT);
	wr_u16(w, 1232);
	wr_u32(w, 0);
	wr_u16(w, (uint16_t)(4 + size));
	wr_u16(w, DNS_EDNS_OPTION_SUBNET);
	wr_u16(w, (uint16_t)size);
	wr_bytes(w, data, size);
}

static void subnet_remember(struct fake_upstream *f, const uint8_t *q, size_t len)
{
	size_t size;
	const uint8_t *subnet = subnet_of(q, len, &size);
	f->subnet_len = subnet ? (unsigned)size : 0;
	if (!subnet)
		return;
	memcpy(f->subnet, subnet, size);
	f->subnet_queries++;
}

enum { GARBAGE_COUNT = 200, MSG_MAX = 32768, PUT_OFF_MAX = 64, PUT_OFF_LEN = 320 };

static size_t wire_len(const uint8_t *name)
{
	size_t len = 1;
	while (name[len - 1] != 0)
		len += name[len - 1] + 1u;
	return len;
}

// Behind the owner's name, with what the server has for TTL.
static void record_head(struct wr *w, const struct fake_upstream *f, uint16_t type, uint16_t len)
{
	wr_u16(w, type);
	wr_u16(w, DNS_CLASS_IN);
	wr_u32(w, (uint32_t)f->ttl_s);
	wr_u16(w, len);
}

// `alias`: NULL: the address is that of the name asked.
static void records_make(struct wr *w, const struct fake_upstream *f, const uint8_t *alias,
	unsigned addresses, const uint8_t *subnet, size_t subnet_size)
{
	uint32_t address = f->address ? f->address : 0xc0000201;
	size_t owner = 12;

	if (subnet)
		address = 0xc6120000 | (subnet_size > 6 ? (uint32_t)subnet[6] << 8 : 0) | subnet[2];
	if (alias) {
		wr_u16(w, 0xc00c);
		const size_t len = wire_len(alias);
		record_head(w, f, DNS_TYPE_CNAME, (uint16_t)len);
		owner = w->pos;
		wr_bytes(w, alias, len);
	}
	for (unsigned i = 0; i < addresses; i++) {
		wr_u16(w, (uint16_t)(0xc000 | owner));
		record_head(w, f, DNS_TYPE_A, 4);
		wr_u32(w, address + i);
	}
}

static bool asks_for_alias(const struct fake_upstream *f, const uint8_t *q)
{
	return strncasecmp(
		       (const char *)f->alias, (const char *)q + DNS_HEADER_LEN, wire_len(f->alias))
	       == 0;
}
static bool is_of_type(const uint8_t *q, uint16_t type)
{
	return get_u16(q + DNS_HEADER_LEN + wire_len(q + DNS_HEADER_LEN)) == type;
}

// The alias that the reply has; *alone: without its address.
static const uint8_t *alias_of(const struct fake_upstream *f, const uint8_t *q, bool *alone)
{
	static _Thread_local uint8_t longer[512] = {1, 'a'}, before[256];
	if (f->mode == FAKE_LEADS_BACK) {
		*alone = !asks_for_alias(f, q);
		if (*alone)
			memcpy(before, q + DNS_HEADER_LEN, wire_len(q + DNS_HEADER_LEN));
		return *alone ? f->alias : before;
	}
	*alone = f->mode == FAKE_LEADS_ON;
	if (*alone)
		memcpy(longer + 2, q + DNS_HEADER_LEN, wire_len(q + DNS_HEADER_LEN));
	if (*alone)
		return longer;
	*alone = f->mode == FAKE_ALIAS_ALONE && !asks_for_alias(f, q);
	return f->mode == FAKE_ALIAS || *alone ? f->alias : NULL;
}

static size_t reply_make(const struct fake_upstream *f, const uint8_t *q, size_t len,
	uint16_t flags, int ttl_s, uint8_t *out)
{
	size_t end = question_end(q, len);
	if (end == 0)
		return 0;
	struct wr w = wr_init(out, MSG_MAX);
	wr_bytes(&w, q, 2);
	wr_u16(&w, (uint16_t)(DNS_FLAG_QR | DNS_FLAG_RD | DNS_FLAG_RA | flags
			      | (f->sets_ad ? DNS_FLAG_AD : 0)));
	wr_u16(&w, 1);
	bool alone;
	const uint8_t *alias = alias_of(f, q, &alone);
	alone = alone || (alias && is_of_type(q, DNS_TYPE_CNAME));
	unsigned addresses = alone ? 0 : f->addresses ? f->addresses : 1;
	size_t size = 0;
	const uint8_t *subnet = f->scope_more ? subnet_of(q, len, &size) : NULL;
	wr_u16(&w, (uint16_t)(ttl_s < 0 ? 0 : addresses + (alias != NULL)));
	wr_u16(&w, 0);
	wr_u16(&w, subnet != NULL);
	wr_bytes(&w, q + DNS_HEADER_LEN, end - DNS_HEADER_LEN);
	if (ttl_s >= 0)
		records_make(&w, f, alias, addresses, subnet, size);
	if (subnet)
		subnet_make(&w, f, subnet, size);
	assert(wr_ok(&w));
	return w.pos;
}

// Its TTL and its MINIMUM are ttl_s (RFC 2308 5).
static size_t no_name_make(
	const struct fake_upstream *f, const uint8_t *q, size_t len, uint8_t *out)
{
	size_t at = reply_make(f, q, len, DNS_RCODE_NXDOMAIN, -1, out);
	struct wr w = wr_init(out + at, MSG_MAX - at);

	if (at == 0)
		return 0;
	put_u16(out + 8, 1);
	wr_u8(&w, 0);
	record_head(&w, f, DNS_TYPE_SOA, 2 + 5 * 4);
	wr_u16(&w, 0); // the root is its server, and looks after it
	for (unsigned i = 0; i < 5; i++)
		wr_u32(&w, (uint32_t)f->ttl_s);
	assert(wr_ok(&w));
	return at + w.pos;
}

static size_t referral_make(
	const struct fake_upstream *f, const uint8_t *q, size_t len, uint8_t *out)
{
	size_t at = reply_make(f, q, len, 0, -1, out);
	struct wr w = wr_init(out + at, MSG_MAX - at);

	if (at == 0)
		return 0;
	put_u16(out + 8, 1);
	wr_u8(&w, 0);
	record_head(&w, f, DNS_TYPE_NS, 1);
	wr_u8(&w, 0);
	assert(wr_ok(&w));
	return at + w.pos;
}

// With why, if the server says so.
static size_t failure_make(
	const struct fake_upstream *f, const uint8_t *q, size_t len, uint16_t rcode, uint8_t *out)
{
	size_t at = reply_make(f, q, len, rcode, -1, out);
	struct wr w = wr_init(out + at, MSG_MAX - at);

	if (at == 0 || f->ede == 0)
		return at;
	put_u16(out + 10, 1);
	wr_u8(&w, 0);
	wr_u16(&w, DNS_TYPE_OPT);
	wr_u16(&w, 1232);
	wr_u32(&w, 0);
	wr_u16(&w, 4 + 2);
	wr_u16(&w, DNS_EDNS_OPTION_EDE);
	wr_u16(&w, 2);
	wr_u16(&w, (uint16_t)f->ede);
	assert(wr_ok(&w));
	return at + w.pos;
}

static size_t reply_for(struct fake_upstream *f, const uint8_t *q, size_t len, uint8_t *out)
{
	enum fake_mode mode = (enum fake_mode)f->mode;
	if ((mode == FAKE_NO_EDNS || mode == FAKE_NO_EDNS_HEADER) && get_u16(q + 10) == 0)
		mode = FAKE_ANSWER;
	size_t size;
	const bool refuses = mode == FAKE_NO_SUBNET || mode == FAKE_SUBNET_REFUSED;
	if (refuses && !subnet_of(q, len, &size))
		mode = FAKE_ANSWER;
	switch (mode) {
	case FAKE_NO_SUBNET:
	case FAKE_NO_EDNS:
		return reply_make(f, q, len, DNS_RCODE_FORMERR, -1, out);
	case FAKE_NO_EDNS_HEADER:
		memset(out, 0, DNS_HEADER_LEN);
		memcpy(out, q, 2);
		put_u16(out + 2, DNS_FLAG_QR | DNS_RCODE_FORMERR);
		return DNS_HEADER_LEN;
	case FAKE_SILENT:
		return 0;
	case FAKE_SERVFAIL:
		return failure_make(f, q, len, DNS_RCODE_SERVFAIL, out);
	case FAKE_SUBNET_REFUSED:
	case FAKE_REFUSED:
		return failure_make(f, q, len, DNS_RCODE_REFUSED, out);
	case FAKE_REFERRAL:
		return referral_make(f, q, len, out);
	case FAKE_NO_NAME:
		return no_name_make(f, q, len, out);
	case FAKE_NXDOMAIN:
		return reply_make(f, q, len, DNS_RCODE_NXDOMAIN, -1, out);
	default:
		return reply_make(f, q, len, 0, f->ttl_s, out);
	}
}

static void lower(uint8_t *msg, size_t len)
{
	for (size_t i = DNS_HEADER_LEN; i < len; i++)
		if (msg[i] >= 'A' && msg[i] <= 'Z')
			msg[i] += 32;
}

struct peer {
	struct sockaddr_in address;
	socklen_t len;
};

static void say(const struct fake_upstream *f, const struct peer *p, const uint8_t *msg, size_t len)
{
	(void)sendto(f->udp_fd, msg, len, 0, (const struct sockaddr *)&p->address, p->len);
}

// What comes before the right reply.
static void forge(
	struct fake_upstream *f, const struct peer *p, const uint8_t *q, size_t len, int mode)
{
	uint8_t out[MSG_MAX];
	size_t n = reply_make(f, q, len, 0, f->ttl_s, out);

	if (mode == FAKE_WRONG_ID) {
		out[1] ^= 1;
		say(f, p, out, n);
	} else if (mode == FAKE_WRONG_QUESTION) {
		out[DNS_HEADER_LEN + 1] ^= 1;
		say(f, p, out, n);
	} else if (mode == FAKE_BAD_BODY) {
		say(f, p, out, n - 2);
	}
	for (unsigned i = 0; mode == FAKE_GARBAGE && i < GARBAGE_COUNT; i++) {
		memset(out + 2, (int)i, sizeof(out) - 2); // the id stays right
		say(f, p, out, i % 40);
	}
}

// What an attacker off the path would have to know of a query.
static void remember(struct fake_upstream *f, const struct peer *p, const uint8_t *q, size_t len)
{
	unsigned i = f->udp_queries;
	uint64_t upper = 0;

	for (size_t k = DNS_HEADER_LEN; k < question_end(q, len); k++)
		if (q[k] >= 'A' && q[k] <= 'Z')
			upper |= 1ull << k % 64;
	f->upper_seen |= upper != 0;
	struct rd name = rd_init(q, len);
	struct dns_name last;
	char text[DNS_NAME_TEXT_MAX];
	rd_skip(&name, DNS_HEADER_LEN);
	if (dns_name_read(&name, &last) == 0)
		snprintf(f->last_name, sizeof(f->last_name), "%.255s",
			dns_name_to_text(&last, text));
	if (i < FAKE_SEEN_MAX) {
		f->id[i] = get_u16(q);
		f->source_port[i] = ntohs(p->address.sin_port);
		f->upper[i] = upper;
	}
	f->cd_queries += (get_u16(q + 2) & DNS_FLAG_CD) != 0;
	f->ad_queries += (get_u16(q + 2) & DNS_FLAG_AD) != 0;
	subnet_remember(f, q, len);
	f->udp_queries++;
}

// last_name is that of this query.
static bool is_silent(const struct fake_upstream *f)
{
	const char *below = f->silent_below, *only = f->answers_only;
	size_t len = strlen(f->last_name), tail = below ? strlen(below) : 0;
	return (below && len >= tail && strcmp(f->last_name + len - tail, below) == 0)
	       || (only && strcmp(f->last_name, only) != 0);
}

static void reply_udp(struct fake_upstream *f, const struct peer *p, const uint8_t *q, size_t len)
{
	uint8_t out[MSG_MAX];
	int mode = f->mode;

	if (f->lost > 0) {
		f->lost--;
		return;
	}
	if (is_silent(f))
		return;
	forge(f, p, q, len, mode);
	size_t n = mode == FAKE_TRUNCATE ? reply_make(f, q, len, DNS_FLAG_TC, -1, out)
					 : reply_for(f, q, len, out);
	if (mode == FAKE_LOWERCASE)
		lower(out, n);
	if (n)
		say(f, p, out, n);
}

// Queries whose replies are put off, oldest first; each is delay_ms after its query, or later.
struct put_off {
	unsigned first, count;
	struct {
		uint64_t due_us;
		struct peer peer;
		size_t len;
		uint8_t msg[PUT_OFF_LEN];
	} query[PUT_OFF_MAX];
};

static void serve_udp(struct fake_upstream *f, struct put_off *later)
{
	uint8_t q[MSG_MAX];
	struct peer p = {.len = sizeof(p.address)};
	ssize_t len = recvfrom(
		f->udp_fd, q, sizeof(q), MSG_DONTWAIT, (struct sockaddr *)&p.address, &p.len);
	if (len < DNS_HEADER_LEN)
		return;
	remember(f, &p, q, (size_t)len);
	if (f->delay_ms == 0 && !f->held) {
		reply_udp(f, &p, q, (size_t)len);
		return;
	}
	assert(later->count < PUT_OFF_MAX && len <= PUT_OFF_LEN);
	unsigned i = (later->first + later->count++) % PUT_OFF_MAX;
	later->query[i].due_us = clock_mono_us() + (uint64_t)f->delay_ms * 1000;
	later->query[i].peer = p;
	later->query[i].len = (size_t)len;
	memcpy(later->query[i].msg, q, (size_t)len);
}

static void serve_put_off(struct fake_upstream *f, struct put_off *later)
{
	while (later->count && !f->held && later->query[later->first].due_us <= clock_mono_us()) {
		unsigned i = later->first;
		reply_udp(f, &later->query[i].peer, later->query[i].msg, later->query[i].len);
		later->first = (i + 1) % PUT_OFF_MAX;
		later->count--;
	}
}

static void serve_tcp(struct fake_upstream *f)
{
	uint8_t head[2], q[MSG_MAX], out[MSG_MAX + 2];
	int fd = accept(f->tcp_fd, NULL, NULL);
	if (fd < 0)
		return;
	const struct timeval patience = {.tv_sec = 1};
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	if (!f->refuse_tcp && recv(fd, head, 2, MSG_WAITALL) == 2 && get_u16(head) <= sizeof(q)
		&& recv(fd, q, get_u16(head), MSG_WAITALL) == get_u16(head)) {
		f->tcp_queries++;
		usleep((useconds_t)f->tcp_delay_ms * 1000);
		size_t n = reply_for(f, q, get_u16(head), out + 2);
		if (f->mode == FAKE_LOWERCASE)
			lower(out + 2, n);
		put_u16(out, (uint16_t)n);
		// In two pieces, as a stream may come.
		if (n) {
			(void)send(fd, out, 1, MSG_NOSIGNAL);
			usleep(2000);
			(void)send(fd, out + 1, n + 1, MSG_NOSIGNAL);
		}
	}
	close(fd);
}

static void *serve(void *arg)
{
	struct fake_upstream *f = arg;
	struct put_off later = {0};
	struct pollfd p[2] = {
		{.fd = f->udp_fd, .events = POLLIN}, {.fd = f->tcp_fd, .events = POLLIN}};

	while (!f->stop) {
		serve_put_off(f, &later);
		if (poll(p, 2, later.count ? 1 : 20) <= 0)
			continue;
		if (p[0].revents)
			serve_udp(f, &later);
		if (p[1].revents)
			serve_tcp(f);
	}
	return NULL;
}

void fake_upstream_start(struct fake_upstream *f)
{
	struct sockaddr_in sin = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t len = sizeof(sin);
	int rc = -1;

	memset(f, 0, sizeof(*f));
	f->ttl_s = 300;
	for (unsigned i = 0; i < 20 && rc != 0; i++) { // UDP's port may be taken in TCP
		sin.sin_port = 0;
		f->udp_fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
		f->tcp_fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
		rc = bind(f->udp_fd, (struct sockaddr *)&sin, sizeof(sin));
		assert(rc == 0);
		getsockname(f->udp_fd, (struct sockaddr *)&sin, &len);
		rc = bind(f->tcp_fd, (struct sockaddr *)&sin, sizeof(sin));
		if (rc != 0) {
			close(f->udp_fd);
			close(f->tcp_fd);
		}
	}
	assert(rc == 0);
	rc = listen(f->tcp_fd, 16);
	assert(rc == 0);
	f->port = ntohs(sin.sin_port);
	rc = pthread_create(&f->thread, NULL, serve, f);
	assert(rc == 0);
}

void fake_upstream_stop(struct fake_upstream *f)
{
	f->stop = true;
	pthread_join(f->thread, NULL);
	close(f->udp_fd);
	close(f->tcp_fd);
}
