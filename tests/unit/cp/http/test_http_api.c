// SPDX-License-Identifier: BSD-3-Clause
// The control API over its real socket, loop and HTTP server; all else ends in functions here.

#include "api_rig.h"
#include "controlplane/answer_policy/why/why_out.h"
#include "controlplane/answer_policy/why/why_read.h"
#include "controlplane/api/api.h"
#include "controlplane/api/api_server.h"
#include "controlplane/memory/heap.h"
#include "controlplane/memory/toggles.h"
#include "controlplane/resolver/resolvers.h"
#include "controlplane/route/host_board.h"
#include "controlplane/route/route_board.h"
#include "controlplane/shm/publish.h"
#include "tests/unit/cp/api/api_rooms_double.h"
#include "tests/unit/cp/http/http_client.h"
#include "tests/unit/passed_files.h"

#include <arpa/inet.h>
#include <grp.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <weir/config/managed.h>
#include <weir/config/versions.h>
#include <weir/log_msg.h>
#include <weir/shm_abi.h>

// In place of the C library's umask(), which changes the whole process: counts who calls it.

static unsigned umask_calls;

mode_t umask(mode_t)
{
	umask_calls++;
	return 0022;
}

// For test_http_api: a jemalloc whose profiles are as the test says, the result of a request for
// one, and sockets. heap.c takes jemalloc as present if there is a mallctl.

static struct {
	_Atomic bool can_profile;
	_Atomic size_t bytes; // of a dump
	_Atomic unsigned dumps;
} double_heap;

int mallctl(const char *name, void *out, size_t *, void *in, size_t);
int mallctl(const char *name, void *out, size_t *, void *in, size_t)
{
	if (strcmp(name, "opt.prof") == 0) {
		*(bool *)out = double_heap.can_profile;
		return 0;
	}
	if (strcmp(name, "prof.dump") != 0)
		return ENOENT;
	int fd = open(*(const char **)in, O_WRONLY | O_CLOEXEC);
	int rc = fd < 0 || ftruncate(fd, (off_t)double_heap.bytes) < 0;
	if (rc == 0 && double_heap.bytes > 4)
		rc = pwrite(fd, "heap", 4, 0) != 4;
	if (fd >= 0)
		close(fd);
	double_heap.dumps++;
	return rc ? EFAULT : 0;
}

// Asks until it is 429, which a machine that takes dumps so slowly that none comes too soon says
// later; the other replies are `status` all of them.
static void heap_double_limited(const char *request, int status)
{
	int got = 0;
	for (unsigned tries = 0; got != 429 && tries < 20; tries++) {
		got = ask(request);
		if (got != 429)
			assert_int_equal(got, status);
	}
	assert_int_equal(got, 429);
}

TEST(test_heap_dumps)
{
	// None was taken, so none was taken just now.
	for (unsigned i = 0; i < 2; i++)
		assert_reply("GET /debug/heap", 409, "no heap profiles");
	assert_int_equal(double_heap.dumps, 0);
	double_heap.can_profile = true;
	double_heap.bytes = 4096;
	assert_reply("GET /debug/heap", 200, "heap");
	heap_double_limited("GET /debug/heap", 200);
	// One that is too large took as long as one that is sent.
	double_heap.bytes = (size_t)HEAP_DUMP_MAX + 1;
	int status = 429;
	WAIT_FOR(status != 429, status = ask("GET /debug/heap"));
	assert_int_equal(status, 500);
	heap_double_limited("GET /debug/heap", 500);
	// A new rate forgets the samples, so a baseline is taken before: no more often than dumps.
	// This jemalloc then refuses the rate.
	assert_reply("POST /heap/on?sample_lg=12", 500, "heap profile");
	heap_double_limited("POST /heap/on?sample_lg=12", 500);
}

TEST(test_profiles)
{
	assert_reply("GET /profile/cpu?seconds=0", 400, "seconds");
	assert_reply("GET /profile/cpu?seconds=101", 400, "seconds");
	assert_reply("POST /profile/alloc", 405, "GET");
	assert_reply("GET /profile/alloc", 200, "heap profile: ");
	assert_reply("GET /profile/threads", 200, "threads profile: total ");
	assert_reply("GET /profile/alloc", 200, "MAPPED_LIBRARIES:");
}

static int listener_make(const char *address, struct sockaddr_in *at)
{
	socklen_t len = sizeof(*at);
	const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), on = 1;
	*at = (struct sockaddr_in){.sin_family = AF_INET};
	assert_int_equal(inet_pton(AF_INET, address, &at->sin_addr), 1);
	assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)), 0);
	assert_int_equal(bind(fd, (struct sockaddr *)at, sizeof(*at)), 0);
	assert_int_equal(listen(fd, 1), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)at, &len), 0);
	return fd;
}

// A client at 127.7.7.7, and the server that it asks, at 127.8.8.8. What the log hides of clients
// stands in no reply to anybody.
TEST(test_hidden_clients)
{
	struct sockaddr_in at, from = {.sin_family = AF_INET};
	const int listener = listener_make("127.8.8.8", &at);
	const int client = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(inet_pton(AF_INET, "127.7.7.7", &from.sin_addr), 1);
	assert_int_equal(bind(client, (struct sockaddr *)&from, sizeof(from)), 0);
	assert_int_equal(connect(client, (struct sockaddr *)&at, sizeof(at)), 0);
	const int server = accept(listener, NULL, NULL);
	assert_true(server >= 0);
	assert_reply("GET /connections", 200, "\"peer\":\"127.7.7.7:", "\"peer\":\"127.7.7.7\"");
	config.query_log.anonymize = LOG_CLIENTS_TRUNCATED;
	assert_reply("GET /connections", 200, "\"peer\":\"127.7.7.0\",\"unread\"",
		"\"peer\":\"127.7.7.0\",\"sockets\":1,", "\"peer\":\"127.8.8.8:");
	assert_null(strstr(reply, "\"peer\":\"127.7.7.7"));
	assert_reply("GET /tcp", 200, "\"busiest\":\"198.18.0.0\"");
	config.query_log.anonymize = LOG_CLIENTS_HASHED;
	assert_reply("GET /connections", 200, "\"peer\":\"0000000000000000\",\"sockets\":1,");
	assert_null(strstr(reply, "\"peer\":\"127.7.7"));
	assert_reply("GET /tcp", 200, "\"busiest\":\"0000000000000000\"");
	config.query_log.anonymize = LOG_CLIENTS_WHOLE;
	close(server);
	close(client);
	close(listener);
}

