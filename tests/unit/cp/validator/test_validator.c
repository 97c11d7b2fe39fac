// SPDX-License-Identifier: BSD-3-Clause
// Verdicts of the validators on the answers of a signed zone, and their bounds.

#include "controlplane/base/loop.h"
#include "controlplane/base/table_registry.h"
#include "controlplane/validator/validator_internal.h"
#include "signed_root.h"
#include "tests/unit/folder.h"
#include "tests/unit/unit.h"

#include <event2/event.h>

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <weir/clock.h>

enum { QUESTIONS = 4, VIEW = 7, PATIENCE_MS = 20000 };

static struct {
	struct loop *loop;
	struct signed_root root;
	struct upstreams *up;
	struct validators *v;
	struct validator_settings set;
	char folder[FOLDER_MAX], anchors[FOLDER_MAX + 16];
	unsigned held; // servers that were not released
	bool has_view;
	unsigned life_ms;
	// The last verdict.
	unsigned verdicts;
	enum validator_end end;
	int ede;
	char why[512];
	uint8_t msg[4096];
	size_t len;
} fx;

static bool servers(
	void *, uint16_t view, const struct dns_name *, uint16_t, struct validator_servers *out)
{
	assert_int_equal(view, VIEW);
	*out = (struct validator_servers){.upstreams = fx.up};
	fx.held += fx.has_view;
	return fx.has_view;
}

static void release(void *, const struct validator_servers *s)
{
	assert_ptr_equal(s->upstreams, fx.up);
	assert_true(fx.held > 0);
	fx.held--;
}

static void on_verdict(void *arg, const struct validator_verdict *v)
{
	assert_ptr_equal(arg, &fx);
	fx.verdicts++;
	fx.end = v->end;
	fx.ede = v->ede;
	snprintf(fx.why, sizeof(fx.why), "%s", v->why ? v->why : "");
	fx.len = v->msg && v->len <= sizeof(fx.msg) ? v->len : 0;
	memcpy(fx.msg, v->msg ? v->msg : fx.msg, fx.len);
}

static int setup(void **)
{
	static const struct validator_owner owner = {.servers = servers, .release = release};
	struct config_upstreams config = {
		.count = 1, .first_timeout_ms = 200, .max_sends = 3, .backoff_s = 30};
	char address[32];

	memset(&fx, 0, sizeof(fx));
	fx.has_view = true;
	fx.life_ms = PATIENCE_MS;
	assert_int_equal(folder_make(fx.folder, "validator"), 0);
	snprintf(fx.anchors, sizeof(fx.anchors), "%s/anchors", fx.folder);
	assert_int_equal(loop_new("test", &fx.loop), 0);
	signed_root_start(&fx.root, loop_base(fx.loop), fx.anchors);
	signed_root_add("good.", SIGNED_GOOD);
	signed_root_add("bad.", SIGNED_BAD);
	signed_root_add("expired.", SIGNED_EXPIRED);
	signed_root_add("early.", SIGNED_EARLY);
	signed_root_add("unsigned.", SIGNED_NOT);
	snprintf(address, sizeof(address), "127.0.0.1:%u", fx.root.port);
	assert_int_equal(socket_address_parse(address, 53, &config.server[0].address), 0);
	assert_int_equal(
		upstreams_new(&fx.up, &(struct upstream_shared){.loop = fx.loop}, &config), 0);
	assert_int_equal(validators_new(&fx.v, fx.loop, QUESTIONS, &owner), 0);
	fx.set = (struct validator_settings){.anchors = fx.anchors, .hash = 1};
	validators_configure(fx.v, &fx.set);
	return 0;
}

static int teardown(void **)
{
	validators_free(fx.v);
	assert_int_equal(fx.held, 0);
	upstreams_free(fx.up);
	signed_root_stop(&fx.root);
	loop_free(fx.loop);
	return folder_remove(fx.folder, "");
}

static int ask(const char *name, struct validation **slot)
{
	struct dns_name n;
	assert_int_equal(dns_name_from_text(name, strlen(name), &n), 0);
	return validators_ask(fx.v,
		&(struct validator_question){.name = &n,
			.qtype = DNS_TYPE_A,
			.view = VIEW,
			.deadline_ms = clock_mono_ms() + fx.life_ms,
			.done = on_verdict,
			.arg = &fx},
		slot);
}

static struct validators_status status(void)
{
	struct validators_status s;
	validators_status(fx.v, &s);
	return s;
}

