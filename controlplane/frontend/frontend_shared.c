// SPDX-License-Identifier: BSD-3-Clause
#include "frontend_shared.h"

#include <errno.h>
#include <stdlib.h>

int frontend_shared_new(struct frontend_shared **out, unsigned frontends)
{
	struct frontend_shared *s = calloc(1, sizeof(*s));
	if (!s)
		return -ENOMEM;
	s->pending.threads = frontends;
	int rc = limiter_new(frontends, &s->limiter);
	if (rc < 0) {
		free(s);
		return rc;
	}
	*out = s;
	return 0;
}

void frontend_shared_free(struct frontend_shared *s)
{
	if (!s)
		return;
	limiter_free(s->limiter);
	free(s);
}
