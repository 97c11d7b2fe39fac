// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// The state of `weirctl setup`. The text is the whole configuration file: the present one, with the
// keys replaced that the answers so far decide. Nothing is on disk before the person answers the
// last question with yes (cmd_setup.c).

#include "lib/ctl.h"

#include <limits.h>
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
	char own[SETUP_OWN_MAX];   // weir's TAPs and exception interfaces (setup_answer.h)
	char answer[SETUP_QUESTIONS][SETUP_ANSWER_MAX]; // typed, of an option, or the default
	char interface[64];                             // the answer; "": keep
	char shown[SETUP_BLOCK_MAX];                    // the changes, for the person
	unsigned address_count;
	struct ip_address address[CONFIG_ADDRESSES_MAX];
	unsigned list_count, server_count; // numbers of lists and servers in the answers
	enum upstream_mode mode_next;
	char page_at[SOCKET_ADDRESS_TEXT_MAX]; // first address of control.listen
	char password[SETUP_PASSWORD_MAX];     // "": no page
	bool made_password;                    // setup made it, and shows it at the end
};
