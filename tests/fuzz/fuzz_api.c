// SPDX-License-Identifier: BSD-3-Clause

// A request of any client of the control socket, or of a scraper over the network, with any path
// and any parameters, to the real API over a real resolver, a query log with its tail and its
// watch, a history of memory, and the doubles of its unit test for the rules; of a box with
// everything, whose data plane says anything in its statistics, or of one with little.
// Each gets one whole reply, whose JSON a parser takes, or the begin of a stream, which is hung up
// on.
//
// The first byte: enum; the rest is the target, up to a NUL, and behind that changes to the
// statistics, which are the body of a PUT, too. Bytes that would end the target are changed.

#include "controlplane/api/api.h"
#include "controlplane/memory/memory_meter.h"
#include "controlplane/querylog/querylog.h"
#include "controlplane/querylog/sinks/sink_thread.h"
#include "controlplane/querylog/sinks/tail.h"
#include "controlplane/querylog/watch.h"
#include "resolver_box.h"
#include "tests/unit/cp/api/api_rooms_double.h"
#include "tests/unit/cp/querylog/store/query_rows.h"

#include <event2/event.h>
#include <jansson.h>

#include <weir/stats_read.h>

// All that an API of a box with everything knows, around the resolver's box (resolver_box.h): a
// configuration with groups, schedules and services, toggles, a ClickHouse sink without a server,
// an output, a query store with rows, metrics over loopback, and the statistics of a data plane
// that lives and may say anything. One in a program, until its end.

enum api_box_outcome { API_BOX_FINE, API_BOX_LATER, API_BOX_BAD, API_BOX_BUSY };

enum { WORKERS = 2, PORTS = 2, GROUPS = 3, TEXT_MOST = 4096 };

static const char config_text[] =
	"dataplane: {ports: [{device: net_null0}], service_addresses: [198.18.0.53/24]}\n"
	"upstreams: {servers: [{address: 9.9.9.9}]}\n"
	"clients: [{name: pc, addresses: [198.18.0.9], macs: ['02:00:00:00:00:09']}]\n"
	"metrics: {listen: '127.%u.%u.%u:9153', allow: [127.0.0.0/8, 192.0.2.0/24, '::1']}\n"
	"forward_zones: [{name: corp.example, servers: [9.9.9.10]}]\n"
	"local: {records: [{name: nas.lan, type: A, value: 192.0.2.1}]}\n"
	"blocking:\n"
	"  lists: [{name: ads, path: '%.90s/ads'}, {name: gone, path: /nowhere/gone}]\n"
	"  allow: [good.example]\n"
	"  deny: [bad.example, '/^ad[0-9]+[.]/']\n"
	"  services: [youtube, tiktok]\n"
	"  safe_search: {google: strict, youtube: moderate}\n"
	"  schedules: [{name: night, days: [mon, sun], from: '22:00', to: '06:00', block_all: "
	"true},\n"
	"    {name: day, from: '08:00', to: '12:00', services: [tiktok], lists: [ads], pause: "
	"true}]\n"
	"groups:\n"
	"- {name: bed, clients: [198.18.0.3, '02:00:00:00:00:07', 'fd53::/64'], lists: [ads],\n"
	"   allow: [x.example], deny: [y.example], services: [facebook], safe_search: {bing: "
	"strict},\n"
	"   block: {mode: address, ipv4: 192.0.2.9},\n"
	"   local_records: [{name: a.lan, type: CNAME, value: nas.lan}],\n"
	"   forward_zones: [{name: b.example, servers: [9.9.9.11]}],\n"
	"   schedules: [{name: late, days: [sat], from: '23:00', to: '01:00', domains: "
	"[z.example]}]}\n"
	"- {name: open, clients: [198.18.0.4], blocking: false, inherit: false,\n"
	"   block: {mode: nodata}}\n";

static struct config *config;
static struct toggles toggles;
static struct clickhouse *clickhouse;
static struct sink_thread *output;
static struct query_store *store;
static struct region stats;
static uint8_t *intact;
static size_t stats_size;
static enum api_box_outcome outcome_now;

static void file_write(const char *file, const char *text)
{
	FILE *f = fopen(file, "w");
	FUZZ_CHECK(f && fputs(text, f) >= 0 && fclose(f) == 0);
}

