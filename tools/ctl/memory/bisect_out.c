// SPDX-License-Identifier: BSD-3-Clause
#include "bisect_out.h"

#include "lib/table_out.h"
#include "terminal/term_text.h"

#include <stdio.h>

enum { SHOWN_MAX = 512 };

static const struct {
	const char *name, *text;
} verdicts[BISECT_VERDICT_COUNT] = {
	[BISECT_UNKNOWN] = {"unknown",
		"the slope with default toggles is not precise enough: measure longer"},
	[BISECT_NO_GROWTH] = {"no-growth", "no significant growth with default toggles"},
	[BISECT_NO_TOGGLE] = {"no-toggle", "no toggle stops the growth"},
	[BISECT_SUSPECT] = {"suspect", ""},
};

static void slope_cells(struct table *t, const struct bisect_series *s)
{
	table_cell(t, "%+.3f", s ? s->slope / 1048576 : 0);
	if (s && s->known)
		table_cell(t, "%.3f", s->half / 1048576);
	else
		table_cell(t, "?");
}

static void finding_print(
	const struct bisect_step *step, unsigned count, const struct bisect_finding *f)
{
	char series[SHOWN_MAX], site[SHOWN_MAX], filling[SHOWN_MAX];
	term_text(f->series, series, sizeof(series));
	term_text(f->site, site, sizeof(site));
	term_text(step[count - 1].filling, filling, sizeof(filling));
	if (f->verdict == BISECT_SUSPECT) {
		printf("\nsuspect: %s; without it %s grows by %.3f MiB an hour, else by %.3f\n",
			step[f->step].name, series, f->without / 1048576, f->usual / 1048576);
		if (*site)
			printf("most of it is allocated by %s\n", site);
		return;
	}
	printf("\nno suspect: %s\n", verdicts[f->verdict].text);
	if (*series)
		printf("grows most beyond its tables: %s%s%s\n", series,
			*site ? ", allocated by " : "", site);
	if (*filling)
		printf("table %s fills, which is growth too: measure again when it is full\n",
			filling);
}

void bisect_print(const struct bisect_step *step, unsigned count, const struct bisect_finding *f)
{
	static const char *const heads[] = {"toggle", "is", ">MiB/h", ">+-", ">queries/s",
		">bytes/1M queries", "grows most", ">MiB/h", ">+-", NULL};
	struct table *t = table_new(heads);
	for (unsigned i = 0; i < count; i++) {
		const struct bisect_step *s = &step[i];
		const struct bisect_series *heap = bisect_series_find(s, "heap");
		const struct bisect_series *most = bisect_grower(s);
		table_cell(t, "%s", *s->name ? s->name : "all as usual");
		table_cell(t, "%s", s->value);
		slope_cells(t, heap);
		table_cell(t, "%.0f", s->queries_per_s);
		table_cell(t, "%.0f", bisect_per_million(s, heap ? heap->slope : 0));
		table_cell(t, "%s", most ? most->name : "");
		slope_cells(t, most);
		table_row_end(t);
	}
	table_print(t);
	finding_print(step, count, f);
}

static void slope_put(
	struct json_node *n, const struct bisect_step *s, const struct bisect_series *one)
{
	json_put_real(n, "per_hour", one ? one->slope : 0);
	json_put_real(n, "plus_minus", one ? one->half : 0);
	json_put_bool(n, "known", one && one->known);
	json_put_real(n, "per_million_queries", bisect_per_million(s, one ? one->slope : 0));
}

static void step_json(struct json_node *n, const struct bisect_step *s)
{
	const struct bisect_series *most = bisect_grower(s);
	json_put_text(n, "toggle", s->name);
	json_put_text(n, "value", s->value);
	slope_put(n, s, bisect_series_find(s, "heap"));
	json_put_real(n, "queries_per_s", s->queries_per_s);
	json_put_text(n, "grower", most ? most->name : "");
	json_put_text(n, "filling", s->filling);
	struct json_node *list = json_put_array(n, "accounts");
	for (unsigned i = 0; i < s->count; i++) {
		struct json_node *one = json_put_object(list, NULL);
		json_put_text(one, "name", s->series[i].name);
		slope_put(one, s, &s->series[i]);
	}
	list = json_put_array(n, "sites");
	for (unsigned i = 0; i < s->sites; i++) {
		struct json_node *one = json_put_object(list, NULL);
		json_put_text(one, "name", s->site[i].name);
		json_put_text(one, "account", s->site[i].account);
		json_put_real(one, "per_hour", s->site[i].slope);
	}
}

void bisect_json(const struct bisect_step *step, unsigned count, const struct bisect_finding *f)
{
	struct json_doc *doc = json_doc_new();
	struct json_node *root = json_doc_root(doc), *list = json_put_array(root, "steps");
	for (unsigned i = 0; i < count; i++)
		step_json(json_put_object(list, NULL), &step[i]);
	json_put_text(root, "verdict", verdicts[f->verdict].name);
	json_put_text(root, "suspect", f->verdict == BISECT_SUSPECT ? step[f->step].name : "");
	json_put_text(root, "account", f->series);
	json_put_text(root, "site", f->site);
	json_put_real(root, "usual_per_hour", f->usual);
	json_put_real(root, "without_per_hour", f->without);
	json_doc_end(doc);
}