static void turn(void)
{
	event_base_loop(loop_base(fx.loop), EVLOOP_ONCE | EVLOOP_NONBLOCK);
	usleep(500);
}

static void verdicts_wait(unsigned count)
{
	for (uint64_t end = clock_mono_ms() + PATIENCE_MS; fx.verdicts < count;) {
		assert_true(clock_mono_ms() < end);
		turn();
	}
	assert_int_equal(fx.verdicts, count);
}

static void expect(const char *name, enum validator_end end, int ede)
{
	struct validation *slot = NULL;

	fx.verdicts = 0;
	assert_int_equal(ask(name, &slot), 0);
	verdicts_wait(1);
	assert_null(slot);
	if (fx.end != end || fx.ede != ede)
		fail_msg("%s: end %d, EDE %d (%s)", name, fx.end, fx.ede, fx.why);
}

static void test_verdicts(void **)
{
	expect("good", VALIDATOR_SECURE, DNS_EDE_NONE);
	assert_int_equal(get_u16(fx.msg + 6), 2); // the address and its signature
	expect("bad", VALIDATOR_BOGUS, DNS_EDE_DNSSEC_BOGUS);
	assert_non_null(strstr(fx.why, "signature verification failed"));
	assert_null(strstr(fx.why, "127.0.0.1"));
	expect("expired", VALIDATOR_BOGUS, DNS_EDE_SIGNATURE_EXPIRED);
	expect("early", VALIDATOR_BOGUS, DNS_EDE_SIGNATURE_NOT_YET_VALID);
	expect("unsigned", VALIDATOR_BOGUS, DNS_EDE_NSEC_MISSING);
	expect("none", VALIDATOR_BOGUS, fx.ede); // NXDOMAIN without a proof
	const struct validators_status s = status();
	assert_int_equal(s.secure, 1);
	assert_int_equal(s.bogus, 5);
	assert_int_equal(s.contexts, 1);
	assert_int_equal(s.questions, 0);
	assert_int_equal(fx.root.cd_queries, fx.root.queries);
}

// L0 keeps answers: a question that comes again is a renewal. Keys are kept.
static void test_asks_again(void **)
{
	expect("good", VALIDATOR_SECURE, DNS_EDE_NONE);
	unsigned first = fx.root.queries;
	expect("good", VALIDATOR_SECURE, DNS_EDE_NONE);
	assert_int_equal(fx.root.queries, first + 1);
}

static void test_negative_anchor(void **)
{
	struct dns_name name;
	assert_int_equal(dns_name_from_text("unsigned", 8, &name), 0);
	expect("unsigned", VALIDATOR_BOGUS, DNS_EDE_NSEC_MISSING);
	fx.set.negative = &name;
	fx.set.negative_count = 1;
	fx.set.hash = 2;
	validators_configure(fx.v, &fx.set);
	expect("unsigned", VALIDATOR_INSECURE, DNS_EDE_NONE);
	assert_int_equal(status().contexts, 2);
	validators_beat(fx.v); // the retired one has no question
	assert_int_equal(status().contexts, 1);
	fx.set.negative_count = 0;
	fx.set.hash = 3;
	validators_configure(fx.v, &fx.set);
	expect("unsigned", VALIDATOR_BOGUS, DNS_EDE_NSEC_MISSING);
}

static void test_servers_fail(void **)
{
	fx.root.is_failing = true;
	expect("good", VALIDATOR_FAILED, DNS_EDE_NONE);
	fx.root.is_failing = false;
	expect("good", VALIDATOR_SECURE, DNS_EDE_NONE);
	fx.has_view = false;
	expect("good", VALIDATOR_FAILED, DNS_EDE_NONE);
}

// It goes on without its caller, and its place is free afterwards. So it is with all of them.
static void test_stopped(void **)
{
	struct validation *slot[QUESTIONS + 1] = {0};

	fx.root.is_silent = true;
	for (unsigned i = 0; i < QUESTIONS; i++)
		assert_int_equal(ask("good", &slot[i]), 0);
	assert_int_equal(ask("good", &slot[QUESTIONS]), -EAGAIN);
	assert_null(slot[QUESTIONS]);
	assert_int_equal(status().refused, 1);
	for (unsigned i = 0; i < QUESTIONS; i++) {
		assert_non_null(slot[i]);
		validators_stop(&slot[i]);
		assert_null(slot[i]);
	}
	assert_int_equal(status().questions, QUESTIONS);
	fx.root.is_silent = false;
	for (uint64_t end = clock_mono_ms() + PATIENCE_MS; status().questions;) {
		assert_true(clock_mono_ms() < end);
		turn();
	}
	assert_int_equal(fx.verdicts, 0);
	expect("good", VALIDATOR_SECURE, DNS_EDE_NONE);
}