// For test_http_api: what a reload of the configuration and the setting of a toggle come to.

static int apply(void *arg, const struct apply_request *r, api_config_done done, void *done_arg)
{
	assert_true(r->from_disk && r->who && r->what);
	if (*(int *)arg < 0)
		fail_msg("reloaded");
	else if (*(int *)arg == 0)
		done(done_arg, -EINVAL, "weir.yaml:1:1: bad", "");
	else if (*(int *)arg == 1)
		done(done_arg, 0, "", "dataplane.ports");
	else if (*(int *)arg == 3)
		done(done_arg, ENOENT, "reloaded; list \"gone\": no such file", "");
	else
		return -EBUSY;
	return 0;
}
static int reload_outcome;

// The replies to changes of the configuration.
TEST(test_config_changes)
{
	reload_outcome = 1;
	assert_reply("POST /config/reload", 200, "\"needs_restart\":\"dataplane.ports\"");
	reload_outcome = 0;
	assert_reply("POST /config/reload", 400, "\"error\":\"weir.yaml:1:1: bad\"");
	reload_outcome = 2;
	assert_reply("POST /config/reload", 503, "\"error\"");
	reload_outcome = 3;
	assert_reply("POST /config/apply", 200,
		"\"warning\":\"reloaded; list \\\"gone\\\": no such file\"");
	// No number comes round to a version that nobody asked for.
	reload_outcome = -1;
	assert_reply("POST /config/rollback?version=4294967297", 400, "version: must be 1 to");
	assert_reply("POST /config/rollback?version=18446744073709551617", 400, "version: must be");
}

static struct api_reload last_reload;

static const struct api_reload *last_reload_double(void *)
{
	return &last_reload;
}

// What came of reloads is in the status, in the metrics and in ready.
TEST(test_last_reload)
{
	assert_reply("GET /metrics", 200, "\nweir_config_last_reload_successful 1\n",
		"\nweir_config_restart_pending 0\n");
	last_reload = (struct api_reload){.tried_unix_s = 1700000100,
		.loaded_unix_s = 1700000000,
		.err = -EINVAL,
		.why = "weir.yaml:1:1: bad",
		.restart_count = 2,
		.restart = "dataplane.mbufs, dataplane.ports"};
	assert_reply("GET /status", 200, "\"restart_pending\":2",
		"\"needs_restart\":\"dataplane.mbufs, dataplane.ports\"",
		"\"why\":\"weir.yaml:1:1: bad\"");
	assert_reply("GET /ready", 503, "the last reload of the configuration failed: weir.yaml");
	assert_reply("GET /ready?strict=2", 400, "strict: must be 0 or 1");
	assert_reply("GET /metrics", 200, "\nweir_config_last_reload_successful 0\n",
		"\nweir_config_last_reload_timestamp_seconds 1700000100\n",
		"\nweir_config_loaded_timestamp_seconds 1700000000\n",
		"\nweir_config_restart_pending 2\n");
	last_reload = (struct api_reload){0};
	assert_reply("GET /status", 200, "\"ok\":true");
}

static struct toggles toggles;
static struct {
	struct toggles wanted;
	int rc, err;
} set_double;

static int toggles_set(void *, const struct toggles *wanted, api_config_done done, void *done_arg)
{
	set_double.wanted = *wanted;
	if (set_double.rc == 0)
		done(done_arg, set_double.err, set_double.err ? "no memory" : "", "");
	return set_double.rc;
}

// A toggle reads no file, and is in force only once the application says so.
TEST(test_toggles)
{
	reload_outcome = -1; // fails the test
	assert_reply("GET /toggles", 200, "{\"name\":\"refresh\",");
	assert_reply("POST /set?toggle=upstream.recycle&value=7", 200, "{\"ok\":true}");
	assert_int_equal(set_double.wanted.value[TOGGLE_UPSTREAM_RECYCLE], 7);
	assert_int_equal(set_double.wanted.value[TOGGLE_REFRESH], toggle_usual(TOGGLE_REFRESH));
	assert_int_equal(
		toggles.value[TOGGLE_UPSTREAM_RECYCLE], toggle_usual(TOGGLE_UPSTREAM_RECYCLE));
	toggles = set_double.wanted;
	assert_reply("POST /set?toggle=refresh&value=off", 200, "{\"ok\":true}");
	assert_int_equal(set_double.wanted.value[TOGGLE_REFRESH], 0);
	assert_int_equal(set_double.wanted.value[TOGGLE_UPSTREAM_RECYCLE], 7);
	set_double.err = -ENOMEM;
	assert_reply("POST /set?toggle=refresh&value=off", 500, "no memory");
	set_double.rc = -EBUSY;
	assert_reply("POST /set?toggle=refresh&value=off", 503, "\"error\"");
	set_double.rc = set_double.err = 0;
	assert_reply("POST /set?toggle=refresh&value=7", 400, "refresh: takes on, off, or default");
	assert_reply("POST /set?toggle=none&value=off", 404, "no toggle \\\"none\\\"");
	assert_reply("POST /set?toggle=query-log&value=off", 404,
		"no toggle \\\"query-log\\\"; did you mean \\\"query_log\\\"?");
	toggles_reset(&toggles);
}

// For test_http_api: the rest of the box, as those of api_rooms_double.h are.

// In place of the publisher's own (--wrap in tests/unit/meson.build).
struct directory *__wrap_publisher_directory(struct publisher *p);
const struct shm_paths *__wrap_publisher_paths(const struct publisher *p);
bool __wrap_publisher_closes(const struct publisher *p, uint64_t now_ms);
void __wrap_publish_watch(struct publisher *p, const struct dp_watch *w);
void __wrap_publish_status(const struct publisher *p, struct publish_status *out);

// The directory of a publisher.
struct directory *__wrap_publisher_directory(struct publisher *)
{
	static struct directory dir;
	return &dir;
}

