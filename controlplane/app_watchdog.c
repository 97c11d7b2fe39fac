// SPDX-License-Identifier: BSD-3-Clause
// What systemd hears from the control plane (weir/os/sd_notify.h): that it serves, that it reloads,
// and, when the unit has a watchdog, that it is worth keeping. The service loop sends the message,
// so it turns, and only while publisher_serves says so of the resolvers and frontends: who hangs
// for a while takes nothing from the others.
#include "app_reload.h"

#include <errno.h>
#include <string.h>
#include <weir/clock.h>
#include <weir/log.h>
#include <weir/os/sd_notify.h>

enum { LOOK_MS = 250 };

static void on_look(void *arg)
{
	struct app *a = arg;
	const uint64_t now_ms = clock_mono_ms();

	if (sd_notify_wants_alive(now_ms) && publisher_serves(a->publisher, a->alive_ms, now_ms)) {
		a->alive_ms = now_ms;
		sd_notify_alive(now_ms);
	}
	wheel_start(loop_wheel(a->service), &a->alive_look, LOOK_MS, now_ms);
}

void app_watchdog_begin(struct app *a)
{
	int rc = sd_notify_open();

	if (rc)
		log_warning("NOTIFY_SOCKET: %s; systemd is not notified", strerror(-rc));
	sd_notify_send("READY=1\nSTATUS=serving");
	a->alive_look.fn = on_look;
	a->alive_look.arg = a;
	on_look(a);
}

void app_watchdog_end(struct app *a)
{
	wheel_stop(&a->alive_look);
	sd_notify_close();
}
