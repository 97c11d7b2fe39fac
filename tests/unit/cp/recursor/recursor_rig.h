// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// A recursor with a double in the place of libunbound (library_double.h), and sockets that ask it.

#include "library_double.h"
#include "recursor/recursor.h"
#include "tests/unit/unit.h"

enum { QUESTIONS = 8, ID = 0x1234, QUERY_LEN = 28, ANSWER_LEN = 44 };

extern const uint8_t query[QUERY_LEN]; // "Ab.Example" A IN, with its letter case
// As the library answers it, with its spelling, AA, AD, no RA and one address.
extern const uint8_t answer[ANSWER_LEN];
extern struct loop *loop;
extern struct recursor *r; // for QUESTIONS
extern int client[QUESTIONS + 1];
extern struct recursor_settings set; // of `r`

int recursor_setup(void **state);
int recursor_teardown(void **state);
struct recursor_status now(void);
int client_open(void); // connected to `r`
// Sent by client `i`. Over loopback it has arrived when the call returns.
void send_now(unsigned i, const void *bytes, size_t len);
void send_zone(unsigned i, char letter, uint16_t id); // with a zone of its own for each letter
size_t reply(unsigned i, uint8_t *out, size_t cap);   // 0: none has come
void expect_servfail(unsigned i);
