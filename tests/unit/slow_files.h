// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// Files whose last close takes long: TCP sockets with unsent bytes that their peers do not take. It
// takes as long as SO_LINGER says, or until the peer is gone.

#include "unit.h"

#include <netinet/in.h>

enum { SLOW_FILE_S = 300, SLOW_FILES_MAX = 8 };

// `listener`: -1 before the first one.
static inline void slow_file_make(int *listener, int *near, int *far)
{
	static const char bytes[65536];
	const struct linger linger = {1, SLOW_FILE_S};
	struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t len = sizeof(at);
	if (*listener < 0) {
		*listener = socket(AF_INET, SOCK_STREAM, 0);
		assert_int_equal(bind(*listener, (struct sockaddr *)&at, sizeof(at)), 0);
		assert_int_equal(listen(*listener, SLOW_FILES_MAX), 0);
	}
	assert_int_equal(getsockname(*listener, (struct sockaddr *)&at, &len), 0);
	*near = socket(AF_INET, SOCK_STREAM, 0);
	assert_int_equal(connect(*near, (struct sockaddr *)&at, sizeof(at)), 0);
	*far = accept(*listener, NULL, NULL);
	assert_true(*far >= 0);
	assert_int_equal(setsockopt(*near, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger)), 0);
	while (send(*near, bytes, sizeof(bytes), MSG_DONTWAIT) > 0)
		continue;
}
