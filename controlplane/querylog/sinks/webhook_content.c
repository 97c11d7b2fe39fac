// SPDX-License-Identifier: BSD-3-Clause
#include "webhook_content.h"

#include "base/json_out.h"

#include <stdarg.h>
#include <stdio.h>

void webhook_content_line(struct webhook_content *c, const char *fmt, ...)
{
	va_list args;
	va_start(args, fmt);
	int n = vsnprintf(c->text + c->len, sizeof(c->text) - c->len, fmt, args);
	va_end(args);
	if (n < 0 || (size_t)n >= sizeof(c->text) - c->len)
		c->text[c->len] = '\0';
	else
		c->len += (size_t)n;
}

const char *webhook_harmless(const char *from, char *out, size_t cap)
{
	snprintf(out, cap, "%s", from);
	for (char *p = out; *p; p++)
		if (*p == '`')
			*p = '\'';
	return out;
}

char *webhook_discord(const struct webhook_content *c)
{
	struct json_out *o = json_out_new();
	struct json_node *root = json_out_root(o);
	json_out_text(o, root, "username", "weir");
	json_out_text(o, root, "content", c->text);
	json_out_array(o, json_out_object(o, root, "allowed_mentions"), "parse");
	return json_out_finish(o);
}
