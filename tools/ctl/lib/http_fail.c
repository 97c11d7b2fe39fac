// SPDX-License-Identifier: BSD-3-Clause

// What a call that failed is said to be.
#include "http_get.h"

#include <stdlib.h>
#include <weir/stats_read.h>

const char *http_served_text(const struct ctl *c)
{
	char why[SHM_WHY_MAX];
	struct stats_copy *s = calloc(1, sizeof(*s));
	bool has_stats = s && stats_read(&c->paths, s, why) == 0;
	bool is_up = has_stats && dataplane_state(&c->paths, s) == PROCESS_UP;
	free(s);
	return is_up ? HTTP_SERVED_TEXT : "the data plane is down, too: no client is answered";
}

static void remote_fail(const struct ctl *c, enum http_outcome outcome, const char *why)
{
	const char *box = c->remote.authority;
	if (outcome == HTTP_UNTRUSTED)
		ctl_fail(c,
			"%s: its certificate is not trusted: %s; --ca FILE names who vouches for "
			"it, --pin SHA256 its key",
			box, why);
	else if (outcome == HTTP_NOBODY)
		ctl_fail(c, "%s: cannot connect (control.listen, control.allow): %s", box, why);
	else
		ctl_fail(c, "%s: %s", box, why);
}

void http_fail(const struct ctl *c, enum http_outcome outcome, const char *why)
{
	if (c->remote_options.host) {
		remote_fail(c, outcome, why);
		return;
	}
	switch (outcome) {
	case HTTP_NOBODY:
		ctl_fail(c,
			"the control plane is down (nobody listens on %s/" SHM_NAME_CONTROL_SOCKET
			"); %s",
			c->paths.run, http_served_text(c));
		break;
	case HTTP_SILENT:
		ctl_fail(c, "the control plane does not answer: %s", why);
		break;
	case HTTP_DENIED:
		ctl_fail(c, "%s/" SHM_NAME_CONTROL_SOCKET ": " HTTP_DENIED_TEXT, c->paths.run);
		break;
	default:
		ctl_fail(c, "%s", why);
	}
}
