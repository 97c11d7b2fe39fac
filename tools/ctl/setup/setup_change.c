// SPDX-License-Identifier: BSD-3-Clause
#include "setup_change.h"

#include "setup_answer.h"
#include "setup_file.h"
#include "setup_text.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <weir/config_tools.h>

// NULL with a sentence.
static char *pieces_put(const struct setup *s, const struct setup_piece *piece, unsigned count,
	char shown[SETUP_BLOCK_MAX], char why[SETUP_WHY_MAX])
{
	char *text = strdup(s->text);
	size_t n = (size_t)snprintf(shown, SETUP_BLOCK_MAX, "%s", s->shown);
	for (unsigned i = 0; text && i < count; i++) {
		const char *reason;
		char *next = setup_text_put(
			text, piece[i].section, piece[i].key, piece[i].lines, &reason);
		if (*piece[i].lines && n < SETUP_BLOCK_MAX)
			n += (size_t)snprintf(shown + n, SETUP_BLOCK_MAX - n, "%s.%s",
				piece[i].section, piece[i].lines);
		else if (next && strcmp(next, text) != 0 && n < SETUP_BLOCK_MAX)
			n += (size_t)snprintf(shown + n, SETUP_BLOCK_MAX - n, "%s.%s is removed\n",
				piece[i].section, piece[i].key);
		free(text);
		text = next;
		if (!text)
			snprintf(why, SETUP_WHY_MAX, "%s: %s: %s", s->c->config_path,
				piece[i].section, reason);
	}
	return text;
}

// The sentence of an error without its place: the file is gone when it is read.
static void why_set(char why[SETUP_WHY_MAX], const char *error, const char *path)
{
	snprintf(why, SETUP_WHY_MAX, "%s", error);
	char *place = strstr(why, path);
	if (place && place > why + 1 && place[-1] == '(' && place[-2] == ' ')
		place[-2] = '\0';
}

static struct config *text_load(struct setup *s, const char *text, char why[SETUP_WHY_MAX])
{
	struct config *config = NULL;
	struct config_errors errors = {0};
	char path[SETUP_PATH_MAX];
	const bool is_made = setup_file_make(s, text, why);
	if (is_made && config_load_all(setup_file_path(s, ".setup", path), &config, &errors) < 0) {
		why_set(why, errors.text[0], path);
		config = NULL;
	}
	setup_file_end(s);
	return config;
}

bool setup_change(struct setup *s, const struct setup_piece *piece, unsigned count,
	bool (*is_so)(const struct setup *s, const struct config *c), char why[SETUP_WHY_MAX])
{
	char shown[SETUP_BLOCK_MAX];
	char *text = pieces_put(s, piece, count, shown, why);
	struct config *config = text ? text_load(s, text, why) : NULL;
	const bool is_good = config && is_so(s, config);
	if (config && !is_good)
		snprintf(why, SETUP_WHY_MAX,
			"%s or a file that it includes has %s.%s in a way that setup does not "
			"change: answer `keep`, or edit it there",
			s->c->config_path, piece[0].section, piece[0].key);
	config_free(config);
	if (!is_good) {
		free(text);
		return false;
	}
	free(s->text);
	s->text = text;
	memcpy(s->shown, shown, sizeof(shown));
	return true;
}

// The interfaces that a port makes: its exception, and the one of a TAP.
static void own_add(struct setup *s, const struct config_port *port)
{
	const char *tap =
		strncmp(port->device, "net_tap", 7) == 0 ? strstr(port->device, "iface=") : NULL;
	const size_t n = strlen(s->own);
	tap = tap ? tap + 6 : "";
	snprintf(s->own + n, sizeof(s->own) - n, " %.*s %s ", (int)strcspn(tap, ","), tap,
		port->exception);
}

// Is one of these an address of the operator's, and none of the shipped file?
static bool has_addresses(const struct config_dataplane *dp)
{
	char text[SOCKET_ADDRESS_TEXT_MAX];
	for (unsigned i = 0; i < dp->address_count; i++) {
		ip_address_text(&dp->addresses[i], true, text);
		if (strcmp(text, "198.18.0.53/24") != 0 && strcmp(text, "fd53::53/64") != 0)
			return true;
	}
	return false;
}

static bool has_upstreams(const struct config_upstreams *u)
{
	char text[SOCKET_ADDRESS_TEXT_MAX];
	for (unsigned i = 0; i < u->count; i++) {
		const struct config_upstream *server = &u->server[i];
		socket_address_text(&server->address, text);
		if (server->host[0] || server->tls.is_on
			|| (strcmp(text, "9.9.9.9:53") != 0 && strcmp(text, "1.1.1.1:53") != 0))
			return true;
	}
	return u->mode != UPSTREAM_FORWARD;
}

bool setup_answer_begin(struct setup *s, char why[SETUP_WHY_MAX])
{
	struct config *config = NULL;
	struct config_errors errors = {0};
	if (config_load_all(s->c->config_path, &config, &errors) < 0) {
		snprintf(why, SETUP_WHY_MAX, "%s; correct that first (weirctl config check)",
			errors.text[0]);
		return false;
	}
	const struct config_dataplane *dp = &config->dataplane;
	for (unsigned i = 0; i < dp->port_count; i++) {
		s->is_serving |=
			dp->ports[i].xdp || strncmp(dp->ports[i].device, "net_tap", 7) != 0;
		if (!dp->ports[i].xdp)
			own_add(s, &dp->ports[i]);
	}
	s->keeps_addresses = has_addresses(dp);
	s->keeps_lists =
		s->is_serving || config->blocking.list_count || config->blocking.disabled_count;
	s->keeps_upstreams = s->is_serving || has_upstreams(&config->upstreams);
	s->mode = config->upstreams.mode;
	s->has_page = config->control.page;
	s->has_listen = config->control.listen_count > 0;
	if (s->has_listen)
		socket_address_text(&config->control.listen[0], s->page_at);
	s->address_count = dp->address_count;
	memcpy(s->address, dp->addresses, sizeof(s->address));
	config_free(config);
	return true;
}
