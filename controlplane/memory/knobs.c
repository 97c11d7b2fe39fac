// SPDX-License-Identifier: BSD-3-Clause
#include "knobs.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static const struct {
	const char *name;
	uint32_t most;
	const char *help;
} knobs[] = {
#define X(name, text, most, help) {text, most, help},
	KNOB_LIST(X)
#undef X
};

void knobs_reset(struct knobs *k)
{
	for (unsigned i = 0; i < KNOB_COUNT; i++)
		k->value[i] = knobs[i].most;
}

enum knob knob_find(const char *name)
{
	unsigned i = 0;
	while (i < KNOB_COUNT && strcmp(knobs[i].name, name) != 0)
		i++;
	return (enum knob)i;
}

const char *knob_name(enum knob knob)
{
	return knobs[knob].name;
}

const char *knob_help(enum knob knob)
{
	return knobs[knob].help;
}

uint32_t knob_usual(enum knob knob)
{
	return knobs[knob].most;
}

static int number_read(const char *text, uint32_t most, uint32_t *out)
{
	char *end;
	if (*text < '1' || *text > '9' || strlen(text) > 5)
		return -EINVAL;
	unsigned long n = strtoul(text, &end, 10);
	if (*end || n > most)
		return -EINVAL;
	*out = (uint32_t)n;
	return 0;
}

int knob_set(struct knobs *k, enum knob knob, const char *value)
{
	uint32_t most = knobs[knob].most, n = most;
	int rc = 0;
	if (strcmp(value, "default") == 0)
		n = most;
	else if (most > 1)
		rc = number_read(value, most, &n);
	else if (strcmp(value, "off") == 0)
		n = 0;
	else if (strcmp(value, "on") != 0)
		rc = -EINVAL;
	if (rc == 0)
		k->value[knob] = n;
	return rc;
}

struct config *knobs_lay(const struct knobs *k, const struct config *read)
{
	struct config *c = malloc(sizeof(*c));
	if (!c)
		return NULL;
	*c = *read;
	knobs_apply(k, c);
	return c;
}

void knobs_apply(const struct knobs *k, struct config *c)
{
	c->upstreams.socket_uses =
		k->value[KNOB_UPSTREAM_KEEPALIVE] ? k->value[KNOB_UPSTREAM_RECYCLE] : 1;
	c->http_single = !k->value[KNOB_HTTP_KEEPALIVE];
	c->resolver_off = !k->value[KNOB_RESOLVER];
	if (!k->value[KNOB_REFRESH] || c->resolver_off)
		c->refresh.enabled = false;
	if (!k->value[KNOB_L1])
		c->redis.mode = REDIS_MODE_OFF;
	if (!k->value[KNOB_QUERY_LOG])
		c->query_log.enabled = false;
	if (!k->value[KNOB_LIST_RELOAD])
		c->blocking.update.interval_s = 0;
}
