// SPDX-License-Identifier: BSD-3-Clause
// Endpoints for sources that the ports drop by themselves.

#include "api_param.h"
#include "shm/drop_list.h"

#include <errno.h>
#include <weir/clock.h>

static struct directory *directory_of(const struct api *a)
{
	return publisher_directory(a->deps.publisher);
}

// The `source` parameter. False: it has been replied to.
static bool source_param(struct http_exchange *x, struct ip_address *out)
{
	const char *text = http_param(x, "source");
	if (text && ip_address_parse(text, out) == 0)
		return true;
	api_refuse(x, 400, "source: %s",
		text ? "is not an IP address, with or without /prefix length" : "is missing");
	return false;
}

static void done(struct http_exchange *x, const struct ip_address *source, uint64_t left_ms,
	const char *warning)
{
	char text[SOCKET_ADDRESS_TEXT_MAX];
	struct json_out *o = json_out_new();
	struct json_node *root = json_out_root(o);
	json_out_text(o, root, "source", ip_address_text(source, true, text));
	json_out_count(o, root, "left_ms", left_ms);
	if (warning)
		json_out_text(o, root, "warning", warning);
	http_reply(x, 200, json_out_finish(o));
}

// Users of the control socket are admins.
static enum drop_verdict guard(struct api *a, const struct http_exchange *x,
	const struct ip_address *source, unsigned minutes, char why[DROP_GUARD_WHY_MAX])
{
	const struct drop_wish wish = {.role = a->user ? a->user->role : CONTROL_ADMIN,
		.from = http_source(x),
		.source = source,
		.minutes = minutes};
	const struct config *config = a->deps.config_current(a->deps.reload_arg);
	return drop_guard(&a->access->admin_places, &config->control, &wish, why);
}

static void serve_drops_add(struct api *a, struct http_exchange *x)
{
	struct ip_address source;
	unsigned minutes;
	char text[SOCKET_ADDRESS_TEXT_MAX], why[DROP_GUARD_WHY_MAX];
	if (!source_param(x, &source)
		|| !api_param_number(x, "minutes", DROP_MINUTES_MAX, &minutes))
		return;
	if (guard(a, x, &source, minutes, why) == DROP_MAY_NOT) {
		api_refuse(x, 403, "%s", why);
		return;
	}
	int rc = drop_list_add(directory_of(a), &source, minutes, clock_mono_ms());
	if (rc == -EINVAL)
		api_refuse(x, 400, "source: at least /%d, or /%d of IPv6", DROP_PREFIX_MIN_V4,
			DROP_PREFIX_MIN_V6);
	else if (rc == -EDOM)
		api_refuse(x, 400, "source: has bits behind its prefix; the whole network is %s",
			ip_address_text(&source, true, text));
	else if (rc < 0)
		api_refuse(x, 409, "%d sources are dropped already", DIRECTORY_DROPS_MAX);
	else
		done(x, &source, minutes * UINT64_C(60000), why);
}

static void serve_drops_remove(struct api *a, struct http_exchange *x)
{
	struct ip_address source;
	if (!source_param(x, &source))
		return;
	if (drop_list_remove(directory_of(a), &source, clock_mono_ms()) < 0)
		api_refuse(x, 409, "that source is not dropped");
	else
		done(x, &source, 0, NULL);
}

static void serve_drops(struct api *a, struct http_exchange *x)
{
	struct json_out *o = json_out_new();
	struct json_node *list = json_out_array(o, json_out_root(o), "drops");
	uint64_t now_ms = clock_mono_ms();
	for (unsigned i = 0; i < DIRECTORY_DROPS_MAX; i++) {
		struct ip_address source;
		uint64_t left_ms;
		char text[SOCKET_ADDRESS_TEXT_MAX];
		if (!drop_list_at(directory_of(a), i, now_ms, &source, &left_ms))
			continue;
		struct json_node *n = json_out_object(o, list, NULL);
		json_out_text(o, n, "source", ip_address_text(&source, true, text));
		json_out_count(o, n, "left_ms", left_ms);
	}
	http_reply(x, 200, json_out_finish(o));
}

const struct api_part api_drops_part = {
	.endpoint = {{"/drops", serve_drops, API_GET, CONTROL_READ, ""},
		{"/drops/add", serve_drops_add, API_POST, CONTROL_OPERATE, "source minutes"},
		{"/drops/remove", serve_drops_remove, API_POST, CONTROL_OPERATE, "source"}},
};
