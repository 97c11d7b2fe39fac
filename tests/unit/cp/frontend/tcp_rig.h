// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// TCP/53 on a loopback address of this process's own, on a loop in a thread, with an engine whose
// answers the test decides: a message is a DNS header and an order of one byte.

#include "controlplane/frontend/frontend_tcp.h"
#include "tests/unit/unit.h"

enum {
	TCP_ECHO = 'e',  // replied to at once, with what was asked
	TCP_LATER = 'l', // when the test says so
	TCP_BIG = 'b',   // at once, with TCP_BIG_LEN bytes
	TCP_LATER_BIG = 'B',
	TCP_NONE = 'n', // never
	TCP_BROKEN = 'x',
	TCP_LOST = 'L',    // when the test says so: there is no reply
	TCP_DROPPED = 'd', // then, too: a rule drops it
	TCP_OPT = 'o',     // at once, with an OPT
	TCP_BIG_LEN = 20000,
	TCP_SHORTEST = 13,
	TCP_LATER_LEN = 12, // of what is said later
	TCP_MESSAGE_MAX = 65535,
	TCP_DENIED_HOST = 99,   // may not ask
	TCP_REFUSED_HOST = 100, // may not ask, and gets REFUSED in clear text
	TCP_WAIT_MS = 20000,    // before a test gives up; nothing waits so long that works
};

extern struct config_tcp tcp_config;        // in force at tcp_rig_start
extern bool tcp_rig_dot, tcp_rig_doh;       // in force then: are DoT and DoH served, too?
extern struct frontend_names tcp_rig_names; // in force at start and after tcp_rig_name
void tcp_rig_name(void);
extern struct config_proxy_protocol tcp_rig_balancers; // in force then and at tcp_rig_configure
// The certificates, before tcp_rig_start or later; takes the reference. NULL: none. Once for each
// start, at least.
void tcp_rig_certify(struct tls_server *server);
void tcp_rig_start(void);    // tcp_config, one listener
int tcp_rig_start_one(void); // and a client of 127.0.0.1
void tcp_rig_start_files(unsigned files);
void tcp_rig_stop(void);
void tcp_rig_configure(void); // tcp_config
void tcp_rig_drain(enum frontend_tcp_drain drain);
// With that key of tcp_config.
#define TCP_RIG_START(key, value)     ((void)(tcp_config.key = (value)), tcp_rig_start())
#define TCP_RIG_CONFIGURE(key, value) ((void)(tcp_config.key = (value)), tcp_rig_configure())

void tcp_rig_status(struct frontend_tcp_status *out);
struct table_info tcp_rig_table(const char *name);
extern uint64_t tcp_rig_since_ms;      // what the engine says of its oldest question
unsigned tcp_rig_asked(void);          // messages that the engine saw
unsigned tcp_rig_row(void);            // most of them in a row from one connection
extern _Atomic unsigned tcp_rig_group; // of the last one's session
extern _Atomic unsigned tcp_rig_host;  // of the last one's client: 127.0.0.<host>
void tcp_rig_hold(void);               // the loop waits
void tcp_rig_go_on(void);
// Those that wait, answered; the last that came first.
void tcp_rig_release(void);
void tcp_rig_release_at(unsigned count); // when the engine saw so many
// Until `field` of the status is `value`; fails the test if it never is.
#define tcp_rig_until(field, value)                                             \
	do {                                                                    \
		struct frontend_tcp_status status_;                             \
		WAIT_FOR((tcp_rig_status(&status_), status_.field == (value))); \
	} while (0)
void tcp_rig_until_asked(unsigned count);

extern struct socket_address tcp_rig_address;       // of TCP; one port more for DoT, two for DoH
int tcp_connect(unsigned host, int receive_buffer); // from 127.0.0.<host>; 0: as usual
int tcp_connect_kind(enum frontend_tcp_kind kind, unsigned host);
static inline int tcp_connect_dot(unsigned host)
{
	return tcp_connect_kind(FRONTEND_TCP_DOT, host);
}
size_t tcp_message(uint8_t *out, uint16_t id, char order, size_t len); // with its length; in all
void tcp_send(int fd, const void *p, size_t len);
void tcp_ask(int fd, uint16_t id, char order); // the shortest such
// The next reply into `out` (TCP_MESSAGE_MAX bytes); its length, or 0 at the connection's end.
size_t tcp_reply(int fd, uint8_t *out);
void tcp_reply_is(int fd, uint16_t id, size_t len);
void tcp_echo(int fd, uint16_t id); // asks, and is answered
void tcp_is_closed(int fd);         // and closes it
bool tcp_has_ended(int fd);         // the server has closed it by now

// Each of these, and then tcp_rig_until.
#define CLOSE_UNTIL(fd, field, value)        \
	do {                                 \
		close(fd);                   \
		tcp_rig_until(field, value); \
	} while (0)
#define CLOSED_UNTIL(fd, field, value)       \
	do {                                 \
		tcp_is_closed(fd);           \
		tcp_rig_until(field, value); \
	} while (0)
#define ASK_UNTIL(fd, id, order, field, value) \
	do {                                   \
		tcp_ask(fd, id, order);        \
		tcp_rig_until(field, value);   \
	} while (0)

// Around each test: bounds that none comes near, and the server stopped.
int tcp_rig_each_start(void **state);
int tcp_rig_each_end(void **state);