static void drops_double_check(void)
{
	assert_reply("POST /drops/add?source=198.18.0.0/24&minutes=2", 200,
		"{\"source\":\"198.18.0.0/24\",\"left_ms\":120000,\"warning\":\"\"}");
	assert_reply("GET /drops", 200, "{\"drops\":[{\"source\":\"198.18.0.0/24\",\"left_ms\":1");
	assert_reply("POST /drops/add?source=198.18.0.9/15&minutes=2", 400,
		"the whole network is 198.18.0.0/15");
	assert_reply("POST /drops/add?source=198.0.0.0/7&minutes=2", 400, "at least /8");
	assert_reply("POST /drops/add?source=nobody&minutes=2", 400, "is not an IP address");
	assert_reply("POST /drops/add?minutes=2", 400, "source: is missing");
	assert_reply("POST /drops/add?source=198.18.0.9&minutes=1441", 400, "must be 1 to 1440");
	assert_reply("POST /drops/remove?source=198.18.0.9/24", 200, "\"left_ms\":0");
	assert_reply("POST /drops/remove?source=198.18.0.9/24", 200, "is not dropped",
		"\"unchanged\":true");
}

// The group of all clients has settings, no other group has any, and pauses are noted.
static pthread_t groups_loop, groups_own; // the threads of the reply, and of the texts

static void group_now(void *, unsigned group, struct group_now *out)
{
	groups_loop = pthread_self();
	assert_int_equal(group, 0);
	*out = (struct group_now){.mask = {.active = 1, .block_all = true},
		.pause_left_s = 61,
		.next_change = 1774742400};
}

static const struct config_bundle *bundle_now(void *)
{
	static const struct config_bundle none;
	return &none;
}

static int groups_own_rc;

int __wrap_config_groups_own(
	const struct config_bundle *b, const struct config_own_use *use, void *arg);
int __wrap_config_groups_own(
	const struct config_bundle *b, const struct config_own_use *use, void *arg)
{
	assert_ptr_not_equal(b, bundle_now(NULL)); // a copy
	groups_own = pthread_self();
	use->group(arg, "kids");
	return groups_own_rc;
}

static struct {
	char name[32];
	unsigned minutes;
	int err;
} paused;

static int group_pause(void *, const char *name, unsigned minutes)
{
	snprintf(paused.name, sizeof(paused.name), "%s", name);
	paused.minutes = minutes;
	return paused.err;
}

static void groups_double_fill(struct config *c)
{
	static char name[] = "bed";
	static struct config_schedule bed = {.name = name,
		.days = 0x41,
		.from_min = 22 * 60 + 30,
		.to_min = 6 * 60 + 5,
		.block_all = true};
	struct config_filter *f = &c->blocking.filter;
	*f = (struct config_filter){.schedules = {1, &bed}};
	service_set_add(&f->services, SERVICE_TIKTOK);
	f->safe_search.level[SAFE_ENGINE_BING] = SAFE_LEVEL_STRICT;
}

// Where metrics look for the data plane, which is not there.
const struct shm_paths *__wrap_publisher_paths(const struct publisher *)
{
	return NULL;
}

bool __wrap_publisher_closes(const struct publisher *, uint64_t)
{
	return false;
}

void __wrap_publish_watch(struct publisher *, const struct dp_watch *)
{
}

void __wrap_publish_status(const struct publisher *, struct publish_status *out)
{
	*out = (struct publish_status){.rule_image_generation = 3};
}

static void metrics_double_check(void)
{
	assert_reply("GET /metrics", 200, "\nweir_resolver_misses_total 7\n",
		"\nweir_tcp_connections 5\n", "\nweir_up{process=\"dataplane\"} 0\n",
		"Content-Type: text/plain; version=0.0.4");
	assert_reply("POST /metrics", 405, "use GET");
	assert_reply("GET /ready", 503, "no data plane, and no fallback", "\"ready\":false");
	log_warning("of a kind: %s", "\"one\"");
	log_warning("of a kind: %s", "two");
	assert_reply("GET /errors", 200, "\"count\":2,", "\"text\":\"of a kind: two\"");
}

// The upstream servers that are listed, drained and tried.
int resolvers_upstreams(struct resolvers *, struct loop *,
	void (*done)(void *arg, const struct resolvers_upstreams *u), void *arg)
{
	static struct resolvers_upstream row[] = {{.status = {.name = "near",
							   .address = "192.0.2.53:53",
							   .up = true,
							   .share = 65535 / 4 * 3,
							   .srtt_us = 1500,
							   .way = ROUTE_port,
							   .sent = 7,
							   .sent_port = 5}},
		{.is_safe = true, .status = {.name = "far", .up = true, .suspect = true}},
		{.status = {.name = "zone's", .up = false, .checks = 4, .checks_failed = 3}},
		{.status = {.name = "away", .up = false, .drained = true}},
		{.status = {.name = "lame", .up = true, .failing = true}}};
	row[2].zone = name_of_text("corp.example");
	// 99 round trips below 1 ms, one of a second.
	if (row[0].status.took.sum_ns == 0) {
		for (unsigned i = 0; i < 99; i++)
			took_add(&row[0].status.took, 900000);
		took_add(&row[0].status.took, 1000000000);
	}
	done(arg,
		&(struct resolvers_upstreams){.count = ARRAY_LEN(row), .left_out = 2, .row = row});
	return 0;
}

int resolvers_drain(struct resolvers *, const char *server, bool is_drained, struct loop *,
	void (*done)(void *arg, unsigned sets), void *arg)
{
	if (strcmp(server, "busy") == 0)
		return -EAGAIN;
	done(arg, strcmp(server, "near") == 0 ? 2 + is_drained : 0);
	return 0;
}

int resolvers_try(struct resolvers *, const char *server, struct loop *,
	void (*done)(void *arg, const struct resolvers_tried *t), void *arg)
{
	struct resolvers_tried t = {.err = strcmp(server, "near") == 0   ? 0
					   : strcmp(server, "busy") == 0 ? -EBUSY
									 : -ENOENT,
		.tried = {{.is_sent = true,
				  .is_answered = true,
				  .flags = 0x8203,
				  .bytes = 40,
				  .took_us = 1234},
			{.is_sent = true}}};
	done(arg, &t);
	return 0;
}

