// SPDX-License-Identifier: BSD-3-Clause
#include <errno.h>
#include <weir/config/shared.h>

int config_shared_text(const struct config_bundle *, char **)
{
	return -ENOSYS;
}

int config_shared_check(const char *, size_t, char[CONFIG_WHY_MAX])
{
	return -ENOSYS;
}

int config_bundle_share(struct config_bundle *, const char *, const char *, char[CONFIG_WHY_MAX])
{
	return -ENOSYS;
}
