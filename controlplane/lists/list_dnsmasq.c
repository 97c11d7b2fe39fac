// SPDX-License-Identifier: BSD-3-Clause

// dnsmasq's options as lists use them: address=/a/b/ADDRESS, server=/a/ and local=/a/. All cover
// the name and what is below it.

#include "list_name.h"
#include "list_parse.h"

bool list_dnsmasq_is(struct list_text line)
{
	size_t i = 0;
	while (i < line.len && ((line.at[i] >= 'a' && line.at[i] <= 'z') || line.at[i] == '-'))
		i++;
	return i > 0 && i < line.len && line.at[i] == '=';
}

// Reads the part behind the last slash. An address by which hosts files block means block here too.
static enum list_reject read_address(
	struct list_text value, struct list_rule *rule, struct ip_address *address)
{
	static const struct list_text sinks[] = {
		LIST_TEXT("0.0.0.0"), LIST_TEXT("::"), LIST_TEXT("127.0.0.1"), LIST_TEXT("::1")};
	if (value.len == 0) {
		rule->kind.reply = RULE_REPLY_NXDOMAIN;
		return LIST_REJECT_COUNT;
	}
	if (list_text_is(value, LIST_TEXT("#"))) {
		rule->kind.reply = RULE_REPLY_NULL;
		return LIST_REJECT_COUNT;
	}
	for (size_t i = 0; i < ARRAY_LEN(sinks); i++)
		if (list_text_is(value, sinks[i]))
			return LIST_REJECT_COUNT;
	if (memchr(value.at, '/', value.len) || !list_prefix_read(value, address))
		return LIST_REJECT_DNSMASQ;
	list_rule_answer(rule, address);
	return LIST_REJECT_COUNT;
}

void list_dnsmasq_line(struct list_parser *p, struct list_text line)
{
	struct ip_address address;
	struct list_text rest = line, option = list_text_cut(&rest, '=');
	bool answers = list_text_is(option, LIST_TEXT("address"));
	bool forwards = list_text_is(option, LIST_TEXT("server"))
			|| list_text_is(option, LIST_TEXT("local"));
	struct list_text value = rest;
	struct list_rule rule = list_rule_make(p, list_class(p), RULE_COVERS_ALL, RULE_REPLY_GROUP);
	rest = list_text_trim(rest);
	if ((!answers && !forwards) || rest.len < 2 || rest.at[0] != '/') {
		list_refuse(p, LIST_REJECT_DNSMASQ);
		return;
	}
	size_t slash = rest.len - 1;
	while (rest.at[slash] != '/')
		slash--;
	value = list_text_skip(rest, slash + 1);
	enum list_reject why =
		forwards && value.len ? LIST_REJECT_DNSMASQ : read_address(value, &rule, &address);
	if (why != LIST_REJECT_COUNT || slash == 0) {
		list_refuse(p, LIST_REJECT_DNSMASQ);
		return;
	}
	if (p->options.role == LIST_ROLE_ALLOW) {
		rule = p->plain;
		rule.kind.covers = RULE_COVERS_ALL;
	}
	rule.line = list_line_number(p);
	rest = (struct list_text){rest.at + 1, slash - 1};
	while (rest.at && !p->stopped) {
		struct list_text name = list_text_cut(&rest, '/');
		// A dot in front means nothing: dnsmasq has it for those who are used to it.
		bool dot = name.len > 1 && name.at[0] == '.';
		list_give_name(p, list_text_skip(name, dot), &rule);
	}
}
