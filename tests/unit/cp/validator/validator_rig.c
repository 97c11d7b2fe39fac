// SPDX-License-Identifier: BSD-3-Clause
#include "validator_rig.h"

#include <event2/event.h>

struct validator_rig fx;

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

static bool leads_on(void *, const struct validator_servers *s, const struct dns_query *q,
	const uint8_t *msg, size_t len)
{
	assert_ptr_equal(s->upstreams, fx.up);
	assert_true(len > DNS_HEADER_LEN && get_u16(msg + 6) > 0);
	return fx.leads_on && q->qtype != DNS_TYPE_DNSKEY;
}

static void on_verdict(void *arg, const struct validator_verdict *v)
{
	const char *next = fx.next;

	assert_ptr_equal(arg, &fx);
	fx.verdicts++;
	fx.end = v->end;
	fx.ede = v->ede;
	snprintf(fx.why, sizeof(fx.why), "%s", v->why ? v->why : "");
	fx.len = v->msg && v->len <= sizeof(fx.msg) ? v->len : 0;
	memcpy(fx.msg, v->msg ? v->msg : fx.msg, fx.len);
	fx.next = NULL;
	if (next)
		assert_int_equal(ask(next, &fx.next_slot), 0);
}

int rig_setup(void **)
{
	static const struct validator_owner owner = {
		.servers = servers, .release = release, .leads_on = leads_on};
	struct config_upstreams config = {
		.count = 1, .first_timeout_ms = 200, .max_sends = 3, .backoff_s = 30};

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
	config.server[0].address = socket_here(fx.root.port);
	assert_int_equal(
		upstreams_new(&fx.up, &(struct upstream_shared){.loop = fx.loop}, &config), 0);
	assert_int_equal(validators_new(&fx.v, fx.loop, QUESTIONS, &owner), 0);
	fx.set = (struct validator_settings){.anchors = fx.anchors, .hash = 1};
	validators_configure(fx.v, &fx.set);
	return 0;
}

int rig_teardown(void **)
{
	validators_free(fx.v);
	assert_int_equal(fx.held, 0);
	upstreams_free(fx.up);
	signed_root_stop(&fx.root);
	loop_free(fx.loop);
	return folder_remove(fx.folder, "");
}

int ask(const char *name, struct validation **slot)
{
	struct dns_name n = name_of_text(name);
	return validators_ask(fx.v,
		&(struct validator_question){.name = &n,
			.qtype = DNS_TYPE_A,
			.view = VIEW,
			.deadline_ms = clock_mono_ms() + fx.life_ms,
			.done = on_verdict,
			.arg = &fx},
		slot);
}

struct validators_status status(void)
{
	struct validators_status s;
	validators_status(fx.v, &s);
	return s;
}

void turn(void)
{
	event_base_loop(loop_base(fx.loop), EVLOOP_ONCE | EVLOOP_NONBLOCK);
}

void verdicts_wait(unsigned count)
{
	WAIT_FOR(fx.verdicts >= count, turn());
	assert_int_equal(fx.verdicts, count);
}

void expect(const char *name, enum validator_end end, int ede)
{
	struct validation *slot = NULL;

	fx.verdicts = 0;
	assert_int_equal(ask(name, &slot), 0);
	verdicts_wait(1);
	assert_null(slot);
	if (fx.end != end || fx.ede != ede)
		fail_msg("%s: end %d, EDE %d (%s)", name, fx.end, fx.ede, fx.why);
}
