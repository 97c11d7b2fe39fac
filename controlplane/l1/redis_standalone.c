// SPDX-License-Identifier: BSD-3-Clause

// One server that has everything. When it is away there is nobody else to ask: its probe brings it
// back.

#include "redis_internal.h"

#include <errno.h>

static int standalone_start(struct redis *r)
{
	struct redis_node *node = redis_node_add(r, &r->c->addresses[0]);
	if (!node)
		return -ENOMEM;
	node->master = true;
	return 0;
}

static void standalone_stop(struct redis *)
{
}

static struct redis_node *standalone_node(struct redis *r, unsigned)
{
	return r->node_count > 0 ? r->node[0] : NULL;
}

static void standalone_trouble(struct redis *, struct redis_node *)
{
}

const struct redis_topology redis_standalone = {
	.start = standalone_start,
	.stop = standalone_stop,
	.node = standalone_node,
	.trouble = standalone_trouble,
};
