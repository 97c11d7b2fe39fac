// SPDX-License-Identifier: BSD-3-Clause
#include "ixfr_read.h"

#include "axfr_record.h"

#include <errno.h>
#include <string.h>

uint16_t ixfr_query_write(const struct ixfr_reader *r, uint8_t out[IXFR_QUERY_MAX])
{
	uint16_t len = axfr_query_write(&r->zone, DNS_TYPE_IXFR, out);
	struct wr w = wr_init(out, IXFR_QUERY_MAX);
	w.pos = len;
	put_u16(out + 8, 1);                 // NSCOUNT
	wr_u16(&w, 0xc000 | DNS_HEADER_LEN); // the question's name
	wr_u16(&w, DNS_TYPE_SOA);
	wr_u16(&w, DNS_CLASS_IN);
	wr_u32(&w, 0);
	wr_u16(&w, 22);
	wr_u16(&w, 0); // two root names: the serial alone counts
	wr_u32(&w, r->have);
	for (unsigned i = 0; i < 4; i++)
		wr_u32(&w, 0);
	return (uint16_t)w.pos;
}

static bool is_newer(uint32_t a, uint32_t b)
{
	return (int32_t)(a - b) > 0;
}

static int line_change(struct ixfr_reader *r, bool joins, const uint8_t *rdata, size_t rdata_len)
{
	struct axfr_reader *z = &r->zone;
	size_t len = axfr_line_write(z, rdata, rdata_len);
	if (z->is_cut)
		return axfr_refuse(z, -EBADMSG, "a difference has a record that is too long");
	int err = r->change(z->arg, joins, z->line, len);
	if (err == 0)
		return 0;
	return axfr_refuse(z, err, "%s",
		err == -E2BIG    ? "the difference is too large"
		: err == -ENOMEM ? "no memory for the difference"
		: joins          ? "the difference adds a record twice"
				 : "the difference deletes a record twice");
}

static int first_take(
	struct ixfr_reader *r, const uint8_t *rdata, size_t len, uint32_t serial, bool is_last)
{
	struct axfr_reader *z = &r->zone;
	z->serial = serial;
	if (serial == r->have)
		return is_last ? IXFR_UNCHANGED
			       : axfr_refuse(z, -EBADMSG, "the server sent records behind its SOA");
	if (!is_newer(serial, r->have))
		return axfr_refuse(
			z, -ESTALE, "the server's serial %u is older than %u", serial, r->have);
	r->soa_len = axfr_line_write(z, rdata, len);
	memcpy(r->soa, z->line, r->soa_len);
	r->part = IXFR_SECOND;
	return IXFR_MORE;
}

// The record behind the first SOA says what the reply is.
static int second_take(struct ixfr_reader *r, const uint8_t *rdata, size_t len, int is_soa,
	uint32_t serial, bool is_last)
{
	struct axfr_reader *z = &r->zone;
	if (is_soa && serial == r->have) {
		r->part = IXFR_LEAVES;
		r->at = serial;
		return line_change(r, false, rdata, len);
	}
	if (is_soa && serial != z->serial)
		return axfr_refuse(
			z, -EBADMSG, "a difference from serial %u, not %u", serial, r->have);
	z->begun = true;
	r->part = IXFR_ZONE;
	int err = z->text(z->arg, r->soa, r->soa_len);
	if (err)
		return err;
	if (is_soa) {
		err = axfr_soa_take(z, serial, is_last);
		return err < 0 ? err : IXFR_WHOLE;
	}
	return z->text(z->arg, z->line, axfr_line_write(z, rdata, len));
}

static int zone_take(struct ixfr_reader *r, const uint8_t *rdata, size_t len, int is_soa,
	uint32_t serial, bool is_last)
{
	struct axfr_reader *z = &r->zone;
	if (!is_soa)
		return z->text(z->arg, z->line, axfr_line_write(z, rdata, len));
	int err = axfr_soa_take(z, serial, is_last);
	return err < 0 ? err : IXFR_WHOLE;
}

static int difference_take(struct ixfr_reader *r, const uint8_t *rdata, size_t len, int is_soa,
	uint32_t serial, bool is_last)
{
	struct axfr_reader *z = &r->zone;
	bool joins = r->part == IXFR_JOINS;
	if (!is_soa)
		return line_change(r, joins, rdata, len);
	if (!joins) {
		if (!is_newer(serial, r->at) || is_newer(serial, z->serial))
			return axfr_refuse(z, -EBADMSG,
				"a difference from serial %u to %u, in a reply to %u", r->at,
				serial, z->serial);
		r->at = serial;
		r->part = IXFR_JOINS;
		return line_change(r, true, rdata, len);
	}
	if (serial != r->at)
		return axfr_refuse(
			z, -EBADMSG, "a difference from serial %u behind one to %u", serial, r->at);
	if (r->at != z->serial) {
		r->part = IXFR_LEAVES;
		return line_change(r, false, rdata, len);
	}
	if (!is_last)
		return axfr_refuse(
			z, -EBADMSG, "the server sent records behind the last difference");
	int err = z->text(z->arg, r->soa, r->soa_len);
	return err ? err : IXFR_DIFFERENCE;
}

int ixfr_read(struct ixfr_reader *r, const uint8_t *bytes, size_t msg_len)
{
	struct axfr_reader *z = &r->zone;
	struct rd msg = rd_init(bytes, msg_len);
	int answers = axfr_head_read(z, &msg, DNS_TYPE_IXFR), done = IXFR_MORE;
	for (int i = 0; i < answers && done == IXFR_MORE; i++) {
		const uint8_t *rdata;
		size_t len;
		uint32_t serial = 0;
		bool is_last = i == answers - 1;
		int is_soa = axfr_record_read(z, &msg, &rdata, &len, &serial);
		if (is_soa < 0)
			return is_soa;
		if (r->part == IXFR_BEGINS && !is_soa)
			return axfr_refuse(z, -EBADMSG, "the zone does not begin with its SOA");
		if (r->part == IXFR_BEGINS)
			done = first_take(r, rdata, len, serial, is_last);
		else if (r->part == IXFR_SECOND)
			done = second_take(r, rdata, len, is_soa, serial, is_last);
		else if (r->part == IXFR_ZONE)
			done = zone_take(r, rdata, len, is_soa, serial, is_last);
		else
			done = difference_take(r, rdata, len, is_soa, serial, is_last);
	}
	return answers < 0 ? answers : done;
}
