// SPDX-License-Identifier: BSD-3-Clause
//
// Rows a second that one core makes into request bodies for ClickHouse.
//
//   bench_clickhouse [ROWS]
//
// ROWS rows (2,000,000) of 100,000 names, 200 clients and a few answers, in bodies of 16,384 rows:
// encoded only, then encoded and compressed by gzip and by zstd. Prints CPU time of this thread and
// bytes a row; fails when a body cannot be made.

#include "controlplane/querylog/clickhouse/clickhouse_pack.h"
#include "controlplane/querylog/clickhouse/clickhouse_row.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { NAMES = 100000, CLIENTS = 200, BODY_ROWS = 16384, BODY_MAX = 8 << 20, PASSES = 3 };

static char names[NAMES][48], clients[CLIENTS][24];
static struct querylog_row rows[BODY_ROWS];
static uint64_t state = 0x9e3779b97f4a7c15;
static uint8_t body[BODY_MAX], packed[BODY_MAX * 2];

static uint64_t draw(void)
{
	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return state;
}

static double cpu_s(void)
{
	struct timespec ts;
	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec * 1e-9;
}

static struct querylog_text text(const char *t)
{
	return (struct querylog_text){t, (uint16_t)strlen(t)};
}

static void corpus_make(void)
{
	for (unsigned i = 0; i < NAMES; i++) {
		unsigned len = 4 + (unsigned)(draw() % 20);
		for (unsigned j = 0; j < len; j++)
			names[i][j] = (char)('a' + draw() % 26);
		snprintf(names[i] + len, sizeof(names[i]) - len, ".site%u.example.", i % 9000);
	}
	for (unsigned i = 0; i < CLIENTS; i++)
		snprintf(clients[i], sizeof(clients[i]), "192.168.%u.%u", i / 100, 10 + i % 100);
}

static void rows_make(uint64_t first)
{
	for (unsigned i = 0; i < BODY_ROWS; i++) {
		bool blocked = draw() % 5 == 0;
		// Names at the front of the list occur more often than those behind.
		uint64_t a = draw() % NAMES, b = draw() % NAMES, c = draw() % NAMES;
		rows[i] = (struct querylog_row){
			.time_us = 1700000000000000 + (first + i) * 5 + draw() % 5,
			.weight = 1,
			.qname = text(names[a * b / NAMES * c / NAMES]),
			.client = text(clients[draw() % CLIENTS]),
			.client_name = text(""),
			.group = text("home"),
			.verdict = text(blocked ? "blocked" : "hit"),
			.list = text(blocked ? "ads" : ""),
			.upstream = text(""),
			.dataplane_us = (uint32_t)(draw() % 40),
			.total_us = (uint32_t)(draw() % 40),
			.qtype = draw() % 3 ? 1 : 28,
			.qclass = 1,
			.ede = blocked ? 15 : QUERYLOG_NO_EDE,
			.client_port = (uint16_t)(1024 + draw() % 60000),
			.query_len = (uint16_t)(30 + draw() % 30),
			.reply_len = (uint16_t)(60 + draw() % 60),
			.client_version = 4,
			.tier = blocked ? QUERYLOG_TIER_RULES : QUERYLOG_TIER_L0,
			.is_answered = true,
			.is_blocked = blocked,
		};
	}
}

static size_t body_make(uint64_t number)
{
	const struct clickhouse_chunk chunk = {1700000000000000, number};
	size_t len = 0;
	for (unsigned i = 0; i < BODY_ROWS; i++) {
		ssize_t n = clickhouse_row_put(
			body + len, sizeof(body) - len, "box-1", &chunk, &rows[i]);
		if (n < 0) {
			fprintf(stderr, "bench_clickhouse: no room\n");
			exit(1);
		}
		len += (size_t)n;
	}
	return len;
}

static void measure(struct clickhouse_packer *p, unsigned total, int coding, const char *what)
{
	double taken = 0;
	uint64_t plain = 0, wire = 0;
	unsigned done = 0;
	for (; done < total; done += BODY_ROWS) {
		rows_make(done);
		double from = cpu_s();
		size_t len = body_make(done / BODY_ROWS + 1);
		ssize_t n = (ssize_t)len;
		if (coding >= 0)
			n = clickhouse_pack(p, (enum clickhouse_coding)coding, body, len, packed,
				sizeof(packed));
		taken += cpu_s() - from;
		if (n < 0) {
			fprintf(stderr, "bench_clickhouse: %s: %s\n", what, strerror((int)-n));
			exit(1);
		}
		plain += len;
		wire += (uint64_t)n;
	}
	printf("%-12s %8.0f rows/s  %6.1f bytes a row, %5.1f sent\n", what, done / taken,
		(double)plain / done, (double)wire / done);
}

int main(int argc, char **argv)
{
	unsigned total = argc > 1 ? (unsigned)strtoul(argv[1], NULL, 10) : 2000000;
	struct clickhouse_packer *p;
	if (clickhouse_packer_open(&p) < 0)
		return 1;
	corpus_make();
	for (unsigned pass = 0; pass < PASSES; pass++) {
		measure(p, total, -1, "RowBinary");
		measure(p, total, CLICKHOUSE_GZIP, "and gzip");
		measure(p, total, CLICKHOUSE_ZSTD, "and zstd");
	}
	clickhouse_packer_close(p);
	return 0;
}
