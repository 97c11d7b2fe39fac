// SPDX-License-Identifier: BSD-3-Clause
#include "webhook_post.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <weir/clock.h>
#include <weir/log.h>
#include <weir/url.h>

enum { MINUTE_MS = 60000 };

int webhook_post_open(struct webhook_post *p, const struct config_webhook_to *config,
	const struct http_post_settings *s)
{
	struct url url;
	struct http_post_settings post = *s;
	*p = (struct webhook_post){.config = config,
		.room = (uint64_t)config->per_minute * MINUTE_MS,
		.room_ms = clock_mono_ms()};
	if (url_parse(config->url, &url) == 0)
		snprintf(p->shown, sizeof(p->shown), "%.*s", (int)url.host_len, url.host);
	post.ca_file = config->ca_file;
	return http_post_open(&p->post, &post);
}

void webhook_post_close(struct webhook_post *p)
{
	http_post_close(p->post);
	p->post = NULL;
}

bool webhook_post_may_send(struct webhook_post *p, uint64_t now_ms)
{
	uint64_t cap = (uint64_t)p->config->per_minute * MINUTE_MS;
	p->room += (now_ms - p->room_ms) * p->config->per_minute;
	p->room = p->room < cap ? p->room : cap;
	p->room_ms = now_ms;
	return p->room >= MINUTE_MS && now_ms >= p->retry.at_ms
	       && (p->last_ms == 0 || now_ms >= p->last_ms + WEBHOOK_SPACE_MS);
}

bool webhook_post_has_room(const struct webhook_post *p)
{
	return !p->retry.wait_ms && p->room >= MINUTE_MS;
}

// When it may be tried again, and why it was in vain. `rc` is http_post's.
static void send_failed(struct webhook_post *p, int rc, const struct http_post_reply *reply,
	struct sink_status *counts)
{
	uint64_t now_ms = clock_mono_ms(), after_s = reply->retry_after_s;
	bool asks = rc == 0 && (reply->status == 429 || reply->status == 503);
	after_s = after_s < WEBHOOK_AFTER_MAX_S ? after_s : WEBHOOK_AFTER_MAX_S;
	sink_thread_retry_after(&p->retry, now_ms);
	if (asks && p->retry.at_ms < now_ms + after_s * 1000)
		p->retry.at_ms = now_ms + after_s * 1000;
	unsigned long long wait_ms = p->retry.at_ms - now_ms;
	counts->failures++;
	if (rc < 0)
		snprintf(p->why, sizeof(p->why), "%.60s: %.90s", p->shown,
			reply->why[0] ? reply->why : strerror(-rc));
	else
		snprintf(p->why, sizeof(p->why), "%.60s: HTTP %u", p->shown, reply->status);
	if (rc == -EKEYREJECTED) {
		counts->untrusted++;
		log_warning("webhook: certificate of %s not trusted; next try in %llu ms", p->why,
			wait_ms);
	} else {
		log_warning("webhook: %s; next try in %llu ms", p->why, wait_ms);
	}
}

bool webhook_post_send(struct webhook_post *p, const char *text, uint64_t now_ms,
	unsigned timeout_ms, struct sink_status *counts)
{
	struct http_post_reply reply = {0};
	const struct http_post_request request = {.url = p->config->url,
		.header = {"Content-Type: application/json"},
		.body = text,
		.len = strlen(text),
		.timeout_ms = timeout_ms};
	int rc = http_post(p->post, &request, &reply);
	p->room -= MINUTE_MS;
	p->last_ms = now_ms;
	if (rc == 0 && reply.status / 100 == 2) {
		p->retry = (struct sink_retry){0};
		p->why[0] = '\0';
		counts->written++;
		counts->bytes += request.len;
		return true;
	}
	p->is_cut = rc == -ECANCELED;
	if (!p->is_cut)
		send_failed(p, rc, &reply, counts);
	return false;
}
