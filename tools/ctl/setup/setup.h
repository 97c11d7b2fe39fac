// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// The state of `weirctl setup`. The text is the whole configuration file: the present one, with the
// keys replaced that the answers so far decide. Nothing is on disk before the person answers the
// last question with yes (cmd_setup.c).

#include "lib/ctl.h"

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <weir/config.h>

enum {
	SETUP_ANSWER_MAX = 1024, // bytes of an answer
	SETUP_BLOCK_MAX = 8192,  // bytes of the lines that answers make
	SETUP_WHY_MAX = 1024,
	SETUP_PASSWORD_MAX = 260,
	SETUP_OWN_MAX = 256,
	SETUP_QUESTIONS = 4, // interface, address, lists, upstream servers
};

struct setup {
	struct ctl *c;
	char path[PATH_MAX];   // the configuration's, without symbolic links
	char folder[PATH_MAX]; // folder of `path`
	bool asks;             // a person sits at a terminal
	char *text;            // owned

	char *before;    // text of the present configuration, owned
	bool is_serving; // the present configuration serves more than the package's TAP
	// The present keys of a question differ from the shipped file, so its default is `keep`.
	bool keeps_addresses, keeps_lists, keeps_upstreams;
	enum upstream_mode mode;
	bool has_listen, has_page; // control.listen and control.page of the present configuration
	char own[SETUP_OWN_MAX];   // weir's TAPs and exception interfaces (below)
	char answer[SETUP_QUESTIONS][SETUP_ANSWER_MAX]; // typed, of an option, or the default
	char interface[64];                             // the answer; "": keep
	char present[64];            // the interface that weir shares already, the first one; or ""
	char shown[SETUP_BLOCK_MAX]; // the changes, for the person
	unsigned address_count;
	struct ip_address address[CONFIG_ADDRESSES_MAX];
	unsigned former_count; // addresses of the present configuration
	struct ip_address former[CONFIG_ADDRESSES_MAX];
	unsigned list_count, server_count; // numbers of lists and servers in the answers
	enum upstream_mode mode_next;
	char page_at[SOCKET_ADDRESS_TEXT_MAX]; // first address of control.listen
	char password[SETUP_PASSWORD_MAX];     // "": no page
	bool made_password;                    // setup made it, and shows it at the end
};

// FILE.setup, which may become the configuration file FILE. It is beside FILE, so that relative
// paths are right. Signals that end the program are blocked from setup_file_make() to
// setup_file_end(), so that no interrupted run leaves FILE.setup.

enum { SETUP_PATH_MAX = PATH_MAX + 16 };
char *setup_file_path(const struct setup *s, const char *ending, char out[SETUP_PATH_MAX]);

// Writes FILE.setup with this text, and the mode and owner of FILE. False: `why` has a sentence.
// Call setup_file_end() after either result.
ATTR_MUST_CHECK bool setup_file_make(struct setup *s, const char *text, char why[SETUP_WHY_MAX]);
// Removes FILE.setup if it is still there.
void setup_file_end(struct setup *s);

// Answers of `weirctl setup`: the default of each question, and the changes of the text by an
// answer. weir's own parser reads the text after each answer; if it refuses the text, the question
// comes again. `keep` leaves the keys of a question as they are.

// The functions setup_machine_* find interfaces, their addresses and name servers. They read /proc,
// /etc and /run (lib/sysroot.h), and get addresses from the kernel. A default that cannot be found
// is
// "".

// Finds an Ethernet interface that weir can share: the default route's, else the first with an
// address. Not one of weir's `own`, which has names with a blank before and after each.
void setup_machine_interface(const char *own, char *out, size_t cap);
// Is there an interface of this name that weir can share? False: `why` has a sentence.
bool setup_machine_has_interface(const char *own, const char *name, char *why, size_t cap);
bool setup_machine_is_ipv6_only(void);

// Finds the addresses of the interface with their prefix lengths, IPv4 first, then configured IPv6
// addresses before others, and last those without a network (/32, /128); no link-local, temporary
// (RFC 8981), deprecated or tentative ones.
unsigned setup_machine_addresses(const char *interface, struct ip_address *out, unsigned cap);

// Reads the present configuration. `keep` is the default of each question whose keys differ from
// the shipped file. False: it cannot be used; `why` has a sentence.
ATTR_MUST_CHECK bool setup_answer_begin(struct setup *s, char why[SETUP_WHY_MAX]);
// Goes back to setup_answer_begin(): the text is that of the present configuration. False: `why`
// has a sentence.
ATTR_MUST_CHECK bool setup_answer_restart(struct setup *s, char why[SETUP_WHY_MAX]);

struct setup_question {
	const char *title;
	void (*choices)(char *out, size_t cap); // more of the title, or NULL
	void (*offer)(const struct setup *s, char *out, size_t cap);
	// False: `why` has a sentence, and nothing is changed.
	bool (*accept)(struct setup *s, const char *answer, char why[SETUP_WHY_MAX]);
};

extern const struct setup_question setup_questions[SETUP_QUESTIONS];

// Turns the page for browsers on, with the certificate that cmd_setup.c makes; if control.listen is
// set, with the control API's addresses and certificates.
ATTR_MUST_CHECK bool setup_answer_page(struct setup *s, char why[SETUP_WHY_MAX]);
// Clears the host bits of an address.
void setup_answer_network(struct ip_address *a);
