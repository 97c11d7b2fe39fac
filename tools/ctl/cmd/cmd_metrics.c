// SPDX-License-Identifier: BSD-3-Clause

#include "lib/http_get.h"

int cmd_metrics(struct ctl *c)
{
	if (ctl_open(c) != CTL_OK)
		return CTL_FAILED;
	return http_save(c, "/metrics", HTTP_SHORT_MS, stdout);
}
