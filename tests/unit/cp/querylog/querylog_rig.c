// SPDX-License-Identifier: BSD-3-Clause
#include "querylog_rig.h"

#include "tests/unit/unit.h"

static uint64_t draw(struct querylog_rig *rig)
{
	rig->seed ^= rig->seed << 13;
	rig->seed ^= rig->seed >> 7;
	rig->seed ^= rig->seed << 17;
	return rig->seed;
}

void querylog_rig_open(struct querylog_rig *rig, uint64_t seed)
{
	*rig = (struct querylog_rig){.seed = seed | 1, .time_us = 1700000000000000};
	assert_int_equal(querylog_pool_open(&rig->pool), 0);
}

void querylog_rig_close(struct querylog_rig *rig)
{
	querylog_pool_close(rig->pool);
}

struct querylog_batch *querylog_rig_empty(struct querylog_rig *rig)
{
	struct querylog_batch *b = querylog_pool_take(rig->pool, "box-under-test", ++rig->number);
	assert_non_null(b);
	return b;
}

static struct querylog_text copy(struct querylog_batch *b, struct querylog_text from)
{
	char *at = querylog_batch_text(b, from.len + 1u);
	memcpy(at, from.at ? from.at : "", from.len);
	at[from.len] = '\0';
	return (struct querylog_text){.at = at, .len = from.len};
}

static void put_row(struct querylog_batch *b, const struct querylog_row *row)
{
	size_t text = (size_t)row->qname.len + row->client.len + row->client_name.len
		      + row->group.len + row->list.len + row->upstream.len + row->verdict.len + 7;
	struct querylog_row *to = querylog_batch_row(b, text);
	assert_non_null(to);
	*to = *row;
	to->qname = copy(b, row->qname);
	to->client = copy(b, row->client);
	to->client_name = copy(b, row->client_name);
	to->group = copy(b, row->group);
	to->verdict = copy(b, row->verdict);
	to->list = copy(b, row->list);
	to->upstream = copy(b, row->upstream);
	querylog_batch_end_row(b);
}

static struct querylog_text draw_name(struct querylog_rig *rig, char out[QUERYLOG_NAME_MAX])
{
	static const char *const odd[] = {"", "\\000\\255.", "it\\'s-\\034quoted\\034.", "\\195.",
		"a\\.b.", "xn--bcher-kva.", "_dmarc.", "%s%n."};
	unsigned labels = (unsigned)(draw(rig) % 5);
	size_t at = (size_t)snprintf(
		out, QUERYLOG_NAME_MAX, "%s", draw(rig) % 4 ? "" : odd[draw(rig) % ARRAY_LEN(odd)]);
	for (unsigned i = 0; i < labels; i++) {
		unsigned len = 1 + (unsigned)(draw(rig) % 20);
		for (unsigned j = 0; j < len; j++)
			out[at++] = (char)('a' + draw(rig) % 26);
		out[at++] = '.';
	}
	if (!at)
		out[at++] = '.';
	out[at] = '\0';
	return (struct querylog_text){.at = out, .len = (uint16_t)at};
}

static void draw_client(struct querylog_rig *rig, struct querylog_row *row, char out[64])
{
	row->client_version = draw(rig) % 3 ? 4 : 6;
	for (unsigned i = 0; i < (row->client_version == 4 ? 4 : 16); i++)
		row->client_bytes[i] = (uint8_t)draw(rig);
	inet_ntop(row->client_version == 4 ? AF_INET : AF_INET6, row->client_bytes, out, 64);
	row->client = querylog_rig_text(out);
	row->client_port = (uint16_t)draw(rig);
	row->client_name = querylog_rig_text(draw(rig) % 3 ? "" : "laptop of Ann");
	row->group = querylog_rig_text(draw(rig) % 2 ? "" : "children");
}

static void draw_row(struct querylog_rig *rig, struct querylog_batch *b)
{
	static const uint16_t types[] = {1, 28, 65, 15, 16, 6, 255, 65535};
	static const char *const verdicts[] = {"hit", "hit_stale", "blocked", "upstream"};
	char name[QUERYLOG_NAME_MAX], client[64];
	unsigned kind = (unsigned)(draw(rig) % 4);
	rig->time_us += 1 + draw(rig) % 2000;
	struct querylog_row row = {
		.time_us = rig->time_us,
		.weight = 1 + draw(rig) % 9,
		.qname = draw_name(rig, name),
		.verdict = querylog_rig_text(verdicts[kind]),
		.list = querylog_rig_text(kind == 2 ? "ads" : ""),
		.upstream = querylog_rig_text(kind == 3 ? "192.0.2.53" : ""),
		.dataplane_us = (uint32_t)(draw(rig) % 50),
		.total_us = (uint32_t)(draw(rig) % 100000),
		.qtype = types[draw(rig) % ARRAY_LEN(types)],
		.qclass = 1,
		.rcode = kind == 3 ? (uint16_t)(draw(rig) % 4) : 0,
		.ede = kind == 2 ? 15 : QUERYLOG_NO_EDE,
		.query_len = (uint16_t)(17 + draw(rig) % 100),
		.reply_len = (uint16_t)(17 + draw(rig) % 1000),
		.transport = (uint8_t)(draw(rig) % QUERYLOG_TRANSPORTS),
		.tier = kind == 0   ? QUERYLOG_TIER_L0
			: kind == 1 ? QUERYLOG_TIER_STALE
			: kind == 2 ? QUERYLOG_TIER_RULES
				    : QUERYLOG_TIER_UPSTREAM,
		.validation = (uint8_t)(draw(rig) % QUERYLOG_VALIDATIONS),
		.is_answered = true,
		.is_blocked = kind == 2,
	};
	draw_client(rig, &row, client);
	put_row(b, &row);
}

const struct querylog_batch *querylog_rig_batch(struct querylog_rig *rig, unsigned rows)
{
	struct querylog_batch *b = querylog_rig_empty(rig);
	for (unsigned i = 0; i < rows; i++)
		draw_row(rig, b);
	return b;
}

const struct querylog_batch *querylog_rig_row(
	struct querylog_rig *rig, const struct querylog_row *row)
{
	struct querylog_batch *b = querylog_rig_empty(rig);
	put_row(b, row);
	return b;
}