int resolvers_try_candidate(struct resolvers *, const struct config_upstreams *of,
	const struct config_upstream *server, struct loop *,
	void (*done)(void *arg, const struct resolvers_tried *t), void *arg)
{
	assert_non_null(of);
	const struct resolvers_tried t = {.err = server->address.port == 1   ? -EBUSY
						 : server->address.port == 2 ? -EAGAIN
									     : 0,
		.tried = {{.is_tls = server->tls.is_on},
			{.is_tls = server->tls.is_on,
				.is_https = server->tls.path[0],
				.is_sent = true,
				.is_answered = server->tls.is_on,
				.is_signed = server->tls.is_on,
				.flags = server->tls.is_on ? DNS_FLAG_AD : 0,
				.bytes = 40,
				.took_us = 1234}}};
	done(arg, &t);
	return 0;
}

// A server given by a host name.
static void hosts_double_check(void)
{
	const struct config_upstream s = {.host = "dns.example", .address.port = 853}, *one = &s;
	struct host_state h;

	host_board_configure(&one, 1, 1);
	assert_reply("GET /upstreams", 200,
		"\"hosts\":[{\"host\":\"dns.example:853\",\"resolved\":false,\"addresses\":[],"
		"\"drained\":false,");
	assert_true(host_board_get(&s, &h));
	h.count = 1;
	h.failures = 3;
	snprintf(h.why, sizeof(h.why), "no bootstrap server answers");
	h.address[0] = address_of_text("192.0.2.7");
	host_board_put(&h);
	assert_reply("GET /upstreams", 200, "\"resolved\":true,\"addresses\":[\"192.0.2.7\"],",
		"\"failures\":3,", "\"error\":\"no bootstrap server answers\"}]}");
	host_board_configure(NULL, 0, 0);
}

static void upstreams_double_check(void)
{
	assert_reply("GET /upstreams", 200,
		"{\"upstreams\":[{\"set\":\"everyone\",\"name\":\"near\",\"address\":"
		"\"192.0.2.53:53\",\"state\":\"up\",\"via\":\"port\",\"via_kernel_why\":\"\","
		"\"share_percent\":75,\"srtt_us\":1500,\"p50_us\":1048,\"p99_us\":1048,\"sent\":7,"
		"\"sent_port\":5,",
		"\"rtt\":[{\"below_us\":1048,\"count\":99},{\"below_us\":1073741,\"count\":1}]}",
		"{\"set\":\"everyone, safe search\",\"name\":\"far\",\"address\":\"\",\"state\":"
		"\"suspect\",\"via\":\"kernel\",\"via_kernel_why\":\"upstreams.via is kernel\"",
		"{\"set\":\"zone corp.example\",\"name\":\"zone's\",\"address\":\"\",\"state\":"
		"\"down\"",
		"\"state\":\"drained\"", "\"state\":\"failing\"", "\"left_out\":2,\"hosts\":[]}");
	hosts_double_check();
	assert_reply("POST /upstream/drain?server=near", 200,
		"{\"server\":\"near\",\"drained\":true,\"sets\":3}");
	assert_reply("POST /upstream/undrain?server=near", 200,
		"{\"server\":\"near\",\"drained\":false,\"sets\":2}");
	assert_reply("POST /upstream/drain?server=none", 404, "no server \\\"none\\\"");
	assert_reply("POST /upstream/drain", 400, "server: is missing");
	assert_reply("POST /upstream/drain?server=", 400, "server: is empty");
	assert_reply("POST /upstream/drain?server=busy", 503, "too busy: try again");
	assert_reply("GET /upstream/drain?server=near", 405, "");
	assert_reply("POST /upstream/test?server=near", 200,
		"{\"server\":\"near\",\"udp\":{\"sent\":true,\"answered\":true,\"rcode\":"
		"\"NXDOMAIN\",\"truncated\":true,\"bytes\":40,\"took_us\":1234},\"tcp\":{\"sent\":"
		"true,\"answered\":false}}");
	assert_reply("POST /upstream/test?server=none", 404, "no server");
	assert_reply("POST /upstream/test?server=busy", 503, "");
	assert_reply("POST /upstreams/test?server=tls://dns.example@192.0.2.1", 200,
		"{\"server\":\"tls://dns.example@192.0.2.1\",\"tls\":{\"sent\":true,\"answered\":"
		"true,\"rcode\":\"NOERROR\",\"truncated\":false,\"bytes\":40,\"took_us\":1234},"
		"\"signed\":true,\"ad\":true}");
	assert_reply("POST /upstreams/test?server=192.0.2.1", 200,
		"\"udp\":{\"sent\":false,\"answered\":false},\"tcp\":{\"sent\":true,",
		"\"signed\":false,\"ad\":false}");
	assert_reply("POST /upstreams/test?server=quad9", 200,
		"\"server\":\"tls://dns.quad9.net@9.9.9.9\",\"tls\":");
	assert_reply("POST /upstreams/test?server=https://192.0.2.1/q", 200, "\"https\":{");
	assert_reply("POST /upstreams/test?server=near", 400, "server: is a host name alone");
	assert_reply("POST /upstreams/test?server=192.0.2.1:0", 400, "server: is not an IP");
	assert_reply("POST /upstreams/test?server=192.0.2.1:1", 503, "another server is being");
	assert_reply("POST /upstreams/test?server=192.0.2.1:2", 503, "too busy: try again");
	assert_reply("POST /upstreams/test", 400, "server: is missing");
	assert_reply("GET /upstreams/test?server=192.0.2.1", 405, "");
}

// A question and a reload are pending, beside the build and the fetch of rules_tasks.
int resolvers_pending(struct resolvers *, unsigned limit, struct loop *,
	void (*done)(void *arg, const struct resolver_pending *p), void *arg)
{
	static struct pending_question q = {.qtype = 28,
		.clients = 2,
		.attempts = 3,
		.step = PENDING_late,
		.server = LOG_NO_UPSTREAM,
		.age_ms = 2500};
	q.name = name_of_text("slow.example");
	if (limit == 3)
		return -EAGAIN;
	done(arg, &(struct resolver_pending){
			  .total = 40, .clients = 77, .count = limit > 1, .question = &q});
	return 0;
}

