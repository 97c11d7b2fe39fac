// SPDX-License-Identifier: BSD-3-Clause
#include "upstream_rig.h"

#include "tests/unit/unit.h"

#include <event2/event.h>

#include <sys/resource.h>
#include <weir/dns_answer.h>

enum { FILES = 16384 };

struct fake_upstream fake[RIG_SERVERS];
struct upstream_fixture fx;
static struct dns_answer answer;

static enum upstream_take on_reply(struct upstream_ask *a, const uint8_t *msg, size_t len)
{
	struct dns_query q = {
		.qtype = DNS_TYPE_A, .qclass = DNS_CLASS_IN, .question_len = a->question_len};
	const struct dns_answer_rules limits = {.max_s = 86400, .negative_s = 3600};
	struct rd r = rd_init(a->question, a->question_len);
	assert_int_equal(dns_name_read(&r, &q.name), 0);
	if (dns_answer_read(msg, len, &q, &limits, &answer) < 0)
		return UPSTREAM_IGNORED;
	if (answer.truncated)
		return UPSTREAM_TRUNCATED;
	if (answer.kind == DNS_ANSWER_FAILURE)
		return UPSTREAM_FAILED;
	if (answer.len >= 4)
		memcpy(fx.first, answer.bytes + answer.len - 4, 4);
	fx.scope = a->scope;
	fx.is_unproven = a->is_unproven;
	fx.replies++;
	upstream_ask_stop(a);
	event_base_loopbreak(loop_base(fx.loop));
	return UPSTREAM_TAKEN;
}

static void on_ended(struct upstream_ask *, enum upstream_end why)
{
	fx.ended++;
	fx.why = why;
	event_base_loopbreak(loop_base(fx.loop));
}

void set_servers(unsigned count)
{
	fx.config.count = count;
	for (unsigned i = 0; i < count; i++) {
		fx.config.server[i].name = NULL;
		fx.config.server[i].address = socket_here(fake[i].port);
	}
}

void configure_servers(unsigned count)
{
	set_servers(count);
	upstreams_configure(fx.up, &fx.config);
}

// How many sockets are kept ready goes by it, and a shell mostly has 1024. Less where this process
// may not have so many.
static void files_allow(void)
{
	struct rlimit limit;
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
	if (limit.rlim_cur >= FILES)
		return;
	struct rlimit more = {FILES, limit.rlim_max < FILES ? FILES : limit.rlim_max};
	if (setrlimit(RLIMIT_NOFILE, &more) < 0) {
		limit.rlim_cur = limit.rlim_max;
		(void)setrlimit(RLIMIT_NOFILE, &limit);
	}
}

int rig_setup(void **)
{
	files_allow();
	memset(&fx, 0, sizeof(fx));
	for (unsigned i = 0; i < RIG_SERVERS; i++)
		fake_upstream_start(&fake[i]);
	fx.config.first_timeout_ms = 60;
	fx.config.max_sends = 6;
	fx.config.backoff_s = 30;
	set_servers(2);
	assert_int_equal(loop_new("test", &fx.loop), 0);
	assert_int_equal(
		upstreams_new(&fx.up, &(struct upstream_shared){.loop = fx.loop, .port = fx.port},
			&fx.config),
		0);
	return 0;
}

int rig_teardown(void **)
{
	upstream_ask_stop(&fx.ask);
	upstreams_free(fx.up);
	loop_free(fx.loop);
	for (unsigned i = 0; i < RIG_SERVERS; i++)
		fake_upstream_stop(&fake[i]);
	return 0;
}

void ask_start(unsigned life_ms)
{
	static const struct upstream_callbacks callbacks = {.reply = on_reply, .ended = on_ended};
	uint8_t question[] = "\3www\7example\0\0\1\0\1";

	question[3] = (uint8_t)('w' - fx.host % 22);
	question[11] = (uint8_t)('e' + fx.zone % 22);
	fx.replies = fx.ended = 0;
	fx.start_ms = clock_mono_ms();
	const struct upstream_request request = {.callbacks = &callbacks,
		.question = question,
		.question_len = 17,
		.subnet = fx.request_subnet,
		.deadline_ms = fx.start_ms + life_ms};
	upstream_ask_start(fx.up, &fx.ask, &request);
}

void ask_finish(void)
{
	if (!fx.ended)
		event_base_loop(loop_base(fx.loop), 0);
	fx.took_ms = clock_mono_ms() - fx.start_ms;
	assert_int_equal(fx.replies + fx.ended, 1);
}

void ask(unsigned life_ms)
{
	ask_start(life_ms);
	ask_finish();
}

void run_for(unsigned ms)
{
	const struct timeval tv = {.tv_sec = ms / 1000, .tv_usec = (suseconds_t)(ms % 1000) * 1000};
	event_base_loopexit(loop_base(fx.loop), &tv);
	event_base_loop(loop_base(fx.loop), 0);
}

struct upstream_status status(unsigned i)
{
	struct upstream_status s[CONFIG_UPSTREAMS_MAX];
	assert_true(upstreams_status(fx.up, s) > i);
	return s[i];
}

struct upstream_totals totals(void)
{
	struct upstream_totals t;
	upstreams_totals(fx.up, &t);
	return t;
}
