// SPDX-License-Identifier: BSD-3-Clause
// Whether a chunk may be sent again without harm: every table that holds its rows must know blocks
// by their tokens.

#include "clickhouse_sql.h"

#include <stdio.h>
#include <string.h>

// Of a row of system.tables.
#define KNOWS_BLOCKS                     \
	"(engine LIKE 'Replicated%%' OR" \
	" match(create_table_query, 'non_replicated_deduplication_window = [1-9]'))"

struct local_table {
	char cluster[CLICKHOUSE_NAME_MAX], database[CLICKHOUSE_NAME_MAX], name[CLICKHOUSE_NAME_MAX];
};

// "Distributed('cluster', 'database', 'table', ...)", quotes with backslashes before them, or none.
static bool engine_read(const char *text, struct local_table *out)
{
	char plain[512];
	size_t len = 0;
	for (; *text && *text != '\n' && len + 1 < sizeof(plain); text++)
		if (!strchr("'\\`", *text))
			plain[len++] = *text;
	plain[len] = '\0';
	return sscanf(plain, "Distributed(%63[^,], %63[^,], %63[^,)]", out->cluster, out->database,
		       out->name)
	       == 3;
}

static enum clickhouse_end spread_ask(struct clickhouse_schema *s, struct clickhouse_client *c,
	struct clickhouse_answer *out, struct clickhouse_sql *q)
{
	struct local_table t;
	clickhouse_sql_add(q,
		"SELECT engine_full FROM system.tables WHERE database = '%s' AND name = '%s'",
		s->settings.database, s->settings.table);
	enum clickhouse_end end = clickhouse_ask(c, q->text, out);
	q->len = 0;
	q->text[0] = '\0';
	if (end == CLICKHOUSE_DONE && engine_read(out->text, &t))
		clickhouse_sql_add(q,
			"SELECT count() > 0 AND min(knows) = 1 FROM (SELECT " KNOWS_BLOCKS
			" AS knows FROM clusterAllReplicas('%s', system.tables)"
			" WHERE database = '%s' AND name = '%s')",
			t.cluster, t.database, t.name);
	return end;
}

// Replicas have one path in ZooKeeper or Keeper. Two clusters may have the same path: the node
// below it was made by one transaction, at one time.
static enum clickhouse_end replicated_ask(
	struct clickhouse_schema *s, struct clickhouse_client *c, struct clickhouse_answer *out)
{
	char path[CLICKHOUSE_REPLICATED_MAX / 2], quoted[CLICKHOUSE_REPLICATED_MAX + 4];
	struct clickhouse_sql q = {.len = 0};
	clickhouse_sql_add(&q,
		"SELECT zookeeper_path FROM system.replicas WHERE database = '%s' AND table = '%s'",
		s->settings.database, s->settings.table);
	enum clickhouse_end end = clickhouse_ask(c, q.text, out);
	size_t len = end == CLICKHOUSE_DONE ? strcspn(out->text, "\n") : 0;
	if (!len || len >= sizeof(path) || memchr(out->text, '\\', len))
		return end;
	snprintf(path, sizeof(path), "%.*s", (int)len, out->text);
	if (!clickhouse_quote(path, quoted, sizeof(quoted)))
		return end;
	q.len = 0;
	clickhouse_sql_add(&q,
		"SELECT czxid, toUInt32(ctime) FROM system.zookeeper WHERE path = %s"
		" AND name = 'metadata'",
		quoted);
	end = clickhouse_ask(c, q.text, out);
	len = end == CLICKHOUSE_DONE ? strcspn(out->text, "\n") : 0;
	if (len)
		snprintf(s->replicated, sizeof(s->replicated), "%s %.*s", path,
			len < 100 ? (int)len : 100, out->text);
	return end;
}

enum clickhouse_end clickhouse_dedup_look(
	struct clickhouse_schema *s, struct clickhouse_client *c, struct clickhouse_answer *out)
{
	struct clickhouse_sql q = {.len = 0};
	enum clickhouse_end end = CLICKHOUSE_DONE;
	s->dedups = false;
	s->replicated[0] = '\0';
	if (s->version < CLICKHOUSE_HAS_TOKEN)
		return end;
	if (s->is_distributed)
		end = spread_ask(s, c, out, &q);
	else
		clickhouse_sql_add(&q,
			"SELECT count() FROM system.tables WHERE database = '%s' AND name = '%s'"
			" AND " KNOWS_BLOCKS,
			s->settings.database, s->settings.table);
	if (end == CLICKHOUSE_DONE && q.len)
		end = clickhouse_ask(c, q.text, out);
	s->dedups = end == CLICKHOUSE_DONE && q.len && out->text[0] == '1';
	if (s->dedups && s->has_peers && !s->is_distributed)
		end = replicated_ask(s, c, out);
	return end == CLICKHOUSE_REFUSED && out->code ? CLICKHOUSE_DONE : end;
}