// Nobody watches.
int resolvers_watch(struct resolvers *, const struct dp_watch *, trace_put_fn, void *)
{
	return -EAGAIN;
}

static unsigned changes_double(void *, struct api_change out[API_CHANGES_MAX])
{
	out[0] = (struct api_change){"config reload", "the resolver", clock_mono_ms() - 2000};
	return 1;
}

static void pending_double_check(void)
{
	assert_reply("GET /pending", 200,
		"{\"questions_total\":40,\"clients_total\":77,\"questions\":[{\"name\":"
		"\"slow.example\",\"type\":\"AAAA\",\"view\":0,\"clients\":2,\"attempts\":3,"
		"\"age_ms\":2500,\"waited_ms\":0,\"renewal\":false,\"step\":\"late\","
		"\"server\":\"\"}],",
		"\"jobs\":[{\"kind\":\"list fetch\",\"what\":\"https://lists.example/ads\","
		"\"step\":\"its server\",\"age_ms\":");
	static const char age[] = "\"its server\",\"age_ms\":";
	// The double reads the clock after the reply's own look, so the age is a little below 4 s.
	assert_in_range(strtoul(strstr(reply, age) + sizeof(age) - 1, NULL, 10), 3000, 64000);
	const char *reload = strstr(reply, "\"config reload\""),
		   *build = strstr(reply, "\"kind\":\"build\"");
	assert_true(reload && build && reload < build); // the oldest first
	assert_reply("GET /pending", 200, "\"tcp\":{\"open\":5,");
	assert_reply("GET /pending?limit=1", 200, "\"questions\":[],");
	assert_reply("GET /pending?limit=0", 400, "limit: must be 1 to 1000");
	assert_reply("GET /pending?limit=3", 503, "too busy: try again");
	upstreams_double_check();
}

static _Atomic bool hold_replies; // the other side does not answer
static _Atomic unsigned held;

// A call on its way back to the service loop.
struct answer {
	void (*status)(void *arg, const struct resolver_status *s);
	resolver_look_fn looked;
	resolver_flush_fn flushed;
	void (*report)(void *arg, const struct refresh_report *report);
	void *arg;
	struct flush what;
	uint16_t qtype;
};

static struct answer held_answers[API_REQUESTS_MAX];

static void answer_run(struct answer *a)
{
	static const uint8_t message[] = {0, 0, 0x81, 0x80, 0, 1, 0, 1, 0, 0, 0, 0, 1, 'a', 0, 0, 1,
		0, 1, 0xc0, 0x0c, 0, 1, 0, 1, 0, 0, 1, 44, 0, 4, 198, 18, 255, 80};
	if (a->status) {
		static struct resolver_status s = {.misses = 7,
			.failed_recently = 3,
			.flush = {.refused = 4},
			.l1 = {.redis = {.state = "up", .server = "127.0.0.1:6379"}},
			.tables = {.count = 1,
				.table = {{.name = "things",
					.owner = "nobody",
					.eviction = "never",
					.lifetime = "ever"}}},
			.upstream_count = 1,
			.upstream = {{.name = "near", .up = true, .srtt_us = 1234}}};
		a->status(a->arg, &s);
	} else if (a->looked) {
		static const uint16_t types[] = {1, 65280};
		static struct cache_entry e = {.in_l1 = true,
			.qtype = 1,
			.qclass = 1,
			.ancount = 1,
			.hard_left_ms = -5,
			.answer_len = sizeof(message)};
		memcpy(e.answer, message, sizeof(message));
		e.qtype = a->qtype ? a->qtype : 1;
		const struct cache_look look = {.count = 1,
			.left_out = 3,
			.entry = &e,
			.l1_asked = 8,
			.l1_views = 2,
			.l1_lost = 2,
			.l1_types = types,
			.l1_type_count = 2};
		a->looked(a->arg, 0, &look);
	} else if (a->report) {
		static struct refresh_report r;
		refresh_stats_now(&r.stats, 120000)->done = 8;
		refresh_stats_now(&r.stats, 180000)->done = 3;
		r.now_ms = 180000;
		r.policy.window_ms = 60000;
		a->report(a->arg, &r);
	} else {
		const struct cache_flushed f = {
			1 + a->what.kind, a->what.name.len, L1_FLUSH_PARTLY, true, true, 1};
		a->flushed(a->arg, 0, &f);
	}
}

static void on_answer(void *arg)
{
	answer_run(arg);
	free(arg);
}

static int answer_later(const struct answer *a)
{
	if (hold_replies) {
		assert_in_range(held, 0, API_REQUESTS_MAX - 1);
		held_answers[held] = *a;
		held++;
		return 0;
	}
	struct answer *copy = malloc(sizeof(*copy));
	*copy = *a;
	return loop_call(service, on_answer, copy);
}

int resolvers_status(struct resolvers *, struct loop *,
	void (*done)(void *arg, const struct resolver_status *s), void *arg)
{
	return answer_later(&(struct answer){.status = done, .arg = arg});
}

int resolvers_cache_get(struct resolvers *, const struct cache_wish *wish, struct loop *,
	resolver_look_fn done, void *arg)
{
	assert_true(wish->lives(arg));
	if (wish->name.labels > 3)
		return -EAGAIN;
	return answer_later(&(struct answer){.looked = done, .arg = arg, .qtype = wish->qtype});
}

int resolvers_cache_find(struct resolvers *, const struct cache_question *q, struct loop *,
	resolver_look_fn done, void *arg)
{
	return answer_later(&(struct answer){.looked = done, .arg = arg, .qtype = q->qtype});
}

int resolvers_cache_flush(struct resolvers *, const struct flush *what, bool, struct loop *,
	resolver_flush_fn done, void *arg)
{
	return answer_later(&(struct answer){.flushed = done, .arg = arg, .what = *what});
}

int resolvers_refresh_report(struct resolvers *, struct loop *,
	void (*done)(void *arg, const struct refresh_report *report), void *arg)
{
	return answer_later(&(struct answer){.report = done, .arg = arg});
}

// Work that the user pays for after the endpoint's function has returned: how many turns are open,
// and how often one was while the two parts of an explanation that cost the most ran.
static unsigned turns_open, paid_for, paid_later;

