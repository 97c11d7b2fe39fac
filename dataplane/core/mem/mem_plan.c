// SPDX-License-Identifier: BSD-3-Clause
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <weir/config.h>
#include <weir/limit.h>
#include <weir/list_file.h>
#include <weir/log.h>
#include <weir/mem_plan.h>
#include <weir/shm_abi.h>
#include <weir/shm_region.h>
#include <weir/shm_stats.h>

enum { PATH_LEN = 512, FIXED = 3 << 20, TEXT_PART = 2, IMAGE_PART = 4 };

static uint64_t size_of(const char *path)
{
	struct stat s;
	return stat(path, &s) == 0 && S_ISREG(s.st_mode) ? (uint64_t)s.st_size : 0;
}

// Adds the size of the last fetched copy of a list; false: it was never fetched.
static bool fetched_add(const char *state_directory, const char *url, uint64_t *text)
{
	char path[PATH_LEN];
	struct stat s;
	if (!list_file_path(path, sizeof(path), state_directory, list_file_id(url), ".list")
		|| lstat(path, &s) != 0 || !S_ISREG(s.st_mode))
		return false;
	*text += (uint64_t)s.st_size;
	return true;
}

static void mem_plan_lists_read(struct mem_plan_lists *out, const struct config *c)
{
	const struct config_blocking *b = &c->blocking;
	const char *state = c->runtime.state_directory;
	struct mem_plan_lists l = {0};
	char image[PATH_LEN];
	for (unsigned i = 0; i < b->list_count; i++) {
		const struct config_list *list = &b->lists[i];
		if (list->path)
			l.text += size_of(list->path);
		else
			l.unfetched += !fetched_add(state, list->url, &l.text);
	}
	uint64_t cap = (uint64_t)b->update.max_mb << 20;
	uint64_t usual = l.unfetched * (cap < MEM_PLAN_LIST_USUAL ? cap : MEM_PLAN_LIST_USUAL);
	l.text += usual;
	l.guess = usual + usual / TEXT_PART;
	snprintf(image, sizeof(image), "%s/rules.img", state);
	l.image = size_of(image);
	// The stored image may be of other lists: then the texts may say more.
	uint64_t of_text = l.text + l.text / TEXT_PART, of_image = l.image + l.image / IMAGE_PART;
	l.bytes = b->list_count ? FIXED + (l.image && !l.unfetched ? of_image : of_text) : 0;
	*out = l;
}

// The most that each object takes. tests/smoke/memory_test.sh compares the sums with real
// processes.
enum {
	MIB = 1 << 20,
	L0_UNIT = 32,
	PRIVATE_OF_UNIT = 7, // the writer's own
	MARK_OF_UNIT = 1,    // for each worker
	OF_QUESTION = 1536,  // a question in flight, with its buckets
	WAITERS = 65536,
	OF_WAITER = 200,
	KEPT_QUERIES = 8 << 20,
	OF_CONNECTION = 1024,      // a connection, with its client
	OF_PROXIED = MIB,          // a frontend's connections and queries that balancers forward
	OF_TLS = 20 << 10,         // OpenSSL's for a connection
	OF_CERTIFICATE = 56 << 10, // that a client has shown; see test_tls_kept.c
	OF_HTTP = 48 << 10,        // a session of HTTP/2 with both of its tables full
	OF_RESOLVER = 4 * MIB,     // beside the first: its tables of fixed size, its stack
	OF_RECURSOR = 48 * MIB,    // a resolver's: caches, questions in progress, sockets
	OF_VALIDATORS = 16 * MIB,  // a resolver's: caches of keys, sockets
	VALIDATIONS = 2048,        // number in progress, in all
	OF_VALIDATION = 24 << 10,
	OF_FRONTEND = 6 * MIB, // a frontend's: places for questions, rate limits, log ring, buffers
	SOCKETS = 65536,       // number for a set of servers
	SOCKETS_IDLE = 2048,   // number for a server
	LEGS = 4,              // number for a question: one socket each
	OF_SOCKET = 256,
	OF_SERVERS = 80 << 10,         // a set of them
	OF_LOOKUPS = 96 << 10,         // lookups of host names: the reply being read
	OF_LOOKUP = 12 << 10,          // one name: A and AAAA
	FRONTEND_ANSWERS = 2 * MIB,    // ring of each resolver to each, of one alone twice
	FRONTEND_MISSES = MIB,         // each frontend to each resolver
	OF_HTTPS = 7 * MIB,            // a server and resolver: 200 queries in flight, connections
	OF_UPSTREAM_PORTS = 520 << 10, // a resolver's: a pointer for each local port
	LOG_BATCHES = 64,
	OF_LOG_BATCH = 640 << 10,
	LOG_FIXED = 24 * MIB,        // the query store's caches, top lists, readers, outputs
	CLICKHOUSE = 80 * MIB,       // the chunk, packed, in the outbox, being sent
	REDIS_FIXED = 8 * MIB,       // calls, looks, blocks of replies
	OF_CONTROL_CONN = 128 << 10, // TLS, a request with its body
	LOGIN = 17 * MIB,            // scrypt, one at a time
	API = 16 * MIB,              // requests, their bodies, histories
	CONTROL_FIXED = 48 * MIB,    // code, stacks, tables of fixed size
	DATAPLANE_FIXED = 40 * MIB,  // code of DPDK, stacks
	OF_BUFFER = 512,             // beside its room: headers, the pool's own
	ROOM_MIN = 2048,
	OF_PORT = 4 * MIB,   // rings and state of a driver, each queue
	EAL_FIXED = 8 * MIB, // DPDK's own
	OF_WORKER =
		MIB, // a worker's state, asked keys, sketches, the kernel's flows, watched frames
	OF_LIMIT_CELL = 8 + 4 + 8, // three places: in a worker, beside it, in the main lcore
};

