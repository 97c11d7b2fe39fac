// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// For test_http_api: the rest of the box, as those of api_rooms_double.h are.

#include "controlplane/api/api.h"
#include "controlplane/resolver/resolvers.h"
#include "controlplane/route/host_board.h"
#include "controlplane/route/route_board.h"
#include "controlplane/shm/publish.h"
#include "tests/unit/cp/http/http_client.h"

#include <weir/log_msg.h>
#include <weir/shm_abi.h>

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

static inline void drops_double_check(void)
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
static void group_now(void *, unsigned group, struct group_now *out)
{
	assert_int_equal(group, 0);
	*out = (struct group_now){.mask = {.active = 1, .block_all = true},
		.pause_left_s = 61,
		.next_change = 1774742400};
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

static inline void metrics_double_check(void)
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
static inline void hosts_double_check(void)
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

static inline void upstreams_double_check(void)
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

static inline void pending_double_check(void)
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
