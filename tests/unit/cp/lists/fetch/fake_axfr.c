// SPDX-License-Identifier: BSD-3-Clause
#include "fake_axfr.h"

#include "tests/unit/unit.h"

enum { MESSAGE_MAX = 16384, POLICIES = 200 };

struct answer {
	struct fake_axfr *f;
	int fd;
	struct tls_side *side; // NULL: in clear text
	uint16_t id, qtype;
	uint8_t bytes[2 + MESSAGE_MAX];
	struct wr w;
	uint16_t records;
	bool is_signed, is_last;
};

static void name_put(struct wr *w, const char *text)
{
	struct dns_name name = name_of_text(text);
	wr_bytes(w, name.wire, name.len);
}

static void begin(struct answer *a, unsigned flags)
{
	enum fake_axfr_how how = a->f->how;
	a->records = 0;
	a->w = wr_init(a->bytes, sizeof(a->bytes));
	wr_u16(&a->w, 0);
	wr_u16(&a->w, (uint16_t)(a->id + (how == FAKE_AXFR_WRONG_ID)));
	wr_u16(&a->w, (uint16_t)(flags | (how == FAKE_AXFR_QUERY ? 0 : DNS_FLAG_QR)
				 | (how == FAKE_AXFR_TC ? DNS_FLAG_TC : 0)));
	wr_u16(&a->w, 1);
	for (unsigned i = 0; i < 3; i++)
		wr_u16(&a->w, 0);
	name_put(&a->w, how == FAKE_AXFR_OTHER_QUESTION ? "other.test" : "rpz.test");
	wr_u16(&a->w, a->qtype);
	wr_u16(&a->w, DNS_CLASS_IN);
}

static void put(struct answer *a, const char *owner, uint16_t type, const void *data, size_t len)
{
	name_put(&a->w, owner);
	wr_u16(&a->w, type);
	wr_u16(&a->w, a->f->how == FAKE_AXFR_CLASS ? DNS_CLASS_CH : DNS_CLASS_IN);
	wr_u32(&a->w, 60);
	wr_u16(&a->w, (uint16_t)len);
	wr_bytes(&a->w, data, len);
	a->records++;
}

static void put_name(struct answer *a, const char *owner, uint16_t type, const char *target)
{
	uint8_t data[DNS_NAME_MAX];
	struct wr w = wr_init(data, sizeof(data));
	name_put(&w, target);
	put(a, owner, type, data, w.pos);
}

static void put_soa(struct answer *a, uint32_t serial)
{
	uint8_t data[128];
	struct wr w = wr_init(data, sizeof(data));
	name_put(&w, "ns.rpz.test");
	name_put(&w, "admin.rpz.test");
	wr_u32(&w, serial);
	for (unsigned i = 0; i < 4; i++)
		wr_u32(&w, 3600);
	put(a, "rpz.test", DNS_TYPE_SOA, data, w.pos);
}

static bool say(struct answer *a)
{
	size_t len = a->w.pos, says = len - 2;
	if (a->f->how == FAKE_AXFR_CUT)
		says += 100;
	if (a->f->how == FAKE_AXFR_SHORT)
		says = --len - 2;
	put_u16(a->bytes + 8, a->records);
	if (a->is_signed) {
		fake_tsig_reply(&a->f->tsig, &a->w, a->f->sign, a->is_last);
		len = a->w.pos;
		says = len - 2;
	}
	put_u16(a->bytes, (uint16_t)says);
	if (a->side)
		tls_side_write(a->side, a->bytes, len);
	return a->side || fake_listener_say(a->fd, a->bytes, len);
}

