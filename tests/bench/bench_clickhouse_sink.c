// SPDX-License-Identifier: BSD-3-Clause
//
// Rows a second that the ClickHouse sink brings into a server, from batches to its answer.
//
//   bench_clickhouse_sink URL [ROWS]
//
// ROWS rows (1,000,000), in batches of 2,048 as fast as the sink takes them, into the database
// weir_bench, made if it is not there. Prints rows a second, the CPU time of this process, and how
// large chunks and buffers became. Fails unless the server says that it has every row.

#include "controlplane/querylog/clickhouse/clickhouse.h"
#include "controlplane/querylog/querylog_batch.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>
#include <weir/clock.h>

enum { NAMES = 100000, DEADLINE_MS = 120000, NAP_US = 200 };

static uint64_t state = 0x9e3779b97f4a7c15;

static uint64_t draw(void)
{
	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return state;
}

static struct querylog_text text(const char *t)
{
	return (struct querylog_text){t, (uint16_t)strlen(t)};
}

static void row_fill(struct querylog_batch *b, struct querylog_row *row, uint64_t time_us)
{
	char name[48];
	size_t len = (size_t)snprintf(name, sizeof(name), "host%u.site%u.example",
		(unsigned)(draw() % NAMES), (unsigned)(draw() % 9000));
	char *at = querylog_batch_text(b, len + 1);
	memcpy(at, name, len + 1);
	row->time_us = time_us;
	row->weight = 1;
	row->qname = text(at);
	row->client = text("192.168.1.10");
	row->group = text("home");
	row->verdict = text("hit");
	row->dataplane_us = row->total_us = (uint32_t)(draw() % 40);
	row->qtype = draw() % 3 ? 1 : 28;
	row->qclass = 1;
	row->ede = QUERYLOG_NO_EDE;
	row->client_port = (uint16_t)(1024 + draw() % 60000);
	row->query_len = (uint16_t)(30 + draw() % 30);
	row->reply_len = (uint16_t)(60 + draw() % 60);
	row->client_version = 4;
	row->tier = QUERYLOG_TIER_L0;
	row->is_answered = true;
}

static bool batch_feed(struct querylog_pool *pool, const struct querylog_sink *sink,
	uint64_t number, unsigned rows)
{
	struct querylog_batch *b = querylog_pool_take(pool, "bench", number);
	if (!b)
		return false;
	uint64_t now_us = (uint64_t)time(NULL) * 1000000;
	for (unsigned i = 0; i < rows; i++) {
		struct querylog_row *row = querylog_batch_row(b, 64);
		if (!row)
			break;
		row_fill(b, row, now_us + i);
		querylog_batch_end_row(b);
	}
	uint64_t until_ms = clock_mono_ms() + DEADLINE_MS;
	bool taken;
	while (!(taken = sink->fold(sink->arg, b, 0)) && clock_mono_ms() < until_ms)
		usleep(NAP_US);
	querylog_release(b);
	return taken;
}

static double cpu_s(void)
{
	struct rusage r;
	getrusage(RUSAGE_SELF, &r);
	return (double)(r.ru_utime.tv_sec + r.ru_stime.tv_sec)
	       + (double)(r.ru_utime.tv_usec + r.ru_stime.tv_usec) * 1e-6;
}

static int report(struct clickhouse *c, uint64_t rows, double wall_s, double used_s)
{
	struct clickhouse_status s;
	clickhouse_status(c, &s);
	printf("%llu of %llu rows in %.2f s: %.0f rows/s, %.2f us of CPU a row\n",
		(unsigned long long)s.sender.rows, (unsigned long long)rows, wall_s,
		(double)s.sender.rows / wall_s, used_s * 1e6 / (double)rows);
	printf("%llu inserts, %llu failures, %.1f bytes a row sent, buffer %llu KiB at most,"
	       " %u files on disk at most%s%s\n",
		(unsigned long long)s.sender.chunks, (unsigned long long)s.sender.failures,
		(double)s.packed_bytes / (double)rows,
		(unsigned long long)s.buffer_bytes_most >> 10, s.outbox.spooled_most,
		s.sender.why[0] ? ", failing: " : "", s.sender.why);
	return s.sender.rows == rows ? 0 : 1;
}

static int run(struct clickhouse *c, struct querylog_pool *pool, uint64_t rows)
{
	const struct querylog_sink sink = clickhouse_sink(c);
	struct clickhouse_status s;
	uint64_t began_ms = clock_mono_ms(), number = 0;
	double before_s = cpu_s();
	for (uint64_t left = rows; left;) {
		unsigned n = left < QUERYLOG_ROWS_MAX ? (unsigned)left : QUERYLOG_ROWS_MAX;
		if (!batch_feed(pool, &sink, ++number, n))
			return 1;
		left -= n;
	}
	do {
		usleep(NAP_US);
		clickhouse_status(c, &s);
	} while (s.sender.rows < rows && clock_mono_ms() - began_ms < DEADLINE_MS);
	return report(c, rows, (double)(clock_mono_ms() - began_ms) / 1e3, cpu_s() - before_s);
}

int main(int argc, char **argv)
{
	char folder[] = "/tmp/weir-bench-XXXXXX";
	struct clickhouse *c;
	struct querylog_pool *pool;
	if (argc < 2 || !mkdtemp(folder) || querylog_pool_open(&pool) < 0)
		return 2;
	const struct clickhouse_settings settings = {
		.client = {.urls = {argv[1]}, .user = "default", .password = ""},
		.schema = {.database = "weir_bench",
			.table = "queries",
			.hours = 24,
			.rollups = true,
			.rollup_days = 31},
		.box = "bench",
		.folder = folder,
		.spool_max_bytes = 1 << 30,
		.flush_ms = 500};
	int ret = clickhouse_open(&c, &settings);
	if (ret < 0) {
		fprintf(stderr, "bench_clickhouse_sink: %s\n", strerror(-ret));
		return 1;
	}
	ret = run(c, pool, argc > 2 ? strtoull(argv[2], NULL, 10) : 1000000);
	clickhouse_close(c);
	querylog_pool_close(pool);
	if (rmdir(folder) < 0)
		fprintf(stderr, "bench_clickhouse_sink: %s: %s\n", folder, strerror(errno));
	return ret;
}
