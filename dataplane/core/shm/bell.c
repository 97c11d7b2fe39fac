// SPDX-License-Identifier: BSD-3-Clause
#include <errno.h>
#include <sys/socket.h>
#include <weir/bell.h>

// Each waiting byte takes a socket buffer of its own, so fewer fit.
enum { BELL_BYTES = 512 };

int bell_open(int end[BELL_ENDS])
{
	int pair[BELL_ENDS];
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, pair) < 0)
		return -errno;
	(void)shutdown(pair[BELL_RINGS], SHUT_RD);
	end[BELL_HEARS] = pair[BELL_HEARS];
	end[BELL_RINGS] = pair[BELL_RINGS];
	return 0;
}

void bell_ring(int end)
{
	if (end >= 0)
		(void)send(end, "", 1, MSG_DONTWAIT | MSG_NOSIGNAL);
}

bool bell_clear(int end)
{
	char bytes[BELL_BYTES];
	ssize_t n = recv(end, bytes, sizeof(bytes), MSG_DONTWAIT);
	return n > 0 || (n < 0 && (errno == EAGAIN || errno == EINTR));
}
