// SPDX-License-Identifier: BSD-3-Clause
#include "resolver_local.h"

#include "answer_policy/answer_records.h"

bool resolver_is_local(const struct resolver *r, const struct view *view,
	const struct dns_name *name, uint16_t qtype)
{
	struct policy_group group;

	return r->answer_policy && answer_policy_knows_local(r->answer_policy, name, qtype)
	       && (!publisher_group_in_view(r->publisher, view->number, &group)
		       || answer_policy_is_local(r->answer_policy, name, qtype, group.lists));
}

bool resolver_local_alias(
	const struct resolver *r, const struct view *view, const struct dns_name *name)
{
	struct rewrite w;

	return views_rewrite(r->views, view, name, &w) < 0 || w.count > 0;
}

bool resolver_leads_home(const struct resolver *r, const struct view *view,
	const struct dns_name *name, uint16_t qtype, const struct dns_answer_view *answer)
{
	struct answer_records records = answer_records_of(name, answer);
	struct answer_record record;
	struct dns_name target;

	if (qtype == DNS_TYPE_CNAME || qtype == DNS_TYPE_ANY)
		return false;
	// The chain comes first.
	while (answer_records_next(&records, &record)
		&& (record.type == DNS_TYPE_CNAME || record.type == DNS_TYPE_DNAME
			|| record.type == DNS_TYPE_RRSIG))
		if (record.type == DNS_TYPE_CNAME
			&& answer_record_target(&records, &record, &target)
			&& (resolver_local_alias(r, view, &target)
				|| resolver_is_local(r, view, &target, qtype)))
			return true;
	return false;
}
