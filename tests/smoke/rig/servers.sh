# SPDX-License-Identifier: BSD-3-Clause
# Sourced (bash): configurations of real name servers, which run in the foreground and keep their files in a folder.

options_of() { [ $# = 0 ] || printf '  %s\n' "$@"; }
# nsd_conf FOLDER ADDRESS[@PORT] [OPTION...]: of NSD; zones stand behind it.
nsd_conf() {
	cat <<END
server:
  ip-address: $2
  username: ""
  chroot: ""
  zonesdir: "$1"
  database: ""
  pidfile: ""
  xfrdfile: "$1/xfrd.$2"
  xfrdir: "$1"
  zonelistfile: "$1/zonelist.$2"
  logfile: "$1/nsd.$2.log"
  server-count: 1
  rrl-ratelimit: 0
END
	options_of "${@:3}"
	printf 'remote-control:\n  control-enable: no\n' # or it listens on a port of its own
}
nsd_zone() { # nsd_zone NAME FILE [OPTION...]
	printf 'zone:\n  name: "%s"\n  zonefile: "%s"\n' "$1" "$2"
	options_of "${@:3}"
}
nsd_zones() { # nsd_zones LIST...: those of the lists, with a line NAME FILE for each
	local name file
	cat "$@" | while read -r name file; do nsd_zone "$name" "$file"; done
}
# unbound_conf FOLDER NAME [OPTION...]: of unbound, which logs into NAME.log.
unbound_conf() {
	cat <<END
server:
  directory: $1
  chroot: ""
  username: ""
  pidfile: ""
  use-syslog: no
  do-daemonize: no
  logfile: $1/$2.log
  access-control: 127.0.0.0/8 allow
END
	options_of "${@:3}"
}
