// SPDX-License-Identifier: BSD-3-Clause

#include <errno.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>
#include <weir/clock.h>
#include <weir/os/sd_notify.h>

enum { TEXT_MAX = 512 };

static struct {
	int fd; // 0: nothing is sent. Descriptor 0 is stdin's
	struct sockaddr_un to;
	socklen_t to_len;
	uint64_t alive_ms; // half of the watchdog's time; 0: no watchdog
	uint64_t next_alive_ms;
	bool owes_ready; // the receiver did not take READY=1
} notify;

static int address_of(const char *name)
{
	const size_t len = strlen(name);
	if ((name[0] != '/' && name[0] != '@') || len < 2)
		return -EINVAL;
	if (len >= sizeof(notify.to.sun_path))
		return -ENAMETOOLONG;
	notify.to = (struct sockaddr_un){.sun_family = AF_UNIX};
	memcpy(notify.to.sun_path, name, len);
	if (name[0] == '@')
		notify.to.sun_path[0] = '\0';
	notify.to_len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len);
	return 0;
}

// The watchdog's time in milliseconds, if it is for this process; else 0.
static uint64_t watchdog_ms(void)
{
	const char *usec = getenv("WATCHDOG_USEC"), *process = getenv("WATCHDOG_PID");
	if (!usec || (process && strtoull(process, NULL, 10) != (unsigned long long)getpid()))
		return 0;
	return strtoull(usec, NULL, 10) / 1000;
}

int sd_notify_open(void)
{
	const char *name = getenv("NOTIFY_SOCKET");
	if (!name || !name[0])
		return 0;
	int rc = address_of(name);
	if (rc)
		return rc;
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return -errno;
	notify.fd = fd;
	notify.alive_ms = watchdog_ms() / 2;
	notify.next_alive_ms = 0;
	notify.owes_ready = false;
	return 0;
}

void sd_notify_close(void)
{
	if (notify.fd > 0)
		close(notify.fd);
	notify.fd = 0;
}

bool sd_notify_send(const char *fmt, ...)
{
	char text[TEXT_MAX];
	va_list ap;
	if (notify.fd <= 0)
		return true;
	va_start(ap, fmt);
	int len = vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	if (len < 0)
		return false;
	const size_t size = (size_t)len < sizeof(text) ? (size_t)len : sizeof(text) - 1;
	return sendto(notify.fd, text, size, MSG_NOSIGNAL, (const struct sockaddr *)&notify.to,
		       notify.to_len)
	       >= 0;
}

void sd_notify_ready(void)
{
	notify.owes_ready = !sd_notify_send("READY=1");
}

void sd_notify_look(void)
{
	if (notify.owes_ready)
		sd_notify_ready();
}

void sd_notify_reloading(void)
{
	// The time as systemd reads it: CLOCK_MONOTONIC, which stands still during a suspend.
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC, &now);
	notify.owes_ready = false;
	sd_notify_send("RELOADING=1\nMONOTONIC_USEC=%llu",
		(unsigned long long)now.tv_sec * 1000000 + (unsigned long long)now.tv_nsec / 1000);
}

bool sd_notify_wants_alive(uint64_t now_ms)
{
	return notify.fd > 0 && notify.alive_ms && now_ms >= notify.next_alive_ms;
}

void sd_notify_alive(uint64_t now_ms)
{
	if (!sd_notify_wants_alive(now_ms))
		return;
	if (sd_notify_send("WATCHDOG=1"))
		notify.next_alive_ms = now_ms + notify.alive_ms;
}
