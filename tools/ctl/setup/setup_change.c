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
	char why[SETUP_WHY_MAX])
{
	char *text = strdup(s->text);
	for (unsigned i = 0; text && i < count; i++) {
		const char *reason;
		char *next = setup_text_put(
			text, piece[i].section, piece[i].key, piece[i].lines, &reason);
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
	char *text = pieces_put(s, piece, count, why);
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
	size_t n = strlen(s->shown);
	for (unsigned i = 0; i < count && n < sizeof(s->shown); i++)
		if (*piece[i].lines)
			n += (size_t)snprintf(s->shown + n, sizeof(s->shown) - n, "%s.%s",
				piece[i].section, piece[i].lines);
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
	s->address_count = dp->address_count;
	memcpy(s->address, dp->addresses, sizeof(s->address));
	config_free(config);
	return true;
}
