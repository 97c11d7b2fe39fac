// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// An HTTP server on 127.0.0.1, in a thread of the test, one connection at a time, that behaves as
// the path of the request says (fake_http.c).

#include "fake_listener.h"

struct fake_http {
	struct fake_listener listener;
	uint16_t port;
	_Atomic unsigned requests, slow_lines; // slow_lines: that /slow has said
	pthread_mutex_t lock;                  // protects the fields below
	char body[256], etag[32];
	char last[2048];    // the last request as received
	char primary[1024]; // the reply of /v1/sync/list; "": 404
};

void fake_http_start(struct fake_http *f);
void fake_http_stop(struct fake_http *f);
void fake_http_body(struct fake_http *f, const char *body, const char *etag);
void fake_http_primary(struct fake_http *f, const char *reply);
bool fake_http_last_has(struct fake_http *f, const char *text);