// An address of this process alone, as others listen beside it.
static void config_open(void)
{
	char file[128], text[TEXT_MOST], why[CONFIG_WHY_MAX] = "";
	unsigned pid = (unsigned)getpid();
	snprintf(file, sizeof(file), "%.90s/ads", box.paths.run);
	file_write(file, "0.0.0.0 ads.example\n||x.ads.example^\n");
	int n = snprintf(text, sizeof(text), config_text, 1 + (pid >> 14) % 250, (pid >> 7) % 128,
		1 + pid % 128, box.paths.run);
	FUZZ_CHECK(n > 0 && n < (int)sizeof(text));
	snprintf(file, sizeof(file), "%.90s/weir.yaml", box.paths.run);
	file_write(file, text);
	if (config_load(file, &config, why) < 0)
		fprintf(stderr, "%s\n", why);
	FUZZ_CHECK(config);
}

static void store_open(const char *folder)
{
	const struct query_store_settings settings = {
		.folder = folder, .hours = 10, .max_bytes = 16 << 20};
	FUZZ_CHECK(query_rows_write(folder) == 0);
	FUZZ_CHECK(query_store_open(&store, &settings) == 0);
}

// No server listens on port 1, and the sender does not try again.
static void clickhouse_begin(void)
{
	char folder[128];
	snprintf(folder, sizeof(folder), "%.90s/spool", box.paths.run);
	const struct clickhouse_settings s = {
		.client = {.urls = {"http://127.0.0.1:1"}, .user = "u", .password = "p"},
		.schema = {.database = "weir", .table = "queries", .hours = 9},
		.box = "fuzz",
		.folder = folder,
		.spool_max_bytes = 1 << 20,
		.flush_ms = 1000,
		.retry_min_ms = 3600000,
		.retry_max_ms = 3600000};
	FUZZ_CHECK(clickhouse_open(&clickhouse, &s) == 0);
}

static void nothing_take(void *, const struct querylog_batch *)
{
}

static void nothing_beat(void *, uint64_t)
{
}

static void nothing_end(void *)
{
}

static void output_open(void)
{
	const struct sink_work work = {.name = "request log",
		.table = "request_log",
		.take = nothing_take,
		.beat = nothing_beat,
		.end = nothing_end};
	const struct sink_status status = {.name = "request log",
		.target = "/var/log/weir",
		.failing = true,
		.why = "no space left",
		.retry_in_ms = 1000};
	FUZZ_CHECK(sink_thread_start(&output, &work) == 0);
	sink_thread_show(output, &status);
}

static void stats_open(void)
{
	char why[SHM_WHY_MAX] = "";
	const struct region_spec spec = {.name = "stats",
		.kind = REGION_STATS,
		.generation = 1,
		.incarnation = box.dp.incarnation,
		.data_size = sizeof(struct stats_region) + WORKERS * sizeof(struct stats_worker),
		.geometry = {WORKERS, PORTS, VERDICT_COUNT, COUNTER_COUNT, STATS_WORKER_TABLES,
			STATS_PROCESS_TABLES}};
	FUZZ_CHECK(region_create(&box.paths, &spec, &stats, why) == 0);
	stats_size = spec.data_size;
	struct stats_region *s = region_data(&stats);
	s->pid = 1234;
	s->config_generation = s->policy_generation = s->tsc_hz = 1;
	s->port[0].is_xdp = 1;
	snprintf(s->port[0].name, sizeof(s->port[0].name), "net_null0");
	s->port[1].is_exception = 1;
	s->errors.count = 1;
	s->errors.error[0] = (struct stats_error){.id = 7, .count = 2, .text = "of\na \"kind\""};
	s->worker[1].verdict[VERDICT_hit] = 7;
	s->worker[1].counter[COUNTER_rx_frames] = 7;
	intact = malloc(stats_size);
	FUZZ_CHECK(intact);
	memcpy(intact, region_data(&stats), stats_size);
	region_publish(&stats);
}

static void stats_change(const uint8_t *data, size_t len)
{
	uint8_t *to = region_data(&stats);
	memcpy(to, intact, stats_size);
	((struct stats_region *)region_data(&stats))->heartbeat_ms = clock_mono_ms();
	while (len > 3) {
		size_t at = get_u16(data) % stats_size, n = data[2];
		data += 3, len -= 3;
		n = n < len ? n : len;
		memcpy(to + at, data, n < stats_size - at ? n : stats_size - at);
		data += n, len -= n;
	}
}

static const struct config *current(void *)
{
	return config;
}