// All but the SOAs: what a policy zone has, and what must not break the file's lines.
static void put_policies(struct answer *a, unsigned from, unsigned to)
{
	static const uint8_t v4[4] = {192, 0, 2, 1}, v6[16] = {0x20, 1, 0xd, 0xb8, [15] = 1};
	static const char text[] = "\5a;\"(\n\3b c", svcb[] = "\0\1\0";
	static const struct {
		const char *owner;
		uint16_t type;
		const char *data;
		size_t len;
	} records[] = {{"rpz.test", DNS_TYPE_NS, "\2ns\3rpz\4test", 13},
		{"nx.example.rpz.test", DNS_TYPE_CNAME, "", 1},
		{"*.nx.example.rpz.test", DNS_TYPE_CNAME, "", 1},
		{"nodata.example.rpz.test", DNS_TYPE_CNAME, "\1*", 3},
		{"drop.example.rpz.test", DNS_TYPE_CNAME, "\10rpz-drop", 10},
		{"pass.example.rpz.test", DNS_TYPE_CNAME, "\14rpz-passthru", 14},
		{"away.example.rpz.test", DNS_TYPE_CNAME, "\4a);b\7example", 14},
		{"v4.example.rpz.test", DNS_TYPE_A, (const char *)v4, 4},
		{"v6.example.rpz.test", DNS_TYPE_AAAA, (const char *)v6, 16},
		{"text.example.rpz.test", DNS_TYPE_TXT, text, sizeof(text) - 1},
		{"24.0.2.0.192.rpz-ip.rpz.test", DNS_TYPE_CNAME, "", 1},
		{"svcb.example.rpz.test", DNS_TYPE_HTTPS, svcb, 3},
		{"\\$ORIGIN\\010\\;\\(\\\".rpz.test", DNS_TYPE_CNAME, "", 1},
		{"broken.example.rpz.test", DNS_TYPE_A, "xyz", 3}};
	for (unsigned i = from; i < to && i < ARRAY_LEN(records); i++)
		put(a, records[i].owner, records[i].type, records[i].data, records[i].len);
}

static void say_endless(struct answer *a)
{
	bool more = true;
	while (more && !a->f->listener.stop) {
		begin(a, 0);
		for (unsigned i = 0; i < POLICIES && a->f->how != FAKE_AXFR_EMPTY; i++)
			put_name(a, "more.example.rpz.test", DNS_TYPE_CNAME, ".");
		more = say(a);
	}
}

static bool say_records_alone(struct answer *a)
{
	bool more = true;
	for (unsigned i = 0; i < (a->f->how == FAKE_AXFR_MANY ? 118 : 14) && more; i++) {
		begin(a, 0);
		put_policies(a, i % 14, i % 14 + 1);
		more = say(a);
	}
	begin(a, 0);
	return more;
}

static void say_transfer(struct answer *a)
{
	enum fake_axfr_how how = a->f->how;
	bool is_piecemeal = how == FAKE_AXFR_ONE_RECORD_EACH || how == FAKE_AXFR_MANY;
	begin(a, 0);
	if (how == FAKE_AXFR_HEADLESS)
		a->w.pos = 6;
	if (how != FAKE_AXFR_NO_SOA && how != FAKE_AXFR_HEADLESS)
		put_soa(a, a->f->serial);
	if (!is_piecemeal && how != FAKE_AXFR_HEADLESS)
		put_policies(a, 0, 5);
	if (!say(a) || how == FAKE_AXFR_HEADLESS || how == FAKE_AXFR_CUT)
		return;
	if (is_piecemeal && !say_records_alone(a))
		return;
	if (how == FAKE_AXFR_ENDLESS || how == FAKE_AXFR_EMPTY)
		say_endless(a);
	if (how == FAKE_AXFR_STALL) {
		fake_listener_wait(&a->f->listener, 10000);
		return;
	}
	if (!is_piecemeal) {
		begin(a, 0);
		put_policies(a, 5, 14);
	}
	if (how != FAKE_AXFR_NO_END)
		put_soa(a, a->f->serial + (how == FAKE_AXFR_OTHER_SERIAL));
	if (how == FAKE_AXFR_BEHIND_END)
		put_policies(a, 1, 2);
	a->is_last = true;
	(void)say(a);
}

