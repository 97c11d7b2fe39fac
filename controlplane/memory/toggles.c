// SPDX-License-Identifier: BSD-3-Clause
#include "toggles.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <weir/heap_site.h>

static const struct {
	const char *name;
	uint32_t usual, most;
	const char *help;
} toggles[] = {
#define X(name, text, usual, most, help) {text, usual, most, help},
	TOGGLE_LIST(X)
#undef X
};

void toggles_reset(struct toggles *k)
{
	for (unsigned i = 0; i < TOGGLE_COUNT; i++)
		k->value[i] = toggles[i].usual;
}

enum toggle toggle_find(const char *name)
{
	unsigned i = 0;
	while (i < TOGGLE_COUNT && strcmp(toggles[i].name, name) != 0)
		i++;
	return (enum toggle)i;
}

const char *toggle_name(enum toggle toggle)
{
	return toggles[toggle].name;
}

const char *toggle_help(enum toggle toggle)
{
	return toggles[toggle].help;
}

uint32_t toggle_usual(enum toggle toggle)
{
	return toggles[toggle].usual;
}

uint32_t toggle_most(enum toggle toggle)
{
	return toggles[toggle].most;
}

static int number_read(const char *text, uint32_t most, uint32_t *out)
{
	char *end;
	if (*text < '0' || *text > '9' || strlen(text) > 5 || (*text == '0' && text[1]))
		return -EINVAL;
	unsigned long n = strtoul(text, &end, 10);
	if (*end || n > most)
		return -EINVAL;
	*out = (uint32_t)n;
	return 0;
}

int toggle_set(struct toggles *k, enum toggle toggle, const char *value)
{
	uint32_t most = toggles[toggle].most, n = toggles[toggle].usual;
	int rc = 0;
	if (strcmp(value, "default") != 0) {
		if (most > 1)
			rc = number_read(value, most, &n);
		else if (strcmp(value, "off") == 0)
			n = 0;
		else if (strcmp(value, "on") != 0)
			rc = -EINVAL;
	}
	if (rc == 0)
		k->value[toggle] = n;
	return rc;
}

struct config *toggles_lay(const struct toggles *k, const struct config *read)
{
	struct config *c = heap_malloc(sizeof(*c));
	if (!c)
		return NULL;
	*c = *read;
	toggles_apply(k, c);
	return c;
}

void toggles_apply(const struct toggles *k, struct config *c)
{
	uint32_t uses = k->value[TOGGLE_UPSTREAM_RECYCLE];
	if (!k->value[TOGGLE_UPSTREAM_KEEPALIVE])
		c->upstreams.socket_uses = 1;
	else if (uses == toggles[TOGGLE_UPSTREAM_RECYCLE].usual)
		c->upstreams.socket_uses = 0;
	else
		c->upstreams.socket_uses = uses ? uses : UINT32_MAX;
	c->http_single = !k->value[TOGGLE_HTTP_KEEPALIVE];
	c->resolver_off = !k->value[TOGGLE_RESOLVER];
	if (!k->value[TOGGLE_REFRESH] || c->resolver_off)
		c->refresh.enabled = false;
	if (!k->value[TOGGLE_L1])
		c->redis.mode = REDIS_MODE_OFF;
	if (!k->value[TOGGLE_QUERY_LOG])
		c->query_log.enabled = false;
	if (!k->value[TOGGLE_LIST_RELOAD])
		c->blocking.update.interval_s = 0;
}
