// SPDX-License-Identifier: BSD-3-Clause

// NOTIFY from servers of policy zones, which makes the list of the zone due.
#include "frontend_internal.h"
#include "lists/fetch/list_notify.h"

enum verdict frontend_notify(struct frontend *f, const union client_address *client,
	const uint8_t *msg, size_t size, struct frontend_question *q, uint16_t *len)
{
	struct list_notify_message m = {.msg = msg, .len = size, .query = &q->query};
	m.client = client_bytes(client, &m.ip_version);
	return list_notify_answer(f->notify, &m, f->reply, len);
}