struct http_turn __real_http_turn_begin(const struct http_exchange *);
struct http_turn __wrap_http_turn_begin(const struct http_exchange *);
struct http_turn __wrap_http_turn_begin(const struct http_exchange *x)
{
	turns_open++;
	return __real_http_turn_begin(x);
}

void __real_http_turn_end(const struct http_turn *);
void __wrap_http_turn_end(const struct http_turn *);
void __wrap_http_turn_end(const struct http_turn *t)
{
	turns_open--;
	__real_http_turn_end(t);
}

int __real_why_patterns_copy(const struct rule_reader *, struct why_patterns *);
int __wrap_why_patterns_copy(const struct rule_reader *, struct why_patterns *);
int __wrap_why_patterns_copy(const struct rule_reader *r, struct why_patterns *out)
{
	paid_for += turns_open;
	return __real_why_patterns_copy(r, out);
}

void __real_why_out(struct json_out *, struct json_node *, const struct why *);
void __wrap_why_out(struct json_out *, struct json_node *, const struct why *);
void __wrap_why_out(struct json_out *o, struct json_node *n, const struct why *w)
{
	paid_later += turns_open;
	__real_why_out(o, n, w);
}

// Its user pays for what an explanation takes of the service loop.
TEST(test_why_is_paid_for)
{
	assert_reply("GET /why?name=x.ads.example", 200, "\"verdict\":\"blocked\"");
	assert_int_equal(paid_for, 1);
	assert_int_equal(paid_later, 1);
}

TEST(test_endpoints)
{
	assert_reply("GET /health", 200, "{\"ok\":true}");
	assert_reply("GET /status", 200, "\"names\":150000", "\"srtt_us\":1234");
	assert_reply("GET /stats", 200, "\"misses\":7");
	metrics_double_check();
	assert_reply("GET /stats", 200, "\"failed_recently\":3", "\"server\":\"127.0.0.1:6379\"",
		"\"tables\":[{\"name\":\"things\",");
	assert_reply("GET /cache?name=a.example", 200, "\"data\":\"198.18.255.80\"",
		"\"hard_left_ms\":-5", "\"tier\":\"L1\",\"type\":\"A\"");
	assert_reply("GET /cache?name=a.example&type=aaaa", 200, "\"type\":\"AAAA\"");
	assert_reply("GET /cache?name=a.example&type=TYPE65280", 200, "\"type\":\"TYPE65280\"");
	assert_reply("GET /cache?name=a.example", 200,
		"\"entries_left_out\":3,\"l1\":{\"asked\":8,\"views\":2,\"lost\":2,"
		"\"bad\":0,\"types\":[\"A\",\"TYPE65280\"]}");
	assert_reply("GET /cache/stats", 200, "\"l0\":{\"entries\":0,", "\"refused\":4,");
	assert_reply("POST /cache/flush?name=a.example", 200,
		"{\"l0_removed\":1,\"l1_removed\":11,\"l1\":\"partly\",\"boxes_told\":true,"
		"\"recursion_failed\":true,\"resolvers_hung\":1}");
	assert_reply("POST /cache/flush?name=a.example&below=1", 200, "{\"l0_removed\":2,");
	assert_reply("POST /cache/flush?all=1", 200, "{\"l0_removed\":3,\"l1_removed\":1,");
	assert_reply("GET /cache?name=a.example", 200, "\"heat\":\"cold\"");
	assert_reply("GET /refresh", 200, "\"day\":{\"asked\":0,\"done\":11,",
		"{\"ago\":1,\"asked\":0,\"done\":8,");
	assert_reply("GET /refresh?minutes=1", 200, "\"done\":3,");
	tcp_double_check();
	pending_double_check();
	top_double_check();
	assert_reply("GET /blocklist", 200, "\"error\":\"no line is a rule",
		"\"unknown_clients\":[{\"client\":\"198.18.7.0/24\",\"why\":\"no group has exactly "
		"these clients\"}]");
	assert_reply("GET /why?name=x.ads.example", 200, "\"verdict\":\"blocked\",\"headline\":");
	assert_reply("GET /why?name=x.ads.example&type=mx", 200, "\"type\":\"MX\"");
	assert_reply("GET /why?name=x.ads.example", 200, "\"note\":\"no longer in the config");
	assert_reply("GET /why?name=a.b.c.d.example", 200, "\"verdict\":\"passed\"");
	assert_reply("GET /why?name=ads.example&client=198.18.0.3", 200, "\"found_by\":\"rest\"");
	assert_reply("GET /why?name=ads.example&group=everyone", 200, "\"found_by\":\"group\"");
	assert_reply("POST /blocklist/reload?force=1", 200, "\"outcome\":\"published\"");
	assert_true(forced);
	assert_reply("POST /blocklist/reload", 500, "\"error\":\"no such file\"");
	assert_false(forced);
	assert_reply("GET /blocklist", 200, "\"has_previous\":true",
		"\"rejected_by\":[{\"reason\":\"url\",\"count\":7}]", "\"last_try_unix_s\":1234",
		"\"fetch_error\":\"no route\"", "\"kind\":\"block\"", "\"allow\":false",
		"\"kinds\":[{\"kind\":\"block\",\"lists\":1},{\"kind\":\"allow\",\"lists\":0},"
		"{\"kind\":\"answer\",\"lists\":0}]");
}