static void say_difference(struct answer *a, const char *p)
{
	char word[64], owner[96];
	int n = 0;
	begin(a, p ? 0 : 4);
	for (; p && sscanf(p, "%63s%n", word, &n) == 1; p += n) {
		if (*word == '|') {
			(void)say(a);
			begin(a, 0);
		} else if (*word >= '0' && *word <= '9') {
			put_soa(a, (uint32_t)strtoul(word, NULL, 10));
		} else {
			snprintf(owner, sizeof(owner), "%s.example.rpz.test", word);
			put_name(a, owner, DNS_TYPE_CNAME, ".");
		}
	}
	a->is_last = true;
	(void)say(a);
}

static void answer(struct answer *a)
{
	if (a->qtype == DNS_TYPE_SOA)
		a->f->soa_asked++;
	else if (a->qtype == DNS_TYPE_AXFR)
		a->f->axfr_asked++;
	else
		a->f->ixfr_asked++;
	for (unsigned i = 0; a->f->how == FAKE_AXFR_MUTE && i < 200; i++)
		fake_listener_wait(&a->f->listener, 50);
	enum fake_axfr_how how = a->f->how;
	if (how == FAKE_AXFR_MUTE)
		return;
	bool is_bad_key = a->is_signed && a->f->sign == FAKE_TSIG_BADKEY;
	bool is_bad_time = a->is_signed && a->f->sign == FAKE_TSIG_BADTIME;
	unsigned rcode = how == FAKE_AXFR_REFUSED                                ? 5
			 : how == FAKE_AXFR_NOTAUTH || is_bad_key || is_bad_time ? 9
										 : 0;
	if (rcode || a->qtype == DNS_TYPE_SOA) {
		begin(a, rcode);
		if (!rcode)
			put_soa(a, a->f->serial);
		a->is_last = true;
		(void)say(a);
		return;
	}
	if (a->qtype == DNS_TYPE_AXFR)
		say_transfer(a);
	else
		say_difference(a, a->f->ixfr);
}

// One query with its length in front, of which the fake wants id and type.
static void serve(struct fake_axfr *f, int fd, struct tls_side *side)
{
	static struct answer a;
	uint8_t query[1024];
	size_t len = 0;
	while (len < 2 || len < 2u + get_u16(query)) {
		const size_t room = sizeof(query) - len;
		ssize_t n = side ? tls_side_read(side, query + len, room)
				 : (ssize_t)fake_listener_hear(&f->listener, fd, query + len, room);
		if (n <= 0)
			return;
		len += (size_t)n;
	}
	struct rd r = rd_init(query + 2, len - 2);
	struct dns_name name;
	a = (struct answer){.f = f, .fd = fd, .side = side, .id = rd_u16(&r)};
	rd_skip(&r, 10);
	if (dns_name_read(&r, &name) < 0)
		return;
	a.qtype = rd_u16(&r);
	if (a.qtype == DNS_TYPE_IXFR) { // an SOA whose owner is a pointer and whose names are roots
		rd_skip(&r, 2 + 12 + 2);
		f->ixfr_serial = rd_u32(&r);
	}
	a.is_signed = f->tsig.digest && fake_tsig_query(&f->tsig, query + 2, len - 2);
	f->signed_asked += a.is_signed;
	f->wrong_asked += a.is_signed && !f->tsig.is_right;
	if (rd_ok(&r))
		answer(&a);
}

// The socket blocks: the client's deadlines end what hangs.
static void serve_tls(struct fake_axfr *f, int fd)
{
	struct tls_side *side = tls_side_new(f->context, fd);
	if (tls_side_turn(side)) {
		f->dot += tls_side_alpn(side, "dot");
		f->resumed += tls_side_resumed(side);
		serve(f, fd, side);
		tls_side_goodbye(side);
	}
	tls_side_free(side);
}

static void serve_one(void *arg, int fd)
{
	struct fake_axfr *f = arg;
	if (f->context)
		serve_tls(f, fd);
	else
		serve(f, fd, NULL);
	shutdown(fd, SHUT_WR);
}

void fake_axfr_start(struct fake_axfr *f)
{
	memset(f, 0, sizeof(*f));
	f->serial = 7;
	fake_listener_start(&f->listener, 0, serve_one, f);
	f->port = f->listener.port;
}

void fake_axfr_stop(struct fake_axfr *f)
{
	fake_listener_stop(&f->listener);
}
