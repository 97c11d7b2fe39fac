// SPDX-License-Identifier: BSD-3-Clause
#include "upstream_candidate.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <weir/bytes.h>
#include <weir/clock.h>
#include <weir/dns_name.h>
#include <weir/dns_proto.h>

enum { EACH_S = 1, FIRST_TIMEOUT_MS = 1000, BACKOFF_S = 1 };

void upstream_wish_fill(struct upstream_wish *w, const struct config_upstreams *config,
	const struct config_upstream *server)
{
	snprintf(w->ca_file, sizeof(w->ca_file), "%s", config->ca_file ? config->ca_file : "");
	w->config = (struct config_upstreams){.count = 1,
		.server = {*server},
		.first_timeout_ms = FIRST_TIMEOUT_MS,
		.max_sends = 1,
		.policy = UPSTREAM_FAILOVER,
		.race = 1,
		.check = UPSTREAM_CHECK_OFF,
		.check_interval_s = 1,
		.check_name = config->check_name,
		.check_type = config->check_type,
		.backoff_s = BACKOFF_S,
		.ca_file = w->ca_file};
}

static void candidate_end(void *arg)
{
	struct upstream_candidate *c = arg;

	wheel_stop(&c->end);
	upstreams_free(c->set);
	c->set = NULL;
	c->done(c->arg, c->err, c->tried);
}

// Called from within the set, which is freed by a timer therefore.
static void on_tried(void *arg, int err, const struct upstream_tried tried[UPSTREAM_TRANSPORTS])
{
	struct upstream_candidate *c = arg;

	c->err = err;
	memcpy(c->tried, tried, sizeof(c->tried));
	wheel_start(c->end.wheel, &c->end, 0, clock_mono_ms());
}

static bool may_try(struct upstream_candidate *c, uint64_t now_ms)
{
	if (!c->has_tried)
		c->tries = allowance_full(UPSTREAM_CANDIDATE_BURST, now_ms);
	c->has_tried = true;
	return allowance_take(&c->tries, EACH_S, UPSTREAM_CANDIDATE_BURST, now_ms);
}

int upstream_candidate_try(struct upstream_candidate *c, struct loop *loop,
	const struct upstream_wish *wish, upstream_tried_fn done, void *arg)
{
	const struct upstream_shared shared = {.loop = loop, .is_apart = true};
	char server[CONFIG_HOST_TEXT_MAX];

	if (c->set)
		return -EBUSY;
	if (!may_try(c, clock_mono_ms()))
		return -EAGAIN;
	int rc = upstreams_new(&c->set, &shared, &wish->config);
	if (rc < 0)
		return rc;
	c->end = (struct wheel_timer){.wheel = loop_wheel(loop), .fn = candidate_end, .arg = c};
	c->done = done;
	c->arg = arg;
	rc = upstreams_try(
		c->set, config_server_text(&wish->config.server[0], server), on_tried, c);
	if (rc < 0) {
		upstreams_free(c->set);
		c->set = NULL;
	}
	return rc;
}

void upstream_candidate_stop(struct upstream_candidate *c)
{
	if (!c->set)
		return;
	upstreams_try_stop(c->set);
	candidate_end(c);
}

bool upstream_answer_is_signed(const uint8_t *msg, size_t len)
{
	struct rd r = rd_init(msg, len);
	struct dns_name name;

	rd_skip(&r, 4); // id and flags
	const unsigned questions = rd_u16(&r), answers = rd_u16(&r);
	rd_skip(&r, 4); // numbers of the other records
	for (unsigned i = 0; i < questions && rd_ok(&r); i++) {
		if (dns_name_read_compressed(&r, &name, NULL))
			return false;
		rd_skip(&r, 4); // type and class
	}
	for (unsigned i = 0; i < answers && rd_ok(&r); i++) {
		if (dns_name_read_compressed(&r, &name, NULL))
			return false;
		const unsigned type = rd_u16(&r);
		rd_skip(&r, 6); // class and TTL
		rd_skip(&r, rd_u16(&r));
		if (rd_ok(&r) && type == DNS_TYPE_RRSIG)
			return true;
	}
	return false;
}
