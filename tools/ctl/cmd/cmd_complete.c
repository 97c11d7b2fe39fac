// SPDX-License-Identifier: BSD-3-Clause
// `complete`: the names that a word of the command line may take, for the shell (tools/man). It
// asks the running weir, which must answer at once.

#include "doctor/doctor.h"
#include "lib/ctl.h"
#include "lib/http_get.h"
#include "terminal/term_text.h"

#include <stdio.h>
#include <string.h>
#include <weir/shm_stats.h>

enum { COMPLETE_MS = 500, NAMES_MAX = 1024, NAME_MAX_HERE = 256 };

// A text of each object of a list in a reply: that of `key`, or else of `other`.
static const struct kind {
	const char *word, *path, *list, *key, *other;
	const char *after; // only what stands behind this; NULL: the whole text
} kinds[] = {
	{"groups", "/groups", "groups", "name", "name", NULL},
	{"lists", "/lists", "lists", "name", "name", NULL},
	{"clients", "/clients", "clients", "client_name", "address", NULL},
	{"services", "/services", "services", "name", "name", NULL},
	{"servers", "/upstreams", "upstreams", "name", "address", NULL},
	{"zones", "/upstreams", "upstreams", "set", "set", "zone "},
};

// Prints a name, unless the terminal would not show it as it is, or a command take it for an
// option.
static void name_print(const char *name)
{
	char shown[4 * NAME_MAX_HERE];
	if (*name && *name != '-' && strcmp(name, term_text(name, shown, sizeof(shown))) == 0)
		puts(name);
}

static const char *name_of(const struct kind *k, const struct json_node *n, char out[NAME_MAX_HERE])
{
	const char *text = json_text(n, *json_text(n, k->key) ? k->key : k->other);
	const char *at = !k->after || strncmp(text, k->after, strlen(k->after)) == 0 ? text : NULL;
	snprintf(out, NAME_MAX_HERE, "%s", !at ? "" : k->after ? at + strlen(k->after) : at);
	if (k->after)
		out[strcspn(out, ",")] = '\0';
	return out;
}

// Prints each name once.
static void names_print(const struct kind *k, const struct json_node *list)
{
	char name[NAME_MAX_HERE], before[NAME_MAX_HERE];
	for (size_t i = 0; i < json_length(list) && i < NAMES_MAX; i++) {
		size_t same = 0;
		name_of(k, json_at(list, i), name);
		while (strcmp(name_of(k, json_at(list, same), before), name) != 0)
			same++;
		if (same == i)
			name_print(name);
	}
}

static int live_print(struct ctl *c, const struct kind *k)
{
	// Only /clients reads these.
	const struct http_param params[] = {{"seconds", "3600"}, {"limit", "100"}, {NULL, NULL}};
	const bool is_clients = strcmp(k->word, "clients") == 0;
	if (ctl_open(c) != CTL_OK)
		return CTL_FAILED;
	struct json_doc *doc =
		http_call_or_fail(c, false, k->path, is_clients ? params : NULL, COMPLETE_MS);
	if (!doc)
		return CTL_FAILED;
	names_print(k, json_get(json_doc_root(doc), k->list));
	json_doc_free(doc);
	return CTL_OK;
}

static int cmd_complete(struct ctl *c)
{
	// Rows that the control plane writes have these as well.
	static const char *const others[] = {"resolved", "servfail", "unanswered"};
	const char *name;
	for (const struct kind *k = kinds; k < kinds + ARRAY_LEN(kinds); k++)
		if (strcmp(c->operand, k->word) == 0)
			return live_print(c, k);
	if (strcmp(c->operand, "checks") == 0) {
		for (unsigned i = 0; (name = doctor_check_name(i)); i++)
			puts(name);
	} else if (strcmp(c->operand, "verdicts") == 0) {
		for (unsigned i = 0; i < VERDICT_COUNT; i++)
			puts(verdict_names[i]);
		for (unsigned i = 0; i < ARRAY_LEN(others); i++)
			puts(others[i]);
	} else {
		fprintf(stderr, "weirctl: complete takes one of: groups, lists, clients, services, "
				"servers, zones, checks, verdicts\n");
		return CTL_USAGE;
	}
	return CTL_OK;
}

CTL_COMMANDS = {
	{"complete", NULL, 1, 1, 0, cmd_complete,
		"groups|lists|clients|services|servers|zones|checks|verdicts",
		"Print the names of a kind that the running weir has, one a line: completions of "
		"shells ask for them."},
};