// A line that is called for by no setting has no bytes and is left out.
static void charge(struct mem_plan *p, enum mem_plan_of of, const char *what, const char *by,
	uint64_t bytes, const char *tables)
{
	if (bytes == 0)
		return;
	p->line[p->count++] = (struct mem_plan_line){what, by, tables, of, bytes};
	p->of[of] += bytes;
	p->total += bytes;
}

// Questions are everyone's or some set's, and one resolver's: the sockets of those under way are
// counted once.
static uint64_t sockets_of(const struct config *c, unsigned servers)
{
	uint64_t most = (uint64_t)c->limits.inflight * LEGS / config_resolvers(c, NULL)
			+ (uint64_t)servers * SOCKETS_IDLE;
	return OF_SERVERS + (most < SOCKETS ? most : SOCKETS) * OF_SOCKET;
}

static uint64_t set_of(const struct config_upstream *server, unsigned count)
{
	return OF_SERVERS + (uint64_t)config_servers_most(server, count) * SOCKETS_IDLE * OF_SOCKET;
}

// One resolver's: each has its sockets and sets.
static uint64_t upstreams_of(const struct config *c)
{
	const struct config_forward_zone *zone[CONFIG_FORWARD_SETS_MAX];
	const unsigned zones = config_forward_sets(c, zone);
	uint64_t sum = sockets_of(c, config_servers_most(c->upstreams.server, c->upstreams.count));
	for (unsigned i = 0; i < zones; i++)
		sum += set_of(zone[i]->servers, zone[i]->server_count);
	for (unsigned i = 0; i < c->group_count; i++)
		if (c->groups[i].upstream_count)
			sum += set_of(c->groups[i].upstreams, c->groups[i].upstream_count);
	return sum;
}

// The bootstrap servers are a set of the first resolver's.
static uint64_t lookups_of(const struct config *c)
{
	const struct config_upstream *hosts[CONFIG_HOSTS_MAX];
	const uint64_t count = config_hosts(c, hosts);

	if (count == 0)
		return 0;
	return OF_SERVERS + (uint64_t)c->upstreams.bootstrap_count * SOCKETS_IDLE * OF_SOCKET
	       + OF_LOOKUPS + count * OF_LOOKUP;
}

static unsigned https_count(const struct config_upstream *server, unsigned count)
{
	unsigned n = 0;
	for (unsigned i = 0; i < count; i++)
		n += server[i].tls.path[0] ? config_servers_most(&server[i], 1) : 0;
	return n < CONFIG_UPSTREAMS_MAX ? n : CONFIG_UPSTREAMS_MAX;
}

// Servers over HTTPS, in each set of their own.
static unsigned https_of(const struct config *c)
{
	const struct config_forward_zone *zone[CONFIG_FORWARD_SETS_MAX];
	const unsigned zones = config_forward_sets(c, zone);
	unsigned n = https_count(c->upstreams.server, c->upstreams.count);
	for (unsigned i = 0; i < zones; i++)
		n += https_count(zone[i]->servers, zone[i]->server_count);
	for (unsigned i = 0; i < c->group_count; i++)
		n += https_count(c->groups[i].upstreams, c->groups[i].upstream_count);
	return n;
}

