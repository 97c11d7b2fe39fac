// SPDX-License-Identifier: BSD-3-Clause
#include "app_reload.h"

#include <string.h>
#include <weir/log.h>

void app_groups_views(
	const struct app *a, const struct config *c, struct policy_group view[POLICY_GROUPS_MAX])
{
	memset(view, 0, POLICY_GROUPS_MAX * sizeof(*view));
	for (unsigned i = 0; i < c->group_count; i++)
		resolver_group_view(a->resolver, i, &view[i + 1]);
}

const struct policy_group *app_groups_current(void *app)
{
	struct app *a = app;
	return a->groups.view;
}

int app_groups_publish(struct app *a, const struct config *c)
{
	struct policy_group group[POLICY_GROUPS_MAX];
	struct policy_image image, *last = &a->groups.image;
	char why[SHM_WHY_MAX] = "no memory";

	memcpy(group, a->groups.view, sizeof(group));
	rules_group_lists(a->rules, c, NULL, group[0].lists);
	config_block_reply(c, NULL, &group[0].block);
	for (unsigned i = 0; i < c->group_count; i++) {
		rules_group_lists(a->rules, c, &c->groups[i], group[i + 1].lists);
		config_block_reply(c, &c->groups[i], &group[i + 1].block);
	}
	int rc = policy_build(c, group, &image);
	if (rc == 0 && last->head && last->size == image.size
		&& memcmp(last->head, image.head, image.size) == 0) {
		free(image.head);
		resolver_groups_published(a->resolver, true);
		return 0;
	}
	if (rc == 0) {
		rc = policy_publish(a->publisher, image.head, image.size, why);
		if (rc < 0)
			free(image.head);
	}
	resolver_groups_published(a->resolver, rc == 0);
	if (rc < 0) {
		log_error("groups: %s; what was in use stays", why);
		return rc;
	}
	free(last->head);
	*last = image;
	return 0;
}
