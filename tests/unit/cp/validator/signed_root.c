// SPDX-License-Identifier: BSD-3-Clause
#include "signed_root.h"

#include "tests/unit/unit.h"

#include <event2/event.h>
#include <ldns/ldns.h>

enum { DAY_S = 86400, NAMES_MAX = 16 };

static struct {
	struct signed_root *root;
	int fd;
	struct event *readable;
	ldns_key_list *keys;
	ldns_key *key;
	ldns_rr_list *apex; // DNSKEY and its signature
	unsigned count;
	ldns_rr_list *answer[NAMES_MAX];
} zone;

static ldns_rr *rr_of(const char *text)
{
	ldns_rr *rr = NULL;
	assert_int_equal(ldns_rr_new_frm_str(&rr, text, 0, NULL, NULL), LDNS_STATUS_OK);
	return rr;
}

static void sign(ldns_rr_list *set, int from_days, int until_days)
{
	const int64_t now = time(NULL);
	ldns_key_set_inception(zone.key, (uint32_t)(now + from_days * DAY_S));
	ldns_key_set_expiration(zone.key, (uint32_t)(now + until_days * DAY_S));
	ldns_rr_list *signatures = ldns_sign_public(set, zone.keys);
	assert_non_null(signatures);
	ldns_rr_list_push_rr_list(set, signatures);
	ldns_rr_list_free(signatures);
}

static void key_make(const char *anchors)
{
	zone.key = ldns_key_new_frm_algorithm(LDNS_SIGN_ECDSAP256SHA256, 256);
	assert_non_null(zone.key);
	ldns_key_set_flags(zone.key, LDNS_KEY_ZONE_KEY | LDNS_KEY_SEP_KEY);
	ldns_key_set_pubkey_owner(zone.key, ldns_dname_new_frm_str("."));
	ldns_key_set_origttl(zone.key, 300);
	ldns_rr *dnskey = ldns_key2rr(zone.key);
	ldns_key_set_keytag(zone.key, ldns_calc_keytag(dnskey));
	zone.keys = ldns_key_list_new();
	ldns_key_list_push_key(zone.keys, zone.key);
	ldns_rr_set_ttl(dnskey, 300);
	zone.apex = ldns_rr_list_new();
	ldns_rr_list_push_rr(zone.apex, dnskey);
	sign(zone.apex, -1, 30);
	FILE *f = fopen(anchors, "we");
	assert_non_null(f);
	ldns_rr_print(f, dnskey);
	fclose(f);
}

static const ldns_rr_list *answer_of(const ldns_rr *question)
{
	if (ldns_rr_get_type(question) == LDNS_RR_TYPE_DNSKEY)
		return zone.apex;
	for (unsigned i = 0; i < zone.count; i++) {
		const ldns_rr *first = ldns_rr_list_rr(zone.answer[i], 0);
		if (ldns_dname_compare(ldns_rr_owner(first), ldns_rr_owner(question)) == 0
			&& ldns_rr_get_type(question) == LDNS_RR_TYPE_A)
			return zone.answer[i];
	}
	return NULL;
}

static void answer(const uint8_t *query, size_t len, const struct sockaddr_in *peer)
{
	ldns_pkt *q = NULL;
	uint8_t *wire;
	size_t wire_len;

	assert_int_equal(ldns_wire2pkt(&q, query, len), LDNS_STATUS_OK);
	zone.root->cd_queries += ldns_pkt_cd(q) && ldns_pkt_edns_do(q);
	const ldns_rr *question = ldns_rr_list_rr(ldns_pkt_question(q), 0);
	const ldns_rr_list *records = answer_of(question);
	const bool is_failing =
		zone.root->is_failing
		|| (zone.root->is_keyless && ldns_rr_get_type(question) == LDNS_RR_TYPE_DNSKEY);
	ldns_pkt_set_qr(q, true);
	ldns_pkt_set_ra(q, true);
	if (is_failing)
		ldns_pkt_set_rcode(q, LDNS_RCODE_SERVFAIL);
	for (size_t i = 0; records && !is_failing && i < ldns_rr_list_rr_count(records); i++)
		ldns_pkt_push_rr(
			q, LDNS_SECTION_ANSWER, ldns_rr_clone(ldns_rr_list_rr(records, i)));
	if (!records)
		ldns_pkt_set_rcode(q, LDNS_RCODE_NXDOMAIN);
	assert_int_equal(ldns_pkt2wire(&wire, q, &wire_len), LDNS_STATUS_OK);
	sendto(zone.fd, wire, wire_len, 0, (const struct sockaddr *)peer, sizeof(*peer));
	free(wire);
	ldns_pkt_free(q);
}

static void on_query(evutil_socket_t fd, short, void *)
{
	uint8_t query[2048];
	struct sockaddr_in peer;
	socklen_t peer_len = sizeof(peer);
	ssize_t n = recvfrom(fd, query, sizeof(query), 0, (struct sockaddr *)&peer, &peer_len);

	if (n < 0)
		return;
	zone.root->queries++;
	if (!zone.root->is_silent)
		answer(query, (size_t)n, &peer);
}

void signed_root_start(struct signed_root *r, struct event_base *base, const char *anchors)
{
	struct sockaddr_in own = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
	socklen_t len = sizeof(own);

	zone.root = r;
	zone.count = 0;
	key_make(anchors);
	zone.fd = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	assert_int_equal(bind(zone.fd, (struct sockaddr *)&own, sizeof(own)), 0);
	assert_int_equal(getsockname(zone.fd, (struct sockaddr *)&own, &len), 0);
	r->port = ntohs(own.sin_port);
	zone.readable = event_new(base, zone.fd, EV_READ | EV_PERSIST, on_query, NULL);
	assert_int_equal(event_add(zone.readable, NULL), 0);
}

void signed_root_stop(struct signed_root *)
{
	event_free(zone.readable);
	close(zone.fd);
	for (unsigned i = 0; i < zone.count; i++)
		ldns_rr_list_deep_free(zone.answer[i]);
	ldns_rr_list_deep_free(zone.apex);
	ldns_key_list_free(zone.keys);
}

void signed_root_add(const char *name, enum signed_how how)
{
	static const struct {
		int from, until;
	} days[] = {
		[SIGNED_GOOD] = {-1, 30},
		[SIGNED_BAD] = {-1, 30},
		[SIGNED_EXPIRED] = {-30, -3},
		[SIGNED_EARLY] = {3, 30},
	};
	ldns_rr_list *set = ldns_rr_list_new();

	assert_true(zone.count < NAMES_MAX);
	ldns_rr_list_push_rr(set, rr_of(text_from("%s 300 IN A 192.0.2.1", name)));
	if (how != SIGNED_NOT)
		sign(set, days[how].from, days[how].until);
	if (how == SIGNED_BAD)
		ldns_rdf_data(ldns_rr_rdf(ldns_rr_list_rr(set, 0), 0))[3] = 9;
	zone.answer[zone.count++] = set;
}