// The library's question goes on, and ends without a caller.
static void test_deadline(void **)
{
	struct validation *slot = NULL;

	fx.root.is_silent = true;
	fx.life_ms = 50;
	assert_int_equal(ask("good", &slot), 0);
	verdicts_wait(1);
	assert_int_equal(fx.end, VALIDATOR_FAILED);
	assert_null(slot);
	assert_int_equal(status().late, 1);
	assert_int_equal(status().questions, 1);
	fx.root.is_silent = false;
	for (uint64_t end = clock_mono_ms() + PATIENCE_MS; status().questions;) {
		assert_true(clock_mono_ms() < end);
		turn();
	}
	assert_int_equal(fx.verdicts, 1);
}

// A context that is retired keeps its questions, and ends with them.
static void test_retired(void **)
{
	struct validation *slot = NULL;
	struct table_registry tables = {0};

	fx.root.is_silent = true;
	assert_int_equal(ask("good", &slot), 0);
	fx.set.hash = 9;
	validators_configure(fx.v, &fx.set);
	validators_beat(fx.v);
	assert_int_equal(status().contexts, 1);
	fx.root.is_silent = false;
	verdicts_wait(1);
	assert_int_equal(fx.end, VALIDATOR_SECURE);
	validators_beat(fx.v);
	assert_int_equal(status().contexts, 0);
	validators_tables(fx.v, &tables);
	assert_int_equal(tables.count, 3);
	assert_int_equal(tables.table[0].used + tables.table[1].used + tables.table[2].used, 0);
	assert_int_equal(tables.table[0].high, 1);
}

// The end of the process while a question runs.
static void test_abandoned(void **)
{
	struct validation *slot = NULL;

	fx.root.is_silent = true;
	assert_int_equal(ask("good", &slot), 0);
	for (unsigned i = 0; i < 20; i++)
		turn();
	assert_true(fx.held > 0);
	assert_int_equal(fx.verdicts, 0);
}

// Another program of this machine that found the socket.
static void test_foreign(void **)
{
	static const uint8_t query[] = "\0\7\1\0\0\1\0\0\0\0\0\0\4good\0\0\1\0\1";
	struct sockaddr_in to = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
	int fd = socket(AF_INET, SOCK_DGRAM, 0);

	expect("good", VALIDATOR_SECURE, DNS_EDE_NONE);
	unsigned before = fx.root.queries;
	to.sin_port = htons(fx.v->context[0].port);
	assert_int_equal(sendto(fd, query, 22, 0, (struct sockaddr *)&to, sizeof(to)), 22);
	for (uint64_t end = clock_mono_ms() + PATIENCE_MS; !status().foreign;) {
		assert_true(clock_mono_ms() < end);
		turn();
	}
	assert_int_equal(fx.root.queries, before);
	close(fd);
}

static void test_no_anchors(void **)
{
	struct validation *slot = NULL;

	fx.set.anchors = "/nonexistent/anchors";
	fx.set.hash = 5;
	validators_configure(fx.v, &fx.set);
	assert_int_equal(ask("good", &slot), -EINVAL);
	assert_null(slot);
	assert_int_equal(status().questions, 0);
	assert_true(status().broken > 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_verdicts, setup, teardown),
		cmocka_unit_test_setup_teardown(test_asks_again, setup, teardown),
		cmocka_unit_test_setup_teardown(test_negative_anchor, setup, teardown),
		cmocka_unit_test_setup_teardown(test_servers_fail, setup, teardown),
		cmocka_unit_test_setup_teardown(test_stopped, setup, teardown),
		cmocka_unit_test_setup_teardown(test_deadline, setup, teardown),
		cmocka_unit_test_setup_teardown(test_retired, setup, teardown),
		cmocka_unit_test_setup_teardown(test_abandoned, setup, teardown),
		cmocka_unit_test_setup_teardown(test_foreign, setup, teardown),
		cmocka_unit_test_setup_teardown(test_no_anchors, setup, teardown),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
