// SPDX-License-Identifier: BSD-3-Clause
// The sum of two frontends' states, as the control API shows it.
#include "frontends.h"

#define SUM(field)  (sum->field += one->field)
#define MOST(field) (sum->field = one->field > sum->field ? one->field : sum->field)

static void counts_sum(struct frontend_counts *sum, const struct frontend_counts *one)
{
	for (unsigned v = 0; v < VERDICT_COUNT; v++)
		SUM(verdict[v]);
	SUM(answers);
	SUM(answers_stale);
	SUM(answers_servfail);
	SUM(answers_blocked);
	SUM(left);
	SUM(lost);
	SUM(truncated);
	SUM(cookies_good);
	SUM(cookies_bad);
	SUM(cookies_alone);
	SUM(cookies_exempt);
}

// Each one's most may have been at another time: never more than the cap of all.
static unsigned high_sum(unsigned a, unsigned b, unsigned cap)
{
	unsigned most = a > b ? a : b;
	return a + b <= cap ? a + b : most > cap ? most : cap;
}

static void engine_sum(struct frontend_status *sum, const struct frontend_status *one)
{
	for (unsigned t = 0; t < FRONTEND_TRANSPORTS; t++)
		counts_sum(&sum->of[t], &one->of[t]);
	SUM(pending);
	sum->pending_max = high_sum(sum->pending_max, one->pending_max, FRONTEND_PENDING_MAX);
	SUM(macs_unasked);
	SUM(record_anomalies);
}

// Each address counts once: it is bound when all frontends have bound it.
static void udp_sum(struct frontend_udp_status *sum, const struct frontend_udp_status *one)
{
	if (one->bound < sum->bound)
		sum->bound = one->bound;
	SUM(received);
	SUM(alone);
	SUM(sent);
	SUM(send_full);
	SUM(send_errors);
	SUM(too_long);
	SUM(bad_source);
	SUM(proxied);
	SUM(bad_proxy);
	SUM(forwarded_full);
	SUM(kernel_drops);
}

// One that a frontend cannot listen on is shown as failed.
static void listeners_sum(struct frontend_tcp_status *sum, const struct frontend_tcp_status *one)
{
	for (unsigned i = 0; i < sum->listener_count && i < one->listener_count; i++)
		if (!sum->listener[i].err)
			sum->listener[i].err = one->listener[i].err;
}

// `clients` is of all frontends already, and a client's `busiest_open` is at all of them.
static void tcp_sum(struct frontend_tcp_status *sum, const struct frontend_tcp_status *one)
{
	if (sum->busiest_open < one->busiest_open) {
		sum->busiest = one->busiest;
		sum->busiest_open = one->busiest_open;
	}
	SUM(open);
	sum->open_max = high_sum(sum->open_max, one->open_max, sum->cap);
	SUM(pending);
	sum->pending_max = high_sum(sum->pending_max, one->pending_max, sum->pending_cap);
	SUM(buffered);
	SUM(accepted);
	SUM(proxied);
	SUM(refused_full);
	SUM(refused_client);
	SUM(refused_denied);
	SUM(accept_paused);
	for (unsigned i = 0; i < FRONTEND_TCP_ACCEPT_ERROR_COUNT; i++)
		SUM(accept_errors[i]);
	SUM(queries);
	SUM(replies);
	SUM(bytes_in);
	SUM(bytes_out);
	SUM(held);
	for (unsigned i = 0; i < FRONTEND_TCP_END_COUNT; i++)
		SUM(ended[i]);
	SUM(tls.open);
	SUM(tls.shaking);
	SUM(tls.shaking_max);
	SUM(tls.handshakes);
	SUM(tls.resumed);
	SUM(tls.certified);
	for (unsigned i = 0; i < TLS_REFUSAL_COUNT; i++)
		SUM(tls.failed[i]);
	doh_status_add(&sum->doh, &one->doh);
	listeners_sum(sum, one);
}

void frontends_merge_status(struct frontends_status *sum, const struct frontends_status *one)
{
	engine_sum(&sum->engine, &one->engine);
	udp_sum(&sum->udp, &one->udp);
	tcp_sum(&sum->tcp, &one->tcp);
	counts_merge(lag_rows(), &sum->lag, &one->lag);
	tables_sum(&sum->tables, &one->tables);
}
