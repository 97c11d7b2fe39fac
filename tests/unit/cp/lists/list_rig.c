// SPDX-License-Identifier: BSD-3-Clause

#include "list_rig.h"

#include "tests/unit/unit.h"

#include <weir/rdata_parse.h>

static void add(struct list_rig *r, const char *format, ...) ATTR_PRINTF(2, 3);
static void add(struct list_rig *r, const char *format, ...)
{
	va_list args;
	size_t len = strlen(r->text);
	va_start(args, format);
	vsnprintf(r->text + len, sizeof(r->text) - len, format, args);
	va_end(args);
}

static void add_types(struct list_rig *r, const struct rule_types *types)
{
	if (types->count == 0)
		return;
	add(r, "{types:%s", types->except ? "~" : "");
	for (unsigned i = 0; i < types->count; i++)
		add(r, "%s%s", i ? "," : "", rdata_parse_type_text(types->type[i]));
	add(r, "}");
}

static void add_reply(struct list_rig *r, const struct list_rule *rule)
{
	static const char *const replies[RULE_REPLIES] = {"", "{nxdomain}", "{nodata}", "{null}",
		"{refused}", "{drop}", "", "{resolve}", "{servfail}"};
	add(r, "%s", replies[rule->kind.reply]);
	const bool has_record =
		rule->kind.reply == RULE_REPLY_DATA || rule->kind.reply == RULE_REPLY_RESOLVE;
	assert_int_equal(rule->rtype != 0, has_record);
	if (!has_record)
		return;
	add(r, "{%s,%u,", rdata_parse_type_text(rule->rtype), rule->ttl_s);
	for (unsigned i = 0; i < rule->rdata_len; i++)
		add(r, "%02x", rule->rdata[i]);
	add(r, "}");
}

static int take(void *arg, const struct list_rule *rule)
{
	static const char *const classes[RULE_CLASSES] = {
		"", "allow:", "block!:", "allow!:", "except:", "?", "?", "?", "?", "back:"};
	static const char *const covers[] = {"?", "=", "*.", ""};
	struct list_rig *r = arg;
	char text[DNS_NAME_TEXT_MAX];
	assert_true(rule->line >= 1 && rule->line <= r->parser.counts.lines);
	r->last_line = rule->line;
	if (r->number_lines)
		add(r, "%u:", rule->line);
	add(r, "%s%s", rule->off ? "off:" : "", classes[rule->kind.rule_class]);
	if (rule->kind.rule_class == RULE_CLASS_UNREWRITE && rule->kind.base)
		add(r, "!");
	if (rule->what == LIST_RULE_NAME) {
		add(r, "%s%s", covers[rule->kind.covers], dns_name_to_text(rule->name, text));
	} else if (rule->what == LIST_RULE_PATTERN) {
		add(r, "/%.*s/", (int)rule->pattern_len, rule->pattern);
	} else {
		inet_ntop(rule->prefix.version == 4 ? AF_INET : AF_INET6, rule->prefix.bytes, text,
			sizeof(text));
		add(r, "[%s/%u]", text, rule->prefix.prefix_len);
	}
	if (rule->kind.globs)
		add(r, "{%.*s}", (int)rule->glob_len, rule->glob);
	add_reply(r, rule);
	add_types(r, &rule->kind.types);
	if (rule->kind.client[0])
		add(r, "{client:%s}", rule->kind.client);
	add(r, " ");
	return 0;
}

void list_rig_parse(struct list_rig *r, const struct list_options *options, const char *bytes,
	size_t len, size_t piece)
{
	r->text[0] = 0;
	r->last_line = 0;
	list_parse_begin(&r->parser, options, take, r);
	for (size_t at = 0; at < len; at += piece)
		assert_int_equal(list_parse_feed(&r->parser, bytes + at,
					 piece < len - at ? piece : len - at),
			0);
	assert_int_equal(list_parse_end(&r->parser), 0);
	r->counts = r->parser.counts;
	assert_int_equal(r->counts.lines, r->counts.comments + r->counts.ruled + r->counts.refused);
	assert_true(list_counts_rejected(&r->counts) >= r->counts.refused);
	assert_true(list_counts_rules(&r->counts) >= r->counts.ruled);
	assert_int_equal(r->counts.bytes, len);
}

void list_rig_check(const struct list_options *options, const struct list_row *row, size_t count)
{
	static struct list_rig r;
	for (size_t i = 0; i < count; i++) {
		list_rig_parse(&r, options, row[i].text, strlen(row[i].text), 1 << 20);
		unsigned wanted = row[i].reject != LIST_REJECT_COUNT;
		size_t len = strlen(r.text);
		if (len)
			r.text[len - 1] = 0;
		if (strcmp(r.text, row[i].rules) != 0 || list_counts_rejected(&r.counts) != wanted
			|| (wanted && r.counts.rejected[row[i].reject] != 1)) {
			for (unsigned why = 0; why < LIST_REJECT_COUNT; why++)
				if (r.counts.rejected[why])
					print_message("%s\n", list_reject_name[why]);
			fail_msg("<%s>: <%s> instead of <%s>, %u rejected", row[i].text, r.text,
				row[i].rules, (unsigned)list_counts_rejected(&r.counts));
		}
	}
}
