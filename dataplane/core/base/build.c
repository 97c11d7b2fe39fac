// SPDX-License-Identifier: BSD-3-Clause
#include <weir/build.h>

static const struct build untold = {WEIR_VERSION, "unknown"};
static const struct build *taken = &untold;

void build_take(const struct build *b)
{
	taken = b;
}

const struct build *build_this(void)
{
	return taken;
}