TEST(test_hold)
{
	assert_reply("POST /blocklist/rollback", 200, "\"held\":true");
	assert_reply("POST /blocklist/pause?minutes=1440", 200,
		"86400,\"note\":\"\",\"group\":\"\",\"blocked_groups\":[\"everyone\"]}");
	assert_int_equal(hold.minutes, 1440);
	assert_reply("GET /status", 200, "\"blocked_groups\":[\"everyone\"]}");
	assert_reply("GET /ready?for=human", 503,
		"for 86400 s more; a schedule still blocks everything for everyone\"");
	assert_reply("POST /blocklist/pause?minutes=2&block_all=1", 200, "\"blocked_groups\":[]}");
	assert_true(hold.lifts_block_all);
	assert_reply("POST /blocklist/resume", 200, "\"pause_left_s\":0,");
	assert_reply("POST /blocklist/rollback?if_previous=5", 409, "look again");
	assert_reply("POST /blocklist/rollback?if_previous=1234", 200, "\"held\":true");
	hold.rollback = -ENOENT;
	hold.pause = -ENOSPC;
	hold.resume = -EALREADY;
	assert_reply("POST /blocklist/rollback", 409, "there is no image before this one");
	assert_reply("POST /blocklist/pause?minutes=1", 200, "a restart will not know of it: No");
	assert_reply("POST /blocklist/resume", 200,
		"{\"ok\":true,\"note\":\"blocking is not paused\",\"unchanged\":true}");
	hold.rollback = -EBUSY;
	assert_reply("POST /blocklist/rollback", 503, "try again");
	hold.minutes = 5;
	assert_reply("GET /blocklist", 200, "\"paused_groups\":[{\"group\":\"everyone\",");
	assert_reply("GET /why?name=a.example", 200, "paused by the operator for 61 s more");
	assert_reply("POST /blocklist/pause", 400, "minutes: is missing");
	assert_reply("POST /blocklist/pause?minutes=0", 400, "minutes: must be 1 to 1440");
	assert_reply("POST /blocklist/pause?minutes=1441", 400, "minutes: must be 1 to 1440");
	assert_reply("POST /blocklist/pause?minutes=4294967297", 400, "minutes: must be");
	assert_reply("POST /blocklist/pause?minutes=-1", 400, "minutes: must be 1 to 1440");
	assert_reply("POST /blocklist/pause?minutes=5m", 400, "minutes: must be 1 to 1440");
	assert_reply("GET /blocklist/pause?minutes=5", 405, "use POST");
	assert_int_equal(hold.minutes, 5);
}

// A request within a second of the last look waits for the next one.
TEST(test_connections)
{
	const uint64_t since_ms = clock_mono_ms();
	for (unsigned i = 0; i < 3; i++)
		assert_reply("GET /connections", 200, "\"open_sockets\":", "\"listed\":");
	assert_true(clock_mono_ms() - since_ms >= 2 * API_SOCKETS_MS);
}

TEST(test_refused)
{
	drops_double_check();
	assert_reply("GET /nothing", 404, "{\"error\":\"no such endpoint\"}");
	assert_reply("POST /status", 405, "use GET");
	assert_reply("GET /config/reload", 405, "use POST");
	assert_reply("DELETE /cache", 501, "");
	assert_reply("GET /why", 400, "name: is missing");
	assert_reply("GET /why?name=a..b", 400, "name: is not a domain name");
	assert_reply("GET /why?name=", 400, "name: is not a domain name");
	assert_reply("GET /why?name=a%00b.example", 400, "without a zero byte");
	assert_reply("GET /why?name=a&type=XY", 400, "type: is not a record type");
	assert_reply("GET /why?name=a&client=198.18.0.0/24", 400, "is neither an IP address");
	assert_reply("GET /why?name=a&client=fd53::x", 400, "is neither an IP address");
	assert_reply("GET /why?name=a&mac=02:00:00:00:00", 400, "mac: is not a MAC address");
	assert_reply("GET /why?name=a&group=kids", 400, "no group \\\"kids\\\"; groups: everyone");
	no_image = true;
	assert_reply("GET /why?name=com", 503, "no rules are loaded yet");
	no_image = false;
	assert_reply("GET /cache?name=a.b.c.d", 503, "too busy");
	assert_reply("POST /cache/flush?name=a&below=2", 400, "below: must be 0 or 1");
	assert_reply("POST /cache/flush?all=0", 400, "name: is missing");
	assert_reply("POST /cache/flush?below=1", 400, "name: is missing");
	assert_reply("POST /cache/flush?all=1&name=a", 400, "all: leaves nothing");
	assert_reply("POST /cache/flush?all=1&below=1", 400, "all: leaves nothing");
	assert_reply("GET /cache?name=a&type=", 400, "type: is not a record type");
	assert_reply("GET /cache?name=a&type=0", 400, "type: is not a record type");
	assert_reply("GET /cache?name=a&type=65536", 400, "type: is not a record type");
	assert_reply("GET /cache?name=a&type=TYPE1x", 400, "type: is not a record type");
	assert_reply("GET /refresh?minutes=0", 400, "minutes: must be 1 to 1440");
	assert_reply("GET /refresh?minutes=1441", 400, "minutes: must be 1 to 1440");
	assert_reply("GET /refresh?minutes=-1", 400, "minutes: must be 1 to 1440");
	assert_reply("GET /refresh?minutes=7x", 400, "minutes: must be 1 to 1440");
	assert_reply("GET /cache?name", 400, "\"error\"");
	assert_reply("GET /cache/..//health", 404, "\"error\"");
	assert_reply("GET nonsense", 404, "\"error\"");
}