static const struct policy_group *groups_current(void *)
{
	static struct policy_group group[GROUPS];
	for (unsigned i = 0; i < GROUPS; i++) {
		group[i].lists[0] = i == 1 ? 5 : 7;
		group[i].block.mode = (uint8_t)i;
		group[i].block_all = i == 1;
	}
	return group;
}

static void group_now(void *, unsigned group, struct group_now *out)
{
	*out = (struct group_now){.mask = {.active = 3, .paused = group == 2},
		.pause_left_s = group,
		.next_change = 1774742400};
}

static int group_pause(void *, const char *name, unsigned)
{
	return strcmp(name, "bed") == 0 ? 0 : strcmp(name, "open") == 0 ? -ERANGE : -ENOENT;
}

static int apply(void *, const struct apply_request *, api_config_done done, void *done_arg)
{
	if (outcome_now == API_BOX_BUSY)
		return -EBUSY;
	if (outcome_now == API_BOX_BAD)
		done(done_arg, -EINVAL, "weir.yaml:1:1: bad", "");
	else
		done(done_arg, 0, "", outcome_now == API_BOX_LATER ? "dataplane.ports" : "");
	return 0;
}

// The managed part, which no verb changes here, and a file with items of each kind.
static const char *managed_text(void *)
{
	return outcome_now == API_BOX_BUSY
		       ? "entries: ["
		       : "entries: [{name: a.example, verdict: deny}]\n"
			 "blocking: {lists: [{name: mine, path: /a}], disabled_lists: [other]}\n"
			 "local: {records: [{name: nas.lan, type: A, value: 192.0.2.1}]}\n"
			 "upstreams: {servers: [{address: 192.0.2.53}]}\n"
			 "group_members: [{group: kids, client: 192.0.2.7}]\n";
}

static const struct config_bundle *config_bundle(void *)
{
	static char file[] = "/etc/weir/weir.yaml";
	static char text[] = "blocking: {deny: [filed.example], lists: [{name: filed, path: /b}],\n"
			     "  disabled_lists: [filed]}\n"
			     "local: {records: [{name: box.lan, type: A, value: 192.0.2.1}]}\n"
			     "groups: [{name: kids, clients: [192.0.2.9], allow: [x.example]}]\n"
			     "upstreams: {servers: [{address: 9.9.9.9}]}\n";
	static const struct config_bundle b = {
		.main = {.path = file, .bytes = text, .len = sizeof(text) - 1}};
	return &b;
}

static int toggles_set(void *, const struct toggles *wanted, api_config_done done, void *done_arg)
{
	if (outcome_now == API_BOX_BUSY)
		return -EBUSY;
	if (outcome_now != API_BOX_BAD)
		toggles = *wanted;
	done(done_arg, outcome_now == API_BOX_BAD ? -ENOMEM : 0, "", "");
	return 0;
}

// After box_open: fills what is there, all but sockets and doubles.
static void api_box_open(struct api_deps *deps)
{
	config_open();
	store_open(box.paths.run);
	clickhouse_begin();
	output_open();
	stats_open();
	toggles_reset(&toggles);
	deps->store = store;
	deps->clickhouse = clickhouse;
	deps->toggles = &toggles;
	deps->outputs = &output;
	deps->output_count = 1;
	deps->metrics = &config->metrics;
	deps->config_path = config->path;
	deps->config_current = current;
	deps->groups_current = groups_current;
	deps->group_now = group_now;
	deps->group_pause = group_pause;
	deps->config_apply = apply;
	deps->managed_text = managed_text;
	deps->config_bundle = config_bundle;
	deps->toggles_set = toggles_set;
}

// Before each input: toggles as usual, the control API's `off` or not; what a reload comes to; the
// data plane's statistics with `changes`, each its place (two bytes), its length (one) and its
// bytes.
static void api_box_reset(
	bool is_off, enum api_box_outcome outcome, const uint8_t *changes, size_t changes_len)
{
	toggles_reset(&toggles);
	if (is_off)
		FUZZ_CHECK(toggle_set(&toggles, TOGGLE_API, "off") == 0);
	outcome_now = outcome;
	stats_change(changes, changes_len);
}

