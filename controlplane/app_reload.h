// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// What app.c and app_reload.c share: the process and the one reload that may run.

#include "api.h"
#include "app.h"

#include <pthread.h>

struct event;

struct reload {
	bool running;
	struct config *loaded; // not in force yet
	api_config_done done;  // NULL: nobody asked
	void *arg;
	int err;
	char why[CONFIG_WHY_MAX + 64];
	char needs_restart[512];
};

struct app {
	struct config *started; // as read at start: what settings that need a restart still are
	struct config *current; // in force
	struct publisher *publisher;
	struct loop *loop, *service; // loop: the resolver's
	struct event *signals[3];
	struct resolver *resolver;
	struct rules *rules;
	struct api *api;
	struct api_deps deps;
	char socket_path[SHM_PATH_MAX + 16];
	pthread_t thread;
	bool thread_runs;
	struct reload reload;
};

// Service loop's thread.
void app_publish_config(struct app *a, const struct config *c);
const struct config *app_config(void *app);
int app_reload(void *app, api_config_done done, void *arg); // -EBUSY
