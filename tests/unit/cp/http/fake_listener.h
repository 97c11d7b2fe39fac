// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// A server of the test on 127.0.0.1, in a thread: one connection at a time, which a function of the
// server's own serves.

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct fake_listener {
	int fd;
	uint16_t port;
	pthread_t thread;
	_Atomic bool stop;
	void (*serve)(void *arg, int fd); // the listener closes `fd` then
	void *arg;
};

// Port 0: any that is free. Fails the test.
void fake_listener_start(
	struct fake_listener *l, uint16_t port, void (*serve)(void *arg, int fd), void *arg);
void fake_listener_stop(struct fake_listener *l);
// For `serve`. Bytes read; 0: the client or the test ended it.
size_t fake_listener_hear(struct fake_listener *l, int fd, void *out, size_t cap);
bool fake_listener_say(int fd, const void *bytes, size_t len); // all of them
void fake_listener_wait(struct fake_listener *l, unsigned ms); // or until the test ends it

// A socket that listens on 127.0.0.1:`port`; 0: any that is free, which it is then.
int loopback_listen(uint16_t *port);
