// SPDX-License-Identifier: BSD-3-Clause

// The master that the sentinels name. The client asks one of them; a subscription to its
// +switch-master reports a change at once. The node's log-in checks that it is a master (ROLE),
// since a sentinel may be behind (Redis Sentinel client guidelines).

#include "redis_ask.h"
#include "redis_error.h"

#include <errno.h>
#include <string.h>
#include <weir/heap_site.h>
#include <weir/log.h>

struct sentinel {
	struct redis_ask ask;
	struct redis_sub sub;
	struct redis_command command;
};

static bool where(struct redis *r, unsigned i, struct redis_login *out)
{
	if (i >= r->c->address_count)
		return false;
	*out = (struct redis_login){
		.address = r->c->addresses[i],
		.username = "",
		.password = r->c->sentinel_password,
	};
	return true;
}

// The subscription goes where the answers come from.
static bool sub_where(void *arg, struct redis_login *out)
{
	struct redis *r = arg;
	const struct sentinel *s = r->topology_state;
	return where(r, s->ask.at, out);
}

static void master_set(struct redis *r, const struct socket_address *address)
{
	struct redis_node *old = r->node_count > 0 ? r->node[0] : NULL;
	if (old && redis_same_address(&old->address, address))
		return;
	if (old && r->retired_count == REDIS_NODES_MAX)
		return; // it changes faster than its connections end; asked again
	struct redis_node *node = redis_node_add(r, address);
	if (!node)
		return;
	node->master = true;
	if (!old)
		return;
	r->totals.failovers++;
	log_info("redis: master changed to %s from %s", node->name, old->name);
	(void)redis_node_retire(old);
}

// Decimal digits to a port; -1.
static int64_t port_read(const char *text, size_t len)
{
	int64_t port = 0;
	for (size_t i = 0; i < len; i++) {
		if (len > 5 || text[i] < '0' || text[i] > '9')
			return -1;
		port = port * 10 + (text[i] - '0');
	}
	return port;
}

// ["192.0.2.7", "6379"], or nil: it does not watch that master.
static bool answer(struct redis *r, const struct redis_reply *reply)
{
	const struct redis_reply *host = redis_reply_at(reply, 0), *port = redis_reply_at(reply, 1);
	struct socket_address a;
	size_t host_len = 0, port_len = 0;
	const char *host_text = host ? redis_reply_text(host, &host_len) : NULL;
	const char *port_text = port ? redis_reply_text(port, &port_len) : NULL;
	if (!host_text || !port_text
		|| redis_host_parse(host_text, host_len, port_read(port_text, port_len), &a) < 0)
		return false;
	master_set(r, &a);
	return true;
}

static bool amiss(const struct redis *r)
{
	return r->node_count == 0 || r->node[0]->away;
}

// "NAME OLD-ADDRESS OLD-PORT ADDRESS PORT"
static void on_switch(void *arg, const char *text, size_t len)
{
	struct redis *r = arg;
	const char *word[5], *end = text + len;
	size_t size[5];
	unsigned words = 0;
	while (words < 5 && text < end) {
		const char *blank = memchr(text, ' ', (size_t)(end - text));
		word[words] = text;
		size[words] = (size_t)((blank ? blank : end) - text);
		text += size[words++] + 1;
	}
	struct socket_address a;
	if (words == 5 && size[0] == strlen(r->c->master_name)
		&& memcmp(word[0], r->c->master_name, size[0]) == 0
		&& redis_host_parse(word[3], size[3], port_read(word[4], size[4]), &a) == 0)
		master_set(r, &a);
}

static void on_gap(void *arg)
{
	struct redis *r = arg;
	struct sentinel *s = r->topology_state;
	redis_ask_now(&s->ask);
}

static int sentinel_start(struct redis *r)
{
	struct sentinel *s = heap_calloc(1, sizeof(*s));
	if (!s)
		return -ENOMEM;
	r->topology_state = s;
	s->command = (struct redis_command){.count = 3,
		.word = {{"SENTINEL", 8}, {"get-master-addr-by-name", 23},
			{r->c->master_name, strlen(r->c->master_name)}}};
	s->ask.owner = r;
	s->ask.command = &s->command;
	s->ask.where = where;
	s->ask.answer = answer;
	s->ask.amiss = amiss;
	redis_ask_start(&s->ask);
	s->sub.on_message = on_switch;
	s->sub.on_gap = on_gap;
	s->sub.arg = r;
	redis_sub_start(&s->sub, r, "+switch-master", sub_where, r);
	return 0;
}

static void sentinel_stop(struct redis *r)
{
	struct sentinel *s = r->topology_state;
	redis_sub_stop(&s->sub);
	redis_ask_stop(&s->ask);
	FREE_AND_NULL(r->topology_state);
}

static struct redis_node *sentinel_node(struct redis *r, unsigned)
{
	return r->node_count > 0 ? r->node[0] : NULL;
}

static void sentinel_trouble(struct redis *r, struct redis_node *)
{
	struct sentinel *s = r->topology_state;
	redis_ask_now(&s->ask);
}

const struct redis_topology redis_sentinel = {
	.start = sentinel_start,
	.stop = sentinel_stop,
	.node = sentinel_node,
	.trouble = sentinel_trouble,
	.master = true,
};