// to `metrics.listen`
static int api_box_connect(void)
{
	struct sockaddr_storage to;
	socklen_t len;
	FUZZ_CHECK(socket_address_to_sockaddr(&config->metrics.address, &to, &len));
	int fd = socket(to.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	FUZZ_CHECK(fd >= 0 && connect(fd, (struct sockaddr *)&to, len) == 0);
	return fd;
}

enum {
	IS_POST = 1,
	IS_BARE = 2,      // of the box with little; all else is of the other:
	OVER_NETWORK = 4, // to metrics.listen
	IS_OFF = 8,       // the toggle api
	OUTCOME = 16,     // enum api_box_outcome, two bits: of a reload
	IS_PUT = 64,
	TARGET_MOST = 600,
	INPUT_MOST = 4096,
	REQUEST_MOST = TARGET_MOST + INPUT_MOST + 96,
	PATIENCE_TURNS = 100000,
	QUIET_TURNS = 1000
};

static const char *const stream_types[] = {
	"Content-Type: application/x-ndjson", "Content-Type: text/event-stream"};

static struct api *bare, *whole;
static char bare_path[sizeof(path)];
static struct querylog *log_of_queries;
static struct tail *tail;
static struct watch *watch;
static struct memory_meter *meter;
static struct events *events;

static const struct config *bare_config(void *)
{
	static char directory[] = "/";
	static const struct config none = {.runtime = {.state_directory = directory}};
	return &none;
}

static int bare_apply(void *, const struct apply_request *, api_config_done, void *)
{
	return -EBUSY;
}

static void log_open(void)
{
	static const struct querylog_settings settings = {.box = "fuzz"};
	FUZZ_CHECK(querylog_open(&log_of_queries, &settings) == 0);
	FUZZ_CHECK(watch_open(&watch) == 0 && tail_open(&tail) == 0);
	querylog_set_watch(log_of_queries, watch_put, watch);
	const struct querylog_sink sink = tail_sink(tail);
	FUZZ_CHECK(querylog_add(log_of_queries, &sink) == 0);
	FUZZ_CHECK(resolver_set_log(box.resolver, log_of_queries, &box.config) == 0);
	FUZZ_CHECK(querylog_start(log_of_queries) == 0);
}

static void events_begin(void)
{
	FUZZ_CHECK(events_open(&events, "box") == 0);
	events_add(events, EVENT_list_failed, EVENT_FIELDS({"list", "a\xff\n\"b\""}), "list %s",
		"\x01\x80");
}

static void meter_open(void)
{
	char history[96];
	snprintf(history, sizeof(history), "%.63s/memory.history", box.paths.run);
	FUZZ_CHECK(memory_meter_open(&meter, history) == 0);
}

// Its socket is the one that client_connect knows.
static void whole_open(void)
{
	char why[API_WHY_MAX];
	snprintf(path, sizeof(path), "%.63s/" SHM_NAME_CONTROL_SOCKET, box.paths.run);
	struct api_deps deps = {.service = box.loop,
		.resolvers = &box.all,
		.publisher = box.publisher,
		.log = log_of_queries,
		.tail = tail,
		.watch = watch,
		.meter = meter,
		.events = events,
		.top = top_double(),
		.socket_path = path,
		.state_directory = box.paths.run};
	api_box_open(&deps);
	FUZZ_CHECK(api_open(&whole, &deps, why) == 0);
}

static void bare_open(void)
{
	char why[API_WHY_MAX];
	snprintf(bare_path, sizeof(bare_path), "%.63s/bare.sock", box.paths.run);
	const struct api_deps deps = {.service = box.loop,
		.resolvers = &box.all,
		.publisher = box.publisher,
		.socket_path = bare_path,
		.state_directory = box.paths.run,
		.config_path = "",
		.config_current = bare_config,
		.config_apply = bare_apply};
	FUZZ_CHECK(api_open(&bare, &deps, why) == 0);
}

// What is in L0 before each input: one may flush it.
static void names_ask(void)
{
	static struct fake_answer answer;
	static const struct fake_miss misses[] = {{.name = "a.example", .type = 1, .id = 1},
		{.name = "x.ads.example", .type = 1, .id = 2},
		{.name = "b.a.example", .type = 28, .id = 3}};
	for (unsigned i = 0; i < ARRAY_LEN(misses); i++)
		FUZZ_CHECK(fake_dataplane_ask(&box.dp, &misses[i]));
	fake_dataplane_ring(&box.dp);
	box_settle();
	while (fake_dataplane_answer(&box.dp, &answer, 0))
		continue;
}

FUZZ_BEGIN
{
	signal(SIGPIPE, SIG_IGN); // as the control plane does
	box_open();
	log_open();
	meter_open();
	events_begin();
	box_link();
	log_init("fuzz", LOG_LEVEL_ERROR);
	whole_open();
	bare_open();
	names_ask();
	return 0;
}

// A request line that ends where it should, and a body.
static int request_make(const uint8_t *data, size_t len, const uint8_t *body, size_t body_len,
	char out[REQUEST_MOST])
{
	char target[TARGET_MOST + 1];
	for (size_t i = 1; i < len; i++)
		target[i - 1] = (char)(data[i] <= ' ' || data[i] == 0x7f ? '+' : data[i]);
	target[len - 1] = '\0';
	if (!(data[0] & IS_PUT))
		return sprintf(out, "%s /%s HTTP/1.1\r\nHost: [::1]\r\nConnection: close\r\n\r\n",
			data[0] & IS_POST ? "POST" : "GET", target);
	const int head = sprintf(out,
		"PUT /%s HTTP/1.1\r\nHost: [::1]\r\nConnection: close\r\n"
		"Content-Length: %zu\r\n\r\n",
		target, body_len);
	memcpy(out + head, body, body_len);
	return head + (int)body_len;
}

// Its head and its first line, where it has one at once, are there.
static bool is_stream(size_t len)
{
	reply[len] = '\0';
	bool is = false;
	for (size_t i = 0; i < ARRAY_LEN(stream_types); i++)
		is |= strstr(reply, stream_types[i]) != NULL;
	return is && strstr(reply, "\r\n\r\n");
}

// Everything until the server closes, or a stream has begun. Explanations and searches have threads
// of their own.
static size_t reply_read(int fd)
{
	size_t len = 0;
	for (unsigned i = 0; i < PATIENCE_TURNS; i++) {
		box_turn();
		while (box_upstream_answer())
			continue;
		ssize_t n = recv(fd, reply + len, sizeof(reply) - 1 - len, MSG_DONTWAIT);
		if (n == 0) {
			reply[len] = '\0';
			return len;
		}
		if (n > 0)
			len += (size_t)n;
		if (n > 0 && is_stream(len))
			return len;
		else if (i > QUIET_TURNS)
			usleep(100);
		if (len == sizeof(reply) - 1)
			len = sizeof(reply) / 2; // of one that is longer, only that it ends
	}
	FUZZ_CHECK(!"a reply");
	return 0;
}

static void reply_check(size_t len)
{
	unsigned status = 0;
	FUZZ_CHECK(len > 12 && sscanf(reply, "HTTP/1.1 %3u", &status) == 1);
	FUZZ_CHECK(status >= 200 && status < 600);
	const char *body = strstr(reply, "\r\n\r\n");
	FUZZ_CHECK(body);
	if (!strstr(reply, "Content-Type: application/json") || len >= sizeof(reply) / 2)
		return;
	for (const char *c = body + 4; *c; c++)
		FUZZ_CHECK((uint8_t)*c >= ' ' || *c == '\n');
	json_error_t error;
	json_t *root = json_loads(body + 4, JSON_REJECT_DUPLICATES, &error);
	FUZZ_CHECK(json_is_object(root));
	json_decref(root);
}

static int connect_to(uint8_t how)
{
	char usual[sizeof(path)];
	if (!(how & IS_BARE))
		return how & OVER_NETWORK ? api_box_connect() : client_connect();
	memcpy(usual, path, sizeof(usual));
	memcpy(path, bare_path, sizeof(path));
	int fd = client_connect();
	memcpy(path, usual, sizeof(path));
	return fd;
}

FUZZ_BODY(data, len)
{
	char request[REQUEST_MOST];
	if (len < 1 || len > INPUT_MOST)
		return 0;
	const uint8_t *end = memchr(data + 1, '\0', len - 1);
	size_t target_len = end ? (size_t)(end - data) : len;
	size_t changes_len = end ? len - target_len - 1 : 0;
	if (target_len > TARGET_MOST)
		return 0;
	api_box_reset(
		data[0] & IS_OFF, data[0] / OUTCOME % 4, data + len - changes_len, changes_len);
	int n = request_make(data, target_len, data + len - changes_len, changes_len, request);
	// This one takes the seconds that it says, 30 without.
	if (memmem(request, (size_t)n, " /profile/cpu", 13)
		&& !memmem(request, (size_t)n, "seconds=0", 9))
		return 0;
	int fd = connect_to(data[0]);
	FUZZ_CHECK(send(fd, request, (size_t)n, MSG_NOSIGNAL) == n);
	reply_check(reply_read(fd));
	close(fd);
	if (data[0] & IS_POST)
		names_ask();
	return 0;
}