// Packet pools and drivers. From huge pages DPDK takes all at once; else what is reserved and never
// touched costs nothing, and all that it touches it takes while it starts.
static uint64_t eal_of(const struct config *c)
{
	const struct config_dataplane *d = &c->dataplane;
	uint64_t all = (uint64_t)d->memory_mb * MIB, workers = d->worker_count;
	uint64_t room = c->limits.udp_reply_size > ROOM_MIN ? c->limits.udp_reply_size : ROOM_MIN;
	uint64_t most = EAL_FIXED + workers * d->mbufs * (room + OF_BUFFER)
			+ 2 * d->port_count * (workers + 1) * OF_PORT;
	return d->eal_hugepages || most > all ? all : most;
}

static void charge_dataplane(struct mem_plan *p, const struct config *c)
{
	uint64_t workers = c->dataplane.worker_count;
	uint64_t marks = (uint64_t)c->cache.l0_mb * MIB / L0_UNIT * MARK_OF_UNIT;
	uint64_t resolver_rings = RINGS_MISS_RING + (uint64_t)RINGS_MISS_UNITS * RING_UNIT;
	uint64_t rings = config_resolvers(c, NULL) * resolver_rings + RINGS_LOG_UNITS * RING_UNIT;

	charge(p, MEM_PLAN_DATAPLANE, "marks", "cache.l0_mb, each worker", workers * marks,
		"dp_marks");
	charge(p, MEM_PLAN_DATAPLANE, "worker_rings", "each worker", workers * rings,
		"dp_miss_ring dp_log_ring");
	charge(p, MEM_PLAN_DATAPLANE, "packet buffers, drivers",
		c->dataplane.eal_hugepages ? "dataplane.memory_mb" : "dataplane.mbufs, each worker",
		eal_of(c),
		"dp_buffers dp_eal_heap dp_memzones dp_rx_rings dp_tx_rings dp_xdp_sockets");
	charge(p, MEM_PLAN_DATAPLANE, "rate limits", "each worker",
		(workers + 1) * LIMIT_CELLS * OF_LIMIT_CELL, "dp_limits");
	charge(p, MEM_PLAN_DATAPLANE, "workers", "each worker", workers * OF_WORKER,
		"dp_workers dp_asked dp_fairness dp_kernel_queue dp_kernel_flows dp_watched");
	charge(p, MEM_PLAN_DATAPLANE, "statistics", "each worker",
		SHM_PAGE + sizeof(struct stats_region) + workers * sizeof(struct stats_worker),
		"dp_stats dp_errors");
	charge(p, MEM_PLAN_DATAPLANE, "data plane itself", "", DATAPLANE_FIXED,
		"dp_sets dp_images dp_drops");
}

static void charge_log(struct mem_plan *p, const struct config *c)
{
	if (!c->query_log.enabled)
		return;
	charge(p, MEM_PLAN_CONTROLPLANE, "query log, batches", "query_log.enabled",
		(uint64_t)LOG_BATCHES * OF_LOG_BATCH, "log_batches log_sources log_neighbours");
	charge(p, MEM_PLAN_CONTROLPLANE, "query store, top lists", "query_log.enabled", LOG_FIXED,
		"query_store_files query_store_texts sqlite_pages query_store_queue log_readers "
		"top_sketches client_names lease_names client_ptr_waits watch");
	if (c->query_log.dnstap.socket[0])
		charge(p, MEM_PLAN_CONTROLPLANE, "dnstap, queries that wait", "query_log.dnstap",
			(uint64_t)(config_resolvers(c, NULL) + config_frontends(c, NULL))
				* KEPT_QUERIES,
			"kept_queries frontend_queries");
	if (c->query_log.clickhouse.url_count)
		charge(p, MEM_PLAN_CONTROLPLANE, "ClickHouse", "query_log.clickhouse", CLICKHOUSE,
			"clickhouse_queue clickhouse_outbox clickhouse_chunk clickhouse_spool");
}

// Each is a region while the one before it is still in use, and memory while it is made.
static void charge_lists(struct mem_plan *p, const struct config *c)
{
	struct mem_plan_lists l;
	mem_plan_lists_read(&l, c);
	p->guess = 3 * l.guess;
	charge(p, MEM_PLAN_CONTROLPLANE, "rule images, both generations",
		l.unfetched ? "blocking.lists: some never fetched" : "blocking.lists, as on disk",
		2 * l.bytes, "rule_image answer_patterns answer_prefixes");
	charge(p, MEM_PLAN_CONTROLPLANE, "building one", "blocking.lists", l.bytes, "");
}

