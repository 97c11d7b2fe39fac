// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// The control API on a loop of its own thread and a socket in a folder of its own, and clients of
// its streams.

#include "controlplane/api/api.h"
#include "http_client.h"

enum { STREAM_WAIT_MS = 20000 };

static char api_folder[FOLDER_MAX];
static struct loop *service;
static struct api *api;
static pthread_t api_thread;
static struct config config;                // in force
static char stream_text[4 * sizeof(reply)]; // of the last stream_wait

static inline const struct config *config_now(void *)
{
	return &config;
}

static void *api_rig_run(void *)
{
	assert_int_equal(loop_run(service), 0);
	return NULL;
}

// Folder and loop, for what has to be there before the API; else api_rig_open does it.
static inline int api_rig_begin(void)
{
	signal(SIGPIPE, SIG_IGN); // as the control plane does
	if (folder_make(api_folder, "api") < 0 || loop_new("service", &service) < 0)
		return -1;
	snprintf(path, sizeof(path), "%s/control.sock", api_folder);
	return 0;
}

// `deps` without service, socket_path and state_directory.
static inline int api_rig_open(struct api_deps deps)
{
	char why[API_WHY_MAX];
	if (!service && api_rig_begin() < 0)
		return -1;
	deps.service = service;
	deps.socket_path = path;
	deps.state_directory = api_folder;
	deps.config_current = config_now;
	if (api_open(&api, &deps, why) < 0)
		return -1;
	return pthread_create(&api_thread, NULL, api_rig_run, NULL);
}

static inline void api_rig_end(void)
{
	loop_stop(service);
	assert_int_equal(pthread_join(api_thread, NULL), 0);
	api_close(api);
}

// After api_rig_end.
static inline int api_rig_close(void **)
{
	loop_free(service);
	return folder_remove(api_folder, "");
}

// The API ends while `fd` has a stream of it.
static inline void stream_end(int fd)
{
	api_rig_end();
	assert_true(client_read(fd, PATIENCE_MS) >= 0);
	close(fd);
}

// Sends the request, and reads nothing of its stream.
static inline int stream_begin(const char *what, const char *header)
{
	int fd = client_connect();
	client_send(fd, text_from("GET %s HTTP/1.1\r\nHost: a\r\n%s\r\n", what, header));
	return fd;
}

// Until the stream has had `part`, from here on.
static inline void stream_wait(int fd, const char *part)
{
	const uint64_t end_ms = clock_mono_ms() + STREAM_WAIT_MS;
	stream_text[0] = '\0';
	while (!strstr(stream_text, part) && clock_mono_ms() < end_ms) {
		assert_int_equal(client_read(fd, 50), -1); // it goes on
		if (strlen(stream_text) + strlen(reply) < sizeof(stream_text))
			strcat(stream_text, reply);
	}
	if (!strstr(stream_text, part))
		fail_msg("no %s in: %s", part, stream_text);
}
