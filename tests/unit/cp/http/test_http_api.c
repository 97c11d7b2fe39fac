// SPDX-License-Identifier: BSD-3-Clause
// The control API over its real socket, loop and HTTP server; all else ends in functions here.

#include "api_rig.h"
#include "controlplane/answer_policy/why/why_out.h"
#include "controlplane/answer_policy/why/why_read.h"
#include "controlplane/api/api_server.h"
#include "tests/unit/cp/api/api_box_double.h"
#include "tests/unit/cp/api/api_config_double.h"
#include "tests/unit/cp/api/api_heap_double.h"
#include "tests/unit/cp/api/api_rooms_double.h"
#include "tests/unit/passed_files.h"
#include "tests/unit/umask_watch.h"

#include <grp.h>
#include <sys/syscall.h>
#include <sys/un.h>

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
		"\"from\":\"22:30\",\"to\":\"06:05\",",
		"\"domains\":0,\"active\":true,\"changes_unix_s\":");
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