static void charge_questions(struct mem_plan *p, const struct config *c)
{
	charge(p, MEM_PLAN_CONTROLPLANE, "questions", "limits.inflight",
		(uint64_t)c->limits.inflight * OF_QUESTION, "inflight inflight_bounds l1_lookups");
	charge(p, MEM_PLAN_CONTROLPLANE, "waiters", "", (uint64_t)WAITERS * OF_WAITER, "waiters");
	charge(p, MEM_PLAN_CONTROLPLANE, "upstream sockets", "upstreams, limits.inflight",
		config_resolvers(c, NULL) * upstreams_of(c),
		"upstream_sockets upstream_tcp upstream_tcp_queue forward_sets");
	charge(p, MEM_PLAN_CONTROLPLANE, "upstream host names", "upstreams.bootstrap",
		lookups_of(c), "upstream_hosts");
	charge(p, MEM_PLAN_CONTROLPLANE, "upstream queries over HTTPS", "upstreams",
		config_resolvers(c, NULL) * (uint64_t)https_of(c) * OF_HTTPS, "upstream_https");
	charge(p, MEM_PLAN_CONTROLPLANE, "more resolvers", "controlplane.resolvers",
		(uint64_t)(config_resolvers(c, NULL) - 1) * OF_RESOLVER, "");
	charge(p, MEM_PLAN_CONTROLPLANE, "more frontends", "controlplane.frontends",
		(uint64_t)(config_frontends(c, NULL) - 1) * OF_FRONTEND, "");
	if (c->dnssec.validate)
		charge(p, MEM_PLAN_CONTROLPLANE, "validation", "dnssec.validate",
			config_resolvers(c, NULL) * OF_VALIDATORS
				+ (uint64_t)VALIDATIONS * OF_VALIDATION,
			"validations validator_fetches validator_contexts bogus_names");
	if (c->upstreams.mode != UPSTREAM_FORWARD)
		charge(p, MEM_PLAN_CONTROLPLANE, "recursion", "upstreams.mode",
			config_resolvers(c, NULL) * OF_RECURSOR, "recursions recursor_memory");
	charge(p, MEM_PLAN_CONTROLPLANE, "upstream queries by port", "controlplane.resolvers",
		(uint64_t)config_resolvers(c, NULL) * OF_UPSTREAM_PORTS, "upstream_ports");
}

static void charge_clients(struct mem_plan *p, const struct config *c)
{
	if (c->redis.mode != REDIS_MODE_OFF)
		charge(p, MEM_PLAN_CONTROLPLANE, "Redis", "redis.buffer_kb",
			config_resolvers(c, NULL)
				* (REDIS_FIXED + ((uint64_t)c->redis.buffer_kb << 11)),
			"redis_calls redis_buffers l1_sample");
	charge(p, MEM_PLAN_CONTROLPLANE, "from balancers", "proxy_protocol.from",
		c->proxy_protocol.from_count ? (uint64_t)config_frontends(c, NULL) * OF_PROXIED : 0,
		"tcp_proxied frontend_udp_proxied");
	if (!config_has_streams(c))
		return;
	charge(p, MEM_PLAN_CONTROLPLANE, "connections", "tcp.connections",
		(uint64_t)c->tcp.connections * OF_CONNECTION,
		"tcp_connections tcp_clients tcp_claims tcp_questions");
	charge(p, MEM_PLAN_CONTROLPLANE, "their TLS", "tls.certificates",
		c->dot.enabled || c->doh.enabled ? (uint64_t)c->tcp.connections * OF_TLS : 0,
		"tls_connections");
	charge(p, MEM_PLAN_CONTROLPLANE, "their certificates", "tls.client_ca",
		c->tls.client_ca[0] ? (uint64_t)c->tcp.connections * OF_CERTIFICATE : 0,
		"tls_connections");
	charge(p, MEM_PLAN_CONTROLPLANE, "their HTTP", "doh.enabled",
		c->doh.enabled ? (uint64_t)c->tcp.connections * OF_HTTP : 0, "doh_connections");
	charge(p, MEM_PLAN_CONTROLPLANE, "their buffers", "tcp.buffer_kb",
		(uint64_t)c->tcp.buffer_kb << 10, "tcp_buffers");
}

