// SPDX-License-Identifier: BSD-3-Clause
#include <string.h>
#include <weir/heap_site.h>
#include <weir/mem_account.h>

const char *const mem_account_names[] = {
#define X(name, text) [MEM_ACCOUNT_##name] = #name,
	MEM_ACCOUNT_LIST(X)
#undef X
};

const char *const mem_account_texts[] = {
#define X(name, text) [MEM_ACCOUNT_##name] = text,
	MEM_ACCOUNT_LIST(X)
#undef X
};

enum { WORDS_MAX = 17 };

// Words that a file's name begins with, by whose memory it is.
static const struct {
	enum mem_account account;
	const char *word[WORDS_MAX]; // NULL after the last one
} owner[] = {
	{MEM_ACCOUNT_l0, {"l0", "publish_l0"}},
	{MEM_ACCOUNT_images, {"axfr", "drop", "group", "hosts", "list", "local", "mapped", "policy",
				     "publish", "rebinding", "rule", "rules"}},
	{MEM_ACCOUNT_worker_rings, {"link", "worker_rings"}},
	{MEM_ACCOUNT_resolver,
		{"failures", "answer", "flush", "inflight", "kept", "question", "refresh",
			"resolver", "resolvers", "rewrite", "rewrites", "waiters", "wheel"}},
	{MEM_ACCOUNT_upstream, {"forward", "recursor", "route", "routes", "tls", "unbound",
				       "upstream", "validator", "view", "views"}},
	{MEM_ACCOUNT_redis, {"l1", "redis"}},
	{MEM_ACCOUNT_query_log, {"client", "lease", "log", "query", "querylog", "resolver_log",
					"sql", "tail", "top", "topk", "watch"}},
	{MEM_ACCOUNT_export,
		{"clickhouse", "dnstap", "http_post", "live", "request", "sink_thread", "webhook"}},
	{MEM_ACCOUNT_http, {"access", "api", "audit", "event", "events", "http", "job", "json",
				   "lockouts", "passwords", "sessions", "sync", "tokens", "updates",
				   "url_fields", "verb", "why"}},
	{MEM_ACCOUNT_frontend, {"doh", "frontend", "frontends", "ring_mesh", "tcp"}},
	{MEM_ACCOUNT_config,
		{"bootstrap", "config", "diff", "net_address", "pattern", "time_zone", "version"}},
	{MEM_ACCOUNT_stats, {"errors", "heap", "toggles", "leak", "mem", "memory", "metrics",
				    "profile", "slope", "stats", "trace"}},
	{MEM_ACCOUNT_process, {"app", "loop", "shm", "thread"}},
	{MEM_ACCOUNT_dataplane, {"activate", "bench", "capture", "dp", "limit"}},
	{MEM_ACCOUNT_libraries, {"libevent", "jansson", "hyperscan", "curl", "sqlite", "openssl",
					"nghttp2", "xxhash"}},
};

// Bytes of the longest of `word` that `name` begins with, as whole words.
static size_t words_match(const char *const word[WORDS_MAX], const char *name)
{
	size_t longest = 0;
	for (unsigned i = 0; i < WORDS_MAX && word[i]; i++) {
		size_t n = 0;
		while (word[i][n] && word[i][n] == name[n])
			n++;
		if (n > longest && !word[i][n]
			&& (name[n] == '_' || name[n] == '.' || name[n] == '\0'))
			longest = n;
	}
	return longest;
}

enum mem_account mem_account_of(const char *file)
{
	enum mem_account account = MEM_ACCOUNT_other;
	size_t longest = 0;
	const char *folder = strrchr(file, '/');

	if (folder)
		file = folder + 1;
	for (unsigned i = 0; i < ARRAY_LEN(owner); i++) {
		size_t n = words_match(owner[i].word, file);
		if (n > longest) {
			longest = n;
			account = owner[i].account;
		}
	}
	return account;
}

void mem_sum_add(struct mem_sum *sum, const struct heap_site *s)
{
	sum->bytes += atomic_load_explicit(&s->bytes, memory_order_relaxed);
	sum->blocks += atomic_load_explicit(&s->blocks, memory_order_relaxed);
	sum->made += atomic_load_explicit(&s->made, memory_order_relaxed);
	sum->made_bytes += atomic_load_explicit(&s->made_bytes, memory_order_relaxed);
}

struct mem_sum mem_accounts(struct mem_sum by[MEM_ACCOUNT_COUNT])
{
	const struct heap_site *site[HEAP_SITES_MAX];
	struct mem_sum all = {0};
	unsigned n = heap_sites(site, HEAP_SITES_MAX);
	enum mem_account account = MEM_ACCOUNT_other;

	memset(by, 0, MEM_ACCOUNT_COUNT * sizeof(*by));
	for (unsigned i = 0; i < n; i++) {
		if (i == 0 || strcmp(site[i]->file, site[i - 1]->file) != 0)
			account = mem_account_of(site[i]->file);
		if (site[i]->outside)
			continue;
		mem_sum_add(&by[account], site[i]);
		mem_sum_add(&all, site[i]);
	}
	return all;
}

uint64_t mem_untouched(struct mem_sum by[MEM_ACCOUNT_COUNT])
{
	struct heap_large block[HEAP_LARGE_MAX];
	unsigned n = heap_large_blocks(block);
	uint64_t sum = 0;
	for (unsigned i = 0; i < n; i++) {
		uint64_t untouched = block[i].bytes - block[i].touched;
		by[mem_account_of(block[i].site->file)].untouched += untouched;
		sum += untouched;
	}
	return sum;
}

// BLOCK_BYTES: the allocator's own bytes of a block, which no usable size includes. Without them a
// million small blocks would raise the alarm.
enum { ALARM_BYTES = 8 << 20, ALARM_PART = 20, BLOCK_BYTES = sizeof(size_t) };

uint64_t mem_unexplained(const struct mem_process *p, const struct mem_sum *all)
{
	uint64_t known = all->bytes + all->blocks * BLOCK_BYTES;
	return p->allocated > known ? p->allocated - known : 0;
}

bool mem_is_alarming(const struct mem_process *p, uint64_t unexplained)
{
	return unexplained > ALARM_BYTES && unexplained > p->rss / ALARM_PART;
}
