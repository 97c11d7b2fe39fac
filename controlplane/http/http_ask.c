// SPDX-License-Identifier: BSD-3-Clause

// How often a sender and a user may ask, and what they pay for what it takes (http_rate.h). Pages
// of other sites ask by an allowance apart, or one in a browser would use up that of its address.
#include "base/json_out.h"
#include "base/source_key.h"
#include "http_internal.h"
#include "http_rate.h"

#include <string.h>
#include <weir/clock.h>

// Places in `asks`.
enum { NETWORK, SENDER, USER };
static_assert((int)USER + 1 == (int)HTTP_TURNS_MAX);

static bool ask_take(struct http_exchange *x, unsigned which, uint64_t key, unsigned times)
{
	struct http_rate *rate = x->server->settings.rate;
	if (!rate)
		return true;
	x->asks[which] = x->server->turn.key[which] = key;
	if (http_rate_take(rate, key, times, clock_mono_ms()))
		return true;
	x->server->counts.refused_rate++;
	http_reply_header(x, "Retry-After", "1");
	http_reply(x, 429, json_out_error("too many requests: try again in a second"));
	return false;
}

// How many requests are served for that user; 0: for all users but admins.
static unsigned served_of(const struct http_server *s, uint64_t key)
{
	const struct http_exchange *x;
	unsigned n = 0;
	LIST_FOREACH (x, &s->exchange_list, link)
		n += key ? x->asks[USER] == key : x->asks[USER] && !x->is_admin;
	return n;
}

static bool busy_reply(struct http_exchange *x, const char *with)
{
	x->server->counts.refused_full++;
	http_reply_header(x, "Retry-After", "1");
	http_reply(x, 503, json_out_error("too busy with %s: try again", with));
	return false;
}

// By a browser's word: another site's page asks, for which nobody at the sender's address can.
static bool is_foreign(const struct http_exchange *x)
{
	const char *site = http_header(x, "Sec-Fetch-Site");
	return site && strcmp(site, "same-origin") != 0 && strcmp(site, "none") != 0;
}

// By the kernel's word: an address, or a local user.
static uint64_t own_of(const struct http_exchange *x, const struct source_ids *of)
{
	return source_id_is_none(&of->own) ? http_rate_key('u', &x->peer.uid, sizeof(x->peer.uid))
					   : http_rate_key('s', &of->own, sizeof(of->own));
}

static uint64_t apart(uint64_t key, bool is_foreign)
{
	return is_foreign ? http_rate_key('f', &key, sizeof(key)) : key;
}

bool http_sender_may_ask(struct http_exchange *x)
{
	const struct source_ids of = source_ids_of(&x->source);
	const bool foreign = is_foreign(x);
	// An address that asks too often takes nothing of what its network has.
	if (!ask_take(x, SENDER, apart(own_of(x, &of), foreign), 1))
		return false;
	if (source_id_is_none(&of.network))
		return true;
	const uint64_t network = http_rate_key('n', &of.network, sizeof(of.network));
	return ask_take(x, NETWORK, apart(network, foreign), SOURCE_NETWORK_TIMES);
}

bool http_may_ask(struct http_exchange *x, uint64_t key, bool is_admin)
{
	const struct http_server *s = x->server;
	const unsigned max = s->settings.exchanges_max;
	http_conns_entitled(s->conns, http_request_buffer(x->request), key);
	x->is_admin = is_admin;
	if (s->settings.rate && served_of(s, key) >= max / 2)
		return busy_reply(x, "this user");
	if (s->settings.rate && !is_admin && served_of(s, 0) >= max - max / 4)
		return busy_reply(x, "users who are no admins");
	return ask_take(x, USER, key, 1);
}

static uint64_t cpu_us(void)
{
	return clock_us_of(CLOCK_THREAD_CPUTIME_ID);
}

struct http_turn http_turn_begin(const struct http_exchange *x)
{
	struct http_turn t = {.rate = x->server->settings.rate};
	if (t.rate)
		t.began_us = cpu_us();
	memcpy(t.key, x->asks, sizeof(t.key));
	return t;
}

void http_turn_end(const struct http_turn *t)
{
	if (!t->rate)
		return;
	const uint64_t took_us = cpu_us() - t->began_us;
	for (unsigned i = 0; i < HTTP_TURNS_MAX; i++)
		http_rate_charge(t->rate, t->key[i], took_us);
}