void mem_plan_make(struct mem_plan *p, const struct config *c)
{
	const uint64_t l0 = (uint64_t)c->cache.l0_mb * MIB, resolvers = config_resolvers(c, NULL),
		       answers = FRONTEND_ANSWERS * (resolvers == 1 ? 2 : 1);

	*p = (struct mem_plan){.count = 0};
	charge(p, MEM_PLAN_CONTROLPLANE, "l0", "cache.l0_mb", l0, "l0");
	charge(p, MEM_PLAN_CONTROLPLANE, "l0, the writer's", "cache.l0_mb",
		l0 / L0_UNIT * PRIVATE_OF_UNIT, "");
	charge(p, MEM_PLAN_CONTROLPLANE, "l0, marks of frontends", "cache.l0_mb",
		l0 / L0_UNIT * MARK_OF_UNIT, "l0_marks");
	charge(p, MEM_PLAN_CONTROLPLANE, "answer rings", "each worker",
		c->dataplane.worker_count * resolvers * ANSWERS_SIZE, "dp_answer_ring");
	charge(p, MEM_PLAN_CONTROLPLANE, "rings of frontends", "controlplane",
		config_frontends(c, NULL) * resolvers * (answers + FRONTEND_MISSES),
		"frontend_rings");
	charge_lists(p, c);
	charge_questions(p, c);
	charge_clients(p, c);
	charge_log(p, c);
	charge(p, MEM_PLAN_CONTROLPLANE, "control API, histories", "", API,
		"http_requests http_connections http_listen control_connections memory_series "
		"log_recent profile_stacks why_explanations why_searches trace http_clients "
		"events event_readers event_outputs live_readers sync_polls sync_lists sync_boxes "
		"tokens "
		"lockouts user_lockouts "
		"page_lockouts known_places admin_places "
		"audit_lines config_jobs "
		"sessions passwords http_rates verb_restore");
	if (c->control.listen_count)
		charge(p, MEM_PLAN_CONTROLPLANE, "control API over HTTPS", "control.connections",
			LOGIN
				+ (uint64_t)c->control.listen_count * c->control.connections
					  * OF_CONTROL_CONN,
			"access_connections");
	charge(p, MEM_PLAN_CONTROLPLANE, "control plane itself", "", CONTROL_FIXED,
		"failures refresh_backoff refresh_plan refresh_requests refresh_minutes flush_log "
		"flush_queue rewrites upstream_names upstream_health upstream_routes "
		"views frontend_pending "
		"frontend_neighbours frontend_limits "
		"frontend_udp");
	charge_dataplane(p, c);
}

// Bytes of regions of a process that are there from a life before, and will be used or replaced.
static uint64_t regions_there(const char *folder, enum mem_plan_of of)
{
	uint64_t sum = 0;
	DIR *d = *folder ? opendir(folder) : NULL;
	for (const struct dirent *e; d && (e = readdir(d));) {
		struct stat s;
		bool theirs = shm_maker(e->d_name) == SHM_DATAPLANE;
		if (theirs == (of == MEM_PLAN_DATAPLANE)
			&& fstatat(dirfd(d), e->d_name, &s, AT_SYMLINK_NOFOLLOW) == 0
			&& S_ISREG(s.st_mode))
			sum += (uint64_t)s.st_size;
	}
	if (d)
		closedir(d);
	return sum;
}

int mem_plan_check(const struct config *c, enum mem_plan_of of, const struct shm_paths *paths,
	char why[MEM_PLAN_WHY_MAX])
{
	struct mem_plan p;
	struct mem_room room;
	const char *check = getenv("WEIR_MEMORY_CHECK");

	mem_plan_make(&p, c);
	mem_room_read(&room);
	uint64_t there = regions_there(paths->mem, of), has = mem_room_all(&room);
	if (strcmp(paths->mem, paths->huge) != 0)
		there += regions_there(paths->huge, of);
	uint64_t most = p.of[of] - (of == MEM_PLAN_CONTROLPLANE ? p.guess : 0);
	uint64_t needs = most > there ? most - there : 0;
	if (needs <= has)
		return 0;
	snprintf(why, MEM_PLAN_WHY_MAX,
		"memory: %llu MiB may be needed and %llu MiB can be had (weirctl mem plan shows "
		"the "
		"bill; WEIR_MEMORY_CHECK=off in the environment starts all the same)",
		(unsigned long long)(needs >> 20), (unsigned long long)(has >> 20));
	if (!check || strcmp(check, "off") != 0)
		return -ENOMEM;
	log_warning("%s", why);
	return 0;
}
