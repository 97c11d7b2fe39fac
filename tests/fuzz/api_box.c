// SPDX-License-Identifier: BSD-3-Clause
#include "api_box.h"

#include "controlplane/querylog/sinks/sink_thread.h"
#include "resolver_box.h"
#include "tests/unit/cp/querylog/store/query_rows.h"

#include <weir/stats_read.h>

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

static void file_write(const char *path, const char *text)
{
	FILE *f = fopen(path, "w");
	FUZZ_CHECK(f && fputs(text, f) >= 0 && fclose(f) == 0);
}

// An address of this process alone, as others listen beside it.
static void config_open(void)
{
	char path[128], text[TEXT_MOST], why[CONFIG_WHY_MAX] = "";
	unsigned pid = (unsigned)getpid();
	snprintf(path, sizeof(path), "%.90s/ads", box.paths.run);
	file_write(path, "0.0.0.0 ads.example\n||x.ads.example^\n");
	int n = snprintf(text, sizeof(text), config_text, 1 + (pid >> 14) % 250, (pid >> 7) % 128,
		1 + pid % 128, box.paths.run);
	FUZZ_CHECK(n > 0 && n < (int)sizeof(text));
	snprintf(path, sizeof(path), "%.90s/weir.yaml", box.paths.run);
	file_write(path, text);
	if (config_load(path, &config, why) < 0)
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

// Port 1 is nobody's, and it is not tried again.
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

void api_box_open(struct api_deps *deps)
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

void api_box_reset(
	bool is_off, enum api_box_outcome outcome, const uint8_t *changes, size_t changes_len)
{
	toggles_reset(&toggles);
	if (is_off)
		FUZZ_CHECK(toggle_set(&toggles, TOGGLE_API, "off") == 0);
	outcome_now = outcome;
	stats_change(changes, changes_len);
}

int api_box_connect(void)
{
	struct sockaddr_storage to;
	socklen_t len;
	FUZZ_CHECK(socket_address_to_sockaddr(&config->metrics.address, &to, &len));
	int fd = socket(to.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	FUZZ_CHECK(fd >= 0 && connect(fd, (struct sockaddr *)&to, len) == 0);
	return fd;
}
