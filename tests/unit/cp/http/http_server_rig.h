// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// An HTTP server alone, on a loop of its own thread and, where the test has no socket, on one of
// the unix kind in a folder of its own.

#include "controlplane/base/loop.h"
#include "controlplane/http/http_server.h"
#include "http_client.h"

static struct loop *loop;
static struct http_server *server;
static pthread_t thread;

static inline bool admit_all(void *, const struct ucred *, int)
{
	return true;
}

static void *http_server_rig_run(void *)
{
	assert_int_equal(loop_run(loop), 0);
	return NULL;
}

static inline int unix_listen(int backlog)
{
	struct sockaddr_un sun = {.sun_family = AF_UNIX};
	assert_int_equal(own_folder_setup(NULL), 0);
	snprintf(path, sizeof(path), "%s/sock", own_folder);
	memcpy(sun.sun_path, path, strlen(path) + 1);
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	assert_true(fd >= 0);
	assert_int_equal(bind(fd, (struct sockaddr *)&sun, sizeof(sun)), 0);
	assert_int_equal(listen(fd, backlog), 0);
	return fd;
}

// `settings` without its base. Takes a socket that listens.
static inline int http_server_rig_open(int fd, struct http_settings settings)
{
	signal(SIGPIPE, SIG_IGN); // as the control plane does
	if (loop_new("http", &loop) < 0)
		return -1;
	settings.base = loop_base(loop);
	if (http_server_open(&server, fd, &settings) < 0)
		return -1;
	return pthread_create(&thread, NULL, http_server_rig_run, NULL);
}

static inline void http_server_rig_end(void)
{
	loop_stop(loop);
	assert_int_equal(pthread_join(thread, NULL), 0);
	http_server_close(server);
}