// Asks for what the other side does not answer before held_release.
static int client_held(void)
{
	unsigned wanted = held + 1;
	hold_replies = true;
	int fd = client_connect();
	client_send(fd, "GET /stats HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
	WAIT_FOR(held >= wanted);
	assert_int_equal(held, wanted);
	return fd;
}

static void held_release(void)
{
	hold_replies = false;
	for (; held > 0; held--) {
		struct answer *late = malloc(sizeof(*late));
		*late = held_answers[held - 1];
		assert_int_equal(loop_call(service, on_answer, late), 0);
	}
}

// An answer that never comes is 504; a late answer is dropped.
TEST(test_no_answer)
{
	int fd = client_held();
	assert_true(client_read(fd, PATIENCE_MS) > 0);
	assert_memory_equal(reply, "HTTP/1.1 504", 12);
	close(fd);
	held_release();
	assert_reply("GET /stats", 200, "\"timeouts\":1,");
}

// One request more than may be served at once gets a 503.
TEST(test_too_many)
{
	int fd[API_REQUESTS_MAX];
	for (unsigned i = 0; i < API_REQUESTS_MAX; i++)
		fd[i] = client_held();
	assert_reply("GET /health", 503, "{\"error\":\"too busy: try again\"}");
	held_release();
	for (unsigned i = 0; i < API_REQUESTS_MAX; i++) {
		assert_true(client_read(fd[i], PATIENCE_MS) > 0);
		assert_memory_equal(reply, "HTTP/1.1 200", 12);
		close(fd[i]);
	}
	assert_reply("GET /stats", 200, "\"refused_full\":1,");
}

// The thread's own identity only: what the kernel notes of the client.
static void thread_be(uid_t uid)
{
	assert_int_equal(syscall(SYS_setresuid, -1, uid, -1), 0);
}

// A user that the mode let in, but that is nobody to us, changes nothing.
TEST(test_peer)
{
	if (geteuid() != 0)
		skip();
	reload_outcome = -1; // fails the test
	assert_int_equal(chmod(text_from("%s/..", api_folder), 0755), 0);
	assert_int_equal(chmod(api_folder, 0755), 0);
	assert_int_equal(chmod(path, 0666), 0);
	thread_be(65534);
	assert_reply("POST /config/reload", 403, "{\"error\":\"not permitted\"}");
	thread_be(0);
	assert_int_equal(chmod(path, 0600), 0);
	assert_reply("GET /stats", 200, "\"refused_peer\":1,");
}

// The kernel has the sender keep them. Before Linux 6.16 it cannot.
TEST(test_descriptors)
{
	int fd = client_connect();
	const bool known = passed_files_known();
	const int rc = known ? passed_files_try(fd) : 0;
	close(fd);
	if (!known)
		skip();
	assert_int_equal(rc, -EPERM);
	assert_reply("GET /stats", 200, "{", "}");
}

TEST(test_groups)
{
	assert_reply("GET /groups", 200, "{\"groups\":[{\"group\":0,\"name\":\"everyone\",",
		"\"services\":[\"tiktok\"],\"safe_search\":{\"bing\":",
		"\"pause_left_s\":61,\"next_change_unix_s\":1774742400,\"own_schedules\":true,",
		"{\"name\":\"bed\",\"days\":[\"mon\",\"sun\"],",
		"\"from\":\"22:30\",\"to\":\"06:05\",", "\"family_time\":false,",
		"\"domains\":0,\"active\":true,\"changes_unix_s\":");
	assert_reply(
		"GET /groups?own=1", 200, "{\"groups\":[{\"group\":0,", "\"own_schedules\":true,");
	assert_false(
		pthread_equal(groups_own, groups_loop)); // megabytes are not parsed on the loop
	groups_own_rc = -ENOMEM;
	assert_reply("GET /groups?own=1", 503, "Cannot allocate memory");
	groups_own_rc = 0;
	assert_reply("GET /services", 200, "{\"name\":\"tiktok\",\"domains\":[\"tiktok.com\",");
	assert_reply("POST /blocklist/pause?minutes=7&group=kids", 200,
		"{\"pause_left_s\":420,\"note\":\"\",\"group\":\"kids\"}");
	assert_string_equal(paused.name, "kids");
	assert_int_equal(paused.minutes, 7);
	assert_reply("POST /blocklist/resume?group=kids", 200, "{\"pause_left_s\":0,");
	assert_int_equal(paused.minutes, 0);
	paused.err = -EALREADY;
	assert_reply("POST /blocklist/resume?group=kids", 200, "the group is not paused",
		"\"unchanged\":true");
	paused.err = -ENOENT;
	assert_reply("POST /blocklist/pause?minutes=7&group=x", 400,
		"no group \\\"x\\\"; groups: everyone");
	paused.err = 0;
}

static struct api_deps deps_make(void)
{
	groups_double_fill(&config);
	return (struct api_deps){.service = service,
		.top = top_double(),
		.socket_path = path,
		.state_directory = api_folder,
		.config_path = "/etc/weir/weir.yaml",
		.config_current = config_now,
		.group_now = group_now,
		.group_pause = group_pause,
		.reload_arg = &reload_outcome,
		.last_reload = last_reload_double,
		.changes = changes_double,
		.config_apply = apply,
		.config_bundle = bundle_now,
		.toggles = &toggles,
		.toggles_set = toggles_set};
}

TEST(test_socket)
{
	struct stat st;
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	assert_int_equal(umask_calls, 0);
	struct api_deps deps = deps_make();
	struct api *second = NULL;
	char why[API_WHY_MAX];
	assert_int_equal(api_open(&second, &deps, why), -EADDRINUSE);
	deps.group = "no-such-group-here";
	assert_int_equal(api_open(&second, &deps, why), -ENOENT);
	assert_non_null(strstr(why, "no-such-group-here"));
	deps.group = NULL;
	deps.socket_path = "/nonexistent/control.sock";
	assert_int_equal(api_open(&second, &deps, why), -ENOENT);
	assert_null(second);
}

TEST(test_group)
{
	const struct group *group = getgrnam("daemon");
	if (geteuid() != 0 || !group)
		skip();
	char why[API_WHY_MAX];
	const char *other = text_from("%s/group.sock", api_folder);
	struct api_deps deps = deps_make();
	deps.socket_path = other;
	deps.group = group->gr_name;
	struct api *second = NULL;
	struct stat st;
	assert_int_equal(api_open(&second, &deps, why), 0);
	assert_int_equal(stat(other, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0660);
	assert_int_equal(st.st_gid, group->gr_gid);
	api_close(second);
}

// Closed while a client waits: it is hung up on, and the late answer hurts nobody.
TEST(test_close_waiting)
{
	int fd = client_held();
	api_rig_end();
	assert_int_equal(client_read(fd, PATIENCE_MS), 0);
	close(fd);
	answer_run(&held_answers[0]);
	assert_int_equal(access(path, F_OK), -1);
}

// What a process that was killed leaves behind is no obstacle.
TEST(test_stale_socket)
{
	struct sockaddr_un sun = {.sun_family = AF_UNIX};
	memcpy(sun.sun_path, path, strlen(path) + 1);
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(bind(fd, (struct sockaddr *)&sun, sizeof(sun)), 0);
	close(fd);
	struct api_deps deps = deps_make();
	struct api *second = NULL;
	char why[API_WHY_MAX];
	assert_int_equal(api_open(&second, &deps, why), 0);
	api_close(second);
}

static int setup(void **)
{
	config.blocking.enabled = true;
	config.runtime.state_directory = api_folder;
	toggles_reset(&toggles);
	return api_rig_open(deps_make());
}

TEST_GROUP(setup, api_rig_close)
