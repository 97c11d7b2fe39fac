// SPDX-License-Identifier: BSD-3-Clause
// The sum of two frontends' states, as the control API shows it.
#include "frontends.h"

#define SUM(field) (sum->field += one->field)

static void counts_sum(struct frontend_counts *sum, const struct frontend_counts *one)
{
	for (unsigned v = 0; v < VERDICT_COUNT; v++)
		SUM(verdict[v]);
	counts_merge(frontend_rows(), sum, one);
}

// The highest values of two frontends may be of different times: their sum is cut at the cap of
// all.
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

// A listener that fails at any frontend is shown as failed.
static void listeners_sum(struct frontend_tcp_status *sum, const struct frontend_tcp_status *one)
{
	for (unsigned i = 0; i < sum->listener_count && i < one->listener_count; i++)
		if (!sum->listener[i].err)
			sum->listener[i].err = one->listener[i].err;
}

// `clients` counts all frontends already, and `busiest_open` a client's connections at all of them.
static void tcp_sum(struct frontend_tcp_status *sum, const struct frontend_tcp_status *one)
{
	if (sum->busiest_open < one->busiest_open) {
		sum->busiest = one->busiest;
		sum->busiest_open = one->busiest_open;
	}
	sum->open_max = high_sum(sum->open_max, one->open_max, sum->cap);
	sum->pending_max = high_sum(sum->pending_max, one->pending_max, sum->pending_cap);
	counts_merge(frontend_tcp_rows(), sum, one);
	for (unsigned i = 0; i < FRONTEND_TCP_ACCEPT_ERROR_COUNT; i++)
		SUM(accept_errors[i]);
	for (unsigned i = 0; i < FRONTEND_TCP_END_COUNT; i++)
		SUM(ended[i]);
	counts_merge(frontend_tls_rows(), &sum->tls, &one->tls);
	for (unsigned i = 0; i < TLS_REFUSAL_COUNT; i++)
		SUM(tls.failed[i]);
	doh_status_add(&sum->doh, &one->doh);
	listeners_sum(sum, one);
}

void frontends_merge_status(struct frontends_status *sum, const struct frontends_status *one)
{
	engine_sum(&sum->engine, &one->engine);
	counts_merge(fallback_rows(), &sum->udp, &one->udp);
	tcp_sum(&sum->tcp, &one->tcp);
	counts_merge(lag_rows(), &sum->lag, &one->lag);
	tables_sum(&sum->tables, &one->tables);
}
