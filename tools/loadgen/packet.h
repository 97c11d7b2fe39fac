// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// Queries as frames, and replies checked byte by byte. Shares no code with the product, so that
// the two can disagree.
//
// Name number i is `n<i>.load.test`, and the upstream of a run answers it with the IPv4 address
// 198.19.(i / 256 % 256).(i % 256), so each reply proves that it belongs to its question. Names of
// the corpus (corpus.h) have its answers; its listed ones are blocked with the null address.

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct endpoint {                        // one service address and how to reach it
	uint8_t version;                 // 4 or 6
	uint8_t service[16], client[16]; // network order, IPv4 in the first 4
	uint8_t service_mac[6];
	bool resolved;
};

enum question_kind { QUESTION_LOAD, QUESTION_CACHED, QUESTION_LISTED };

struct question {
	enum question_kind kind;
	uint32_t name; // number
	uint16_t id, client_port;
	const struct endpoint *endpoint;
};

enum { PACKET_FRAME_MAX = 256 };

// Writes the query's frame; its length.
size_t packet_query(
	uint8_t frame[PACKET_FRAME_MAX], const uint8_t mac[6], const struct question *q);

// The frame of a UDP datagram from the endpoint's client to the service's port 53; its length. The
// payload lies in `frame` already, where packet_payload_at says, and fits.
size_t packet_payload_at(const struct endpoint *e);
size_t packet_udp(uint8_t *frame, const uint8_t mac[6], const struct endpoint *e,
	uint16_t client_port, size_t payload);

// NULL if the headers are those of a reply to the endpoint's client, and where its payload lies;
// else what is wrong.
const char *packet_payload(const uint8_t *frame, size_t len, const uint8_t mac[6],
	const struct endpoint *e, size_t *at, size_t *payload);

// Reads the id and client port of a frame that looks like a reply from port 53; false: another
// frame.
bool packet_is_reply(const uint8_t *frame, size_t len, uint16_t *id, uint16_t *client_port);

// NULL if the frame is the right reply to q in every byte that matters, else what is wrong.
// SERVFAIL is reported separately (*servfail), since a cold name may end so under load.
const char *packet_check(const uint8_t *frame, size_t len, const uint8_t mac[6],
	const struct question *q, bool *servfail);

// The same where a reflector sends queries back: NULL if it is q as it was asked.
bool packet_is_query(const uint8_t *frame, size_t len);
const char *packet_check_reflected(
	const uint8_t *frame, size_t len, const uint8_t mac[6], const struct question *q);

// ARP request or neighbour solicitation for the endpoint's service address; its length.
size_t packet_solicit(
	uint8_t frame[PACKET_FRAME_MAX], const uint8_t mac[6], const struct endpoint *e);
// Takes the MAC from the answer to it; true if the frame was one.
bool packet_solicited(const uint8_t *frame, size_t len, struct endpoint *e);
