// SPDX-License-Identifier: BSD-3-Clause
#include "show.h"

#include "say.h"
#include "terminal/term_text.h"

#include <stdio.h>

int show_doc(const struct ctl *c, struct json_doc *doc, void (*print)(const struct json_node *root))
{
	if (!doc)
		return CTL_FAILED;
	if (c->json)
		json_doc_print(doc);
	else if (print)
		print(json_doc_root(doc));
	json_doc_free(doc);
	return CTL_OK;
}

int show_call(struct ctl *c, bool post, const char *path, const struct http_param *params,
	unsigned timeout_ms, void (*print)(const struct json_node *root))
{
	if (ctl_open(c) != CTL_OK)
		return CTL_FAILED;
	return show_doc(c, http_call_or_fail(c, post, path, params, timeout_ms), print);
}

static void unchanged_print(const struct json_node *root)
{
	if (!say_if(root, "note", "nothing changed: {note}\n"))
		printf("it is so already: nothing changed\n");
}

int show_change(struct ctl *c, const char *path, const struct http_param *params,
	void (*print)(const struct json_node *root))
{
	if (ctl_open(c) != CTL_OK)
		return CTL_FAILED;
	struct json_doc *doc = http_call_or_fail(c, true, path, params, HTTP_BUILD_MS);
	if (doc)
		(void)show_warning(json_doc_root(doc));
	const bool is_so = doc && json_flag(json_doc_root(doc), "unchanged");
	return show_doc(c, doc, is_so ? unchanged_print : print);
}

bool show_warning(const struct json_node *root)
{
	char shown[SHOW_WARNING_MAX];
	const char *warning = json_text(root, "warning");
	if (*warning)
		fprintf(stderr, "weirctl: warning: %s\n", term_text(warning, shown, sizeof(shown)));
	return *warning;
}

void show_texts(const struct json_node *texts, const char *before)
{
	char shown[1100];
	for (size_t i = 0; i < json_length(texts); i++)
		printf("%s%s\n", before, term_text(json_item_text(texts, i), shown, sizeof(shown)));
}
