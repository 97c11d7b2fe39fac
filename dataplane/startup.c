// SPDX-License-Identifier: BSD-3-Clause
#include "startup.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>
#include <weir/clock.h>
#include <weir/config/versions.h>
#include <weir/log.h>

static struct {
	uint64_t began_us, last_us;
	unsigned count;
	struct {
		const char *name;
		uint64_t us;
	} part[STARTUP_PARTS_MAX];
} startup;

void startup_begin(void)
{
	startup.began_us = startup.last_us = clock_us_of(CLOCK_MONOTONIC);
	startup.count = 0;
}

void startup_part(const char *name)
{
	const uint64_t now_us = clock_us_of(CLOCK_MONOTONIC);
	unsigned i = 0;
	while (i < startup.count && strcmp(startup.part[i].name, name) != 0)
		i++;
	assert(i < STARTUP_PARTS_MAX);
	if (i == startup.count) {
		startup.part[i].name = name;
		startup.part[i].us = 0;
		startup.count++;
	}
	startup.part[i].us += now_us - startup.last_us;
	startup.last_us = now_us;
}

static unsigned rounded_ms(uint64_t us)
{
	return (unsigned)((us + 500) / 1000);
}

void startup_log(void)
{
	char text[STARTUP_PARTS_MAX * 32] = "";
	size_t len = 0;
	for (unsigned i = 0; i < startup.count && len < sizeof(text); i++)
		len += (size_t)snprintf(text + len, sizeof(text) - len, "%s%s %u", i ? ", " : "",
			startup.part[i].name, rounded_ms(startup.part[i].us));
	log_info("started in %u ms: %s", rounded_ms(startup.last_us - startup.began_us), text);
}

struct config *startup_config(const char *path, char why[CONFIG_WHY_MAX])
{
	struct config_start start;
	if (config_start(path, CONFIG_SECRETS_NONE, &start, why) < 0) {
		log_error("%s", why);
		return NULL;
	}
	log_init("weir-dataplane", (enum log_level)start.config->runtime.log_level);
	log_set_format((enum log_format)start.config->runtime.log_format);
	config_start_log(&start, path);
	config_start_free(&start);
	return start.config;
}
