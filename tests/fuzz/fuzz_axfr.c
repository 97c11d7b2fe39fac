// SPDX-License-Identifier: BSD-3-Clause

// Messages of a zone transfer, as a server may send them: each record becomes exactly one line of
// printable ASCII, which the list's parser counts as one, whatever is in it; and the zone is whole
// only when its SOA came twice. With TSIG no message is verified, whose key the input has not. The
// input is messages with their length in front, as over TCP.

#include "controlplane/lists/list_parse.h"
#include "controlplane/transfer/axfr_ixfr.h"
#include "controlplane/transfer/tsig.h"
#include "fuzz.h"

enum { ID = 7, NOW_S = 1700000000 };

// The reply to a signed query: refused, or an unsigned error.
static void verify(const struct axfr_reader *r, const uint8_t *msg, size_t len)
{
	uint8_t query[AXFR_QUERY_MAX + TSIG_RECORD_MAX];
	struct config_tsig_key key = {.secret_len = 32};
	struct tsig t;
	FUZZ_CHECK(dns_name_from_text("weir-key", 8, &key.name) == 0);
	size_t n = axfr_query_write(r, DNS_TYPE_AXFR, query);
	FUZZ_CHECK(tsig_begin(&t, &key, query, n, NOW_S) > n);
	int err = tsig_take(&t, msg, len, NOW_S);
	FUZZ_CHECK(err == 0 || ((err == -EBADMSG || err == -EKEYREJECTED) && t.why[0]));
	FUZZ_CHECK(err || (len >= DNS_HEADER_LEN && msg[3] & DNS_FLAG_RCODE));
	FUZZ_CHECK(!tsig_is_closed(&t));
	tsig_end(&t);
}

struct taken {
	struct list_parser parser;
	uint64_t lines;
};

static int take_none(void *, const struct list_rule *)
{
	return 0;
}

static int on_text(void *arg, const char *line, size_t len)
{
	struct taken *t = arg;
	FUZZ_CHECK(len > 1 && len < AXFR_LINE_MAX && line[len - 1] == '\n');
	for (size_t i = 0; i + 1 < len; i++)
		FUZZ_CHECK(line[i] >= 0x20 && line[i] < 0x7f);
	t->lines++;
	FUZZ_CHECK(list_parse_feed(&t->parser, line, len) == 0);
	FUZZ_CHECK(t->parser.zone.lines == 0); // no record goes on in the next line
	return 0;
}

FUZZ_BODY(data, len)
{
	static struct axfr_reader r;
	static struct taken t;
	const struct list_options options = {.format = LIST_FORMAT_RPZ};
	struct rd input = rd_init(data, len);
	int err = 0;
	memset(&r, 0, sizeof(r));
	memset(&t, 0, sizeof(t));
	list_parse_begin(&t.parser, &options, take_none, NULL);
	FUZZ_CHECK(dns_name_from_text("rpz.test", 8, &r.zone) == 0);
	r.id = ID;
	r.text = on_text;
	r.arg = &t;
	while (err == 0 && rd_left(&input) > 2) {
		size_t n = rd_u16(&input);
		if (n > rd_left(&input))
			n = rd_left(&input);
		const uint8_t *msg = rd_bytes(&input, n);
		struct axfr_reader serial = {.zone = r.zone, .id = ID};
		int asked = axfr_read_serial(&serial, msg, n);
		FUZZ_CHECK(asked == 0 || (asked < 0 && serial.why[0]));
		verify(&r, msg, n);
		err = axfr_read(&r, msg, n);
	}
	FUZZ_CHECK(err >= 0 || ((err == -EBADMSG || err == -EPROTO) && r.why[0]));
	FUZZ_CHECK(err <= 0 || (err == 1 && r.begun));
	FUZZ_CHECK(t.lines == r.records && r.begun == (r.records > 0));
	FUZZ_CHECK(list_parse_end(&t.parser) == 0);
	FUZZ_CHECK(t.parser.counts.lines == t.lines);
	return 0;
}
